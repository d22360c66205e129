"""Do the search for a person and the one before registering find the same, by one rule?"""

from __future__ import annotations

from typing import Any

import pytest
from callers import Api

TODAY = "2024-12-02"
PHONE = "13800000000"


def home(api: Api, person: str, **about: Any) -> str:
    return api.household(members=[{"person": person, "relation": "head"} | about])


def merge(api: Api, register: str, proposal: dict[str, Any]) -> None:
    said = {"occurred_on": TODAY, "reason": "重复建档"} | proposal
    entry = api.recorded(f"merges/{register}/proposals", said)["version"]
    approval = {"occurred_on": TODAY, "entry": entry}
    api.recorded(f"merges/{register}/approvals", approval, role="lead")
    api.project()


def items(api: Api, path: str, **said: str) -> list[dict[str, Any]]:
    answer = api.post(path, said)
    assert answer.status_code == 200, answer.text
    return list(answer.get_json()["items"])


def test_neither_finds_a_volunteer_whose_registration_was_voided(api: Api) -> None:
    said = {"occurred_on": "2024-07-01", "name": "测试丙", "phone": PHONE}
    stays, goes = (str(api.recorded("volunteers", said)["id"]) for _ in range(2))
    gone = api.call(
        "DELETE", f"volunteers/{goes}/entries/1", {"reason": "错"}, headers={"If-Match": '"1"'}
    )
    assert gone.status_code == 201
    api.project()
    for path in ("persons/search", "volunteers/duplicates"):
        assert [item["id"] for item in items(api, path, phone=PHONE)] == [stays]


def test_both_name_the_household_into_which_another_was_merged(api: Api) -> None:
    one, two = home(api, "p1", name="测试甲"), home(api, "p2", name="测试甲")
    merge(api, "households", {"merged": two, "survivor": one})
    for path in ("persons/search", "households/duplicates"):
        found = items(api, path, name="测试甲")
        assert {item["id"]: item["merged_into"] for item in found} == {one: None, two: one}


def test_somebody_under_two_ids_is_found_by_what_was_said_under_either(api: Api) -> None:
    one, two = home(api, "p1", name="测试甲"), home(api, "p2", name="测试乙", phone=PHONE)
    api.project()
    both = {"name": "测试甲", "phone": PHONE}
    assert items(api, "persons/search", **both) == []
    merge(api, "persons", {"merged": "p2", "survivor": "p1", "merged_household": two,
                           "survivor_household": one})
    found = items(api, "persons/search", **both)
    assert {(item["id"], *item["persons"]) for item in found} == {(one, "p1"), (two, "p2")}
    assert all(item["matched"] == ["phone", "name"] for item in found)
    assert items(api, "persons/search", **both | {"address": "无此路"}) == []
    # before a registration each is shown, and with whom it counts
    found = items(api, "persons/duplicates", name="测试甲", phone=PHONE)
    assert {item["id"]: item["merged_into"] for item in found} == {"p1": None, "p2": "p1"}


def test_all_must_be_said_of_one_person_and_not_of_two_of_a_household(api: Api) -> None:
    api.household(members=[
        {"person": "p1", "relation": "head", "name": "测试甲"},
        {"person": "p2", "relation": "spouse", "name": "测试乙", "phone": PHONE},
    ])
    api.project()
    assert items(api, "persons/search", name="测试甲", phone=PHONE) == []
    assert len(items(api, "households/duplicates", name="测试甲", phone=PHONE)) == 1


@pytest.mark.parametrize("path", ["persons/search", "households/duplicates"])
def test_either_search_is_written_down_with_whoever_was_found(api: Api, path: str) -> None:
    found = home(api, "p1", name="测试甲")
    api.project()
    items(api, path, name="测试甲")
    rows = api.get("access-log", role="lead").get_json()["items"]
    (row,) = [row for row in rows if row["route"].endswith(path)]
    assert row["action"] == "search"
    assert found in {subject["id"] for subject in row["subjects"]}
