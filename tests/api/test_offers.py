"""Does a page offer only what who looks at it may open, and may do?"""

from __future__ import annotations

import io
from collections import deque
from datetime import date
from urllib.parse import urlsplit

import pytest
from callers import VISIT, Api
from flask import Flask
from lxml import html
from PIL import Image
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from api.nouns import NOUNS
from api.pages.fields import Around
from api.pages.record import has_form
from api.pages.steps import PAGES, STEPPED
from api.policy import OWN, PUBLIC, allowed
from domain.vocabulary import Role

MOST_PAGES = 60
ROLES = ("lead", "reviewer", "supervisor", "volunteer_coordinator", "hub", "administrator", "social_worker")


@pytest.fixture
def kept(api: Api) -> Api:
    """A station with a household, a visit, a case and a training to look at."""
    home = api.household()
    api.recorded("visits", VISIT | {"household": home})
    api.recorded("trainings-received", {"occurred_on": "2024-11-06", "title": "培训"})
    api.project()
    return api


@pytest.mark.parametrize("role", ROLES)
def test_no_page_offers_what_its_reader_may_not_open(kept: Api, role: str) -> None:
    browser, seen = kept.browser(role), set[str]()
    begun = ["/", "/months/2024-11", "/evaluations/2024-2025", "/record"]
    waiting = deque(begun)
    forbidden: list[tuple[str, str, str]] = []
    while waiting and len(seen) < MOST_PAGES:
        path = waiting.popleft()
        place = endpoint_of(kept.app, path, "GET")
        if place is None or place in seen:
            continue
        seen.add(place)  # one page of a kind says how all of them are made
        answer = browser.get(path)
        if answer.status_code == 403 and path not in begun:  # the route is open to the role, and what it shows is not
            forbidden.append((path, "GET", "refused"))
        if not answer.content_type.startswith("text/html") or answer.status_code >= 400:
            continue
        root = html.fromstring(answer.text)
        offers = [(link.get("href"), "GET") for link in root.iter("a")]
        offers += [(f.get("action") or path, (f.get("method") or "get").upper()) for f in root.iter("form")]
        for address, method in offers:
            if not may_open(kept.app, Role(role), address or "", method):
                forbidden.append((path, method, address))
            elif method == "GET":
                waiting.append(address)
    assert forbidden == []
    assert len(seen) > 3


def endpoint_of(app: Flask, address: str, method: str) -> str | None:
    """The route that an address of ours leads to."""
    if not address.startswith("/"):
        return None
    try:
        endpoint, _arguments = app.url_map.bind("localhost").match(urlsplit(address).path, method)
    except (HTTPException, RequestRedirect):
        return None
    return str(endpoint)


def may_open(app: Flask, role: Role, address: str, method: str) -> bool:
    """Whether the policy lets a role open what an address leads to."""
    endpoint = endpoint_of(app, address, method)
    if endpoint is None or endpoint.endswith(("static", "part")):
        return True
    verb, noun = getattr(app.view_functions[endpoint], "action", (PUBLIC, ""))
    return verb in {PUBLIC, OWN} or allowed(role, verb, noun)


def test_a_photo_is_said_in_words_and_only_who_may_correct_it_is_offered_to(api: Api) -> None:
    home = api.household(file_number="JT-1")
    visit = api.recorded("visits", VISIT | {"household": home, "minutes": 90})["id"]
    Image.new("RGB", (30, 20), "teal").save(photo := io.BytesIO(), "JPEG")
    said = {"record": f"visit/{visit}", "kind": "sign_in_sheet", "file": (io.BytesIO(photo.getvalue()), "p.jpg")}
    sheet = api.call("POST", "evidence", data=said).get_json()["id"]
    api.project()
    for role, may_correct in (("reviewer", False), ("lead", True)):
        browser = api.browser(role)
        shown = html.fromstring(browser.get(f"/households/{home}").text)
        lines = [cell.text_content().strip() for cell in shown.xpath("//td[@data-label='内容']")]
        assert lines[0].startswith("签到表 · JPEG 图片 · 附于 走访")
        assert "入户 · 日常探访 · 见到 1 人 · 1 小时 30 分钟" in lines
        for path in (f"/records/visit/{visit}", f"/records/evidence/{sheet}"):
            page = browser.get(path).text
            assert ("JT-1" in page, home in html.fromstring(page).text_content()) == (True, False)
            assert ("更正" in " ".join(html.fromstring(page).xpath("//main//a/text()"))) is may_correct
            offered = [a for a in html.fromstring(page).xpath("//main//a/@href") if a.startswith("/")]
            refused = [a for a in offered if browser.get(a).status_code == 403]
            assert [a for a in refused if not a.startswith("/api/v1/evidence")] == [], role


def test_who_records_nothing_is_offered_no_recording(kept: Api) -> None:
    for role, offered in (("reviewer", False), ("social_worker", True)):
        page = html.fromstring(kept.browser(role).get("/").text)
        assert ("/record" in [link.get("href") for link in page.iter("a")]) is offered
    assert "核对并发布" not in kept.get("/months/2024-11", role="reviewer").text
    assert "核对并发布" in kept.get("/months/2024-11", role="lead").text


def test_the_documentation_s_example_calls_the_service_that_shows_it(api: Api) -> None:
    page = api.app.test_client().get("/api/v1/docs", base_url="http://ledger.example:8123").text
    assert "http://ledger.example:8123/api/v1/visits" in page
    assert ":8000" not in page


def test_what_goes_on_with_a_record_has_its_button_where_the_record_is_seen() -> None:
    around = Around(date(2024, 11, 5), ("—",), {"-": "—"}, frozenset({"household"}))
    kinds = {
        noun.kind.name
        for noun in NOUNS for event, how in noun.statements.items()
        if not how.is_opening and has_form(event, around)
    }
    of_household = {"household"}  # on the household's own page
    by_command = {"station"}  # by ``taizhang station``
    assert kinds - of_household - by_command <= STEPPED | PAGES.keys()
