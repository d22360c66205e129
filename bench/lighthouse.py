"""What does Lighthouse say of pages? A score for each heading, and what costs points."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.assets import PARTS
from api.cli.parts import FOR_TESTS, node

SCRIPT: Final = Path(__file__).with_suffix(".mjs")
MODULES: Final = PARTS / FOR_TESTS / "node_modules"
PERFORMANCE, ACCESSIBILITY, BEST_PRACTICES = "performance", "accessibility", "best-practices"
HEADINGS: Final = (PERFORMANCE, ACCESSIBILITY, BEST_PRACTICES)
"""Not SEO: no search engine comes behind a sign-in."""
LEAST: Final = 95
SECONDS_A_PAGE: Final = 120


@dataclass(frozen=True, slots=True)
class Looked:
    """A page as Lighthouse saw it: where it ended, its scores of 0 to 100, what cost points."""

    shown: str
    scores: dict[str, int]
    faults: list[str]


def look(
    port: int, cookie: str, pages: Sequence[tuple[str, str]], headings: Sequence[str] = HEADINGS
) -> list[Looked]:
    """Look at pages, each an address and ``phone`` or ``office``, in the Chromium of a port.

    :raises subprocess.CalledProcessError: where a page cannot be seen.
    """
    asked = {
        "modules": str(MODULES), "port": port, "cookie": cookie, "headings": headings,
        "pages": [{"address": address, "size": size} for address, size in pages],
    }
    done = subprocess.run(  # noqa: S603 - our own script; the cookie stands in no list of programs
        [str(node()), str(SCRIPT)], input=json.dumps(asked).encode(), check=True,
        capture_output=True, timeout=SECONDS_A_PAGE * len(pages),
    )
    return [Looked(**found) for found in json.loads(done.stdout)]
