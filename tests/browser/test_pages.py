"""Do the pages show the report in a real browser, on a phone and in the office?"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from api.accounts.links import Purpose, make
from api.accounts.security_log import By
from api.accounts.staff import Newcomer, checked_post, create
from api.app import create_app
from api.edge import new_id
from api.services import EXTENSION, Services
from projections.store import writing
from workers.demo import DEMO_SOURCE, DEMO_STATION, demo_history
from workers.history import import_history
from workers.settings import settings_for

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]
SIZES = {"phone": (390, 844), "office": (1366, 768)}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason="没有 Chromium：apt install chromium，或设 CHROMIUM=路径"
    ),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The demo station on a real server; answers its address and a lead's account."""
    app = create_app(settings_for(tmp_path_factory.mktemp("site")))
    found: Services = app.extensions[EXTENSION]
    now = datetime.now(UTC)  # noqa: TID251 - the import's own time
    result = import_history(found.ledger, demo_history(), DEMO_STATION, DEMO_SOURCE, now)
    assert result.fault_count == 0
    found.read_models.advance(found.ledger)
    with writing(found.tokens) as connection:
        newcomer = Newcomer(new_id(), "zhan", "站长甲", checked_post("lead", [DEMO_STATION], None))
        account = create(connection, newcomer, By("test", now)).id
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    SITES[address] = found
    yield address, account
    server.shutdown()
    thread.join()
    server.server_close()
    found.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, browser: Browser, site: tuple[str, str]) -> Iterator[Page]:
    """A signed-in page; it fails on any console error, CSP report or foreign request."""
    width, height = SIZES[request.param]
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request", lambda r: None if r.url.startswith((site[0], "data:")) else problems.append(r.url)
    )
    page.goto(f"{site[0]}/enter?link={a_link(site)}")
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(f"{site[0]}/")
    yield page
    context.close()
    assert problems == []


def a_link(site: tuple[str, str], purpose: Purpose = Purpose.SIGN_IN) -> str:
    """The secret of a link by which the lead comes in."""
    with writing(SITES[site[0]].tokens) as connection:
        return make(connection, purpose, site[1], datetime.now(UTC))  # noqa: TID251 - a real moment


SITES: dict[str, Services] = {}
"""What serves an address: a test brings its read models forward, as a worker would."""


def fits(page: Page) -> bool:
    """Whether nothing makes the page scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_the_report_leads_from_a_figure_to_its_records(page: Page, site: tuple[str, str]) -> None:
    page.goto(f"{site[0]}/months/2024-11")
    row = page.locator("#households_updated")
    assert row.get_by_role("link").inner_text() == "125"
    assert "近70" in page.locator("#brand_launch_attendance").inner_text()
    assert "未填报" in page.locator("#competition_prize").inner_text()
    assert fits(page)
    page.locator("#person_visits").get_by_role("link").click()
    amounts = page.locator("tbody td:last-child").all_inner_texts()
    assert sum(int(amount) for amount in amounts) == 25
    assert fits(page)
    page.locator("tbody a").first.click()
    assert page.get_by_role("heading", name="审计轨迹").is_visible()
    assert "走访" in page.locator("tbody tr").first.inner_text()
    assert fits(page)


def test_the_month_can_be_seen_as_it_was_known(page: Page, site: tuple[str, str]) -> None:
    page.goto(f"{site[0]}/months/2024-11")
    page.get_by_label("当时所知（录入日期）").fill("2024-11-20")
    page.get_by_role("button", name="查看").click()
    shown = int(page.locator("#households_updated").get_by_role("link").inner_text())
    assert 0 < shown < 125
    page.get_by_role("link", name="下载 Word 月报").wait_for()


def test_a_household_has_a_page_of_its_own(page: Page) -> None:
    page.get_by_role("link", name="困难家庭").click()
    page.get_by_label("救助类别").select_option(label="低保")
    page.get_by_role("button", name="筛选").click()
    page.locator("tbody a").first.click()
    assert page.get_by_role("heading", name="时间线").is_visible()
    assert "家庭建档登记" in page.content()
    assert fits(page)


def test_a_month_is_checked_published_and_restated(
    page: Page, site: tuple[str, str], request: pytest.FixtureRequest
) -> None:
    month = {"phone": "2025-01", "office": "2025-02"}[request.node.callspec.params["page"]]
    page.goto(f"{site[0]}/months/{month}")
    page.get_by_role("link", name="核对并发布").click()
    assert fits(page)
    # the list must be confirmed before the button does anything
    page.get_by_role("button", name="发布这份报告").click()
    assert page.url.endswith("/publish")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="发布这份报告").click()
    page.wait_for_url(f"{site[0]}/months/{month}/published")
    code = page.locator(".seal .code").first.inner_text()
    assert re.fullmatch(r"[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}", code)
    assert fits(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="下载 Word 文件").click()
    given = download.value.path()
    SITES[site[0]].read_models.advance(SITES[site[0]].ledger)
    page.goto(f"{site[0]}/verify")
    page.get_by_label("Word 文件").set_input_files(
        {"name": "月报.docx", "mimeType": "application/msword", "buffer": given.read_bytes()}
    )
    page.get_by_role("button", name="核对", exact=True).click()
    page.get_by_role("status").get_by_text("逐字一致").wait_for()
    assert fits(page)
    page.goto(f"{site[0]}/months/{month}/differences")
    assert "都没有变化" in page.content()
    assert fits(page)
def test_the_task_book_leads_from_the_overview_to_the_records_of_a_month(page: Page) -> None:
    page.get_by_role("link", name="2024-2025 年度任务书").click()
    visits = page.locator("#person_visits")
    assert "不少于 300" in visits.inner_text()
    assert "278" in visits.inner_text()
    assert visits.locator(".light").inner_text() == "偏慢"
    assert "人工评定" in page.locator("#finance").inner_text()
    assert fits(page)
    page.locator("a[href*='2024-11/figures/person_visits']").click()
    assert page.get_by_role("heading", name="走访：25").is_visible()


def test_every_page_in_the_menu_opens(page: Page, site: tuple[str, str]) -> None:
    for name in ("首页", "月报", "困难家庭", "审计", "运行", "接口"):
        page.goto(f"{site[0]}/")
        page.get_by_role("link", name=name, exact=True).click()
        assert page.locator("h1").first.is_visible()


def test_a_correction_is_found_and_so_is_who_looked(page: Page, site: tuple[str, str]) -> None:
    page.goto(f"{site[0]}/audit")
    page.get_by_label("动作").select_option(label="更正")
    page.get_by_role("button", name="查询").click()
    assert "家中灯具损怀，已记下。 → 家中灯具损坏，已记下。" in page.locator("tbody").inner_text()
    assert fits(page)
    page.get_by_role("link", name="谁看了谁的资料").click()
    assert "站长甲（站长）" in page.locator("tbody tr").first.inner_text()
    assert fits(page)
    page.get_by_role("link", name="可疑之处").click()
    page.get_by_label("录入日期从").fill("2024-07-01")
    page.get_by_label("到", exact=True).fill("2025-07-31")
    page.get_by_label("种类").select_option(label="多条记录文字相同（打开备注比对）")
    page.get_by_role("button", name="核查").click()
    assert "6 条记录的文字完全相同" in page.locator("tbody").inner_text()
    assert fits(page)


def test_signing_out_forgets_the_token(page: Page, site: tuple[str, str]) -> None:
    page.get_by_role("button", name="退出").click()
    page.goto(f"{site[0]}/months/2024-11")
    assert page.get_by_role("heading", name="登录台账").is_visible()


PASSWORD = "四季 wandering kettle 湖边"


def test_somebody_comes_in_chooses_a_password_and_leaves(
    browser: Browser, site: tuple[str, str]
) -> None:
    for width, height in SIZES.values():
        context = browser.new_context(viewport={"width": width, "height": height})
        page = context.new_page()
        page.goto(f"{site[0]}/enter?link={a_link(site, Purpose.RESET)}")
        page.get_by_label("新密码").fill(PASSWORD)
        page.get_by_label("再输入一次").fill(PASSWORD)
        page.get_by_role("button", name="保存并登录").click()
        page.wait_for_url(f"{site[0]}/")
        (cookie,) = context.cookies()
        assert (cookie.get("httpOnly"), cookie.get("sameSite")) == (True, "Lax")
        for path in ("/account", "/permissions", "/name-permissions"):
            page.goto(f"{site[0]}{path}")
            assert fits(page), path
        page.get_by_role("button", name="退出", exact=True).click()
        page.wait_for_url(f"{site[0]}/sign-in")
        assert fits(page)
        page.get_by_label("账号").fill("ZHAN")
        page.get_by_label("密码").fill(PASSWORD)
        page.get_by_role("button", name="登录", exact=True).click()
        page.wait_for_url(f"{site[0]}/")
        context.close()
