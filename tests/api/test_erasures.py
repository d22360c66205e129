"""Can a person be found, erased and then no more be found, over HTTP?"""

from __future__ import annotations

import json
from typing import Any

import pytest
from callers import HOUSEHOLD, Api, refusal_of

from domain.vault import ERASED, LOCKED

PERSON = {
    "person": "p1", "name": "测试一", "relation": "head", "id_number": "110101190001010013",
    "phone": "13800000000", "health": "高血压",
}
HOME = HOUSEHOLD | {
    "address": "测试路 1 号", "note": "与邻居不和",
    "members": [PERSON, {"person": "p2", "name": "测试二", "relation": "spouse"}],
}
DAY = {"occurred_on": "2024-11-20"}


@pytest.fixture
def home(api: Api) -> str:
    body = HOME | {"members": [{k: v for k, v in PERSON.items() if k != "id_number"}, HOME["members"][1]]}
    household = api.recorded("households", body)["id"]
    api.project()
    return str(household)


def proposal(household: str, **changes: Any) -> dict[str, Any]:
    return DAY | {"ground": "request", "household": household, "person": "p1"} | changes


def erase(api: Api, household: str, **changes: Any) -> str:
    erasure = api.recorded("erasures", proposal(household, **changes))["id"]
    api.recorded(f"erasures/{erasure}/approval", DAY, role="lead")
    api.project()
    return str(erasure)


def found(api: Api, **conditions: str) -> list[dict[str, Any]]:
    answer = api.post("persons/search", conditions)
    assert answer.status_code == 200, answer.text
    return list(answer.get_json()["items"])


# ---- finding ----


@pytest.mark.parametrize(("conditions", "persons"), [
    ({"name": "测试一"}, ["p1"]), ({"phone": "138-0000 0000"}, ["p1"]),
    ({"address": "测试路1号"}, []), ({"name": "测试二", "address": "测试路 1 号"}, ["p2"]),
])
def test_a_household_is_found_by_what_identifies_it(
    api: Api, home: str, conditions: dict[str, str], persons: list[str]
) -> None:
    [item] = found(api, **conditions)
    assert (item["kind"], item["id"], item["persons"]) == ("household", home, persons)
    assert item["status"]["household"]["head_name"] == "测试一"


@pytest.mark.parametrize("conditions", [
    {"name": "测试"}, {"name": "测试一", "phone": "13900000000"}, {"phone": "测试一"},
    {"name": "测试二", "phone": "13800000000"},
])
def test_nobody_else_is_found(api: Api, home: str, conditions: dict[str, str]) -> None:
    assert home
    assert found(api, **conditions) == []


def test_a_search_for_nothing_or_by_something_else_is_refused(api: Api, home: str) -> None:
    assert home
    refusal_of(api.post("persons/search", {}), 422, "nothing_to_find")
    assert api.post("persons/search", {"nmae": "测试一"}).status_code == 422
    assert api.post("persons/search", {"name": "测试一"}, role="hub").status_code == 403
    assert api.get("persons/search?name=x").status_code in {404, 405}


def test_another_station_finds_nobody(api: Api, home: str) -> None:
    assert home
    answer = api.post("persons/search", {"name": "测试一"}, station="elsewhere")
    assert answer.get_json() == {"items": [], "is_complete": True}


# ---- erasing ----


def test_nothing_shows_an_erased_person(api: Api, home: str) -> None:
    visit = DAY | {"mode": "home", "purpose": "routine", "persons_met": 1, "household": home,
                   "note": "测试一说腿疼"}
    visit_id = api.recorded("visits", visit)["id"]
    api.project()
    months = api.get("indicators/lixia-2024?month=2024-11").get_json()["indicators"]
    before = api.head()
    erase(api, home, note="测试一本人来站")
    paths = [
        f"households?known_at={before}", f"households/{home}/status?known_at={before}",
        f"timelines/household/{home}?known_at={before}", f"reports/2024-11?known_at={before}",
        f"households/{home}", f"households/{home}/audit", f"households/{home}/status",
        "households", "households/records", "visits", f"visits/{visit_id}",
        f"visits/{visit_id}/audit", f"timelines/household/{home}", "timelines/person/p1",
        "erasures", "erasure-tracking", "reports/2024-11",
        f"/households/{home}", "/households", f"/records/household/{home}",
        f"/records/visit/{visit_id}",
    ]
    for path in paths:
        answer = api.get(path)
        assert answer.status_code == 200, (path, answer.text)
        for said in ("测试一", "13800000000", "高血压", "不和", "腿疼"):
            assert said not in answer.text, (path, said)
    assert "测试二" in api.get(f"households/{home}/status").text
    assert ERASED in api.get(f"households/{home}").text
    assert found(api, name="测试一") == found(api, phone="13800000000") == []
    [item] = found(api, address="测试路 1 号")
    assert item["id"] == home
    assert api.get("indicators/lixia-2024?month=2024-11").get_json()["indicators"] == months
    again = HOUSEHOLD | {"members": [PERSON | {"id_number": None}]}
    refusal_of(api.post("households", again), 409, "person_erased")


def test_what_was_held_before_an_erasure_is_sent_anew(api: Api, home: str) -> None:
    held = api.get(f"households/{home}").headers["ETag"]
    again = {"headers": {"If-None-Match": held}}
    assert api.get(f"households/{home}", **again).status_code == 304
    # a caller who is told to go on showing it has read it, too
    (_first, second) = api.get(f"access-log?household={home}", role="lead").get_json()["items"]
    assert second["action"] == "read"
    # when the person is erased, which changes no version of the household
    erase(api, home)
    answer = api.get(f"households/{home}", **again)
    assert (answer.status_code, "测试一" in answer.text) == (200, False)
    assert answer.headers["ETag"] != held


def test_the_tracking_says_who_and_whether_it_is_done(api: Api, home: str) -> None:
    erasure = api.recorded("erasures", proposal(home))["id"]
    api.project()
    [item] = api.get("erasure-tracking?status=proposed").get_json()["items"]
    assert (item["erasure"], item["status"], item["is_carried_out"]) == (erasure, "proposed", None)
    api.recorded(f"erasures/{erasure}/approval", DAY, role="lead")
    api.project()
    [item] = api.get("erasure-tracking").get_json()["items"]
    assert (item["status"], item["is_carried_out"]) == ("approved", True)
    assert (item["proposed_by"], item["last_by"]) == ("social_worker-1", "lead-1")


def test_locking_and_unlocking(api: Api, home: str) -> None:
    erasure = api.recorded("erasures", proposal(home))["id"]
    refusal = DAY | {"ground": "legal_retention", "because": "审计期内"}
    api.recorded(f"erasures/{erasure}/refusal", refusal, role="lead")
    api.project()
    assert LOCKED in api.get(f"households/{home}/status").text
    assert found(api, name="测试一") == []
    api.recorded(f"erasures/{erasure}/unlocking", DAY | {"because": "审计结束"}, role="lead")
    assert "测试一" in api.get(f"households/{home}/status").text
    assert len(found(api, name="测试一")) == 1


@pytest.mark.parametrize("role", ["social_worker", "reviewer", "supervisor", "hub"])
def test_not_everybody_decides(api: Api, home: str, role: str) -> None:
    erasure = api.recorded("erasures", proposal(home), role="lead")["id"]
    refusal_of(api.post(f"erasures/{erasure}/approval", DAY, role=role), 403, "not_allowed")
    refusal_of(
        api.post(f"erasures/{erasure}/approval", DAY, role="lead"), 403, "second_person_needed"
    )


@pytest.mark.parametrize("path", ["entries/1", "entries/2", "entries/1/reinstatement"])
def test_an_erasure_has_no_way_back(api: Api, home: str, path: str) -> None:
    erasure = erase(api, home)
    method = "POST" if path.endswith("reinstatement") else "DELETE"
    answer = api.call(
        method, f"erasures/{erasure}/{path}", {"reason": "误"}, headers={"If-Match": '"2"'}
    )
    assert answer.status_code in {404, 405}


def test_an_erasure_that_names_a_household_s_record_is_refused(api: Api, home: str) -> None:
    visit = DAY | {"mode": "home", "purpose": "routine", "persons_met": 1, "household": home,
                   "note": "身体好"}
    record = f"visit/{api.recorded('visits', visit)['id']}"
    answer = api.post("erasures", proposal(home, records=[record]))
    refusal_of(answer, 422, "record_not_separate")
    assert json.dumps(answer.get_json())
