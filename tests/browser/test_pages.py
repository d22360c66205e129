"""Do the pages show the report in a real browser, on a phone and in the office?"""

from __future__ import annotations

import re

import pytest
from callers import Api
from playwright.sync_api import Page, expect
from web import OpenPage, Site, fits, follow, sign_in

from api.accounts.links import Purpose
from workers.demo import DEMO_STATION


def test_the_report_leads_from_a_figure_to_its_records(page: Page) -> None:
    page.goto("/months/2024-11")
    row = page.locator("#households_updated")
    expect(row.get_by_role("link")).to_have_text("125")
    assert "近70" in page.locator("#brand_launch_attendance").inner_text()
    assert "未填报" in page.locator("#competition_prize").inner_text()
    assert fits(page)
    visits = page.locator("#person_visits").get_by_role("link")
    shown = int(visits.inner_text())  # other tests of this station have added to the demo's 25
    assert shown >= 25
    visits.click()
    expect(page.get_by_role("heading", name=f"走访：{shown}")).to_be_visible()
    amounts = page.locator("tbody td:first-child").all_inner_texts()
    assert sum(int(amount) for amount in amounts) == shown
    assert fits(page)
    page.locator("tbody a").first.click()
    expect(page.get_by_role("heading", name="审计轨迹")).to_be_visible()
    expect(page.locator("tbody tr").first).to_contain_text("走访")
    assert fits(page)


def test_the_month_can_be_seen_as_it_was_known(page: Page) -> None:
    page.goto("/months/2024-11")
    page.get_by_label("当时所知（录入日期）").fill("2024-11-20")
    page.get_by_role("button", name="查看").click()
    expect(page).to_have_url(re.compile("known_at=2024-11-20"))
    shown = int(page.locator("#households_updated").get_by_role("link").inner_text())
    assert 0 < shown < 125
    page.get_by_role("link", name="下载 Word 月报").wait_for()


def test_a_household_has_a_page_of_its_own(page: Page) -> None:
    follow(page, "户")
    page.locator("select[name=category]").select_option(label="低保")
    page.get_by_role("button", name="筛选").click()
    expect(page).to_have_url(re.compile("category="))
    page.locator("tbody a").first.click()
    expect(page.get_by_role("heading", name="时间线")).to_be_visible()
    expect(page.locator("main")).to_contain_text("家庭建档登记")
    assert fits(page)


def test_a_month_is_checked_published_and_restated(
    page: Page, request: pytest.FixtureRequest
) -> None:
    month = {"phone": "2025-01", "office": "2025-02"}[request.node.callspec.params["page"]]
    page.goto(f"/months/{month}")
    page.get_by_role("link", name="核对并发布").click()
    expect(page.get_by_role("checkbox")).to_be_visible()
    assert fits(page)
    # the list must be confirmed before the button does anything
    page.get_by_role("button", name="发布这份报告").click()
    assert page.url.endswith("/publish")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="发布这份报告").click()
    page.wait_for_url(f"**/months/{month}/published")
    code = page.locator(".seal .code").first.inner_text()
    assert re.fullmatch(r"[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}", code)
    assert fits(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="下载 Word 文件").click()
    given = download.value.path()
    page.goto("/verify")
    page.get_by_label("Word 文件").set_input_files(
        {"name": "月报.docx", "mimeType": "application/msword", "buffer": given.read_bytes()}
    )
    page.get_by_role("button", name="核对", exact=True).click()
    page.get_by_role("status").get_by_text("逐字一致").wait_for()
    assert fits(page)
    page.goto(f"/months/{month}/differences")
    expect(page.locator("main")).to_contain_text("都没有变化")
    assert fits(page)


def test_the_task_book_leads_from_the_menu_to_the_records_of_a_month(page: Page) -> None:
    follow(page, "任务书")
    page.get_by_role("link", name="2024-2025 年度任务书").click()
    visits = page.locator("#person_visits")
    expect(visits).to_contain_text("不少于 300")
    expect(visits.get_by_role("link").first).to_have_text(re.compile("2[78][0-9]"))  # the demo's 278, and other tests'
    expect(visits.locator(".light")).to_have_text("偏慢")
    expect(page.locator("#finance")).to_contain_text("人工评定")
    assert fits(page)
    november = page.locator("a[href*='2024-11-01..2024-11-30/figures/person_visits']")
    shown = november.inner_text()
    november.click()
    expect(page.get_by_role("heading", name=f"走访：{shown}")).to_be_visible()


def test_every_page_in_the_menu_opens(open_page: OpenPage, site: Site) -> None:
    with open_page("phone") as page:
        sign_in(page.context, site)
        page.goto("/")
        each_opens(page)


def each_opens(page: Page) -> None:
    names = page.locator("#menu li span").all_text_contents()
    assert {"今日", "户", "月报", "任务书", "审计", "运行", "接口"} <= set(names)
    for name in names:
        page.goto("/")
        follow(page, name)
        page.locator("main h1").wait_for()
        assert fits(page), name


def test_a_correction_is_found_and_so_is_who_looked(page: Page) -> None:
    page.goto("/audit")
    page.get_by_label("动作").select_option(label="更正")
    page.get_by_role("button", name="查询").click()
    expect(page.locator("tbody")).to_contain_text("家中灯具损怀，已记下。 → 家中灯具损坏，已记下。")
    assert fits(page)
    page.get_by_role("link", name="谁看了谁的资料").click()
    expect(page.locator("tbody tr").first).to_contain_text("站长甲（站长）")
    assert fits(page)
    page.get_by_role("link", name="可疑之处").click()
    page.get_by_label("录入日期从").fill("2024-07-01")
    page.get_by_label("到", exact=True).fill("2025-07-31")
    page.get_by_label("种类").select_option(label="多条记录文字相同（打开备注比对）")
    page.get_by_role("button", name="核查").click()
    expect(page.locator("tbody")).to_contain_text("6 条记录的文字完全相同")
    assert fits(page)


def test_signing_out_forgets_the_token(page: Page) -> None:
    page.get_by_role("button", name="退出").click()
    page.wait_for_url("**/sign-in")
    page.goto("/months/2024-11")
    expect(page.get_by_role("heading", name="登录台账")).to_be_visible()


PASSWORD = "四季 wandering kettle 湖边"


def test_somebody_comes_in_chooses_a_password_and_leaves(open_page: OpenPage, site: Site) -> None:
    people = Api(site.app, site.services, DEMO_STATION)
    for size in ("phone", "office"):
        with open_page(size) as page:
            page.goto(f"/enter?link={people.entry('lead', actor=size, purpose=Purpose.RESET)}")
            page.get_by_label("新密码").fill(PASSWORD)
            page.get_by_label("再输入一次").fill(PASSWORD)
            page.get_by_role("button", name="保存并登录").click()
            page.wait_for_url(f"{site.address}/")
            (cookie,) = page.context.cookies()
            assert (cookie.get("httpOnly"), cookie.get("sameSite")) == (True, "Lax")
            for path in ("/account", "/permissions", "/name-permissions"):
                page.goto(path)
                assert fits(page), path
            page.get_by_role("button", name="退出", exact=True).click()
            page.wait_for_url("**/sign-in")
            assert fits(page)
            page.get_by_label("账号").fill(people.login("lead", actor=size).upper())
            page.get_by_label("密码").fill(PASSWORD)
            page.get_by_role("button", name="登录", exact=True).click()
            page.wait_for_url(f"{site.address}/")


def test_a_look_is_put_on_where_one_stands_and_what_is_typed_stays(
    open_page: OpenPage, site: Site
) -> None:
    with open_page("office") as page:
        sign_in(page.context, site, "social_worker", "社工看样")
        page.goto("/households")
        page.get_by_role("searchbox").fill("王")
        page.get_by_role("button", name="查找").click()
        expect(page).to_have_url(re.compile("/households/search$"))
        page.get_by_role("button", name="深色").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        expect(page.locator("body")).to_have_css("background-color", "rgb(22, 24, 27)")
        expect(page.get_by_role("status").first).to_contain_text("找到")
        page.goto(f"/record/visit.recorded?household={site.household('王一半')}&mode=home")
        met = page.locator("[name=persons_met]")
        met.fill("7")
        page.get_by_role("button", name="大字").click()
        expect(page.get_by_role("button", name="大字")).to_have_attribute("aria-pressed", "true")
        asked: list[str] = []
        page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
        page.get_by_role("button", name="English").click()
        expect(met).to_have_value("7")
        assert len(asked) == 1
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-size", "large")
