"""Does the English of the main pages fit a phone, and what was open there a sheet of paper?"""

from __future__ import annotations

from web import OpenPage, Site, fits, sign_in

from api.language import COOKIE

MAIN = (
    "/", "/households", "/households/{household}", "/record", "/record/visit.recorded?household={household}",
    "/offline", "/referrals", "/cases", "/groups", "/calendar?month=2024-11", "/volunteers",
    "/volunteers/unconfirmed", "/ledger", "/ledger?kind=visit", "/dashboards", "/months", "/months/2024-11",
    "/months/2024-11/publish", "/months/2024-11/figures/households_updated", "/verify", "/task-books",
    "/evaluations", "/evaluations/2024-2025", "/evaluations/2024-2025/what-if", "/audit", "/audit/signals",
    "/audit/reads", "/account", "/name-permissions", "/permissions", "/api/v1/docs", "/operations",
)


def test_no_main_page_scrolls_sideways_in_english_on_a_phone(open_page: OpenPage, site: Site) -> None:
    home = site.household("测试英文")
    with open_page("phone") as page:
        sign_in(page.context, site)
        page.context.add_cookies([{"name": COOKIE, "value": "en", "url": site.address}])
        wide = []
        for address in MAIN:
            page.goto(address.format(household=home))
            assert page.locator("html").get_attribute("lang") == "en"
            page.locator("main h1").first.wait_for()
            if not fits(page):
                wide.append(address)
        assert wide == []


def test_on_paper_a_table_stays_a_table_and_a_chart_fills_the_page(open_page: OpenPage, site: Site) -> None:
    with open_page("phone") as page:
        sign_in(page.context, site)
        page.goto(f"/households/{site.household('测试打印')}")
        page.emulate_media(media="print")
        assert page.locator("#members table").evaluate("table => getComputedStyle(table).display") == "table"
        assert not page.get_by_text("看某一天的情况").is_visible()
        page.emulate_media(media="screen")
        page.goto("/dashboards")
        page.locator(".plot svg").first.wait_for()
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.locator(".plot svg").first.evaluate("svg => svg.clientWidth") > 600
