"""Is the report of the month that a record falls in published already, and what follows?

A published report does not move: what is recorded, corrected or voided in its month since is
listed as changed since its publication, until a restatement prints it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from flask import g, request

from api.pages.views import pages
from api.queries import one_station
from api.services import services
from projections.publications import newest_numbers

MONTHS: Final = "published"
"""What an address says of the months that something just recorded falls in."""
MONTH: Final = re.compile(r"\d{4}-\d{2}")


def published_months() -> Mapping[str, int]:
    """The months of the station whose report is published, each with its newest number."""
    if "published_months" not in g:
        with services().read_models.engine.connect() as connection:
            found = newest_numbers(connection, one_station())
        g.published_months = {p: n for p, n in found.items() if MONTH.fullmatch(p)}
    months: Mapping[str, int] = g.published_months
    return months


def told(days: Iterable[date]) -> dict[str, str]:
    """The published months among some days, as an address says them."""
    found = {f"{day:%Y-%m}" for day in days} & set(published_months())
    return {MONTHS: ",".join(sorted(found))} if found else {}


def _asked() -> list[tuple[str, int]]:
    """The published months that the address names, with their newest numbers."""
    named = request.args.get(MONTHS, "").split(",")
    return [(month, published_months()[month]) for month in named if month in published_months()]


@pages.app_context_processor
def _for_templates() -> dict[str, Any]:
    return {"published_months": published_months, "published_told": _asked}
