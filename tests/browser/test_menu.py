"""Does every page of the menu come whole: no error on the console, no request that fails?"""

from __future__ import annotations

import pytest
from playwright.sync_api import Response, expect
from web import OpenPage, Site, sign_in

LEAST_PLACES = 3


@pytest.mark.parametrize("role", ["lead", "administrator"])
def test_each_page_of_the_menu_comes_whole(open_page: OpenPage, site: Site, role: str) -> None:
    failed: list[tuple[str, int]] = []

    def answered(answer: Response) -> None:
        if answer.status >= 400:
            failed.append((answer.url, answer.status))

    with open_page("office") as page:
        sign_in(page.context, site, role, f"{role}甲")
        page.on("response", answered)
        page.goto("/account")
        menu = page.get_by_label("主导航").get_by_role("link")
        places = {link.get_attribute("href"): link.inner_text() for link in menu.all()}
        assert len(places) >= LEAST_PLACES
        seen = set()
        for place in places:
            page.goto(place or "")
            page.wait_for_load_state("load")
            expect(page.locator("h1, redoc").first).to_be_visible()
            seen.add(page.title())
        assert len(seen) == len(places)  # each is a page of its own
    assert failed == []
