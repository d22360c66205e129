"""Can a reviewer see what looks odd, with its records, and is looking itself written down?"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from callers import VISIT, Api, refusal_of
from click.testing import CliRunner

from api.cli import main

NOTE = "入户了解近况，老人身体尚可。"
TODAY = datetime.now(UTC).date()  # noqa: TID251 - the API records by its own clock
SPAN = f"from={TODAY - timedelta(days=1)}&to={TODAY + timedelta(days=1)}"


def signals(api: Api, **query: Any) -> list[dict[str, Any]]:
    asked = "".join(f"&{name}={value}" for name, value in query.items())
    answer = api.get(f"integrity-signals?{SPAN}{asked}", role="reviewer")
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.get_json()["items"]
    return rows


@pytest.fixture
def odd(api: Api) -> Api:
    """Four late visits with the same note, by one worker."""
    household = api.household()
    for day in (5, 6, 7, 8):
        on = {"occurred_on": f"2024-11-0{day}", "household": household, "note": NOTE}
        api.recorded("visits", VISIT | on)
    api.project()
    return api


def test_what_is_odd_is_told_with_its_records(odd: Api) -> None:
    (late,) = signals(odd, kind="late")
    assert (late["label"], late["who"], late["record_count"]) == ("补录过晚", "social_worker-1", 5)
    visit = late["records"][-1]
    assert (visit["kind"], visit["occurred_on"]) == ("visit", "2024-11-08")
    assert visit["position"] == odd.head()


def test_notes_are_compared_only_where_that_is_asked_for_and_then_it_is_logged(odd: Api) -> None:
    def reads() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = odd.get("access-log?actor=reviewer-1", role="lead").get_json()["items"]
        return rows

    assert "same_text" not in {row["kind"] for row in signals(odd)}
    assert reads() == []
    (same,) = signals(odd, kind="same_text")
    assert same["record_count"] == 4
    assert NOTE not in str(same)
    (row,) = reads()
    assert row["action_label"] == "查找"
    assert {s["kind"] for s in row["subjects"]} == {"visit", "household"}


def test_signs_come_a_page_at_a_time(odd: Api) -> None:
    for worker, day in (("甲", 1), ("乙", 2)):
        for _ in range(2):
            odd.recorded("visits", VISIT | {"occurred_on": f"2024-11-0{day}", "workers": [worker], "minutes": 400})
    odd.project()
    first = odd.get(f"integrity-signals?{SPAN}&kind=density&limit=1", role="lead")
    assert [row["who"] for row in first.get_json()["items"]] == ["乙"]
    assert 'rel="next"' in first.headers["Link"]
    cursor = first.get_json()["next_cursor"]
    assert [row["who"] for row in signals(odd, kind="density", limit=1, cursor=cursor)] == ["甲"]


def test_a_station_s_own_thresholds_hold(odd: Api) -> None:
    own = odd.services.settings.home / "integrity.json"
    own.write_text('{"late_days": 100000}')
    assert signals(odd, kind="late") == []
    own.write_text('{"late_days": "soon"}')
    answer = odd.get(f"integrity-signals?{SPAN}", role="lead")
    assert "integrity.json" in refusal_of(answer, 500, "bad_thresholds")["detail"]


@pytest.mark.parametrize("days", ["from=2024-02-01&to=2024-01-01", "from=2020-01-01&to=2024-01-01", "from=0001-01-01&to=0001-01-02"])
def test_an_impossible_span_is_refused(api: Api, days: str) -> None:
    refusal_of(api.get(f"integrity-signals?{days}", role="lead"), 422, "span_too_long")


def test_the_page_and_the_command_line_show_the_same(odd: Api) -> None:
    page = odd.get(f"/audit/signals?{SPAN}&kind=late", role="lead").text
    assert "补录过晚" in page
    assert "/records/visit/" in page
    assert odd.get("/audit/signals", role="lead").status_code == 200
    home = {"TAIZHANG_HOME": str(odd.services.settings.home)}
    span = ["--from", str(TODAY - timedelta(days=1)), "--to", str(TODAY + timedelta(days=1))]
    said = CliRunner().invoke(main, ["signals", *span], env=home)
    assert "补录过晚：social_worker-1" in said.stdout
    assert f"位置 {odd.head()}" in said.stdout


def test_the_page_says_whose_the_records_are_and_no_ids(api: Api) -> None:
    visits = []
    for number, at in (("JT-0001", "09:00"), ("JT-0002", "09:30")):
        home = api.household(file_number=number)
        said = {"household": home, "minutes": 60, "occurred_at": f"2024-11-05T{at}:00+08:00"}
        visit = {name: value for name, value in VISIT.items() if name != "occurred_on"}
        visits.append(api.recorded("visits", visit | said)["id"])
    api.project()
    page = api.get(f"/audit/signals?{SPAN}&kind=overlap", role="lead").text
    told = re.search(r'data-label="说明">(.*?)</td>', page, re.DOTALL)
    assert told is not None
    for number in ("JT-0001", "JT-0002"):
        assert number in told.group(1)
    assert not any(visit in told.group(1) for visit in visits)
