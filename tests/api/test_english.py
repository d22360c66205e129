"""Is every page wholly English where it is asked for so, but for what people wrote?

Every page that can be read is read in English, over the demo's year and a record of every
kind beside it. No Chinese character stands outside what is marked as Chinese: names, what was
typed, and documents that are Chinese by law (docs/pages.md).
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from callers import VISIT, Api, form_of
from desk import NOW, Desk, a_station
from flask.testing import FlaskClient
from lxml import html
from records import ensure, opening
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from api.app import create_app
from api.language import CHINESE, COOKIE
from api.services import EXTENSION, Services
from api.speaking import fitting_of, said, sentences, worded
from domain.kernel import KINDS
from projections.evaluation.evaluating import Question
from workers.demo import DEMO_SOURCE, DEMO_STATION, demo_history
from workers.evaluating import Workshop, run_evaluation
from workers.history import import_history
from workers.settings import settings_for

SAID_IN = ("title", "aria-label", "placeholder", "alt", "data-label", "label", "content")
SECOND = "second"
MOST_PAGES = 600
RECORDED_ELSEWHERE = {"report", "evaluation", "month", "station", "merge", "erasure", "indicator"}
"""Kinds that the demo has, or that begin with more than one statement."""
NOT_WALKED = {
    "pages.enter": "a one-time link, read on its own below",
    "pages.sign_in": "without a sign-in, read on its own below",
    "pages.find_for_figure": "a form's answer",
    "pages.provider_question": "leads to a bureau's own sign-in", "pages.provider_answer": "comes from it",
    "pages.manifest": "no page", "pages.service_worker": "no page", "pages.offline_session": "no page",
    "pages.offline_taken": "no page", "pages.events": "no page",
}


# ---- what there is to read ----


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The demo's station, and another with a record of every kind."""
    app = create_app(settings_for(tmp_path_factory.mktemp("english")))
    found: Services = app.extensions[EXTENSION]
    now = datetime.now(UTC)  # noqa: TID251 - the import's own time
    assert import_history(found.ledger, demo_history(), DEMO_STATION, DEMO_SOURCE, now).fault_count == 0
    api = Api(app, found, DEMO_STATION)
    api.project()
    _one_of_each_kind(Desk(found.ledger, SECOND))
    api.project()
    _published(api)
    _evaluated(found)
    _certified(api)
    api.project()
    yield api
    found.close()


def _one_of_each_kind(desk: Desk) -> None:
    desk.record(SECOND, a_station(), "2024-01-01", role="administrator")
    for kind in KINDS.keys() - RECORDED_ELSEWHERE:
        ensure(desk, opening(kind))
        if desk.ledger.stream(desk.station, kind, f"one-{kind}") is None:
            desk.record(f"one-{kind}", opening(kind), "2024-11-05")


def _published(api: Api, month: str = "2024-10") -> None:
    """A report and its restatement; and something that changed since."""
    items = api.get(f"reports/{month}/checklist").get_json()["items"]
    body = {"acknowledged": [item["code"] for item in items]}
    api.recorded(f"reports/{month}/publication", body, role="lead")
    for day, then in (("2024-10-08", True), ("2024-10-09", False)):
        api.recorded("visits", VISIT | {"occurred_on": day})
        api.project()
        if then:
            api.recorded(f"reports/{month}/restatement", {"reason": "补录"}, role="lead")


def _evaluated(found: Services) -> None:
    shop = Workshop(found.settings, found.ledger, found.read_models)
    context = Desk(found.ledger, DEMO_STATION).context(NOW, actor="评审", role="reviewer", idempotency_key="e1")
    run_evaluation(shop, "e1", Question("2024-2025"), context)


def _certified(api: Api) -> None:
    browser, volunteer = api.browser("lead"), first_volunteer(api)
    [link] = hrefs(browser.get(volunteer).text, "/record/volunteer.certificate_issued")
    form = form_of(browser.get(link), from_on="2024-07-01", until_on="2024-12-31", occurred_on="2025-01-02")
    assert browser.post("/record/volunteer.certificate_issued", data=form).status_code == 303


def hrefs(page: str, start: str) -> list[str]:
    """The addresses of a page's links that begin with something."""
    return [a.get("href") for a in html.fromstring(page).iter("a") if a.get("href", "").startswith(start)]


def first_volunteer(api: Api) -> str:
    """The address of the first volunteer's page."""
    listed = hrefs(api.browser("lead").get("/volunteers").text, "/volunteers/")
    return next(href for href in listed if re.fullmatch("/volunteers/[0-9a-f]{32}", href))


# ---- the walk ----


def read_in_english(api: Api, role: str, station: str) -> FlaskClient:
    """A browser of somebody who has chosen English."""
    browser = api.browser(role, station)
    browser.set_cookie(COOKIE, "en")
    return browser


class Walk:
    """Reads page after page, follows their links, and notes what is Chinese on them."""

    def __init__(self, api: Api) -> None:
        """Nothing is read yet."""
        self.app = api.app
        self.read: Counter[tuple[str, str | None] | None] = Counter()
        self.first_seen: dict[str, str] = {}

    def go(self, browser: FlaskClient, *first: str, is_anew: bool = False) -> None:
        """Read what is led to, one page of a kind: those not read yet, or all of them anew."""
        waiting, asked = deque(first), set[str]()
        before = Counter(self.read) if is_anew else Counter[tuple[str, str | None] | None]()
        while waiting:
            path = waiting.popleft()
            place = self.place_of(path)
            is_known = path in asked or (path not in first and self.read[place] > before[place])
            if place is None or is_known:
                continue
            asked.add(path)
            answer = browser.get(path)
            if not answer.content_type.startswith("text/html") or not answer.text.strip():
                continue
            self.read[place] += answer.status_code < 400
            root = html.fromstring(answer.text)
            for text in chinese_in(root):
                self.first_seen.setdefault(text, path)
            waiting += [link.get("href", "") for link in root.iter("a")]
        assert self.read.total() < MOST_PAGES

    def place_of(self, path: str) -> tuple[str, str | None] | None:
        """The page's route, and of what kind it is where a route has pages of many kinds."""
        if not path.startswith("/"):
            return None
        try:
            endpoint, about = self.app.url_map.bind("localhost").match(urlsplit(path).path)
        except (HTTPException, RequestRedirect):
            return None
        return str(endpoint), about.get("topic") or about.get("kind") or about.get("how")


def chinese_in(element: Any, *, is_chinese: bool = False) -> list[str]:
    """What stands in Chinese on a page outside elements that say so."""
    if not isinstance(element.tag, str) or element.tag in {"script", "style"}:
        return []
    language = element.get("lang")
    is_marked = language.startswith("zh") if language else is_chinese
    said = [] if is_marked else [element.text, *(element.get(name) for name in SAID_IN)]
    for child in element:
        said += chinese_in(child, is_chinese=is_marked)
        said += [] if is_marked else [child.tail]
    return [text.strip() for text in said if text and CHINESE.search(text)]


@pytest.mark.slow
def test_no_page_is_chinese_where_english_is_asked_for(city: Api) -> None:
    figure = "/months/2024-11/figures/person_visits"
    listed = hrefs(city.browser("lead").get("/households").text, "/households/")
    household = next(href for href in listed if re.fullmatch("/households/[0-9a-f]{32}", href))
    own = household.rpartition("/")[2]
    first = (
        "/", "/record", "/offline", "/offline/forms", "/months/2024-10", "/months/2024-11/publish",
        "/months/2024-10/differences", "/evaluations/2024-2025", "/evaluations/runs/e1",
        f"{figure}/why-not?household={own}", f"{figure}/why-not?household=nobody",
        f"/months/2024-11/figures/households_updated/why-not?household={own}",
        f"{household}?as_of=2024-12-01", first_volunteer(city), "/problems/not_allowed", "/api/v1/docs",
    )
    walk = Walk(city)
    walk.go(read_in_english(city, "lead", DEMO_STATION), *first)
    walk.go(read_in_english(city, "lead", SECOND), "/", "/record", is_anew=True)
    for role, station in (("administrator", SECOND), ("hub", "*"), ("reviewer", DEMO_STATION)):
        begins = ("/", "/accounts", "/account/station", "/review")
        walk.go(read_in_english(city, role, station), *begins)
    told = [f"{path}: {text[:100]}" for text, path in walk.first_seen.items()]
    assert not told, "\n".join(told)
    read = {place[0] for place in walk.read if place}
    assert readable(city) - read - NOT_WALKED.keys() == set()


def readable(api: Api) -> set[str]:
    """Every page that there is."""
    return {
        rule.endpoint for rule in api.app.url_map.iter_rules()
        if rule.endpoint.startswith("pages.") and "GET" in (rule.methods or ())
        and not rule.rule.endswith(("docx", "xlsx", "csv")) and "static" not in rule.endpoint
    }


# ---- what is said elsewhere ----


def test_a_refusal_on_a_page_is_in_the_page_s_language_and_the_api_s_message_is_chinese(api: Api) -> None:
    browser = read_in_english(api, "lead", api.station)
    form = form_of(browser.get("/record/activity.held"), occurred_on="2999-01-01", title="义诊", kind="health", role="host")
    answer = browser.post("/record/activity.held", data=form)
    assert answer.status_code == 422
    assert "The day 2999-01-01 is after today" in answer.text
    assert "尚未发生" not in answer.text
    programs = browser.post("/record/activity.held", data=form, headers={"Accept": "application/json"})
    assert programs.get_json()["fields"]["occurred_on"].startswith("The day 2999-01-01 is after today")
    body = {"occurred_on": "2999-01-01", "title": "义诊", "kind": "health", "role": "host"}
    answer = api.post("activities", body, headers={"Cookie": f"{COOKIE}=en"})
    assert "尚未发生的服务不能登记" in answer.get_json()["detail"]


def test_a_text_is_compared_with_few_sentences_and_never_misses_its_own() -> None:
    every = sentences("en")
    for one in every:
        text = "".join(part for word in zip(one.words, [*("7" for _ in one.places), ""], strict=True) for part in word)
        fitting = list(fitting_of("en", text))
        assert one in fitting
        assert len(fitting) < len(every) / 4  # a fifth begin with a place
        assert fitting == [two for two in every if two in fitting]


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/audit?from=2024-13-01", 422, "/from: Must be a real date"),
        ("/audit/reads?action=x", 422, "/action: Must be read, export"),
        ("/audit?limit=x", 422, "/limit: Must be a whole number"),
        ("/audit?limit=x&栏=1", 422, "/limit: Must be a whole number"),
        ("/ledger?kind=x", 422, "/kind: There is no such kind"),
        ("/ledger?zzz=1", 422, "/zzz: unknown field"),
        ("/ledger?sort=zzz", 400, "sort in the address is “zzz”"),
        ("/ledger?kind=visit&columns=mode,zzz", 400, "columns in the address is “zzz”"),
        ("/households?sort=zzz", 400, "sort in the address is “zzz”"),
        ("/ledger?cursor=x", 400, "first page"),
        ("/referrals?cursor=x", 400, "first page"),
    ],
)
def test_what_an_address_asks_wrongly_is_refused_in_english(
    api: Api, path: str, status: int, told: str
) -> None:
    browser = read_in_english(api, "lead", api.station)
    answer = browser.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    root = html.fromstring(answer.text)
    assert told in root.text_content()
    assert chinese_in(root) == []
    if status == 422:  # and to the page's own script, which shows the detail
        script = browser.get(path, headers={"Accept": "application/json"}).get_json()
        assert told in script["detail"]


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("走访", "Visit"),
        ("近70", "just under 70"),
        ("走访、转介", "Visit, Referrals"),
        ("2024-11-03 的“义剪”没有填报参与人数。", '“<span lang="zh">义剪</span>” on 2024-11-03 has no attendance.'),
        ("2024-11-03 的“<b>义”没有填报参与人数。", '“<span lang="zh">&lt;b&gt;义</span>” on 2024-11-03 has no attendance.'),
        ("家住东路，行动不便", "家住东路，行动不便"),
        ("以探访为主", "以探访为主"),
    ],
)
def test_what_the_program_says_is_known_by_its_words_and_what_people_wrote_stays(
    api: Api, text: str, spoken: str
) -> None:
    with api.app.test_request_context(headers={"Cookie": f"{COOKIE}=en"}):
        assert str(said(text)) == spoken
        assert worded(text) == html.fromstring(f"<p>{spoken}</p>").text_content()
    with api.app.test_request_context():
        assert said(text) == text
