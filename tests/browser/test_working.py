"""Can people work with the pages: on a phone, in the office, by keyboard, without script?"""

from __future__ import annotations

import io
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from callers import VISIT
from PIL import Image
from playwright.sync_api import Page, expect
from web import OpenPage, Site, fits, follow, sign_in

from api.assets import PARTS
from api.cli.parts import FOR_TESTS
from api.language import COOKIE as LANGUAGE
from api.pages.households import TIMELINE

AXE = PARTS / FOR_TESTS / "axe.js"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
SHOWN = (
    "/", "/households", "/offline", "/record", "/record/survey.held", "/record#ready", "/ledger",
    "/ledger?kind=visit", "/ledger/views", "/approvals", "/referrals", "/cases", "/groups", "/calendar?month=2024-11",
    "/volunteers", "/volunteers/unconfirmed", "/evaluations", "/account", "/permissions",
    "/months", "/months/2024-11", "/months/2024-11/publish", "/task-books", "/dashboards", "/audit",
    "/audit/reads", "/audit/signals", "/operations", "/verify", "/problems/not_found", "/review",
    "/evaluations/2024-2025/what-if?indicator=person_visits",
)
"""Every page that needs no record of its own; those of one are added."""
names = itertools.count(1)


@pytest.fixture(params=[True, False], ids=["script", "plain"])
def phone(request: pytest.FixtureRequest, open_page: OpenPage, site: Site) -> Page:
    """A social worker's phone, with and without script."""
    with open_page("phone", java_script_enabled=request.param) as page:
        sign_in(page.context, site, "social_worker", "陈一鸣")
        yield page


def test_a_follow_up_of_a_known_household_takes_three_taps(phone: Page, site: Site) -> None:
    household = site.household(f"李{next(names)}")
    phone.goto(f"/households/{household}")
    phone.get_by_role("link", name="走访", exact=True).tap()
    phone.get_by_role("radio", name="回访").tap()
    phone.get_by_role("button", name="登记", exact=True).tap()
    phone.get_by_role("status").get_by_text("已登记").wait_for()
    expect(phone.locator("tbody").last).to_contain_text("入户 · 回访 · 见到 1 人")
    assert fits(phone)
    # what is wrong stands at its field, and the form can be sent again
    phone.get_by_role("link", name="电话", exact=True).tap()
    expect(phone.get_by_role("radio", name="电话")).to_be_checked()
    phone.get_by_label("见到人数").fill("0")
    phone.get_by_role("button", name="登记", exact=True).tap()
    phone.get_by_text("至少为 1").last.wait_for()
    assert phone.get_by_label("见到人数").get_attribute("aria-invalid") == "true"
    phone.get_by_label("见到人数").fill("1")
    phone.get_by_role("button", name="登记", exact=True).tap()
    phone.get_by_role("status").get_by_text("已登记").wait_for()
    expect(phone.locator("tbody").last.get_by_text("电话")).to_have_count(1)


def test_from_today_to_recorded_in_four_taps_and_the_form_needs_no_network(phone: Page) -> None:
    phone.goto("/")
    phone.locator("#lists a[href^='/households/']").first.tap()  # 1
    visit = phone.locator(".actions").get_by_role("link", name="走访", exact=True)
    visit.wait_for()
    phone.context.set_offline(True)
    visit.tap()  # 2
    expect(phone.get_by_role("radio", name="入户")).to_be_checked()
    phone.get_by_role("radio", name="回访").tap()  # 3
    assert fits(phone)
    phone.context.set_offline(False)
    phone.get_by_role("button", name="登记", exact=True).tap()  # 4
    phone.get_by_role("status").get_by_text("已登记").wait_for()
    expect(phone.locator("#ready")).to_be_hidden()
    phone.goto("/record")
    phone.context.set_offline(True)
    phone.get_by_role("link", name="调研", exact=True).tap()
    expect(phone.get_by_role("heading", name="调研", exact=True)).to_be_visible()
    phone.context.set_offline(False)


def test_a_household_is_registered_and_corrected_on_a_phone(phone: Page) -> None:
    name, other = f"马{next(names)}", f"马{next(names)}"
    phone.goto("/households")
    phone.get_by_role("link", name="登记新的一户").tap()
    phone.get_by_role("radio", name="济柴社区").tap()
    phone.get_by_label("姓名").fill(name)
    phone.get_by_role("button", name="再加一行").tap()
    expect(phone.get_by_label("姓名")).to_have_count(2)
    expect(phone.get_by_label("姓名").first).to_have_value(name)
    phone.get_by_label("姓名").last.fill(other)
    # Enter is the form's own button, not the one of a row
    phone.get_by_label("姓名").last.press("Enter")
    expect(phone.get_by_text("已登记。")).to_be_visible()
    expect(phone.locator("#members")).to_contain_text(other)
    assert fits(phone)
    phone.get_by_role("link", name="家庭建档登记").tap()
    phone.get_by_role("link", name="更正").tap()
    phone.get_by_label("姓名").last.fill(f"{other}儿")
    phone.get_by_label("更正原因").fill("少写一字")
    phone.get_by_role("button", name="更正").last.tap()
    expect(phone.locator("main")).to_contain_text(f"{other} → {other}儿")
    expect(phone.locator("main")).to_contain_text("少写一字")
    assert fits(phone)


def test_somebody_is_found_and_numbers_are_shown_when_asked_for(phone: Page, site: Site) -> None:
    name = f"王小{next(names)}"
    site.household(name, id_number="37010218990101018X")
    phone.goto("/")
    follow(phone, "户")
    phone.get_by_role("searchbox").fill(name.replace("王小", "wx"))
    phone.get_by_role("button", name="查找").tap()
    phone.get_by_role("link", name=name, exact=True).tap()
    phone.get_by_role("heading", name="时间线").wait_for()
    assert "37010218990101018X" not in phone.content()
    phone.get_by_role("button", name="显示证件号码").tap()
    phone.get_by_text("37010218990101018X").wait_for()
    assert fits(phone)


def test_names_and_notes_are_texts_and_never_run(open_page: OpenPage, site: Site) -> None:
    evil = f"<img src=x onerror=alert({next(names)})>'\"</script><script>alert(1)</script>"
    household = site.household(evil[:50])
    with open_page("office") as page:
        sign_in(page.context, site)
        page.on("dialog", lambda _dialog: pytest.fail("a name was run as a script"))
        page.goto(f"/record/visit.recorded?household={household}&mode=%22%3E%3Cscript%3E")
        page.get_by_label("备注").fill(evil)
        page.get_by_role("radio", name="入户").click()
        page.get_by_role("radio", name="回访").click()
        page.get_by_role("button", name="登记").click()
        page.get_by_role("status").get_by_text("已登记").wait_for()
        page.locator("tbody").last.get_by_role("link", name="走访").click()
        expect(page.locator("tbody")).to_contain_text(evil)
        for address in ("/", "/households", "/ledger", f"/households?community={evil}"):
            page.goto(address)


def test_no_other_text_of_a_record_runs_wherever_it_is_shown(open_page: OpenPage, site: Site) -> None:
    evil = f"<img src=x onerror=alert({next(names)})>'\"</script><script>alert(1)</script>"
    client, said = site.browser(), {"Authorization": f"Bearer {site.token()}"}

    def recorded(noun: str, body: dict[str, Any]) -> str:
        done = client.post(f"/api/v1/{noun}", json=body | {"occurred_on": "2024-11-05"}, headers=said)
        assert done.status_code == 201, done.text
        site.services.read_models.wait_for(done.get_json()["position"], 10)
        return str(done.get_json()["id"])

    household = site.household(evil[:50])
    case = recorded("cases", {"household": household, "worker": evil[:50], "problem": evil})
    agency = {"household": household, "to_agency": evil, "need": "medical", "basis": "consent"}
    volunteer = recorded("volunteers", {"name": evil[:50]})
    addresses = {
        "/cases": case, "/volunteers": volunteer,
        "/groups": recorded("groups", {"title": evil, "audience": "residents", "planned_sessions": 6}),
        "/records/referral": recorded("referrals", agency),
        "/records/survey": recorded("surveys", {"kind": "elderly_alone", "title": evil, "community": "济柴社区"}),
        "/record/visit.recorded?household=": household,
    }
    visit = recorded("visits", VISIT | {"household": household, "note": evil})
    photo = io.BytesIO()
    Image.new("RGB", (8, 8)).save(photo, "PNG")
    sent = {"record": f"visit/{visit}", "kind": "photo", "caption": evil[:100]}
    done = client.post(
        "/api/v1/evidence", data=sent | {"file": (io.BytesIO(photo.getvalue()), "a.png")}, headers=said
    )
    assert done.status_code == 201, done.text
    with open_page("office") as page:
        sign_in(page.context, site)
        page.on("dialog", lambda _dialog: pytest.fail("a text was run as a script"))
        for address in (
            *(f"{where}{'' if where.endswith('=') else '/'}{one}" for where, one in addresses.items()),
            f"/records/visit/{visit}", "/referrals", "/cases", "/groups", "/volunteers", "/ledger?kind=survey",
            "/calendar?month=2024-11", "/", f"/referrals?to_agency={evil}", f"/cases?worker={evil[:50]}",
        ):
            page.goto(address)
            expect(page.locator("h1")).to_be_visible()
            assert page.locator("img[src=x], main script").count() == 0, address


def test_the_office_works_by_keyboard(open_page: OpenPage, site: Site) -> None:
    with open_page("office") as page:
        sign_in(page.context, site)
        page.goto("/households")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "跳到正文"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.name") == "sought"


@pytest.mark.parametrize(
    ("size", "scheme", "language"), [("phone", "dark", "zh"), ("office", "light", "en")]
)
def test_every_page_is_fit_for_everybody(
    open_page: OpenPage, site: Site, size: str, scheme: str, language: str
) -> None:
    household = site.household(f"赵{next(names)}")
    group = {"title": "手工小组", "audience": "residents", "occurred_on": "2024-11-05"}
    said = {"Authorization": f"Bearer {site.token()}"}
    opened = site.browser().post("/api/v1/groups", json=group, headers=said)
    site.services.read_models.wait_for(opened.get_json()["position"], 10)
    axe = AXE.read_text(encoding="utf-8")
    faults = []
    with open_page(size, color_scheme=scheme) as page:
        sign_in(page.context, site)
        chosen = {"name": LANGUAGE, "value": language, "url": site.address}
        page.context.add_cookies([chosen])  # type: ignore[list-item]
        lists = {"/cases?state=all": "/cases/", "/groups": "/groups/", "/volunteers": "/volunteers/"}
        for address in (
            *SHOWN, f"/households/{household}#ready", f"/record/visit.recorded?household={household}",
            *(_first_of(page, shown, leads_to) for shown, leads_to in lists.items()),
            f"/records/household/{household}",
        ):
            page.goto(address)
            page.evaluate("scrollTo(0, document.body.scrollHeight)")  # nothing under a bar there
            page.evaluate(axe)
            found = page.evaluate("rules => axe.run(document, rules)", RULES)
            faults += [
                (address, fault["id"], node["html"][:160])
                for fault in found["violations"] for node in fault["nodes"][:3]
            ]
            faults += [] if fits(page) else [(address, "scrolls sideways", "")]
    assert faults == []


def _first_of(page: Page, shown: str, leads_to: str) -> str:
    """The page of the first record of a list."""
    page.goto(shown)
    link = page.locator(f"main a[href^='{leads_to}']:not([href='/volunteers/unconfirmed'])").first
    return str(link.get_attribute("href"))


def test_a_page_is_light_enough_for_a_stairwell(site: Site) -> None:
    """HTML ≤ 30 KB, script ≤ 20 KB and styles ≤ 12 KB on the wire (docs/pages.md)."""
    client, packed = site.browser(), {"Accept-Encoding": "gzip"}
    household = site.household(f"赵{next(names)}")
    visit, said = VISIT | {"household": household}, {"Authorization": f"Bearer {site.token()}"}
    visits = [client.post("/api/v1/visits", json=visit, headers=said) for _ in range(TIMELINE)]
    site.services.read_models.wait_for(visits[-1].get_json()["position"], 10)
    for address in ("/", "/households", "/ledger?kind=visit", "/record/visit.recorded", "/offline",
                    f"/households/{household}"):
        page = client.get(address).text
        assert len(page.encode()) <= 30_000, address
        for kind, most in (("js", 20_000), ("css", 12_000)):
            found = re.findall(rf'(?:src|href)="(/assets/[^"]+\.{kind})"', page)
            assert found
            assert sum(len(client.get(one, headers=packed).data) for one in found) <= most, address


def test_a_photo_is_taken_with_a_visit_and_seen_on_its_page(phone: Page, site: Site, tmp_path: Path) -> None:
    photo = tmp_path / "IMG.jpg"
    Image.effect_noise((900, 1200), 40).save(photo, "JPEG")
    phone.goto(f"/record/visit.recorded?mode=home&household={site.household(f'白{next(names)}')}")
    phone.get_by_role("radio", name="回访").tap()
    phone.get_by_text("照片或签到表（可不填）").tap()
    phone.get_by_label("拍照").set_input_files(photo)
    phone.get_by_label("说明").fill("门前")
    assert fits(phone)
    phone.get_by_role("button", name="登记").tap()
    phone.get_by_role("status").get_by_text("已登记").wait_for()
    phone.goto("/ledger?kind=visit")
    phone.locator("tbody a").first.tap()
    expect(phone.get_by_role("img", name="照片：门前")).to_have_js_property("naturalWidth", 240)
    assert fits(phone)
    # what is no photo is refused where it was chosen
    phone.get_by_role("link", name="添加照片或文件").tap()
    text = tmp_path / "a.jpg"
    text.write_text("no photo")
    phone.get_by_label("选择照片或 PDF").set_input_files(text)
    phone.get_by_role("button", name="添加", exact=True).tap()
    expect(phone.locator("#wrong-evidence_file")).to_contain_text("只收 JPEG、PNG 图片和 PDF 文件")
    assert fits(phone)
