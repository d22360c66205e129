"""Does a page show what others record, and leave alone whoever works in it? Do charts lead to lists?"""

from __future__ import annotations

import itertools
import re

from callers import VISIT
from playwright.sync_api import Page, expect
from web import OpenPage, Site, sign_in

from api.live import MOST_OF_ONE

names = itertools.count(1)
DASHBOARD = "/dashboards?indicator=lixia-2024/person_visits&months=6&to=2024-11"


def _visited(site: Site, household: str) -> None:
    """A colleague records a visit, through the API."""
    said = {"Authorization": f"Bearer {site.token('social_worker', '陈一鸣')}"}
    with site.app.test_client() as client:
        body = VISIT | {"household": household}
        assert client.post("/api/v1/visits", json=body, headers=said).status_code == 201


def test_what_a_colleague_records_appears_and_disturbs_nobody(
    open_page: OpenPage, site: Site
) -> None:
    household = site.household(f"周{next(names)}")
    with open_page("office") as page:
        sign_in(page.context, site)
        with page.expect_response(re.compile("/events")):
            page.goto(f"/households/{household}")
        rows = page.locator("#records tbody tr")
        expect(rows).to_have_count(1)
        _visited(site, household)
        expect(rows).to_have_count(2)
        # whoever stands in a part is told instead, and keeps what he does
        rows.first.get_by_role("link").first.focus()
        _visited(site, household)
        expect(page.get_by_role("status").get_by_text("有新记录")).to_be_visible()
        expect(rows).to_have_count(2)
        expect(rows.first.get_by_role("link").first).to_be_focused()
        page.get_by_role("status").get_by_role("link", name="刷新").click()
        expect(rows).to_have_count(3)
        # a page that is left gives its place back: nobody who walks through many is refused
        for _ in range(MOST_OF_ONE + 2):
            with page.expect_response(re.compile("/events")) as told:
                page.goto("/")
            assert told.value.status == 200


def _drawn(page: Page) -> None:
    expect(page.locator(".plot svg")).to_have_count(page.locator(".plot").count())


def test_a_bar_of_a_chart_leads_to_its_list(open_page: OpenPage, site: Site) -> None:
    with open_page("office", reduced_motion="reduce") as page:
        sign_in(page.context, site)
        page.goto(DASHBOARD)
        _drawn(page)
        number = page.locator("section.chart").first.locator("tbody a").first
        shown, leads_to = number.inner_text(), number.get_attribute("href")
        bar = page.locator(".plot").first.locator("svg path[fill='#8a2b1d']").first
        bar.click()
        page.wait_for_url(f"**{leads_to}")
        expect(page.locator("h1")).to_contain_text(f"：{shown} ")


def test_a_dashboard_reads_without_script(open_page: OpenPage, site: Site) -> None:
    with open_page("phone", java_script_enabled=False) as page:
        sign_in(page.context, site)
        page.goto(DASHBOARD)
        expect(page.locator(".plot").first).to_be_hidden()
        page.locator("section.chart").first.locator("tbody a").last.tap()
        expect(page.locator("h1")).to_contain_text("走访")
