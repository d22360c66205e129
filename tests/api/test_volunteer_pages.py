"""Can hours be confirmed at once and certified, by whom it concerns and nobody else?"""

from __future__ import annotations

import io
import re

import pytest
from callers import Api, form_of, refusal_of
from docx import Document
from flask.testing import FlaskClient


@pytest.fixture
def volunteer(api: Api) -> str:
    """A volunteer with three services that nobody has confirmed."""
    body = {"occurred_on": "2024-07-01", "name": "孙志愿", "community": "东路社区"}
    found = api.recorded("volunteers", body, role="volunteer_coordinator")["id"]
    for day, minutes in (("2024-10-05", 90), ("2024-11-02", 60), ("2024-11-09", 45)):
        api.recorded(
            f"volunteers/{found}/service-records",
            {"occurred_on": day, "title": "义剪", "minutes": minutes}, role="volunteer_coordinator",
        )
    api.project()
    return str(found)


@pytest.fixture
def browser(api: Api) -> FlaskClient:
    return api.browser("volunteer_coordinator")


def minutes_of(api: Api) -> tuple[int, int]:
    [row] = api.get("volunteer-hours?from=2024-01-01&to=2024-12-31").get_json()["items"]
    return row["recorded_minutes"], row["confirmed_minutes"]


def test_what_is_ticked_is_confirmed_once_and_of_the_rest_is_told_why_not(
    api: Api, browser: FlaskClient, volunteer: str
) -> None:
    page = browser.get("/volunteers/unconfirmed?all=1")
    form = form_of(page)
    assert form["service"] == [f"{volunteer}/{entry}" for entry in (2, 3, 4)]
    # given that somebody else confirms one of them meanwhile
    api.recorded(
        f"volunteers/{volunteer}/confirmations", {"occurred_on": "2024-11-10", "entry": 3},
        role="volunteer_coordinator",
    )
    # when the form is sent with two, one of them that one
    ticked = form | {"service": [f"{volunteer}/3", f"{volunteer}/4", "nobody/x"]}
    answer = browser.post("/volunteers/confirm", data=ticked)
    # then one is confirmed and the others say why not, as people know them
    assert answer.status_code == 409
    assert "已确认 1 项" in answer.text
    assert "有 2 项没有确认" in answer.text
    assert "孙志愿 2024-11-02 义剪" in answer.text
    head = api.head()
    browser.post("/volunteers/confirm", data=ticked)
    assert api.head() == head
    api.project()
    assert minutes_of(api) == (195, 105)
    assert form_of(browser.get("/volunteers/unconfirmed?all=1"))["service"] == [f"{volunteer}/2"]


def test_a_certificate_says_confirmed_minutes_and_that_they_have_changed_since(
    api: Api, browser: FlaskClient, volunteer: str
) -> None:
    browser.post("/volunteers/confirm", data=form_of(browser.get("/volunteers/unconfirmed?all=1")))
    page = browser.get(f"/volunteers/{volunteer}")
    assert "2024-11" in page.text
    [link] = re.findall(r'href="(/record/volunteer.certificate_issued[^"]+)"', page.text)
    form = form_of(
        browser.get(link.replace("&amp;", "&")), from_on="2024-11-01", until_on="2024-11-30",
        occurred_on="2024-12-01",
    )
    done = browser.post("/record/volunteer.certificate_issued", data=form)
    assert done.status_code == 303, done.text
    [place] = re.findall(rf'href="(/volunteers/{volunteer}/certificates/\d+)"', browser.get(done.location).text)
    shown = browser.get(place)
    said = (
        "孙志愿同志于2024年11月1日至2024年11月30日在示例街道社会工作服务站参加志愿服务，"
        "经确认的服务时长共计1小时45分钟。"
    )
    assert said in shown.text
    assert "记录有变动" not in shown.text
    file = browser.get(f"{place}/docx")
    texts = [p.text for p in Document(io.BytesIO(file.data)).paragraphs]
    assert any(said in text for text in texts)
    # when one of its services is voided, the paper says what counts now, and the page what it said
    voided = api.call(
        "DELETE", f"volunteers/{volunteer}/entries/6", {"reason": "签到有误"},
        role="volunteer_coordinator", headers={"If-Match": '"8"'},
    )
    assert voided.status_code == 201, voided.text
    changed = browser.get(place).text
    assert "出具时是 105 分钟；此后记录有变动，现在是 45 分钟" in changed
    assert "时长共计45分钟。" in changed


def test_the_coordinator_sees_volunteers_and_no_case(
    api: Api, browser: FlaskClient, volunteer: str
) -> None:
    household = api.household()
    api.project()
    assert browser.get("/").location == "/volunteers"
    assert "孙志愿" in browser.get("/volunteers").text
    assert browser.get(f"/volunteers/{volunteer}").status_code == 200
    assert browser.get(f"/records/volunteer/{volunteer}").status_code == 200
    for address in (
        "/households", f"/households/{household}", "/ledger", f"/records/household/{household}",
        f"/record/volunteer.service_recorded?household={household}", "/operations", "/audit",
    ):
        assert browser.get(address).status_code == 403, address
    for path in ("households", "visits", "cases", f"households/{household}/status"):
        refusal_of(api.get(path, role="volunteer_coordinator"), 403, "not_allowed")
    refusal_of(
        api.post("households/duplicates", {"name": "测试一"}, role="volunteer_coordinator"), 403,
        "not_allowed",
    )
    for kind, found in (("household", 403), ("volunteer", 200)):
        asked = {"kind": kind, "sought": "测试一", "form_token": form_of(browser.get("/verify"))["form_token"]}
        assert browser.post("/offline/find", data=asked).status_code == found
    for path in ("volunteers", "activities"):
        assert api.get(path, role="volunteer_coordinator").status_code == 200
    # and a social worker operates nothing
    assert api.browser("social_worker").get("/operations").status_code == 403
    # while a reviewer sees the volunteers without their names, and confirms nothing
    reviewer = api.browser("reviewer")
    page = reviewer.get("/volunteers/unconfirmed")
    assert page.status_code == 200
    assert "孙志愿" not in page.text
    assert 'name="service"' not in page.text
    assert reviewer.post("/volunteers/confirm", data={"service": f"{volunteer}/2"}).status_code == 403
