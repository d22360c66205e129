"""What does Lighthouse say of the main pages on a phone? How fast they are: ``python -m bench faces``."""

from __future__ import annotations

import itertools

from playwright.sync_api import Browser
from web import Site

from api.forms import COOKIE
from bench.lighthouse import ACCESSIBILITY, BEST_PRACTICES, LEAST, look

names = itertools.count(1)


def test_the_main_pages_have_95_points_or_more(
    browser: Browser, debugging_port: int, site: Site
) -> None:
    assert browser.is_connected()
    household = site.household(f"韩{next(names)}")
    addresses = ["/", f"/households/{household}", "/ledger?kind=visit", "/dashboards"]
    cookie = site.browser().get_cookie(COOKIE)
    assert cookie is not None
    pages = [(site.address + address, "phone") for address in addresses]
    headings = (ACCESSIBILITY, BEST_PRACTICES)
    found = look(debugging_port, f"{COOKIE}={cookie.value}", pages, headings)
    assert [one.shown for one in found] == [address for address, _size in pages]
    for one in found:
        assert set(one.scores) == set(headings)
        assert min(one.scores.values()) >= LEAST, one
