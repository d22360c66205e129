"""Can a household be registered, and any record corrected, voided and reinstated, by form?"""

from __future__ import annotations

import re
from typing import Any

import pytest
from callers import Api, form_of
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

VISIT = {"occurred_on": "2024-11-05", "mode": "home", "purpose": "follow_up", "persons_met": "1",
         "outcome": "met", "note": "安好"}
HOME = {
    "occurred_on": "2024-11-01", "community": "东路社区", "address": "东路2号",
    "members.0.name": "王秀兰", "members.0.relation": "head", "members.0.id_number": "37010218990101018X",
    "members.0.phone": "13800000001",
}


@pytest.fixture
def browser(api: Api) -> FlaskClient:
    return api.browser("social_worker")


def wrongs(page: TestResponse) -> dict[str, str]:
    """What stands at the fields."""
    return dict(re.findall(r'id="wrong-([^"]+)">([^<]*)<', page.text))


# ---- registering ----


def test_a_household_is_registered_with_as_many_members_as_it_has(
    api: Api, browser: FlaskClient
) -> None:
    page = browser.get("/record/household.registered")
    assert 'value="head" selected' in page.text
    # given one more row by its button, and a third that stays empty
    more = browser.post("/record/household.registered", data=form_of(page, **HOME, more="members"))
    more = browser.post("/record/household.registered", data=form_of(more, more="members"))
    head = api.head()
    assert "王秀兰" in more.text
    assert 'name="members.2.name"' in more.text
    # when it is sent
    form = form_of(more, **{"members.1.name": "王小明", "members.1.relation": "child"})
    done = browser.post("/record/household.registered", data=form)
    assert done.status_code == 303, wrongs(done)
    api.project()
    # then its page has both members, and the same form sent again registers nothing more
    assert browser.post("/record/household.registered", data=form).location == done.location
    assert api.head() == head + 1
    shown = browser.get(done.location)
    for said in ("王秀兰", "王小明", "已登记"):
        assert said in shown.text
    [found] = api.get("households").get_json()["items"]
    assert found["member_count"] == 2


def test_a_row_is_taken_away_again_without_what_is_typed_in_the_others(browser: FlaskClient) -> None:
    page = browser.post(
        "/record/household.registered",
        data=form_of(browser.get("/record/household.registered"), **HOME, more="members"),
    )
    form = form_of(page, **{"members.1.name": "王小明"})
    left = browser.post("/record/household.registered", data=form | {"drop": "members.0"})
    assert "王小明" in left.text
    assert "王秀兰" not in left.text


def test_what_is_wrong_with_a_member_stands_at_the_member(api: Api, browser: FlaskClient) -> None:
    head = api.head()
    page = browser.get("/record/household.registered")
    bad = HOME | {"members.0.phone": "1" * 40, "members.1.name": "王小明", "members.1.phone": "x" * 40}
    refused = browser.post("/record/household.registered", data=form_of(page, **bad))
    assert refused.status_code == 422
    assert set(wrongs(refused)) == {"members.0.phone", "members.1.phone"}
    nobody = browser.post(
        "/record/household.registered", data=form_of(page, occurred_on="2024-11-01", community="东路社区")
    )
    assert "members" in wrongs(nobody)
    number = browser.post(
        "/record/household.registered",
        data=form_of(page, **HOME | {"members.0.id_number": "370102189901010180"}),
    )
    assert "校验码" in wrongs(number)["members.0.id_number"]
    assert number.status_code == 422
    assert api.head() == head


def test_who_is_on_record_already_is_shown_before_and_registered_only_after_a_second_look(
    api: Api, browser: FlaskClient
) -> None:
    page = browser.get("/record/household.registered")
    browser.post("/record/household.registered", data=form_of(page, **HOME))
    api.project()
    [first], head = api.get("households").get_json()["items"], api.head()
    page = browser.get("/record/household.registered")
    asked = browser.post("/record/household.registered", data=form_of(page, **HOME))
    assert asked.status_code == 409
    assert f"/households/{first['household']}" in asked.text
    assert api.head() == head
    done = browser.post("/record/household.registered", data=form_of(asked))
    assert done.status_code == 303
    assert api.head() == head + 1
    assert any(
        row["action"] == "search" for row in api.get("access-log", role="lead").get_json()["items"]
    )


def test_a_member_is_added_and_assistance_assigned_changed_and_ended(
    api: Api, browser: FlaskClient
) -> None:
    household = api.household()
    api.project()
    about = f"?household={household}"
    says: list[tuple[str, dict[str, Any]]] = [
        ("household.member_added", {"member.name": "测试二", "member.relation": "child"}),
        ("assistance.assigned", {"category": "dibao", "covered": ["p1"]}),
        ("assistance.changed", {"unit": "u1", "category": "tekun", "covered": ["p1"]}),
        ("assistance.ended", {"unit": "u1", "reason": "voluntary"}),
    ]
    for topic, answers in says:
        page = browser.get(f"/record/{topic}{about}")
        given = form_of(page, occurred_on="2024-11-05", **answers)
        done = browser.post(f"/record/{topic}", data=given)
        assert done.status_code == 303, (topic, wrongs(done), re.findall(r"<li>([^<]*)", done.text))
        api.project()
    [row] = api.get("households").get_json()["items"]
    assert (row["member_count"], row["covered_count"]) == (2, 0)


# ---- correcting, voiding, reinstating ----


def record(api: Api, browser: FlaskClient) -> str:
    """A visit with a household, recorded by form; answers the address of its first entry."""
    household = api.household()
    api.project()
    page = browser.get(f"/record/visit.recorded?household={household}")
    browser.post("/record/visit.recorded", data=form_of(page, **VISIT))
    api.project()
    [visit] = api.get("visits").get_json()["items"]
    return f"/records/visit/{visit['id']}"


def test_a_visit_is_corrected_from_its_page_and_says_before_and_after(
    api: Api, browser: FlaskClient
) -> None:
    place = record(api, browser)
    page = browser.get(place)
    assert f"{place}/entries/1/correct" in page.text
    form = browser.get(f"{place}/entries/1/correct")
    assert "安好" in form.text
    missing = browser.post(f"{place}/entries/1/correct", data=form_of(form, persons_met="2", reason=""))
    assert missing.status_code == 422
    assert "reason" in wrongs(missing)
    given = form_of(missing, persons_met="2", reason="数错了")
    done = browser.post(f"{place}/entries/1/correct", data=given)
    assert done.status_code == 303
    head = api.head()
    assert browser.post(f"{place}/entries/1/correct", data=given).status_code == 303
    assert api.head() == head
    shown = browser.get(done.location).text
    assert "已登记" in shown
    assert "数错了" in shown
    api.project()
    [entry] = api.get(place.replace("/records/visit", "visits")).get_json()["entries"]
    # what the form does not ask for, such as the household, is as it was
    assert (entry["data"]["persons_met"], entry["data"]["note"]) == (2, "安好")
    assert entry["data"]["household"]


def test_where_somebody_was_faster_both_texts_are_shown_and_nothing_is_overwritten(
    api: Api, browser: FlaskClient
) -> None:
    place = record(api, browser)
    mine, theirs = (browser.get(f"{place}/entries/1/correct") for _ in range(2))
    browser.post(f"{place}/entries/1/correct", data=form_of(theirs, minutes="45", reason="补时长"))
    head = api.head()
    conflict = browser.post(
        f"{place}/entries/1/correct", data=form_of(mine, minutes="20", reason="补时长")
    )
    assert conflict.status_code == 412
    assert "已由别人改过" in conflict.text
    assert re.search(r"<td>45</td><td>20</td>", conflict.text)
    assert api.head() == head
    done = browser.post(f"{place}/entries/1/correct", data=form_of(conflict))
    assert done.status_code == 303
    assert api.head() == head + 1


def test_a_record_is_voided_and_reinstated_with_a_reason(api: Api, browser: FlaskClient) -> None:
    place = record(api, browser)
    void = f"{place}/entries/1/void"
    assert "reason" in wrongs(browser.post(void, data=form_of(browser.get(void), reason="")))
    assert browser.post(void, data=form_of(browser.get(void), reason="重复登记")).status_code == 303
    api.project()
    assert api.get("visits").get_json()["items"] == []
    page = browser.get(place)
    assert f"{place}/entries/1/reinstate" in page.text
    assert "重复登记" in page.text
    back = f"{place}/entries/1/reinstate"
    assert browser.post(back, data=form_of(browser.get(back), reason="并不重复")).status_code == 303
    api.project()
    assert len(api.get("visits").get_json()["items"]) == 1


def test_a_registration_is_corrected_member_by_member_and_keeps_who_they_are(
    api: Api, browser: FlaskClient
) -> None:
    page = browser.get("/record/household.registered")
    browser.post("/record/household.registered", data=form_of(page, **HOME))
    api.project()
    [own] = api.get("households").get_json()["items"]
    place = f"/records/household/{own['household']}"
    [before] = api.get(f"households/{own['household']}").get_json()["entries"]
    form = browser.get(f"{place}/entries/1/correct")
    assert "王秀兰" in form.text
    done = browser.post(
        f"{place}/entries/1/correct",
        data=form_of(form, **{"members.0.name": "王秀蓝", "reason": "错字"}),
    )
    assert done.status_code == 303, wrongs(done)
    api.project()
    [after] = api.get(f"households/{own['household']}").get_json()["entries"]
    [was], [now] = before["data"]["members"], after["data"]["members"]
    assert now == was | {"name": "王秀蓝"}


def test_who_may_not_record_is_offered_nothing_to_keep(api: Api, browser: FlaskClient) -> None:
    place = record(api, browser)
    reviewer = api.browser("reviewer")
    page = reviewer.get(place)
    assert page.status_code == 200
    assert "/correct" not in page.text
    for how in ("correct", "void", "reinstate"):
        assert reviewer.get(f"{place}/entries/1/{how}").status_code == 403
    assert browser.get(f"{place}/entries/9/correct").status_code == 404
    assert browser.get("/records/report/2024-11/entries/1/correct").status_code == 404
