"""What do the browser tests start from? The demo station on a real server, and a signed-in page."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from web import OpenPage, Site, sign_in, watched
from werkzeug.serving import make_server

from api.app import create_app
from api.services import EXTENSION, Services
from bench.browsing import CHROMIUM, chromium
from bench.serving import free_port
from workers.demo import DEMO_SOURCE, DEMO_STATION, demo_history
from workers.history import import_history
from workers.settings import settings_for

expect.set_options(timeout=15_000)  # two cores share everything, other tests too
SIZES = {"phone": (390, 844), "office": (1366, 768)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs a browser, and takes more than two seconds."""
    without = pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason="没有 Chromium：apt install chromium，或设 CHROMIUM=路径"
    )
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(without)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The demo station; tests add to it, and count on nothing but the demo's own records."""
    app = create_app(settings_for(tmp_path_factory.mktemp("site")))
    found: Services = app.extensions[EXTENSION]
    now = datetime.now(UTC)  # noqa: TID251 - the import's own time
    result = import_history(found.ledger, demo_history(), DEMO_STATION, DEMO_SOURCE, now)
    assert result.fault_count == 0
    found.read_models.advance(found.ledger)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    ended = threading.Event()
    threads = [
        threading.Thread(target=server.serve_forever), threading.Thread(target=_work, args=(found, ended))
    ]
    for thread in threads:
        thread.start()
    yield Site(f"http://127.0.0.1:{server.server_port}", app, found)
    ended.set()
    server.shutdown()
    for thread in threads:
        thread.join()
    server.server_close()
    found.close()


def _work(found: Services, ended: threading.Event) -> None:
    """Bring the read models forward, as a worker does when it is woken."""
    while not ended.wait(0.05):
        if found.ledger.head() > found.read_models.position():
            found.read_models.advance(found.ledger)


@pytest.fixture(scope="session")
def debugging_port() -> int:
    """Where others than Playwright may lead the browser."""
    return free_port()


@pytest.fixture(scope="session")
def browser(debugging_port: int) -> Iterator[Browser]:
    """Debian's Chromium."""
    with chromium(debugging_port) as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser, site: Site) -> OpenPage:
    """Opens a page of a size; it fails on any console error, CSP report or foreign request."""

    @contextmanager
    def opened(size: str, refused: Sequence[int] = (), **options: Any) -> Iterator[Page]:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, base_url=site.address,
            has_touch=size == "phone", **options,
        )
        context.set_default_timeout(10_000)
        page = context.new_page()
        problems = watched(page, site.address, refused)
        yield page
        context.close()
        assert problems == []

    return opened


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, open_page: OpenPage, site: Site) -> Iterator[Page]:
    """A lead's page, on a phone and in the office."""
    with open_page(request.param) as page:
        sign_in(page.context, site)
        page.goto("/")
        yield page
