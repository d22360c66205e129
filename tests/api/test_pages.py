"""Do the pages record, find and show by the same rules as the API, without any script?"""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import pytest
from callers import VISIT as API_VISIT
from callers import Api, form_of
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.accounts.links import Purpose
from domain.vocabulary import Role

MEMBERS = [
    {
        "person": "p1", "name": "测试<script>一", "relation": "head",
        "id_number": "37010218990101018X", "phone": "13800000001",
    }
]


@pytest.fixture
def browser(api: Api) -> FlaskClient:
    """A social worker's browser without script."""
    return api.browser("social_worker")


def filled(page: TestResponse, **answers: Any) -> dict[str, Any]:
    """A page's form as it stands, with some answers changed."""
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return {name: value for name, value in hidden if name != "next"} | answers


VISIT = {"occurred_on": "2024-11-05", "mode": "home", "purpose": "follow_up", "persons_met": "1",
         "outcome": "met", "note": "安好"}


def test_a_follow_up_is_recorded_once_however_often_its_button_is_pressed(
    api: Api, browser: FlaskClient
) -> None:
    household = api.household()
    api.project()
    page = browser.get(f"/record/visit.recorded?household={household}&mode=home")
    form = filled(page, **VISIT)
    first = browser.post("/record/visit.recorded", data=form)
    head = api.head()
    again = browser.post("/record/visit.recorded", data=form)
    assert (first.status_code, again.status_code) == (303, 303)
    assert first.location == again.location == f"/households/{household}?recorded={head}"
    assert api.head() == head
    api.project()
    shown = browser.get(first.location).text
    assert "已登记" in shown
    assert "入户 · 回访 · 见到 1 人" in shown
    # the next form says what is likely to be the same
    page = browser.get(f"/record/visit.recorded?household={household}")
    assert re.search(r'value="follow_up" checked', page.text)


def test_a_changed_form_that_was_recorded_already_asks_first(
    api: Api, browser: FlaskClient
) -> None:
    household = api.household()
    api.project()
    form = filled(browser.get(f"/record/visit.recorded?household={household}"), **VISIT)
    browser.post("/record/visit.recorded", data=form)
    refused = browser.post("/record/visit.recorded", data=form | {"note": "另一次"})
    assert refused.status_code == 422
    assert "刚才已经登记过" in refused.text
    assert "另一次" in refused.text
    head = api.head()
    assert browser.post("/record/visit.recorded", data=filled(refused, **VISIT)).status_code == 303
    assert api.head() == head + 1


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"occurred_on": "2999-01-01"}, "occurred_on", "晚于今天"),
        ({"occurred_on": "2024-02-30"}, "occurred_on", "真实存在的日期"),
        ({"persons_met": "很多"}, "persons_met", "应为整数"),
        ({"persons_met": "0"}, "persons_met", "至少为 1"),
        ({"purpose": ""}, "purpose", "必填"),
        ({"minutes": "9999"}, "minutes", "应大于 0，不大于 1440"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_typed_is_lost(
    api: Api, browser: FlaskClient, wrong: dict[str, str], field: str, said: str
) -> None:
    household = api.household()
    api.project()
    page, head = browser.get(f"/record/visit.recorded?household={household}"), api.head()
    refused = browser.post("/record/visit.recorded", data=filled(page, **VISIT | wrong))
    assert refused.status_code == 422
    [text] = re.findall(rf'id="wrong-{field}">([^<]*)<', refused.text)
    assert said in text
    assert "安好" in refused.text
    assert api.head() == head


def test_whoever_was_not_met_is_nobody(api: Api, browser: FlaskClient) -> None:
    household = api.household()
    api.project()
    form = filled(browser.get(f"/record/visit.recorded?household={household}"), **VISIT)
    assert browser.post("/record/visit.recorded", data=form | {"outcome": "not_met"}).status_code == 303
    api.project()
    [row] = api.get(f"visits?household={household}").get_json()["items"]
    assert (row["data"]["persons_met"], row["data"]["outcome"]) == (0, "not_met")
    assert "待再访" in (today := browser.get("/").text)
    assert f"/households/{household}" in today


def test_other_events_have_forms_of_the_same_kind(api: Api, browser: FlaskClient) -> None:
    household = api.household()
    api.project()
    says = {
        "needs_assessment.made": {"needs": ["medical", "care"]},
        "referral.made": {"to_agency": "示例医院", "need": "medical", "basis": "consent"},
        "household.info_updated": {"fields": ["phone"], "phone": "13800000002"},
        "assistance.assigned": {"unit": "u1", "category": "dibao", "covered": ["p1"]},
        "survey.held": {"kind": "elderly_alone", "persons_surveyed": "12", "persons_surveyed.as": "about"},
    }
    for topic, answers in says.items():
        about = "" if topic == "survey.held" else f"?household={household}"
        page = browser.get(f"/record/{topic}{about}")
        assert page.status_code == 200, topic
        done = browser.post(f"/record/{topic}", data=filled(page, occurred_on="2024-11-05", **answers))
        assert done.status_code == 303, (topic, re.findall(r'class="wrong"[^>]*>([^<]*)|<li>([^<]*)', done.text))


def test_a_form_of_another_session_or_role_records_nothing(api: Api, browser: FlaskClient) -> None:
    household = api.household()
    api.project()
    form = filled(browser.get(f"/record/visit.recorded?household={household}"), **VISIT)
    head = api.head()
    assert browser.post("/record/visit.recorded", data=form | {"form_token": "x"}).status_code == 403
    browser = api.browser("reviewer")
    assert browser.get("/record/visit.recorded").status_code == 403
    page = browser.get("/record")
    assert "只查看" in page.text
    assert browser.post("/record/visit.recorded", data=filled(page, **VISIT)).status_code == 403
    assert api.head() == head


def test_somebody_is_found_by_what_was_typed_and_the_log_says_so(
    api: Api, browser: FlaskClient
) -> None:
    household = api.household(members=MEMBERS, address="东路1号")
    api.project()
    for text in ("测试<script>一", "37010218990101018x", "138 0000 0001", "东路1号"):
        page = browser.post("/households/search", data=filled(browser.get("/households"), sought=text))
        assert "找到 1 户" in page.text, text
        assert f"/households/{household}" in page.text
        assert "测试<script>" not in page.text
    page = browser.post("/households/search", data=filled(browser.get("/households"), sought="无此人"))
    assert "没有找到" in page.text
    rows = api.get("access-log?action=search", role="lead").get_json()["items"]
    assert household in {subject["id"] for row in rows for subject in row["subjects"]}


def test_numbers_and_addresses_are_shown_when_asked_for_and_the_asking_is_logged(
    api: Api, browser: FlaskClient
) -> None:
    household = api.household(members=MEMBERS, address="东路1号")
    api.project()
    page = browser.get(f"/households/{household}")
    for secret in ("37010218990101018X", "13800000001", "东路1号"):
        assert secret not in page.text
    opened = browser.post(f"/households/{household}/particulars", data=filled(page))
    for secret in ("37010218990101018X", "13800000001", "东路1号"):
        assert secret in opened.text
    routes = [row["route"] for row in api.get("access-log", role="lead").get_json()["items"]]
    assert routes[0] == "/households/<household>/particulars"


def test_an_error_on_a_page_is_a_page_that_leads_back(browser: FlaskClient) -> None:
    for address, status in (
        ("/households/nobody", 404), ("/households?as_of=x", 400), ("/nowhere", 404),
        ("/record/nothing.such", 404), ("/audit", 403), ("/households?cursor=x", 400),
    ):
        page = browser.get(address, headers={"Accept": "text/html"})
        assert page.status_code == status, address
        assert page.content_type.startswith("text/html"), address
        assert re.search("回到(今日|首页)", page.text)
    assert 'href="/households">' in browser.get("/households/nobody").text


def test_preferences_work_without_script_and_lead_nowhere_else(
    browser: FlaskClient,
) -> None:
    done = browser.post("/preferences", data={"theme": "dark", "lang": "en", "next": "//elsewhere"})
    assert (done.status_code, done.location) == (303, "/")
    page = browser.get("/").text
    assert 'data-theme="dark"' in page
    assert '<html lang="en"' in page
    assert "Today" in page
    browser.post("/preferences", data={"theme": "x", "lang": "zh"})
    assert 'data-theme="dark"' in browser.get("/").text


@pytest.mark.parametrize(("address", "page"), [
    ("/households/search", "/households"), ("/volunteers/confirm", "/volunteers"),
    ("/households/h1/particulars?as_of=2024-11-05", "/households/h1?as_of=2024-11-05"),
    ("/account/tokens/t1/revoke", "/account"), ("/preferences", "/"),
])
def test_an_address_of_a_form_leads_its_reader_to_the_page_of_the_form(
    browser: FlaskClient, address: str, page: str
) -> None:
    asked = browser.get(address)
    assert (asked.status_code, asked.location) == (303, page)


def test_a_look_chosen_on_what_a_form_answered_leads_to_a_page(browser: FlaskClient) -> None:
    found = browser.post("/households/search", data={"sought": "王"})
    choices = found.text[found.text.index('class="choices"'):]
    back = re.findall(r'name="next" value="([^"]*)"', choices)[0]
    done = browser.post("/preferences", data={"theme": "dark", "next": back})
    page = browser.get(done.location, follow_redirects=True)
    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")
    assert 'data-theme="dark"' in page.text


def test_the_ledger_is_exported_exactly_as_seen(api: Api, browser: FlaskClient) -> None:
    api.household(members=MEMBERS, file_number="000123")
    household = api.household(community="西路社区", members=[MEMBERS[0] | {"person": "p2", "name": "=1+1"}])
    api.recorded("visits", {
        "occurred_on": "2024-11-05", "mode": "home", "purpose": "routine", "persons_met": 1,
        "household": household, "workers": ["张社工"],
    })
    api.project()
    asked = "columns=head_name,file_number,community&sort=-community"
    page = browser.get(f"/ledger?{asked}").text
    table = page[page.index("<tbody>"):page.index("</tbody>")]
    assert table.index("西路社区") < table.index("东路社区")
    lines = browser.get(f"/ledger.csv?{asked}").text.lstrip("\ufeff").splitlines()
    assert lines == ["户主,档案号,社区", "'=1+1,,西路社区", "测试<script>一,'000123,东路社区"]
    with zipfile.ZipFile(io.BytesIO(browser.get(f"/ledger.xlsx?{asked}").data)) as book:
        texts = re.findall(r"<t[^>]*>([^<]*)</t>", book.read("xl/sharedStrings.xml").decode())
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert texts == ["户主", "档案号", "社区", "=1+1", "西路社区", "测试&lt;script&gt;一", "000123", "东路社区"]
    assert "<f>" not in sheet
    visits = browser.get("/ledger.csv?kind=visit&columns=occurred_on,household,mode,workers").text
    assert visits.splitlines()[1] == "2024-11-05,入户,'=1+1,张社工"
    actions = [row["action"] for row in api.get("access-log", role="lead").get_json()["items"]]
    assert actions[:3] == ["export"] * 3
    assert browser.get("/ledger?kind=nothing").status_code == 422


OWN: list[dict[str, str]] = [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}]
"""What a browser says of a form that one of our pages sent."""
NOT_OWN: list[dict[str, str]] = [
    {}, {"Origin": "null"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "none", "Origin": "null"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
]


def test_what_was_typed_survives_a_session_that_ended_and_one_that_began_anew(api: Api) -> None:
    household, password = api.household(), "wandering kettle 湖边"
    api.project()
    browser, address = api.app.test_client(), "/record/visit.recorded"
    invited = {"link": api.entry("social_worker", purpose=Purpose.INVITATION)}
    browser.post("/enter", data=invited | {"password": password, "again": password})
    typed = filled(browser.get(f"{address}?household={household}"), **VISIT)
    # signed in anew in the same browser meanwhile: the form is another session's
    browser.post("/enter", data={"link": api.entry("social_worker")})
    own = OWN[0]
    stale = browser.post(address, data=typed, headers=own)
    assert (stale.status_code, "安好" in stale.text) == (403, True)
    # and with no session: one signs in, what was typed is carried along and sent by a button
    browser.delete_cookie("taizhang_session")
    head = api.head()
    asked = browser.post(address, data=typed, headers=own)
    assert asked.status_code == 401
    too_large = browser.post("/account/tokens", data={"label": "长" * 400_000}, headers=own)
    assert (too_large.status_code, too_large.location) == (303, "/sign-in?next=/")
    login = {"login": api.login("social_worker"), "password": password}
    wrong = browser.post("/sign-in", data=filled(asked, **login | {"password": "x"}), headers=own)
    signed_in = browser.post("/sign-in", data=filled(wrong, **login), headers=own)
    assert "安好" in signed_in.text
    assert api.head() == head
    assert browser.post(address, data=form_of(signed_in)).status_code == 303
    assert api.head() == head + 1


def test_no_other_page_puts_words_into_a_form_to_be_sent_again(api: Api, browser: FlaskClient) -> None:
    address, said = "/record/household.registered", {"members.0.name": "别处写的"}
    for who, status in ((browser, 403), (api.app.test_client(), 401)):
        for headers in OWN:
            answer = who.post(address, data=said, headers=headers)
            assert (answer.status_code, "别处写的" in answer.text) == (status, True), headers
    nobody = api.app.test_client()
    carried = {"kept_for": address, "kept.members.0.name": "别处写的", "login": "x", "password": "x"}
    for headers in NOT_OWN:
        for who, path, data in (
            (browser, address, said), (nobody, address, said), (nobody, "/sign-in", carried),
        ):
            assert "别处写的" not in who.post(path, data=data, headers=headers).text, (path, headers)
    assert browser.get("/record").headers["Referrer-Policy"] == "same-origin"  # or no form says it is ours
    assert nobody.get("/enter?link=x").headers["Referrer-Policy"] == "no-referrer"


def test_a_form_to_be_sent_again_is_the_form_itself_or_has_its_labels(api: Api) -> None:
    household, same = api.household(), api.household()
    visit = api.recorded("visits", API_VISIT | {"household": household})["id"]
    api.project()
    browser, stale = api.browser("lead"), {"form_token": "stale", "request": "r1"}
    forms = {
        "/record/visit.recorded": {"household": household, "outcome": "met", "note": "安好", "more": "x"},
        f"/records/visit/{visit}/entries/1/correct": {"note": "安好", "reason": "写错", "version": "1"},
        f"/records/visit/{visit}/entries/1/void": {"reason": "重复", "version": "1"},
        f"/households/{household}/merge": {"other": same, "reason": "同一户"},
    }
    for address, typed in forms.items():
        page = browser.post(address, data=typed | stale, headers=OWN[0])
        assert (page.status_code, f'action="{address}"' in page.text) == (403, True), address
        said = {name: values[0] for name, values in form_of(page).items()}
        assert typed.items() <= said.items() | {("more", "x")}, address
        assert (said["request"], said["form_token"] != "stale") == ("r1", True)
        assert "还没有保存" in page.text
    gone = browser.post(  # no household of it: what was typed, each by what people read for it
        "/record/visit.recorded", data=stale | {"household": "gone", "note": "安好", "odd": "甲"},
        headers=OWN[0],
    )
    for label, value in (("户", "gone"), ("备注", "安好"), ("其他内容", "甲")):
        assert f"<dt>{label}</dt><dd>{value}</dd>" in gone.text


def test_each_role_begins_on_a_page_of_its_own_and_its_menu_leads_where_it_may_go(api: Api) -> None:
    begins_at = {
        Role.VOLUNTEER_COORDINATOR: "/volunteers", Role.REVIEWER: "/review", Role.HUB: "/months",
        Role.ADMINISTRATOR: "/accounts",
    }
    api.project()
    for role in Role:
        client = api.browser(role.value)
        first = "/accounts" if role is Role.ADMINISTRATOR else "/"
        home = client.get(first, follow_redirects=True)
        assert home.request.path == begins_at.get(role, "/"), role
        entries = re.findall(r'<li><a href="([^"]+)"', home.text.partition("<main")[0])
        answers = {entry: client.get(entry).status_code for entry in entries}
        assert answers == dict.fromkeys(entries, 200), role
        assert home.request.path in entries, role
        assert 'title="qianfoshan">示例社工站</span>' in home.text, role
