"""Do records sent over HTTP become figures, through a real Redis and real RQ workers?"""

from __future__ import annotations

import http.client
import json
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from desk import STATION, Desk, a_station
from stage import Service, a_service, until

from api.identity import issue_token, tokens_engine
from projections.catalog import PROJECTIONS
from projections.engine import ReadModels
from workers.runtime import opened_ledger
from workers.settings import settings_for

pytestmark = pytest.mark.slow


@dataclass
class Client:
    """A program that talks to the service."""

    address: str
    token: str

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        """Send a request; answers status, body and headers."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=20)
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, json.dumps(body) if body is not None else None, sent | named)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None, answer.headers

    def figure(self, code: str, at_least: int) -> Any:
        """A November figure that takes in a position."""
        path = f"/api/v1/indicators/lixia-2024?month=2024-11&at_least={at_least}"
        status, body, _headers = self.send("GET", path)
        assert status == 200, body
        return next(row["value"] for row in body["indicators"] if row["code"] == code)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Service, Client]]:
    """A running service with a registered station, and a lead's client."""
    settings = settings_for(tmp_path / "home", port=8820)
    settings.prepare_home()
    with opened_ledger(settings) as ledger:
        Desk(ledger).record(STATION, a_station(), "2024-01-01", role="administrator")
    engine = tokens_engine(settings.database_url)
    token = issue_token(engine, "站长甲", "lead", STATION, 1)
    engine.dispose()
    with a_service(settings) as service:
        yield service, Client(service.info["address"], token)
        service.end(signal.SIGTERM)


def test_a_month_of_records_becomes_its_figures(service: tuple[Service, Client]) -> None:
    _service, client = service
    # given a household with assistance and a new case file
    members = [{"person": "p1", "name": "测试甲", "relation": "head"}, {"person": "p2", "name": "测试乙"}]
    home = {"occurred_on": "2024-07-01", "community": "东", "members": members}
    status, household, headers = client.send("POST", "/api/v1/households", home)
    assert status == 201
    assert headers["Location"] == f"/api/v1/households/{household['id']}"
    base = headers["Location"]
    grant = {"occurred_on": "2024-08-01", "unit": "u", "category": "dibao", "covered": ["p1", "p2"]}
    assert client.send("POST", f"{base}/assistance", grant)[0] == 201
    opened = {"occurred_on": "2024-11-04", "file_number": "D-1"}
    assert client.send("POST", f"{base}/case-file", opened)[0] == 201
    # when a visit is recorded, sent twice, corrected and another voided
    visit = {
        "occurred_on": "2024-11-05", "mode": "home", "purpose": "routine", "persons_met": 2,
        "household": household["id"], "workers": ["甲社工"],
    }
    first = client.send("POST", "/api/v1/visits", visit, Idempotency_Key="v-1")
    again = client.send("POST", "/api/v1/visits", visit, Idempotency_Key="v-1")
    assert first[1] == again[1]
    assert again[2]["Idempotency-Replayed"] == "true"
    path = f"/api/v1/visits/{first[1]['id']}"
    stated = {**visit, "persons_met": 3, "reason": "少记了一人"}
    corrected = client.send("PUT", f"{path}/entries/1/recorded", stated, If_Match='"1"')
    assert corrected[0] == 201, corrected[1]
    other = client.send("POST", "/api/v1/visits", visit)
    assert [w["code"] for w in other[1]["warnings"]] in ([], ["possible_duplicate"])
    voided = client.send(
        "DELETE", f"/api/v1/visits/{other[1]['id']}/entries/1", {"reason": "重复"}, If_Match='"1"'
    )
    # then the figures say so, as soon as they are asked to
    head = voided[1]["position"]
    assert client.figure("person_visits", head) == 3
    assert client.figure("dibao_persons", head) == 2
    assert client.figure("case_files_opened", head) == 1
    status, audit, _headers = client.send("GET", f"{path}/audit")
    assert status == 200
    change = next(c for c in audit["entries"][1]["changes"] if c["field"] == "persons_met")
    assert (change["before"], change["after"]) == ("2", "3")


def test_redis_killed_in_the_middle_of_recording_loses_nothing(
    service: tuple[Service, Client],
) -> None:
    running, client = service
    visit = {"occurred_on": "2024-11-05", "mode": "home", "purpose": "routine", "persons_met": 1}
    acknowledged: list[int] = []

    def record(number: int) -> None:
        for n in range(15):
            key = f"{number}-{n}"
            status, body, _headers = client.send("POST", "/api/v1/visits", visit, Idempotency_Key=key)
            assert status == 201, body
            acknowledged.append(body["position"])

    writers = [threading.Thread(target=record, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    until(lambda: len(acknowledged) > 10, "some were recorded")
    psutil.Process(running.info["processes"]["redis"]).kill()
    for writer in writers:
        writer.join()
    # every write was acknowledged, and the figures catch up by themselves
    assert len(acknowledged) == 60
    until(lambda: client.figure("person_visits", max(acknowledged)) == 60, "figures catch up")
    # and equal a rebuild from zero, row for row
    settings = settings_for(running.home)
    read_models = ReadModels(settings.read_database_url)
    with opened_ledger(settings) as ledger:
        for name in PROJECTIONS:
            assert read_models.rebuild(name, ledger).differing_rows == 0
    read_models.close()
