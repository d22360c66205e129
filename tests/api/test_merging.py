"""How are double registrations found, merged and taken apart over HTTP?"""

from __future__ import annotations

from typing import Any

import pytest
from callers import HOUSEHOLD, VISIT, Api, refusal_of

ID = "370102189402030012"
TODAY = "2024-12-02"
PERSON = {"person": "p1", "name": "测试一", "relation": "head"}


def home(api: Api, person: str, **about: Any) -> str:
    return api.household(members=[PERSON | {"person": person} | about])


def propose(api: Api, merged: str, survivor: str, **more: Any) -> Any:
    body = {"occurred_on": TODAY, "merged": merged, "survivor": survivor, "reason": "重复建档"}
    return api.post("merges/households/proposals", body, **more)


def decide(api: Api, what: str, entry: int = 1, register: str = "households", **more: Any) -> Any:
    body = {"occurred_on": TODAY, "entry": entry}
    if what != "approvals":
        body["reason"] = "核对后"
    return api.post(f"merges/{register}/{what}", body, **{"role": "lead"} | more)


def merge(api: Api, merged: str, survivor: str) -> int:
    proposed = propose(api, merged, survivor)
    assert proposed.status_code == 201, proposed.text
    entry = int(proposed.get_json()["version"])
    assert decide(api, "approvals", entry).status_code == 201
    api.project()
    return entry


# ---- who may ----


@pytest.mark.parametrize("role", ["supervisor", "reviewer", "volunteer_coordinator", "hub"])
def test_only_workers_and_the_lead_propose(api: Api, role: str) -> None:
    one, two = home(api, "p1"), home(api, "p2")
    refusal_of(propose(api, two, one, role=role), 403, "not_allowed")


@pytest.mark.parametrize("role", ["lead", "supervisor"])
def test_the_lead_or_the_supervisor_approves_and_ends(api: Api, role: str) -> None:
    one, two = home(api, "p1"), home(api, "p2")
    propose(api, two, one)
    refusal_of(decide(api, "approvals", role="social_worker"), 403, "not_allowed")
    assert decide(api, "approvals", role=role).status_code == 201
    refusal_of(decide(api, "endings", role="social_worker"), 403, "not_allowed")
    assert decide(api, "endings", role=role).status_code == 201


def test_a_lead_who_proposed_needs_a_second_person(api: Api) -> None:
    one, two = home(api, "p1"), home(api, "p2")
    propose(api, two, one, role="lead")
    refusal_of(decide(api, "approvals", role="lead"), 403, "second_person_needed")
    assert decide(api, "approvals", role="supervisor").status_code == 201


def test_a_worker_takes_a_proposal_back(api: Api) -> None:
    one, two = home(api, "p1"), home(api, "p2")
    propose(api, two, one)
    assert decide(api, "refusals", role="social_worker").status_code == 201
    assert propose(api, one, two).status_code == 201


def test_a_household_of_another_station_is_unknown(api: Api) -> None:
    one = home(api, "p1")
    refusal_of(propose(api, "elsewhere", one), 422, "unknown_household")


def test_who_merged_what_and_why_is_in_the_audit_trail(api: Api) -> None:
    one, two = home(api, "p1"), home(api, "p2")
    merge(api, two, one)
    entries = api.get("merges/households/audit").get_json()["entries"]
    assert [(e["label"], e["actor"]) for e in entries] == [
        ("提出合并家庭", "social_worker-1"), ("合并", "lead-1"),
    ]
    assert entries[0]["data"]["reason"] == "重复建档"
    assert entries[1]["data"]["merged_household"] == two


# ---- what is then seen ----


def test_a_merged_household_answers_with_its_survivor(api: Api) -> None:
    one, two = home(api, "p1"), home(api, "p2", name="测试二")
    for household, day in ((one, "2024-11-05"), (two, "2024-11-06")):
        api.recorded("visits", VISIT | {"household": household, "occurred_on": day})
    entry = merge(api, two, one)
    # status: one household, its hint, both files' members by name, the later contact
    status = api.get(f"households/{two}/status").get_json()
    assert (status["merged_into"], status["household"]["household"]) == (one, one)
    assert status["household"]["merged"] == [two]
    assert [(m["person"], m["name"], m["household"]) for m in status["members"]] == [
        ("p1", "测试一", one), ("p2", "测试二", two),
    ]
    assert status["household"]["last_contact_on"] == "2024-11-06"
    assert api.get(f"households/{one}/status").get_json()["merged_into"] is None
    # timeline: the records of both, once each
    for household in (one, two):
        timeline = api.get(f"timelines/household/{household}").get_json()
        topics = [row["topic"] for row in timeline["items"]]
        assert sorted(topics) == [
            "household.registered", "household.registered", "merge.approved",
            "merge.household_proposed", "visit.recorded", "visit.recorded",
        ]
        assert timeline.get("merged_into") == (one if household == two else None)
    # lists: the survivor once, with what belongs to both
    (row,) = api.get("households").get_json()["items"]
    assert (row["household"], row["member_count"], row["merged"]) == (one, 2, [two])
    assert len(api.get(f"visits?household={one}").get_json()["items"]) == 2
    # and it is as before once the merge has ended
    decide(api, "endings", entry)
    api.project()
    assert len(api.get("households").get_json()["items"]) == 2
    status = api.get(f"households/{two}/status").get_json()
    assert (status["merged_into"], status["household"]["household"]) == (None, two)
    assert [m["person"] for m in status["members"]] == ["p2"]


def test_nothing_new_is_recorded_of_a_merged_household(api: Api) -> None:
    one, two = home(api, "p1"), home(api, "p2")
    merge(api, two, one)
    verified = {"occurred_on": TODAY}
    for path, body in (
        ("visits", VISIT | {"household": two}),
        (f"households/{two}/info-verifications", verified),
    ):
        problem = refusal_of(api.post(path, body), 409, "household_merged")
        assert problem["facts"]["survivor"] == one
    api.recorded(f"households/{one}/info-verifications", verified)


def test_one_person_in_both_files_is_shown_once_and_covered_twice(api: Api) -> None:
    one, two = home(api, "p1"), home(api, "p2")
    for household, person in ((one, "p1"), (two, "p2")):
        body = {"occurred_on": "2024-08-01", "unit": "u", "category": "dibao", "covered": [person]}
        api.recorded(f"households/{household}/assistance", body)
    merge(api, two, one)
    proposal = {
        "occurred_on": TODAY, "merged": "p2", "merged_household": two, "survivor": "p1",
        "survivor_household": one, "reason": "同一身份证号",
    }
    api.recorded("merges/persons/proposals", proposal)
    assert decide(api, "approvals", register="persons").status_code == 201
    api.project()
    status = api.get(f"households/{one}/status").get_json()
    assert [(m["person"], m["merged"]) for m in status["members"]] == [("p1", ["p2"])]
    assert status["household"]["member_count"] == 1
    assert status["household"]["covered_count"] == 2
    assert status["covered_twice"] == [
        {"person": "p1", "units": [[one, "u", "dibao"], [two, "u", "dibao"]]}
    ]
    assert api.get("timelines/person/p2").get_json()["merged_into"] == "p1"
    page = api.get(f"/households/{two}", role="lead").text
    assert "您查的档案已并入 测试一 户" in page
    assert "2 个救助单元保障" in page
    # sums stay until the double grant is voided
    dibao = "indicators/lixia-2024?month=2024-11"
    assert _figure(api, dibao, "dibao_persons") == 2
    api.call(
        "DELETE", f"households/{two}/entries/2", {"reason": "重复认定"}, headers={"If-Match": "2"}
    )
    api.project()
    assert _figure(api, dibao, "dibao_persons") == 1
    assert api.get(f"households/{one}/status").get_json()["covered_twice"] == []


def _figure(api: Api, path: str, code: str) -> int:
    rows = api.get(path).get_json()["indicators"]
    return next(row["value"] for row in rows if row["code"] == code)


# ---- what changed ----


def test_what_changed_between_two_moments_names_records_and_reasons(api: Api) -> None:
    one, two = home(api, "p1", name="测试甲"), home(api, "p2", name="测试乙")
    for household in (one, two):
        update = {"occurred_on": "2024-11-04", "fields": ["care"]}
        api.recorded(f"households/{household}/info-updates", update)
    visit = api.recorded("visits", VISIT)
    since = api.head()
    api.call(
        "DELETE", f"visits/{visit['id']}/entries/1", {"reason": "登记错了户"},
        headers={"If-Match": "1"},
    )
    merge(api, two, one)
    path = f"indicators/lixia-2024/difference?month=2024-11&from_known_at={since}"
    found = api.get(path).get_json()
    changed = {r["code"]: (r["before"]["value"], r["after"]["value"]) for r in found["indicators"]}
    assert changed["person_visits"] == (1, 0)
    assert changed["households_updated"] == (2, 1)
    (record,) = found["records"]
    assert (record["kind"], record["id"], record["entry"]) == ("visit", visit["id"], 1)
    assert [(e["label"], e["reason"]) for e in record["events"]] == [("作废", "登记错了户")]
    (merged,) = found["merges"]
    assert (merged["merged"], merged["survivor"], merged["is_ended"]) == (two, one, False)
    assert merged["events"][0]["reason"] == "重复建档"
    # a hub, which reads no cases, sees the figures and that records changed: of whom and by
    # whom is in the records
    hub = api.get(f"{path}&station={api.station}", role="hub", station="*").get_json()
    assert hub["indicators"] == found["indicators"]
    assert [(r["kind"], r["amounts"]) for r in hub["records"]] == [
        (r["kind"], r["amounts"]) for r in found["records"]
    ]
    changed_by = [*hub["records"], *hub["merges"]]
    assert len(changed_by) == 2
    assert {e[name] for r in changed_by for e in r["events"] for name in ("reason", "actor")} == {None}
    assert not any(name in repr(hub["records"] + hub["merges"]) for name in (visit["id"], one, two))
    # nothing lies between a moment and itself
    same = api.get(f"{path}&to_known_at={since}").get_json()
    assert (same["indicators"], same["records"], same["merges"]) == ([], [], [])


def test_evidence_says_whom_an_entity_counts_as(api: Api) -> None:
    one, two = home(api, "p1", name="测试甲"), home(api, "p2", name="测试乙")
    for household in (one, two):
        update = {"occurred_on": "2024-11-04", "fields": ["care"]}
        api.recorded(f"households/{household}/info-updates", update)
    merge(api, two, one)
    path = "indicators/lixia-2024/households_updated/evidence?month=2024-11"
    items = api.get(path).get_json()["items"]
    assert [(i["entity"], i["counts_as"]) for i in items] == [(one, one), (two, one)]
    page = api.get("/months/2024-11/figures/households_updated", role="lead").text
    assert page.count("已并入 测试甲，合计一次") == 1


# ---- finding duplicates ----


def test_a_household_is_found_before_it_is_registered_again(api: Api) -> None:
    one = home(api, "p1", name="测试甲", id_number=ID, phone="000-0000001")
    two = home(api, "p2", name="测试甲")
    api.project()
    items = api.post("households/duplicates", {"name": "测试甲", "id_number": ID}).get_json()["items"]
    assert [(i["id"], i["matched"], i["persons"]) for i in items] == [
        (one, ["id_number", "name"], ["p1"]), (two, ["name"], ["p2"]),
    ]
    by_phone = api.post("persons/duplicates", {"phone": "0000000001"}).get_json()["items"]
    assert [(i["id"], i["households"]) for i in by_phone] == [("p1", [one])]
    assert api.post("households/duplicates", {"name": "测试乙"}).get_json()["items"] == []


def test_a_search_stays_within_the_station_and_says_nothing_in_its_address(api: Api) -> None:
    home(api, "p1", id_number=ID)
    api.project()
    there = api.post("households/duplicates", {"id_number": ID}, station="other")
    assert there.get_json()["items"] == []
    refusal_of(api.post("households/duplicates", {}), 422, "nothing_to_find")
    refusal_of(api.post("households/duplicates", {"nam": "x"}), 422, "unknown_field")
    refusal_of(api.post("persons/duplicates", {"name": "甲"}, role="hub"), 403, "not_allowed")
    refusal_of(api.get(f"households/duplicates?id_number={ID}"), 422, "unknown_field")


def test_what_was_voided_is_no_duplicate_and_what_was_merged_says_into_what(api: Api) -> None:
    one, two = home(api, "p1", id_number=ID), home(api, "p2", id_number=ID)
    three = home(api, "p3", id_number=ID)
    merge(api, two, one)
    api.call("DELETE", f"households/{three}/entries/1", {"reason": "错"}, headers={"If-Match": "1"})
    api.project()
    items = api.post("households/duplicates", {"id_number": ID}).get_json()["items"]
    found = {item["id"]: item["merged_into"] for item in items}
    assert found == {one: None, two: one}


def test_a_registration_with_a_known_id_number_is_recorded_with_a_warning(api: Api) -> None:
    one = home(api, "p1", id_number=ID)
    api.project()
    again = api.recorded(
        "households", HOUSEHOLD | {"members": [PERSON | {"person": "p9", "id_number": ID}]}
    )
    (warning,) = again["warnings"]
    assert warning["code"] == "possible_duplicate"
    assert (warning["record"], warning["person"], warning["other_person"]) == (one, "p9", "p1")
    assert api.get(warning["href"]).status_code == 200
    added = api.recorded(
        f"households/{again['id']}/members",
        {"occurred_on": "2024-08-01", "member": PERSON | {"person": "p8", "id_number": ID}},
    )
    assert {w["record"] for w in added["warnings"]} == {one, "p9"}
    volunteer = {"occurred_on": "2024-07-01", "name": "测试丙", "id_number": ID}
    first = api.recorded("volunteers", volunteer)
    assert first["warnings"] == []
    api.project()
    assert [w["record"] for w in api.recorded("volunteers", volunteer)["warnings"]] == [first["id"]]
    found = api.post("volunteers/duplicates", {"id_number": ID}).get_json()["items"]
    assert [item["id"] for item in found][:1] == [first["id"]]


# ---- registrations that others name ----


@pytest.mark.parametrize("is_projected", [True, False])
def test_a_household_is_not_voided_while_other_records_name_it(
    api: Api, *, is_projected: bool
) -> None:
    one = home(api, "p1")
    visit = api.recorded("visits", VISIT | {"household": one})
    if is_projected:
        api.project()
    path, match = f"households/{one}/entries/1", {"If-Match": "1"}
    answer = api.call("DELETE", path, {"reason": "重复"}, headers=match)
    problem = refusal_of(answer, 409, "still_referred_to")
    assert visit["id"] in problem["detail"]
    api.call("DELETE", f"visits/{visit['id']}/entries/1", {"reason": "错"}, headers=match)
    answer = api.call("DELETE", path, {"reason": "重复"}, headers=match)
    assert answer.status_code == 201, answer.text


def test_a_volunteer_team_and_a_station_are_kept_while_they_are_named(api: Api) -> None:
    team = api.recorded("volunteer-teams", {"occurred_on": "2024-07-01", "name": "红马甲"})
    api.recorded("volunteers", {"occurred_on": "2024-07-02", "name": "甲", "team": team["id"]})
    match = {"If-Match": "1"}
    answer = api.call(
        "DELETE", f"volunteer-teams/{team['id']}/entries/1", {"reason": "错"}, headers=match
    )
    refusal_of(answer, 409, "still_referred_to")
    answer = api.call(
        "DELETE", f"stations/{api.station}/entries/1", {"reason": "错"}, headers=match,
        role="administrator",
    )
    refusal_of(answer, 409, "still_referred_to")
