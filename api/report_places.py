"""Where on the pages is an item of the check list mended?"""

from __future__ import annotations

from urllib.parse import urlencode

from flask import url_for

from projections.monthly_report import MonthlyReport
from projections.publishing_checks import Place


def place_href(place: Place, report: MonthlyReport) -> str:
    """The address of a place."""
    match place.what:
        case "record":
            return url_for("pages.record_page", kind=place.kind, subject=place.id)
        case "figure":
            return url_for("pages.explanation_page", month=report.month, code=place.id)
        case "operations":
            return url_for("pages.operations")
        case "volunteers":
            days = {"from": report.period.first, "to": report.period.last}
            return f"{url_for('queries.list_volunteer_hours')}?{urlencode(days)}"
        case _:
            return url_for("pages.month", month=report.month)
