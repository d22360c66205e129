"""Do two people at one household keep what each says, in two browsers?"""

from __future__ import annotations

import itertools
import re

from callers import VISIT
from playwright.sync_api import Page, expect
from web import OpenPage, Site, sign_in

names = itertools.count(1)


def _correct(page: Page, note: str) -> None:
    page.get_by_label("备注").fill(note)
    page.get_by_label("更正原因").fill("核对后")
    page.get_by_role("button", name="更正", exact=True).last.click()


def test_what_one_records_the_other_sees_and_what_both_correct_is_decided_by_the_later(
    open_page: OpenPage, site: Site
) -> None:
    household = site.household(f"蒋{next(names)}")
    with site.app.test_client() as client:
        said = {"Authorization": f"Bearer {site.token()}"}
        visit = client.post("/api/v1/visits", json=VISIT | {"household": household}, headers=said)
    site.services.read_models.wait_for(visit.get_json()["position"], 10)
    record = f"/records/visit/{visit.get_json()['id']}"
    with open_page("phone", refused=[412]) as worker, open_page("office") as lead:
        sign_in(worker.context, site, "social_worker", "陈一鸣")
        sign_in(lead.context, site)
        with lead.expect_response(re.compile("/events")):
            lead.goto(f"/households/{household}")
        rows = lead.locator("#records tbody tr")
        expect(rows).to_have_count(2)
        worker.goto(f"/households/{household}")
        worker.locator(".actions").get_by_role("link", name="走访", exact=True).tap()
        worker.get_by_role("radio", name="回访").tap()
        worker.get_by_role("button", name="登记", exact=True).tap()
        expect(worker.get_by_role("status").get_by_text("已登记")).to_be_visible()
        expect(rows).to_have_count(3)
        # both have the same record before them, and both correct it
        for page in (lead, worker):
            page.goto(record)
            page.get_by_role("link", name="更正", exact=True).click()
            expect(page.get_by_label("更正原因")).to_be_visible()
        _correct(lead, "门锁着")
        expect(lead.locator("tbody tr")).to_have_count(2)
        _correct(worker, "家中有人")
        unlike = worker.get_by_role("row", name="备注")
        expect(unlike).to_contain_text("门锁着")
        expect(unlike).to_contain_text("家中有人")
        expect(worker.get_by_label("备注")).to_have_value("家中有人")
        worker.get_by_role("button", name="更正", exact=True).last.click()
        expect(worker.locator("tbody tr")).to_have_count(3)
        trail = worker.locator("tbody")
        expect(trail).to_contain_text("门锁着 → 家中有人")
        expect(trail).to_contain_text("站长甲")
        expect(trail).to_contain_text("陈一鸣")
