"""Do the search for a person and the one before registering find the same, by one rule?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from threading import Event, Thread
from typing import Any

import pytest
from callers import Api, form_of, refusal_of
from desk import STATION, Desk

from api.app import create_app
from api.name_index import IDLE_SECONDS, NameIndex, NamesNotReady
from api.pages.households import ROWS
from api.services import EXTENSION, Services

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


# ---- by a part of the name ----


def like(api: Api, part: str) -> set[str]:
    return {str(item["id"]) for item in items(api, "persons/search", name_part=part)}


@pytest.fixture
def families(api: Api) -> tuple[str, str]:
    """Two households; the names of the station are open."""
    one = api.household(members=[
        {"person": "p1", "relation": "head", "name": "单建国", "phone": PHONE},
        {"person": "p2", "relation": "spouse", "name": "王秀兰"},
    ])
    two = home(api, "p3", name="李秀兰")
    api.project()
    api.services.names.open(STATION)
    return one, two


def test_a_part_of_a_name_finds_whoever_has_it_and_is_written_down(
    api: Api, families: tuple[str, str]
) -> None:
    one, two = families
    volunteer = api.recorded("volunteers", {"occurred_on": "2024-07-01", "name": "王志愿"})["id"]
    api.project()
    assert like(api, "秀兰") == like(api, "xl") == {one, two}
    assert like(api, "shanjg") == like(api, "wangxiulan") == {one}
    assert like(api, "王") == {one, volunteer}
    [found] = items(api, "persons/search", name_part="wxl")
    assert (found["persons"], found["matched"]) == (["p2"], ["name_part"])
    assert items(api, "persons/search", name_part="秀", phone=PHONE) == []  # of two persons
    rows = api.get("access-log?action=search", role="lead").get_json()["items"]
    assert {one, two, volunteer} <= {subject["id"] for row in rows for subject in row["subjects"]}
    api.services.names.open("elsewhere")
    answer = api.post("persons/search", {"name_part": "秀兰"}, station="elsewhere")
    assert answer.get_json() == {"items": [], "is_complete": True}
    assert api.post("households/duplicates", {"name_part": "王"}).status_code == 422


def test_names_are_found_as_they_stand_now(api: Api, families: tuple[str, str]) -> None:
    one, two = families
    added = {"occurred_on": TODAY, "member": {"person": "p4", "name": "赵桂芳"}}
    entry = api.recorded(f"households/{two}/members", added)["version"]
    api.project()
    assert like(api, "zhaogf") == {two}
    mended = added | {"member": {"person": "p4", "name": "钱桂芳"}, "correction_reason": "姓写错"}
    path = f"households/{two}/entries/{entry}"
    seen = {"If-Match": f'"{entry}"'}
    assert api.call("PUT", f"{path}/member-added", mended, headers=seen).status_code == 201
    api.project()
    assert (like(api, "zhaogf"), like(api, "qgf")) == (set(), {two})
    merge(api, "households", {"merged": two, "survivor": one})
    found = items(api, "persons/search", name_part="qgf")
    assert {item["merged_into"] for item in found if item["persons"]} == {one}
    gone = home(api, "p5", name="孙玉梅")
    api.project()
    assert like(api, "sunym") == {gone}
    api.call("DELETE", f"households/{gone}/entries/1", {"reason": "错"}, headers={"If-Match": '"1"'})
    api.project()
    assert like(api, "sunym") == set()


def test_who_was_erased_is_found_in_no_process_once_that_is_answered(either: Api) -> None:
    # given the names open in two processes, of which one is asked without a pause
    household = either.household(members=[
        {"person": "p1", "relation": "head", "name": "单建国"},
        {"person": "p2", "relation": "spouse", "name": "王秀兰"},
    ])
    either.project()
    said = {"occurred_on": TODAY, "ground": "request", "household": household, "person": "p2"}
    erasure = either.recorded("erasures", said)["id"]
    other: Services = create_app(either.services.settings).extensions[EXTENSION]
    processes, answered = (either.services.names, other.names), Event()
    for names in processes:
        names.open(STATION)
        assert names.owners_like(STATION, "wxl") == [f"{STATION}/person/p2"]
    with closing(other), ThreadPoolExecutor(1) as pool:
        asked = pool.submit(_found_from, answered, other.names, "王秀")
        # when the erasure is approved, of which the read models do not hear
        try:
            either.recorded(f"erasures/{erasure}/approval", {"occurred_on": TODAY}, role="lead")
        finally:
            answered.set()
        # then no question that comes after the answer finds the name, in either process
        assert _found_from(answered, either.services.names, "wxl") == []
        assert asked.result() == []
        for names in processes:
            assert names.owners_like(STATION, "shan") == [f"{STATION}/person/p1"]


def _found_from(answered: Event, names: NameIndex, part: str) -> list[str]:
    """Ask without a pause; what is found by the first question after an answer.

    But for those to which the names were not open again: ten seconds long.
    """
    late = 0
    while late < 10:
        late += answered.is_set()  # before it is asked
        with suppress(NamesNotReady):
            found = names.owners_like(STATION, part)
            if late:
                return found
    raise NamesNotReady


def test_a_question_that_waited_for_another_finds_nobody_erased_meanwhile(
    api: Api, families: tuple[str, str]
) -> None:
    assert families
    names, found = api.services.names, list[str]()

    def ask() -> None:
        with suppress(NamesNotReady):
            found.extend(names.owners_like(STATION, "王"))

    asking = Thread(target=ask)
    with names._stations[STATION].lock:
        asking.start()
        asking.join(0.3)
        api.services.runtime.keyring.destroy([f"{STATION}/person/p2"])
    asking.join()
    assert f"{STATION}/person/p2" not in found


def test_a_destroyed_key_drops_every_name_that_is_held(
    api: Api, families: tuple[str, str]
) -> None:
    assert families
    names = api.services.names
    assert names.owners_like(STATION, "wxl")
    api.services.runtime.keyring.destroy([f"{STATION}/person/p2"])
    with suppress(NamesNotReady):  # or they are open again already, but for that one
        assert names.owners_like(STATION, "王") == []
    names.open(STATION)
    assert names.owners_like(STATION, "wxl") == []
    assert names.owners_like(STATION, "xiulan") == [f"{STATION}/person/p3"]


def test_names_are_held_no_longer_than_somebody_asks(
    api: Api, families: tuple[str, str]
) -> None:
    assert families
    clock = [0.0]
    names = NameIndex(
        lambda: api.services.read_models, api.services.runtime.keyring, lambda: clock[0]
    )
    names.open(STATION)
    for clock[0] in (IDLE_SECONDS - 1, 2 * IDLE_SECONDS - 2):
        names.drop_idle()
        assert names.owners_like(STATION, "wxl")
    clock[0] += IDLE_SECONDS + 1
    names.drop_idle()
    assert not names.holds(STATION)
    names.close()


def test_the_page_finds_by_a_part_and_says_where_there_are_more(
    api: Api, families: tuple[str, str]
) -> None:
    one, _two = families
    browser = api.browser("social_worker")

    def sought(text: str) -> str:
        page = browser.get("/households")
        return browser.post("/households/search", data=form_of(page) | {"sought": text}).text

    page = sought("wxl")
    assert "找到 1 户" in page
    assert f"/households/{one}" in page
    assert "其中 王秀兰" in page
    desk = Desk(api.services.ledger, STATION)
    for number in range(51):
        desk.household(f"many{number}")
    api.project()
    assert f"列出最相符的 {ROWS} 户" in sought("测试")
    answer = api.post("persons/search", {"name_part": "ceshi"}).get_json()
    assert (len(answer["items"]), answer["is_complete"]) == (50, False)
    # while the names are not open, whole names are found, and the page says so
    api.services.names.close()
    refusal_of(api.post("persons/search", {"name_part": "wxl"}), 503, "names_not_ready")
    assert "正在准备" in sought("wxl")
    assert "找到 1 户" in sought("王秀兰")
