"""What does Lighthouse say of the main pages on a phone? How fast they are: ``python -m bench faces``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Browser
from web import Site

from api.forms import COOKIE
from bench.lighthouse import ACCESSIBILITY, BEST_PRACTICES, LEAST, SCRIPT, look

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
    commands = set[str]()
    with ThreadPoolExecutor(1) as aside:
        looking = aside.submit(look, debugging_port, f"{COOKIE}={cookie.value}", pages, headings)
        while not wait([looking], timeout=1).done:
            commands |= set(_command_lines())
    found = looking.result()
    assert [one.shown for one in found] == [address for address, _size in pages]
    for one in found:
        assert set(one.scores) == set(headings)
        assert min(one.scores.values()) >= LEAST, one
    # anybody on the machine may read by what command a program was started
    assert any(SCRIPT.name in command for command in commands)
    assert not any(cookie.value in command for command in commands)


def _command_lines() -> Iterator[str]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # a program that has just ended
            yield file.read_bytes().decode(errors="replace")
