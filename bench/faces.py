"""Is a form open at once on a slow phone, and what does Lighthouse say of the main pages?"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Final

from playwright.sync_api import Browser, BrowserContext
from sqlalchemy import select

from api.accounts.security_log import By
from api.accounts.sessions import begin
from api.accounts.staff import Newcomer, Post, create
from api.edge import new_id, now
from api.forms import COOKIE
from api.identity import tokens_engine
from bench.browsing import PHONE, chromium, slow_down
from bench.freshness import service
from bench.lighthouse import HEADINGS, LEAST, PERFORMANCE, look
from bench.places import Place, Servers
from bench.ratios import Ratio
from bench.serving import STATION, await_port, free_port, prepared
from domain.vocabulary import Role
from projections.engine import ReadModels
from projections.household_status import households
from projections.store import writing

OPEN_SECONDS: Final = 0.3
PAGES: Final = {
    "today": "/", "household": "/households/{household}",
    "form": "/record/visit.recorded?household={household}", "ledger": "/ledger?kind=visit",
    "dashboards": "/dashboards", "month": "/months/2024-11",
}
SIZES: Final = ("phone", "office")
WATCH: Final = """() => { window.opened = new Promise((done) => {
  addEventListener("pointerdown", ({ timeStamp }) => {
    const radio = document.querySelector("#ready input[type=radio]");
    const look = () =>
      radio.offsetParent ? done(performance.now() - timeStamp) : requestAnimationFrame(look);
    requestAnimationFrame(look);
  }, { once: true });
}); }"""
"""The page itself says how long it was, from the finger to the first frame that has the form."""
BUSY: Final = "the pages' server, Chromium and Lighthouse share the machine's cores"


@dataclass(frozen=True, slots=True)
class Station:
    """A station's pages on a real server, and whoever is signed in there."""

    address: str
    secret: str
    household: str

    def page(self, path: str) -> str:
        """The address of a page."""
        return self.address + path.format(household=self.household)

    def phone(self, browser: Browser) -> BrowserContext:
        """A phone on which somebody is signed in, and that has seen nothing yet."""
        context = browser.new_context(**PHONE)
        context.add_cookies([{"name": COOKIE, "value": self.secret, "url": self.address}])
        return context


def measure(servers: Servers, database: str, *, is_quick: bool) -> list[Ratio]:
    """A visit's form on a slow phone, and the lowest score of each of Lighthouse's headings."""
    place, port, debugging = servers.place(database), free_port(), free_port()
    prepared(place)
    rounds = 1 if is_quick else 3
    with service(place, port) as running:
        running.run("web")
        await_port(port)
        at = Station(f"http://127.0.0.1:{port}", _signed_in(place), _a_household(place))
        with chromium(debugging) as browser:
            found = [_form(database, browser, at, is_warm=warm) for warm in (False, True)]
            for size in SIZES:
                found += _headings(database, debugging, at, size, rounds)
            return found


def _signed_in(place: Place) -> str:
    """A lead's session; answers its secret."""
    engine, by = tokens_engine(place.ledger_url), By("bench", now())
    with writing(engine) as connection:
        newcomer = Newcomer(new_id(), "lead", "站长", Post(Role.LEAD, frozenset({STATION})))
        secret = begin(connection, create(connection, newcomer, by).id, "bench", by.at)
    engine.dispose()
    return secret


def _a_household(place: Place) -> str:
    read_models = ReadModels(place.read_url)
    with read_models.engine.connect() as connection:
        query = select(households.c.household).where(households.c.station == STATION).limit(1)
        found = str(connection.execute(query).scalar_one())
    read_models.close()
    return found


# ---- the form on a slow phone ----


def _form(database: str, browser: Browser, at: Station, *, is_warm: bool) -> Ratio:
    """From the tap on 走访 until its form stands there, beside the form as a page of its own."""
    found = statistics.median(_tapped(browser, at, is_warm=is_warm) for _ in range(5))
    fetched = statistics.median(_fetched(browser, at, is_warm=is_warm) for _ in range(3))
    when = "seen before" if is_warm else "first seen"
    return Ratio(
        f"a slow phone, page {when}: from the tap to a visit's form ÷ 0.3 s", database,
        found / OPEN_SECONDS, 1,
        f"{found * 1000:.0f} ms (CPU 4× slower, slow 3G); as a page of its own {fetched:.1f} s",
        is_bound=True, reason=BUSY,
    )


def _tapped(browser: Browser, at: Station, *, is_warm: bool) -> float:
    with at.phone(browser) as context:
        page = context.new_page()
        slow_down(page)
        if is_warm:
            page.goto(at.page(PAGES["household"]))
        page.goto(at.page(PAGES["household"]), wait_until="commit")
        link = page.locator(".actions").get_by_role("link", name="走访", exact=True)
        link.wait_for()
        page.evaluate(WATCH)
        link.tap()
        return float(page.evaluate("opened")) / 1000


def _fetched(browser: Browser, at: Station, *, is_warm: bool) -> float:
    with at.phone(browser) as context:
        page = context.new_page()
        slow_down(page)
        if is_warm:
            page.goto(at.page(PAGES["household"]))
        begun = time.perf_counter()
        page.goto(at.page(PAGES["form"]), wait_until="commit")
        page.get_by_role("radio", name="回访").wait_for()
        return time.perf_counter() - begun


# ---- Lighthouse ----


def _headings(database: str, port: int, at: Station, size: str, rounds: int) -> list[Ratio]:
    """Of each heading the lowest score of the main pages, each the median of some looks."""
    pages = [(at.page(path), size) for path in PAGES.values()]
    looks = [look(port, f"{COOKIE}={at.secret}", pages) for _ in range(rounds)]
    ratios = []
    for heading in HEADINGS:
        of_page = {
            name: statistics.median(looked[n].scores[heading] for looked in looks)
            for n, name in enumerate(PAGES)
        }
        lost = {fault for looked in looks for one in looked for fault in one.faults}
        ratios.append(Ratio(
            f"Lighthouse, {size}: {heading}, the lowest of {len(PAGES)} pages ÷ 95",
            database, min(of_page.values()) / LEAST, 1,
            ", ".join(f"{name} {score:.0f}" for name, score in of_page.items()),
            reason=BUSY if heading == PERFORMANCE else "; ".join(sorted(lost)),
        ))
    return ratios
