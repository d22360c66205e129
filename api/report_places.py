"""Where on the pages is a figure explained, and an item of the check list mended?"""

from __future__ import annotations

from datetime import date
from urllib.parse import urlencode

from flask import url_for

from projections.monthly_report import MonthlyReport
from projections.periods import Period
from projections.publishing_checks import Place


def figure_href(
    period: str | Period, code: str, *, as_of: date | None = None, known_at: str | None = None,
    set_code: str | None = None, version: int | None = None, published: int | None = None,
    checklist: str | None = None,
) -> str:
    """The address at which a figure is explained: of a report's period or of any days."""
    name = period if isinstance(period, str) else f"{period.first}..{period.last}"
    return url_for(
        "pages.explanation_page", month=name, code=code, as_of=as_of, known_at=known_at,
        set=set_code, version=version, published=published, checklist=checklist,
    )


def place_href(place: Place, report: MonthlyReport, *, checklist: str | None = None) -> str:
    """The address of a place; one that a page's check list leads to says of which period it is."""
    match place.what:
        case "record":
            return url_for(
                "pages.record_page", kind=place.kind, subject=place.id, checklist=checklist
            )
        case "figure":
            return figure_href(report.month, place.id, checklist=checklist)
        case "section":
            month = place.kind or report.month
            return url_for(
                "pages.month", month=month, checklist=checklist, _anchor=f"section-{place.id}"
            )
        case "operations":
            return url_for("pages.operations")
        case "volunteers":
            days = {"from": report.period.first, "to": report.period.last}
            return f"{url_for('queries.list_volunteer_hours')}?{urlencode(days)}"
        case _:
            return url_for("pages.month", month=report.month, checklist=checklist)
