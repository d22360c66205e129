"""Can a report be published, restated and checked over HTTP and on the pages, by the lead only?"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from callers import HOUSEHOLD, VISIT, Api, form_of, refusal_of
from flask.testing import FlaskClient
from lxml import html
from werkzeug.test import TestResponse

MONTH = "2024-11"
LEAD: dict[str, Any] = {"role": "lead"}


@pytest.fixture
def station(api: Api) -> Api:
    """A station with two visits and the lead's own text."""
    household = api.household()
    api.recorded("visits", VISIT | {"household": household})
    api.recorded("visits", VISIT | {"occurred_on": "2024-11-12"})
    api.recorded(
        f"months/{MONTH}/narrative",
        {"occurred_on": "2024-11-30", "section": "featured", "text": "义剪一场。"}, **LEAD,
    )
    api.project()
    return api


def warnings(api: Api, period: str = MONTH) -> list[str]:
    found = api.get(f"reports/{period}/checklist").get_json()
    assert found["is_publishable"], found
    return [item["code"] for item in found["items"]]


def publish(api: Api, **more: Any) -> dict[str, Any]:
    body = {"acknowledged": warnings(api)}
    found = api.recorded(f"reports/{MONTH}/publication", body, **LEAD | more)
    api.project()
    return found


def restate(api: Api, reason: str = "补录") -> dict[str, Any]:
    found = api.recorded(f"reports/{MONTH}/restatement", {"reason": reason}, **LEAD)
    api.project()
    return found


# ---- the API ----


def test_the_check_list_says_what_where_and_how_grave(station: Api) -> None:
    found = station.get(f"reports/{MONTH}/checklist", role="reviewer").get_json()
    assert (found["period"], found["position"], found["is_publishable"]) == (MONTH, station.head(), True)
    for item in found["items"]:
        assert item["severity"] in {"blocks", "warns"}
        assert item["detail"].endswith("。")
        assert station.get(item["href"], **LEAD).status_code == 200
    station.recorded("visits", VISIT)
    behind = station.get(f"reports/{MONTH}/checklist").get_json()
    assert (behind["items"][0]["code"], behind["is_publishable"]) == ("figures_behind", False)


def test_the_lead_publishes_and_nobody_else(station: Api) -> None:
    body, before = {"acknowledged": warnings(station)}, station.head()
    for role in ("social_worker", "supervisor", "reviewer", "volunteer_coordinator", "administrator"):
        refusal_of(station.post(f"reports/{MONTH}/publication", body, role=role), 403, "not_allowed")
        refusal_of(
            station.post(f"reports/{MONTH}/restatement", {"reason": "改"}, role=role), 403, "not_allowed"
        )
    hub = {"role": "hub", "station": "*"}
    refusal_of(station.post(f"reports/{MONTH}/publication", body, **hub), 403, "not_allowed")
    assert station.head() == before
    found = publish(station)
    assert (found["actor"], found["role"], found["number"]) == ("lead-1", "lead", 1)


def test_publishing_asks_for_the_warnings_and_happens_once(station: Api) -> None:
    path = f"reports/{MONTH}/publication"
    refusal_of(station.get(path), 404, "report_not_published")
    refused = refusal_of(station.post(path, {}, **LEAD), 422, "warnings_not_acknowledged")
    assert warnings(station)[0] in refused["detail"]
    first = publish(station)
    refusal_of(station.post(path, {"acknowledged": []}, **LEAD), 409, "report_already_published")
    assert station.get(path).get_json()["code"] == first["code"]


def test_a_request_sent_twice_has_one_answer(station: Api) -> None:
    key = {"headers": {"Idempotency-Key": "november"}}
    body = {"acknowledged": warnings(station)}
    path = f"reports/{MONTH}/publication"
    first = station.post(path, body, **LEAD, **key)
    station.recorded("visits", VISIT)
    again = station.post(path, body, **LEAD, **key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_json() == again.get_json()
    refusal_of(station.post(path, {}, **LEAD, **key), 422, "idempotency_key_reused")


def test_a_version_that_is_no_longer_the_newest_is_refused(station: Api) -> None:
    body = {"acknowledged": warnings(station)}
    unseen = station.post(f"reports/{MONTH}/publication", body, **LEAD, headers={"If-Match": '"1"'})
    refusal_of(unseen, 412, "stale_version")
    publish(station)
    tag = station.get(f"reports/{MONTH}/publication").headers["ETag"]
    station.recorded("visits", VISIT | {"occurred_on": "2024-11-13"})
    station.project()
    restate(station)
    station.recorded("visits", VISIT | {"occurred_on": "2024-11-14"})
    station.project()
    said = {"headers": {"If-Match": tag}}
    refused = station.post(f"reports/{MONTH}/restatement", {"reason": "再改"}, **LEAD, **said)
    refusal_of(refused, 412, "stale_version")


def test_what_was_published_stays_byte_for_byte(station: Api) -> None:
    publish(station)
    path = f"reports/{MONTH}/publication?number=1"
    before = station.get(path).data
    visit = station.recorded("visits", VISIT | {"occurred_on": "2024-11-13", "persons_met": 4})
    station.call(
        "DELETE", f"visits/{visit['id']}/entries/1", {"reason": "误记"}, headers={"If-Match": '"1"'}
    )
    station.recorded("visits", VISIT | {"occurred_on": "2024-11-14", "persons_met": 4})
    station.project()
    restate(station)
    assert station.get(path).data == before
    assert station.get(f"reports/{MONTH}/publication").get_json()["number"] == 2
    items = station.get(f"reports/{MONTH}/publications").get_json()["items"]
    assert [item["number"] for item in items] == [1, 2]
    assert items[1]["restates"] == items[0]["code"]
    listed = station.get("reports").get_json()["items"]
    assert {row["short_code"] for row in listed} == {item["short_code"] for item in items}


def test_the_code_is_computed_again_from_the_answer(station: Api) -> None:
    code = publish(station)["code"]
    snapshot = station.get(f"reports/{MONTH}/publication").get_json()["snapshot"]
    texts = hashlib.sha256(msgspec.json.encode(snapshot["sections"], order="sorted")).hexdigest()
    canonical = msgspec.json.encode(snapshot | {"sections": texts}, order="sorted")
    assert hashlib.sha256(canonical).hexdigest() == code


def test_the_newest_checkpoint_is_frozen_with_the_report(station: Api) -> None:
    runtime = station.services.runtime
    assert runtime.newest_checkpoint() is None
    runtime.sealer.seal(datetime(2024, 12, 5, tzinfo=UTC))
    sealed = runtime.seals.newest()
    publish(station)
    found = station.get(f"reports/{MONTH}/publication").get_json()["checkpoint"]
    assert sealed is not None
    assert (found["size"], found["root"]) == (sealed.size, sealed.note.splitlines()[2])


def test_the_differences_have_their_records_and_reasons(station: Api) -> None:
    refusal_of(station.get(f"reports/{MONTH}/differences"), 404, "report_not_published")
    visit = station.recorded("visits", VISIT | {"occurred_on": "2024-11-15"})
    station.project()
    publish(station)
    station.call(
        "DELETE", f"visits/{visit['id']}/entries/1", {"reason": "张某某家重复"}, headers={"If-Match": '"1"'}
    )
    refusal_of(station.get(f"reports/{MONTH}/differences"), 503, "figures_behind")
    station.project()
    (figure,) = station.get(f"reports/{MONTH}/differences").get_json()["figures"]
    assert (figure["code"], figure["published"], figure["today"]) == ("person_visits", "3", "2")
    (record,) = figure["records"]
    assert (record["id"], record["change"], record["reason"]) == (visit["id"], "voided", "张某某家重复")
    hub = {"role": "hub", "station": "*"}
    asked = f"reports/{MONTH}/differences?station={station.station}"
    refusal_of(station.get(asked, **hub), 403, "not_allowed")
    # and a hub reads what was published, with no reason of any record in it
    shown = station.get(f"reports/{MONTH}/publication?station={station.station}", **hub)
    assert shown.status_code == 200
    assert "张某某" not in shown.text


def test_a_restatement_needs_a_reason(station: Api) -> None:
    publish(station)
    for body in ({}, {"reason": ""}, {"reason": "长" * 501}, {"reason": 1}):
        assert station.post(f"reports/{MONTH}/restatement", body, **LEAD).status_code == 422
    refusal_of(
        station.post(f"reports/{MONTH}/restatement", {"reason": "无"}, **LEAD), 409, "nothing_to_restate"
    )


def test_a_file_is_checked_as_a_body_and_as_a_form(station: Api) -> None:
    publish(station)
    content = station.get(f"reports/{MONTH}/publication/docx").data
    refusal_of(station.get(f"reports/{MONTH}/restatement/docx"), 404, "report_not_published")
    for more in ({"data": content}, {"data": {"file": (io.BytesIO(content), "月报.docx")}}):
        found = station.post("reports/verify", role="reviewer", **more).get_json()
        assert (found["verdict"], found["differences"]) == ("identical", [])
        assert found["publication"]["period"] == MONTH
    # and another station knows no such code
    found = station.post("reports/verify", role="lead", station="elsewhere", data=content).get_json()
    assert (found["verdict"], found["publication"]) == ("unknown_code", None)


def test_checking_a_file_tells_no_reason_to_who_may_not_read_it(station: Api) -> None:
    """Given a restatement of a voided visit, when a file that only looks like it is checked."""
    visit = station.recorded("visits", VISIT | {"occurred_on": "2024-11-15"})
    station.project()
    publish(station)
    station.call(
        "DELETE", f"visits/{visit['id']}/entries/1", {"reason": "张某某家重复"}, headers={"If-Match": '"1"'}
    )
    station.project()
    restate(station)
    genuine = station.get(f"reports/{MONTH}/restatement/docx").data
    forged = _rewritten(genuine, "，原因：张某某家重复", "，原因：无")
    hub = {"role": "hub", "station": "*"}
    for caller, is_told in ((hub, False), ({"role": "reviewer"}, False), ({"role": "lead"}, True)):
        found = station.post("reports/verify", data=forged, **caller)
        (place,) = found.get_json()["differences"]
        assert place["given"].endswith("，原因：无。")
        assert "张某某" in place["published"] if is_told else "张某某" not in found.text
        # and the file itself is recognised by both
        found = station.post("reports/verify", data=genuine, **caller).get_json()
        assert found["verdict"] == "identical"
    page = _signed_in(station, "hub", "*")
    token = _form(page.get("/verify"))["form_token"]
    answer = page.post("/verify", data={"form_token": token, "file": (io.BytesIO(forged), "x.docx")})
    assert "张某某" not in answer.text
    assert "原因：无" in answer.text


def _rewritten(content: bytes, old: str, new: str) -> bytes:
    """A Word file in which a text was replaced."""
    target = io.BytesIO()
    packed = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(io.BytesIO(content)) as given, packed as made:
        for name in given.namelist():
            made.writestr(name, given.read(name).replace(old.encode(), new.encode()))
    return target.getvalue()


@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04", b"\0" * 100], ids=repr)
def test_what_is_no_word_file_is_refused(station: Api, content: bytes) -> None:
    refusal_of(station.post("reports/verify", data=content), 422, "not_a_word_file")


def test_the_page_says_once_that_a_file_is_none_to_verify(station: Api) -> None:
    page = station.browser("reviewer")
    token = _form(page.get("/verify"))["form_token"]
    answer = page.post("/verify", data={"form_token": token, "file": (io.BytesIO(b"{}"), "x.docx")})
    assert answer.status_code == 422
    assert answer.text.count("不是可以核对的 Word 文件") == 1


def test_a_file_that_is_too_large_is_refused(station: Api) -> None:
    refusal_of(station.post("reports/verify", data=b"P" * (1 << 21)), 413, "body_too_large")


def test_longer_periods_and_areas_are_reported(station: Api) -> None:
    quarter = station.get("reports/2024-Q4").get_json()
    values = {row["code"]: row["value"] for row in quarter["indicators"]}
    assert values["person_visits"] == 2
    refusal_of(station.get("reports/2024-Q9"), 400, "bad_report_period")
    hub = {"role": "hub", "station": "*"}
    found = station.get(f"reports/{MONTH}?scope=hub", **hub).get_json()
    assert (found["area"], found["stations"][0]["station"]) == ("历下区", station.station)
    assert {row["code"]: row["value"] for row in found["indicators"]}["person_visits"] == 2
    assert station.get("reports/2024?scope=city", **hub).get_json()["area"] == "济南市"
    refusal_of(station.get(f"reports/{MONTH}?scope=hub&area=别处", **hub), 400, "area_unknown")
    refusal_of(station.get(f"reports/{MONTH}?scope=hub", **LEAD), 403, "other_station")


# ---- the pages ----


@pytest.fixture
def browser(station: Api) -> FlaskClient:
    """A browser in which the lead is signed in."""
    return _signed_in(station, "lead")


def _signed_in(station: Api, role: str, where: str | None = None) -> FlaskClient:
    return station.browser(role, where)


def _form(answer: TestResponse) -> dict[str, Any]:
    """What the form of a page sends."""
    fields: dict[str, Any] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.text):
        fields.setdefault(name, []).append(value)
    return fields


def test_the_lead_publishes_and_restates_on_the_pages(station: Api, browser: FlaskClient) -> None:
    path = f"/months/{MONTH}/publish"
    form = _form(browser.get(path))
    without = browser.post(path, data=form)
    assert without.status_code == 422
    assert "请先确认提示" in without.text
    answer = browser.post(path, data=form | {"seen": "yes"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/months/{MONTH}/published")
    head = station.head()
    # pressed twice, it is published once
    assert browser.post(path, data=form | {"seen": "yes"}).status_code == 303
    assert station.head() == head
    station.project()
    code = station.get(f"reports/{MONTH}/publication").get_json()["short_code"]
    for page in (f"/months/{MONTH}", f"/months/{MONTH}/published", "/months"):
        assert code in browser.get(page).text
    station.recorded("visits", VISIT | {"occurred_on": "2024-11-13"})
    station.project()
    page = browser.get(f"/months/{MONTH}/differences")
    assert "补录" in page.text
    form = _form(page)
    assert browser.post(f"/months/{MONTH}/restate", data=form | {"reason": " "}).status_code == 422
    answer = browser.post(f"/months/{MONTH}/restate", data=form | {"reason": "补录一次"})
    assert answer.status_code == 303
    assert "缘由：补录一次" in browser.get(f"/months/{MONTH}/published").text
    assert code in browser.get(f"/months/{MONTH}/published?number=1").text


def test_whoever_records_in_a_published_month_is_told_before_and_after(
    station: Api, browser: FlaskClient
) -> None:
    home, told = station.household(), "的月报已经发布（第 1 版）"
    station.project()
    path = "/record/visit.recorded"
    form = form_of(browser.get(f"{path}?household={home}"), mode="home", purpose="routine", occurred_on="2024-11-13")
    assert "data-published-months" not in browser.get(f"{path}?household={home}").text
    assert "published=" not in browser.post(path, data=form).headers["Location"]
    station.project()
    publish(station)
    [asked] = notice_of(browser.get(f"{path}?household={home}"))
    assert (asked.get("data-published-months"), asked.get("hidden")) == (MONTH, "")
    form = form_of(browser.get(f"{path}?household={home}"), mode="home", purpose="routine", occurred_on="2024-11-14")
    [asked] = notice_of(browser.post(path, data=form | {"purpose": ""}))  # refused: the day is of that month
    assert asked.get("hidden") is None
    done = browser.post(path, data=form)
    after = browser.get(done.headers["Location"]).text
    assert told in after
    # a household or a note moves no figure: nothing is promised of it
    assert "发布的数字不变；若因此有数字或正文变动，就列入发布以来的变动" in after
    station.project()
    [visit] = [v for v in station.get("visits").get_json()["items"] if v["occurred_on"] == "2024-11-14"]
    for how in ("void", "reinstate", "correct"):
        page = browser.get(f"/records/visit/{visit['id']}/entries/1/{how}")
        assert notice_of(page)[0].get("hidden") is None
        why = {"correction_reason": "改", "occurred_on": "2024-12-02"} if how == "correct" else {}
        done = browser.post(page.request.path, data=form_of(page, reason="重复") | why)
        assert told in browser.get(done.headers["Location"]).text, how
    assert told not in browser.get(f"/records/visit/{visit['id']}?recorded=1&published=2024-12,x").text


def notice_of(page: TestResponse) -> list[Any]:
    found: list[Any] = html.document_fromstring(page.text).xpath("//*[@data-published-months]")
    return found


def test_a_form_of_another_site_or_session_writes_nothing(station: Api, browser: FlaskClient) -> None:
    path, before = f"/months/{MONTH}/publish", station.head()
    form = _form(browser.get(path)) | {"seen": "yes"}
    others = _form(_signed_in(station, "social_worker").get("/verify"))["form_token"]
    for token in ("", "x", "测", others[0]):
        answer = browser.post(path, data=form | {"form_token": token})
        assert (answer.status_code, "表单已失效" in answer.text) == (403, True)
    for site in ("cross-site", "same-site"):
        answer = browser.post(path, data=form, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == 403
    assert browser.post(path, data={}).status_code == 403
    assert station.head() == before
    own = {"Sec-Fetch-Site": "same-origin"}
    assert browser.post(path, data=form, headers=own).status_code == 303


def test_the_cookie_writes_through_no_other_route(browser: FlaskClient) -> None:
    form = _form(browser.get(f"/months/{MONTH}/publish"))
    for path, body in (
        ("/api/v1/visits", VISIT), ("/api/v1/households", HOUSEHOLD),
        (f"/api/v1/reports/{MONTH}/publication", {"acknowledged": form["acknowledged"]}),
    ):
        refusal_of(browser.post(path, json=body), 401, "not_authenticated")


def test_who_may_not_publish_sees_no_button_and_is_refused(station: Api) -> None:
    browser = _signed_in(station, "reviewer")
    page = browser.get(f"/months/{MONTH}/publish")
    assert page.status_code == 200
    assert "发布这份报告" not in page.text
    token = _form(_signed_in(station, "lead").get("/verify"))["form_token"]
    assert browser.post(f"/months/{MONTH}/publish", data={"form_token": token}).status_code == 403


def test_a_page_checks_a_file(station: Api, browser: FlaskClient) -> None:
    publish(station)
    content = station.get(f"reports/{MONTH}/publication/docx").data
    form = _form(browser.get("/verify"))
    for given, status, said in ((content, 200, "逐字一致"), (b"PK", 422, "不是可以核对的 Word 文件")):
        answer = browser.post("/verify", data=form | {"file": (io.BytesIO(given), "x.docx")})
        assert (answer.status_code, said in answer.text) == (status, True)
