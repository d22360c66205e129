"""Which pages are there? Months, task books, records, operations."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, g, render_template, request

from api.events import follow
from api.forms import form_token
from api.identity import (
    READ_CASES,
    READ_FIGURES,
    RECORD,
    action,
    may,
    opens,
    today,
)
from api.language import SOURCE, language
from api.moments import moment_of
from api.pages.menu import GROUPS, menu
from api.pages.month_writing import writing_of
from api.pages.writing import own_write
from api.personal import reading
from api.queries import one_station, report_at
from api.services import services
from domain.code_lists import code_list
from domain.kernel import STATION_TIME
from domain.scoring import decimal_said
from projections.figures import Period, figures
from projections.indicator_versions import station_set
from projections.moments import Moment
from projections.monthly_report import NUMERALS, MonthlyReport, station_profile
from projections.publications import publications_of
from projections.published_reports import publications_for
from projections.report_periods import month_before
from projections.stations import months_on_record
from workers.published_documents import published_by
from workers.reports import fillings

pages = Blueprint("pages", __name__, template_folder="templates")
MONTHS_SINCE: Final = 12
PAGE: Final = 40
"""Rows on a page: about 30 KB of HTML, for a slow network."""


class Labels(dict[str, str]):
    """The labels of a code list; a code that it does not know reads as itself."""

    def __init__(self, name: str) -> None:
        """Read from a code list."""
        super().__init__()
        self._name = name

    def __missing__(self, code: str) -> str:
        """The label of a code, in the reader's language."""
        row = code_list(self._name).get(code)
        return code if row is None else row.label if language() == SOURCE else row.label_en


@pages.app_context_processor
def _surroundings() -> dict[str, Any]:
    """What every page shows."""
    who = g.get("caller")
    return {
        "caller": who, "places": menu(who) if who else [], "may": may, "opens": opens,
        "groups": GROUPS, "station_named": station_named,
        "form_token": form_token(),
    }


def station_named(code: str) -> str:
    """What a station calls itself; its code where that cannot be read, as on an error's page."""
    try:
        return station_profile(services().ledger, code).short_name
    except Exception:  # noqa: BLE001 - the page of an error must come out, whatever is away
        return code


@pages.app_template_filter("clock")
def clock(instant: datetime) -> str:
    """An instant as people read it: day, hour and minute in the stations' time."""
    return f"{instant.astimezone(STATION_TIME):%Y-%m-%d %H:%M}"


@pages.app_template_filter("decimal")
def decimal(value: Decimal | str) -> str:
    """Points and shares as they are printed everywhere."""
    return decimal_said(Decimal(value))


def _months(station: str) -> list[str]:
    with services().read_models.engine.connect() as connection:
        return months_on_record(connection, station)


# ---- the overview ----


@pages.route("/months")
@action(READ_FIGURES)
def month_list() -> str:
    """The newest month's figures and all months."""
    found, station = services(), one_station()
    profile = station_profile(found.ledger, station)
    months = _months(station)
    month = months[0] if months else None
    shown = _figures(station, profile.indicator_set, month) if month else []
    return render_template(
        "pages/months.html", profile=profile, months=[*_months_since(month), *months],
        month=month, figures=shown,
        codes=_printed_codes(station), behind=found.ledger.head() - found.read_models.position(),
    )


def _months_since(newest: str | None) -> list[str]:
    """The present month and those since the newest on record, in which nothing is counted yet."""
    found, month = list[str](), f"{today():%Y-%m}"
    while newest is not None and month > newest and len(found) < MONTHS_SINCE:
        found.append(month)
        month = month_before(month)
    return found


def _printed_codes(station: str) -> dict[str, str]:
    """The code of each published period's newest publication."""
    with services().read_models.engine.connect() as connection:
        return {row.period: row.short_code for row in publications_of(connection, station)}


def _figures(station: str, set_code: str, month: str) -> list[Any]:
    period = Period.of_month(month)
    with services().read_models.engine.connect() as connection:
        chosen = station_set(connection, station, set_code, period)
        return figures(connection, station, chosen, period)


# ---- the month ----


def asked_moment() -> Moment:
    """As of and as known when, from the address."""
    return moment_of(request.args)


def asked_times() -> dict[str, str | None]:
    """The same as the address says it, for the form and for links."""
    return {name: request.args.get(name) or None for name in ("as_of", "known_at")}


@pages.route("/months/<month>")
@action(READ_FIGURES)
def month(month: str) -> str:
    """The monthly report; each figure leads to its records."""
    follow()
    own = own_write()
    report, times = report_at(asked_moment(), month, opened=reading().opened), asked_times()
    is_written = not any(times.values()) and len(list(report.period.months())) == 1
    query = {name: value for name, value in times.items() if value}
    return render_template(
        "pages/month.html", report=report, numerals=NUMERALS, **fillings_for_page(report), **times,
        **publication_state(month), **own, writing=writing_of(month) if is_written else {},
        docx_url=f"/api/v1/reports/{month}/docx" + (f"?{urlencode(query)}" if query else ""),
    )


def publication_state(period: str) -> dict[str, Any]:
    """What a report's page says of its publication."""
    chain = publications_for(services().ledger, one_station(), period)
    return {
        "publications": chain, "published_by": published_by,
        "may_publish": may(RECORD, "reports"),
        "may_compare": may(READ_CASES),
    }


def fillings_for_page(report: MonthlyReport) -> dict[str, Any]:
    """What the page prints beside the report itself: the same as the Word file."""
    filled = fillings(report)
    return {name: filled[name] for name in ("introduction", "summary", "imprint")}
