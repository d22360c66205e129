"""Do the pictures in docs/pages.md show the pages as they are?

``PICTURES=docs/pages`` takes them anew; without it each page is only opened and looked for.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from web import OpenPage, Site, sign_in

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/pages"
DOCUMENT = (ROOT / "docs/pages.md").read_text(encoding="utf-8")
TARGET = os.environ.get("PICTURES")
MOST_BYTES = 80_000
MOST_BYTES_IN_ALL = 3_000_000
COLOURS = 48
PAGES = {
    "today": "/", "due": "/due/missed", "review": "/review", "households": "/households", "household": "/households/{household}",
    "merge": "/households/{household}/merge", "visit": "/households/{household}#ready", "record": "/record", "offline": "/offline",
    "referrals": "/referrals", "cases": "/cases?state=all", "case": "/cases/{case}",
    "groups": "/groups", "group": "/groups/{group}", "calendar": "/calendar?month=2024-11",
    "volunteers": "/volunteers?from=2024-01-01&to=2024-12-31", "volunteer": "/volunteers/{volunteer}",
    "unconfirmed": "/volunteers/unconfirmed", "months": "/months", "month": "/months/2024-11",
    "figure": "/months/2024-11/figures/person_visits",
    "why-not": "/months/2024-11/figures/person_visits/why-not?household={household}", "publish": "/months/2024-11/publish",
    "dashboards": "/dashboards?indicator=lixia-2024/person_visits",
    "task-books": "/task-books", "task-book": "/task-books/{task_book}",
    "evaluations": "/evaluations", "evaluation": "/evaluations/2024-2025",
    "what-if": "/evaluations/2024-2025/what-if", "ledger": "/ledger?kind=visit",
    "views": "/ledger/views", "audit": "/audit", "reads": "/audit/reads",
    "signals": "/audit/signals?from=2024-07-01&to=2025-06-30", "trail": "/records/visit/{visit}",
    "correct": "/records/visit/{visit}/entries/1/correct", "void": "/records/visit/{visit}/entries/1/void",
    "approvals": "/approvals", "verify": "/verify", "accounts": "/accounts", "operations": "/operations",
    "account": "/account", "permissions": "/permissions", "names": "/name-permissions",
    "sign-in": "/sign-in",
}
"""The pages in the order of the menu, then what stands in none."""
STAIRWELL = ("today", "household", "visit", "record", "offline", "case", "month")
"""What is opened on a phone as well where no picture is taken."""
IN_THE_DARK = {"month"}
ROLES = {
    "accounts": "administrator", "operations": "administrator", "sign-in": "", "review": "reviewer",
}
"""Who is signed in there, where that is not the lead."""
TAKEN = [(name, size) for name in PAGES for size in ("office", "phone")]
OPENED = [(name, size) for name, size in TAKEN if TARGET or size == "office" or name in STAIRWELL]


@pytest.mark.parametrize(("name", "size"), TAKEN)
def test_each_picture_is_in_the_document_and_small(name: str, size: str) -> None:
    assert f"(pages/{name}-{size}.png)" in DOCUMENT
    assert (FOLDER / f"{name}-{size}.png").stat().st_size <= MOST_BYTES


def test_the_pictures_are_those_of_the_document_and_few_enough_bytes() -> None:
    files = {path.stem: path.stat().st_size for path in FOLDER.iterdir()}
    assert files.keys() == {f"{name}-{size}" for name, size in TAKEN}
    assert sum(files.values()) <= MOST_BYTES_IN_ALL


def test_the_pictures_are_taken(open_page: OpenPage, site: Site, tmp_path: Path) -> None:
    target, ids = ROOT / TARGET if TARGET else tmp_path, _ids(site)
    for name, size in OPENED:
        scheme = "dark" if name in IN_THE_DARK and size == "office" else "light"
        with open_page(size, color_scheme=scheme, reduced_motion="reduce", locale="zh-CN") as page:
            if role := ROLES.get(name, "lead"):
                sign_in(page.context, site, role, f"{role}甲" if name in ROLES else "站长甲")
            answer = page.goto(PAGES[name].format(**ids))
            assert answer is not None
            assert answer.ok, page.url
            _keep(page, target / f"{name}-{size}.png")


def _ids(site: Site) -> dict[str, str]:
    """A record of each kind that a page is about; the demo has no group, so that one is opened."""
    said = {"Authorization": f"Bearer {site.token()}"}
    with site.app.test_client() as client:

        def first(noun: str) -> dict[str, Any]:
            found: dict[str, Any] = client.get(f"/api/v1/{noun}?limit=1", headers=said).get_json()
            return dict(found["items"][0])

        visit = first("visits")
        body = {"title": "手工小组", "audience": "residents", "occurred_on": "2024-11-05", "planned_sessions": 6}
        group = client.post("/api/v1/groups", json=body, headers=said).get_json()
        site.services.read_models.wait_for(group["position"], 10)
        return {
            "visit": visit["id"], "household": visit["data"]["household"], "group": group["id"],
            "case": first("cases")["id"], "volunteer": first("volunteers")["id"],
            "task_book": first("task-books")["id"],
        }


def _keep(page: Page, path: Path) -> None:
    page.locator("main h1").first.wait_for()
    page.locator("main :is(p, form, table, ul):visible").first.wait_for()  # /offline is drawn by its script
    expect(page.locator(".plot svg")).to_have_count(page.locator(".plot").count())
    taken = Image.open(io.BytesIO(page.screenshot()))
    taken.convert("RGB").quantize(COLOURS).save(path, optimize=True)
