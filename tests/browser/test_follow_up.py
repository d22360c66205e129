"""Can what waits be followed up in the browser: on a phone, with and without script?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from web import OpenPage, Site, fits, follow, sign_in

names = itertools.count(1)


@pytest.fixture(params=[True, False], ids=["script", "plain"])
def phone(request: pytest.FixtureRequest, open_page: OpenPage, site: Site) -> Iterator[Page]:
    """A social worker's phone, with and without script."""
    with open_page("phone", java_script_enabled=request.param) as page:
        sign_in(page.context, site, "social_worker", "陈一鸣")
        yield page


def test_a_referral_s_next_step_is_recorded_from_the_board(phone: Page, site: Site) -> None:
    agency = f"医院{next(names)}"
    phone.goto(f"/households/{site.household(f'孙{agency}')}")
    phone.get_by_role("link", name="转介", exact=True).tap()
    phone.get_by_label("转往机构").fill(agency)
    phone.locator("[name=need]").select_option("medical")
    phone.get_by_role("radio", name="知情同意").tap()
    phone.get_by_role("button", name="登记").tap()
    expect(phone.locator("p.done")).to_contain_text("已登记")
    follow(phone, "跟进")
    phone.goto(f"/referrals?to_agency={agency}")
    card = phone.get_by_role("listitem").filter(has_text=f"孙{agency}")
    expect(card).to_contain_text("已等回复 0 天")
    assert fits(phone)
    card.get_by_role("link", name="转介接收").tap()
    phone.get_by_role("button", name="登记").tap()
    expect(phone.locator("p.done")).to_contain_text("已登记")
    phone.goto(f"/referrals?to_agency={agency}")
    expect(phone.locator("section", has=phone.locator("#accepted"))).to_contain_text(f"孙{agency}")
    assert fits(phone)


def test_a_case_and_a_group_go_on_from_their_pages(phone: Page, site: Site) -> None:
    name = f"周{next(names)}"
    phone.goto(f"/record/case.intake?household={site.household(name)}")
    phone.get_by_label("社工").fill("陈一鸣")
    phone.get_by_label("主要问题").fill("独居")
    phone.get_by_role("button", name="登记").tap()
    expect(phone.locator("p.done")).to_contain_text("已登记")
    phone.goto("/cases")
    phone.get_by_role("link", name=name, exact=True).tap()
    phone.get_by_role("link", name="预估").tap()
    phone.get_by_role("button", name="登记").tap()
    expect(phone.locator("p.done")).to_contain_text("已登记")
    expect(phone.locator("[aria-current=step]")).to_have_text("预估")
    assert fits(phone)
    phone.goto("/groups")
    phone.get_by_role("link", name="开设小组").tap()
    phone.get_by_label("标题").fill(f"手工{name}")
    phone.get_by_role("radio", name="居民").tap()
    phone.get_by_role("button", name="登记").tap()
    phone.get_by_role("link", name="小组活动").tap()
    phone.get_by_text("更多（可不填）").tap()
    phone.get_by_label("参加人数").fill("9")
    phone.get_by_role("button", name="登记").tap()
    expect(phone.locator("tbody")).to_contain_text("9")
    assert fits(phone)


def test_a_month_is_a_calendar_in_the_office_and_counts_as_the_report(
    open_page: OpenPage, site: Site
) -> None:
    with open_page("office") as page:
        sign_in(page.context, site)
        page.goto("/")
        follow(page, "日程")
        page.goto("/calendar?month=2024-11")
        cell = page.get_by_role("table", name="2024-11 的日历").get_by_role("cell", name="29")
        expect(cell.last).to_contain_text("督导")
        line = page.get_by_role("listitem").filter(has_text="接受督导")
        expect(line.locator("strong")).to_have_text("3")
        line.get_by_role("link", name="接受督导 3").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("接受督导")
