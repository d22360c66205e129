"""Do the pictures in docs/pages.md show the pages as they are?

``PICTURES=docs/pages`` takes them anew; without it each page is only opened and looked for.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image
from web import OpenPage, Site, sign_in

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/pages.md").read_text(encoding="utf-8")
TARGET = os.environ.get("PICTURES")
MOST_BYTES = 80_000
COLOURS = 48
TAKEN = {
    "today-phone": ("phone", "/", "light"),
    "household-phone": ("phone", "/households/{household}", "light"),
    "record-phone": ("phone", "/record/visit.recorded?household={household}", "light"),
    "today-office": ("office", "/", "light"),
    "household-office": ("office", "/households/{household}", "light"),
    "ledger-office": ("office", "/ledger?kind=visit", "light"),
    "dashboards-office": ("office", "/dashboards?indicator=lixia-2024/person_visits", "light"),
    "month-office": ("office", "/months/2024-11", "dark"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_each_picture_is_in_the_document_and_small(name: str) -> None:
    assert f"(pages/{name}.png)" in DOCUMENT
    assert (ROOT / f"docs/pages/{name}.png").stat().st_size <= MOST_BYTES


def test_the_pictures_are_taken(open_page: OpenPage, site: Site, tmp_path: Path) -> None:
    target = ROOT / TARGET if TARGET else tmp_path
    with site.app.test_client() as client:
        said = {"Authorization": f"Bearer {site.token()}"}
        found = client.get("/api/v1/visits?limit=1", headers=said).get_json()["items"][0]
    household = found["data"]["household"]
    for name, (size, address, scheme) in TAKEN.items():
        with open_page(size, color_scheme=scheme, reduced_motion="reduce") as page:
            sign_in(page.context, site)
            page.goto(address.format(household=household))
            page.locator("main h1").wait_for()
            taken = Image.open(io.BytesIO(page.screenshot()))
            taken.convert("RGB").quantize(COLOURS).save(target / f"{name}.png", optimize=True)
