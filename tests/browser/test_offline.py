"""Is each record there exactly once, wherever the network is cut, and is nothing left on the phone?"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from cutting import Cut, Cutting
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update
from web import Site, fits, sign_in

from api.accounts.tables import sessions
from api.assets import OWN
from api.edge import now
from projections.store import writing

PHONE: Any = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
names = itertools.count(1)
DUMP = """async () => {
  const base = await new Promise((done) => { const r = indexedDB.open("taizhang", 1); r.onsuccess = () => done(r.result); });
  const found = {};
  for (const store of base.objectStoreNames) {
    found[store] = await new Promise((done) => {
      const r = base.transaction(store).objectStore(store).getAll(); r.onsuccess = () => done(r.result);
    });
  }
  base.close();
  return JSON.stringify(found);
}"""
"""Everything that the page has kept on the phone."""


@pytest.fixture
def cutting(site: Site) -> Iterator[Cutting]:
    whole = site.app.wsgi_app
    cutting = Cutting(whole)
    site.app.wsgi_app = cutting  # type: ignore[method-assign]
    yield cutting
    site.app.wsgi_app = whole  # type: ignore[method-assign]


@contextmanager
def a_phone(
    browser: Browser, site: Site, actor: str = "陈一鸣", *, role: str = "social_worker",
    is_plain: bool = False,
) -> Iterator[Page]:
    """A social worker's phone; on the station's plain-http network or over a secure way."""
    if is_plain:
        site = replace(site, address=site.address.replace("127.0.0.1", "station.lan"))
    context = browser.new_context(base_url=site.address, **PHONE)
    context.set_default_timeout(10_000)
    sign_in(context, site, role, actor)
    faults: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []


def visits_of(site: Site, household: str) -> list[dict[str, Any]]:
    """What is on record: asked of the log, through the API."""
    site.services.read_models.wait_for(site.services.ledger.head(), 10)
    said = {"Authorization": f"Bearer {site.token()}"}
    with site.app.test_client() as client:
        answer = client.get(f"/api/v1/visits?household={household}", headers=said)
    found: list[dict[str, Any]] = answer.get_json()["items"]
    return found


def a_visit(page: Page, household: str) -> None:
    """A visit is filled in and sent."""
    page.goto(f"/record/visit.recorded?household={household}&mode=home")
    send(page)


def send(page: Page) -> None:
    page.get_by_role("radio", name="回访").tap()
    page.get_by_role("button", name="登记", exact=True).tap()


def wait_for(has_come: Callable[[], bool]) -> None:
    """Wait for something on the server's side."""
    until = time.monotonic() + 10
    while not has_come():
        assert time.monotonic() < until
        time.sleep(0.05)


def waits(page: Page, count: int) -> None:
    """So many wait, as the bar of the page says."""
    bar = page.locator("[data-outbox-count]")
    if count:
        expect(bar.locator("b")).to_have_text(str(count))
    else:
        expect(bar).to_be_hidden()


def kept(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.evaluate(DUMP))
    return found


def is_all_sent(page: Page) -> None:
    """Nothing waits, and nothing that was said is on the phone any more."""
    waits(page, 0)
    for _attempt in range(100):
        if not kept(page)["entries"]:
            return
        page.wait_for_timeout(100)
    assert kept(page)["entries"] == []


# ---- the form of a page ----


@pytest.mark.parametrize(
    ("cuts", "is_plain"),
    [
        ([Cut.BEFORE], True), ([Cut.AFTER, Cut.AFTER], True), ([Cut.AFTER], False),
        ([Cut.HALFWAY], True), ([Cut.PORTAL], False),
    ],
    ids=["before", "after-twice", "after-secure", "halfway", "portal"],
)
def test_a_visit_is_there_once_wherever_its_form_was_cut(
    browser: Browser, site: Site, cutting: Cutting, cuts: list[Cut], *, is_plain: bool
) -> None:
    household = site.household(f"严{next(names)}")
    with a_phone(browser, site, is_plain=is_plain) as page:
        cutting.cuts = list(cuts)
        a_visit(page, household)
        page.get_by_text("还没有上传").wait_for()
        assert page.evaluate("isSecureContext") is not is_plain
        waits(page, 1)
        assert fits(page)
        page.goto("/offline")  # which sends what waits; the second cut meets this
        if len(cuts) > 1:
            wait_for(lambda: cutting.lost == cuts)
            expect(page.locator(".entry")).to_contain_text("会再传一次，不会重复")
            page.get_by_role("button", name="现在上传").click()
        is_all_sent(page)
    assert cutting.lost == cuts
    assert len(visits_of(site, household)) == 1


def test_without_a_cut_the_form_leads_to_the_household_and_nothing_is_kept(
    browser: Browser, site: Site
) -> None:
    household = site.household(f"严{next(names)}")
    with a_phone(browser, site) as page:
        a_visit(page, household)
        page.get_by_role("status").get_by_text("已登记").wait_for()
        is_all_sent(page)
        # what is refused stands at its field, and is recorded once it is mended
        page.goto(f"/record/visit.recorded?household={household}&mode=home")
        page.get_by_label("见到人数").fill("0")
        send(page)
        expect(page.get_by_label("见到人数")).to_have_attribute("aria-invalid", "true")
        page.get_by_label("见到人数").fill("1")
        page.get_by_role("button", name="登记", exact=True).tap()
        page.get_by_role("status").get_by_text("已登记").wait_for()
        is_all_sent(page)
    assert len(visits_of(site, household)) == 2


def test_what_was_written_without_a_signal_outlives_the_page(browser: Browser, site: Site) -> None:
    household = site.household(f"严{next(names)}")
    with a_phone(browser, site, is_plain=True) as opened:
        page = opened
        page.goto("/offline")
        page.get_by_role("button", name="走访").wait_for()
        page.goto(f"/record/visit.recorded?household={household}&mode=home")
        page.context.set_offline(offline=True)
        send(page)
        page.get_by_text("还没有上传").wait_for()
        page.close()
        page = page.context.new_page()
        page.goto("/offline")
        waits(page, 1)
        page.get_by_text("会再传一次，不会重复").wait_for()
        page.context.set_offline(offline=False)
        waits(page, 0)
        is_all_sent(page)
    assert len(visits_of(site, household)) == 1


# ---- the page for where there is no signal ----


def a_draft(page: Page, label: str, about: str) -> None:
    """A visit is written down on the offline page."""
    page.get_by_role("button", name=label, exact=True).tap()
    form = page.locator("form[data-draft]:visible")
    form.locator("select[name=about]").select_option(label=about)
    form.get_by_role("radio", name="入户").tap()
    form.get_by_role("radio", name="回访").tap()


def a_survey(page: Page, title: str) -> None:
    page.get_by_role("button", name="调研", exact=True).tap()
    form = page.locator("form[data-draft]:visible")
    form.locator("[name=kind]").first.evaluate("f => f.type === 'radio' ? f.click() : f.selectedIndex = 1")
    form.locator("summary").tap()
    form.get_by_label("标题").fill(title)
    keep(page)


def some_hours(page: Page, volunteer: str) -> None:
    """Hours of somebody who was not taken along."""
    page.get_by_role("button", name="志愿服务记录", exact=True).tap()
    form = page.locator("form[data-draft]:visible")
    form.locator("select[name=about]").select_option("?")
    form.get_by_label("是哪一户或哪位志愿者").fill(volunteer)
    form.locator("[name=title]").fill("陪诊")
    form.locator("[name=minutes]").fill("90")
    keep(page)


def keep(page: Page) -> None:
    page.get_by_role("button", name="存下").tap()


def take_along(page: Page, name: str) -> str:
    """Somebody is taken along; answers what the list of choices calls the household."""
    page.goto("/offline")
    form = page.locator("[data-goal=take]")
    form.get_by_label("档案号").fill(name)
    form.get_by_role("button", name="查找").click()
    form.locator("[data-found] button").click()
    expect(page.locator("[data-taken] li")).to_have_count(1)
    return page.locator("[data-taken] li span").inner_text()


def test_visits_surveys_and_hours_are_recorded_without_a_signal(
    browser: Browser, site: Site, cutting: Cutting
) -> None:
    name = f"严{next(names)}"
    household = site.household(name)
    volunteer = f"志{next(names)}"
    made = {"occurred_on": "2024-11-01", "name": volunteer}
    said = {"Authorization": f"Bearer {site.token()}"}
    with site.app.test_client() as client:
        subject = client.post("/api/v1/volunteers", json=made, headers=said).get_json()["id"]
    with a_phone(browser, site, is_plain=True) as page:
        about = take_along(page, name)
        page.context.set_offline(offline=True)
        a_draft(page, "走访", about)
        keep(page)
        waits(page, 1)
        title = f"楼道问卷{next(names)}"
        a_survey(page, title)
        waits(page, 2)
        some_hours(page, volunteer)
        waits(page, 3)
        assert fits(page)
        cutting.cuts = [Cut.AFTER, Cut.BEFORE, Cut.AFTER]  # every one of them is sent again
        page.context.set_offline(offline=False)
        upload = page.get_by_role("button", name="现在上传")
        while upload.is_visible():
            upload.click()
            page.wait_for_timeout(300)
        assert len(cutting.lost) == 3
        waits(page, 1)
        page.get_by_text("还没有选定是谁").wait_for()
        page.get_by_role("button", name="选定").tap()
        page.locator("[data-goal=resolve]").get_by_role("button", name="查找").tap()
        page.locator("[data-goal=resolve] [data-found] button").tap()
        is_all_sent(page)
        assert name not in json.dumps(kept(page), ensure_ascii=False)
        assert volunteer not in json.dumps(kept(page), ensure_ascii=False)
    assert len(visits_of(site, household)) == 1
    with site.app.test_client() as client:
        surveys = client.get("/api/v1/surveys?limit=100", headers=said).get_json()["items"]
        hours = client.get(f"/api/v1/volunteers/{subject}/audit", headers=said).get_json()["entries"]
    assert [s["data"]["title"] for s in surveys].count(title) == 1
    assert [h["topic"] for h in hours].count("volunteer.service_recorded") == 1


def test_a_refused_record_stays_with_its_reason_at_the_field(browser: Browser, site: Site) -> None:
    name = f"严{next(names)}"
    household = site.household(name)
    with a_phone(browser, site) as page:
        about = take_along(page, name)
        page.context.set_offline(offline=True)
        a_draft(page, "走访", about)
        page.locator("form[data-draft]:visible [name=persons_met]").fill("0")
        keep(page)
        page.context.set_offline(offline=False)
        page.locator(".entry").get_by_text("没有被接受").wait_for()
        assert visits_of(site, household) == []
        page.get_by_role("button", name="修改").tap()
        field = page.locator("form[data-draft]:visible [name=persons_met]")
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(page.locator("form[data-draft]:visible")).to_contain_text("至少为 1")
        field.fill("1")
        keep(page)
        is_all_sent(page)
    assert len(visits_of(site, household)) == 1


def test_a_household_that_changed_meanwhile_is_shown_and_not_won(browser: Browser, site: Site) -> None:
    name = f"严{next(names)}"
    household = site.household(name)
    with a_phone(browser, site) as page:
        about = take_along(page, name)
        page.context.set_offline(offline=True)
        a_draft(page, "走访", about)
        keep(page)
        waits(page, 1)
        said = {"Authorization": f"Bearer {site.token()}"}
        member = {"person": f"p-{household}", "name": "严新生", "relation": "child"}
        body = {"occurred_on": "2024-11-02", "member": member}
        with site.app.test_client() as client:
            done = client.post(f"/api/v1/households/{household}/members", json=body, headers=said)
        assert done.status_code == 201, done.text
        site.services.read_models.wait_for(done.get_json()["position"], 10)
        page.context.set_offline(offline=False)
        page.get_by_text("这一户已有变动").or_(page.get_by_text("有变动，请核对")).first.wait_for()
        assert visits_of(site, household) == []
        page.get_by_role("button", name="核对过，照样登记").tap()
        is_all_sent(page)
    assert len(visits_of(site, household)) == 1


# ---- leaving, and others on the same phone ----


def test_whoever_signs_out_uploads_first_or_discards_knowingly(
    browser: Browser, site: Site, cutting: Cutting
) -> None:
    sent, lost = site.household(f"严{next(names)}"), site.household(f"严{next(names)}")
    with a_phone(browser, site) as page:
        cutting.cuts = [Cut.BEFORE]
        a_visit(page, sent)
        waits(page, 1)
        page.get_by_role("button", name="退出", exact=True).tap()
        page.get_by_role("button", name="不退出").tap()
        page.get_by_role("button", name="退出", exact=True).tap()
        page.get_by_role("button", name="上传后退出").tap()
        page.wait_for_url("**/sign-in")
        assert kept(page) == {"entries": [], "kept": [], "taken": []}
        sign_in(page.context, site, "social_worker", "陈一鸣")
        cutting.cuts = [Cut.BEFORE] * 3
        a_visit(page, lost)
        waits(page, 1)
        page.get_by_role("button", name="退出", exact=True).tap()
        page.get_by_role("button", name="上传后退出").tap()
        page.get_by_text("没有全部上传").wait_for()
        discard = page.get_by_role("button", name="丢弃并退出")
        expect(discard).to_be_disabled()
        page.get_by_label("我知道：这些记录会丢失").check()
        discard.tap()
        page.wait_for_url("**/sign-in")
        assert kept(page) == {"entries": [], "kept": [], "taken": []}
    assert len(visits_of(site, sent)) == 1
    assert visits_of(site, lost) == []


def test_what_waits_is_its_author_s_alone(browser: Browser, site: Site, cutting: Cutting) -> None:
    name = f"严{next(names)}"
    household = site.household(name)
    with a_phone(browser, site) as page:
        cutting.cuts = [Cut.BEFORE]
        a_visit(page, household)
        waits(page, 1)
        end_sessions(site)
        page.goto("/offline")
        page.get_by_text("登录已过期").wait_for()
        waits(page, 0)
        expect(page.locator("main")).not_to_contain_text(name)
        sign_in(page.context, site, "social_worker", "周另外")
        for address in ("/", "/offline"):
            page.goto(address)
            waits(page, 0)
        page.get_by_text("没有待上传的记录").wait_for()
        expect(page.locator("main")).not_to_contain_text(name)
        assert len(kept(page)["entries"]) == 1
        assert visits_of(site, household) == []
        sign_in(page.context, site, "social_worker", "陈一鸣")
        page.goto("/offline")
        is_all_sent(page)
    assert [v["actor"] for v in visits_of(site, household)] == ["陈一鸣"]


def test_who_records_nothing_is_told_so_and_offered_nobody_to_take_along(
    browser: Browser, site: Site
) -> None:
    with a_phone(browser, site, "评审甲", role="reviewer") as page:
        page.goto("/offline")
        expect(page.locator("[data-looks-only]")).to_be_visible()
        expect(page.locator("[data-no-forms]")).to_be_hidden()
        expect(page.locator("[data-taking]")).to_be_hidden()


def end_sessions(site: Site) -> None:
    """Every session ends: a night has passed."""
    with writing(site.services.tokens) as connection:
        connection.execute(update(sessions).values(ended_at=now()))


# ---- the service worker, and the rules ----


def test_the_shell_is_there_without_a_signal_and_nothing_else_is_kept(
    browser: Browser, site: Site, cutting: Cutting
) -> None:
    name = f"严{next(names)}"
    household = site.household(name)
    with a_phone(browser, site) as page:
        page.goto("/offline")
        page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
        about = take_along(page, name)
        page.goto(f"/households/{household}")
        cutting.is_down = True
        page.goto(f"/households/{household}/")  # any page leads to the shell
        page.get_by_role("heading", name="离线记录").wait_for()
        a_draft(page, "走访", about)
        keep(page)
        waits(page, 1)
        page.reload()
        waits(page, 1)
        addresses = page.evaluate("""async () => {
          const found = [];
          for (const name of await caches.keys())
            found.push(...(await (await caches.open(name)).keys()).map((r) => new URL(r.url).pathname));
          return found;
        }""")
        assert {a for a in addresses if not a.startswith("/assets/")} == {"/offline"}
        cutting.is_down = False
        page.reload()
        is_all_sent(page)
    assert len(visits_of(site, household)) == 1


@pytest.mark.parametrize("is_plain", [True, False], ids=["plain", "secure"])
def test_the_kept_shell_follows_a_choice_of_language_and_look(
    browser: Browser, site: Site, cutting: Cutting, *, is_plain: bool
) -> None:
    with a_phone(browser, site, is_plain=is_plain) as page:
        page.goto("/offline")
        expect(page.get_by_role("heading", name="离线记录")).to_be_visible()
        for choice in ("English", "Dark"):
            page.goto("/")
            page.get_by_role("link", name=re.compile("菜单|Menu")).click()
            with page.expect_response(lambda answer: answer.url.endswith("/offline")):
                page.get_by_role("button", name=choice).click()
        page.wait_for_function("localStorage.getItem('look') === 'en dark '")
        cutting.is_down = True
        page.goto("/offline")
        expect(page.get_by_role("heading", name="Record offline")).to_be_visible()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_only_the_receipt_of_the_very_form_lets_a_record_go(browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_script_tag(path=OWN / "outbox-rules.js")
    cases = [
        (201, {"position": 5, "request": "k"}, "recorded"), (201, {"position": 5, "request": "x"}, "later"),
        (200, {"position": 5, "request": "k"}, "later"), (201, None, "later"), (0, None, "later"),
        (403, None, "later"), (401, {"code": "not_authenticated"}, "signed_out"),
        (403, {"code": "foreign_form"}, "signed_out"), (422, {"code": "date_in_future"}, "refused"),
        (409, {"code": "household_changed"}, "conflict"), (429, {"code": "busy"}, "later"),
        (500, {"code": "internal_error"}, "later"), (503, {"code": "unavailable"}, "later"),
    ]
    for status, body, expected in cases:
        found = page.evaluate("([s, b]) => OutboxRules.verdict('k', s, b)", [status, body])
        assert found == expected, (status, body)
    order = page.evaluate("""() => {
      const at = (key, made_at) => ({ ...OutboxRules.written({ key }, made_at) });
      return OutboxRules.inOrder([at("c", 2), at("b", 1), at("a", 2)]).map((e) => e.key).join("");
    }""")
    assert order == "bac"
    delays = page.evaluate("[1, 2, 3, 4, 5, 6, 99].map(OutboxRules.delayAfter)")
    assert delays == sorted(delays)
    assert delays[-1] == 600_000
    keys = page.evaluate("Array.from({ length: 50 }, () => OutboxRules.newKey())")
    assert len({*keys}) == 50
    assert {len(key) for key in keys} == {32}
    context.close()
