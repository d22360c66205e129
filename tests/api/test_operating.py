"""Does the page of operations say how the service is doing, and can its buttons mend it?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from callers import Api
from desk import STATION, Desk, a_station
from sqlalchemy import insert
from stage import RedisAtHand, working_off

from api.app import create_app
from api.services import EXTENSION, Services
from domain.kernel import stream_id
from projections.store import parked, writing
from workers import backup, runtime
from workers.embedded import connect
from workers.queues import LONG
from workers.settings import settings_for


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisAtHand]:
    """A Redis server."""
    server = RedisAtHand(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def api(tmp_path: Path, redis: RedisAtHand) -> Iterator[Api]:
    """A station's application with a queue, and the process that works it off."""
    settings = replace(settings_for(tmp_path), redis_url=redis.server.url)
    settings.prepare_home()
    app = create_app(settings)
    found: Services = app.extensions[EXTENSION]
    Desk(found.ledger).record(STATION, a_station(), "2024-01-01", role="administrator")
    here = runtime.start(settings)
    yield Api(app, found)
    here.close()
    found.close()


def work(redis: RedisAtHand) -> None:
    with connect(redis.server.url, timeout_seconds=5) as connection, working_off(connection) as off:
        off(LONG)


def form(page: str) -> dict[str, str]:
    [token, *_] = re.findall(r'name="form_token" value="([^"]+)"', page)
    return {"form_token": token}


def test_a_rebuild_shows_a_bar_until_it_is_done(api: Api, redis: RedisAtHand) -> None:
    api.household()
    api.project()
    client = api.browser("administrator")
    page = client.get("/operations").text
    assert "data-hx-trigger" not in page
    asked = client.post("/operations/rebuild", data=form(page) | {"name": "timeline"})
    assert (asked.status_code, asked.location) == (303, "/operations")
    page = client.get("/operations").text
    assert re.search(r'<progress aria-label="重建 时间线"', page)
    assert 'data-hx-trigger="every 3s"' in page
    work(redis)
    page = client.get("/operations").text
    assert "<progress" not in page
    assert "完成" in page
    assert client.post("/operations/rebuild", data=form(page) | {"name": "none"}).status_code == 404


def test_a_parked_event_is_tried_again_where_another_station_is_not_seen(
    api: Api, redis: RedisAtHand
) -> None:
    household = api.household()
    api.project()
    models = api.services.read_models
    [mine] = [c for c in models.checkpoints() if c.name == "timeline"]
    with writing(models.engine) as connection:
        for position, station in ((api.head(), STATION), (1, "elsewhere")):
            connection.execute(insert(parked), {
                "projection": "timeline", "generation": mine.generation, "position": position,
                "stream": stream_id(station, "household", household), "error": "ValueError()",
                "parked_at": datetime(2024, 12, 1, tzinfo=UTC),
            })
    client = api.browser("lead")
    page = client.get("/operations").text
    assert "再试 时间线" in page
    assert "elsewhere" not in page
    assert client.post("/operations/timeline/retry", data=form(page)).status_code == 303
    work(redis)
    assert models.parked() == []
    assert "每个事件都已计入" in client.get("/operations").text


def test_room_seals_backups_and_workers_are_said(api: Api, tmp_path: Path) -> None:
    said = api.get("operations", role="lead").get_json()
    assert said["backup_at"] is None
    assert said["storage"]["log_bytes"] > 0
    assert said["storage"]["read_model_bytes"] > 0
    assert 0 < said["storage"]["free_bytes"] <= said["storage"]["disk_bytes"]
    assert said["workers"] == []
    assert "没有备份过" in (page := api.browser("lead").get("/operations").text)
    assert "没有任务进程" in page
    made = datetime(2024, 12, 2, 1, 30, tzinfo=UTC)
    backup.backup(api.services.settings, tmp_path / "out.backup", made)
    assert api.get("operations", role="lead").get_json()["backup_at"].startswith("2024-12-02T09:30")
    assert "2024-12-02 09:30" in api.browser("lead").get("/operations").text


def test_of_several_stations_only_an_administrator_makes_the_read_models_anew(api: Api) -> None:
    # given a lead, who may where his station is alone
    client = api.browser("lead")
    page = client.get("/operations").text
    assert client.post("/operations/rebuild", data=form(page) | {"name": "timeline"}).status_code == 303
    # when another station keeps its ledger here as well
    Desk(api.services.ledger, "other").record(
        "other", a_station(), "2024-01-01", role="administrator"
    )
    # then he may neither begin nor give up, and sees who may
    page = client.get("/operations").text
    assert "由管理员重建" in page
    assert "/operations/rebuild" not in page
    path = "/api/v1/projections/timeline/rebuild"
    for method in ("POST", "DELETE"):
        refused = api.call(method, path, {}, role="lead")
        assert (refused.status_code, refused.json["code"]) == (403, "shared_read_models")
    assert api.call("DELETE", path, role="administrator").json == {"cancelled": []}
