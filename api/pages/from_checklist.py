"""Did somebody come to a page from a report's check list, and how do they go back to it?

The check list's links say of which period it is. Where something is mended there, that word
goes along from page to form to answer, and each of them shows the way back.
"""

from __future__ import annotations

from typing import Any, Final

from flask import has_request_context, request

from api.pages.views import pages
from projections.report_periods import BadReportPeriod, report_period

CHECKLIST: Final = "checklist"
"""What an address says of the period whose check list led to it."""
CARRYING: Final = frozenset({
    f"pages.{name}" for name in (
        "month", "explanation_page", "record_page", "household_page", "record_new", "record_form",
        "correct_page", "correct_form", "keep_page", "keep_form",
    )
})
"""Where something is mended, or seen once it is."""


def checklist_asked() -> str | None:
    """The period that the address names; ``None`` where it names none."""
    try:
        return report_period(request.args.get(CHECKLIST, "")).name
    except BadReportPeriod:
        return None


@pages.url_defaults
def _carry(endpoint: str, values: dict[str, Any]) -> None:
    """Links to where something is mended say where their page was come to from."""
    if endpoint in CARRYING and has_request_context() and (period := checklist_asked()):
        values.setdefault(CHECKLIST, period)


@pages.app_context_processor
def _for_templates() -> dict[str, Any]:
    return {"checklist_asked": checklist_asked}
