"""Which pages are there? Overview, monthly report and its evidence, task book, households."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.audit_rows import audit_row
from api.forms import form_token
from api.identity import (
    OPERATE,
    READ_CASES,
    READ_FIGURES,
    RECORD,
    action,
    allowed,
    caller,
    may,
    today,
)
from api.moments import moment_of, standing_at, summed_at
from api.operations import parked_here
from api.paging import make_cursor, next_url, read_cursor
from api.personal import reading, rows_shown
from api.queries import one_station, report_at, status_shown
from api.services import services
from domain.code_lists import code_list, label_of
from domain.kernel import KINDS, STATION_TIME, UnknownRecord, stream_id, stream_kind, stream_subject
from projections.figures import EVIDENCE_LIMIT, Evidence, Period, evidence, figures
from projections.indicator_versions import station_set
from projections.looking_back import (
    STATUS,
    Page,
    households_then,
    status_then,
    timeline_then,
)
from projections.measures import MEASURES
from projections.moments import Moment
from projections.monthly_report import NUMERALS, MonthlyReport, station_profile, unopened
from projections.publications import publications_of
from projections.published_reports import publications_for
from projections.stations import months_on_record
from projections.task_progress import task_book_progress
from projections.timeline import records_of_kind
from workers.published_documents import published_by
from workers.reports import fillings

pages = Blueprint(
    "pages", __name__, template_folder="templates", static_folder="static",
    static_url_path="/static",
)
PAGE: Final = 50


class Labels(dict[str, str]):
    """The labels of a code list; a code that it does not know reads as itself."""

    def __init__(self, name: str) -> None:
        """Read from a code list."""
        super().__init__()
        self._name = name

    def __missing__(self, code: str) -> str:
        """The label of a code."""
        return label_of(self._name, code)


@pages.context_processor
def _surroundings() -> dict[str, Any]:
    """What every page shows."""
    who = g.get("caller")
    return {
        "caller": who, "newest_month": g.get("newest_month", "2024-11"),
        "may": may,
        "form_token": form_token(),
    }


@pages.app_template_filter("clock")
def clock(instant: datetime) -> str:
    """An instant as people read it: day, hour and minute in the stations' time."""
    return f"{instant.astimezone(STATION_TIME):%Y-%m-%d %H:%M}"


@pages.before_request
def _find_month() -> None:
    who = g.get("caller")
    if who is not None and request.endpoint != "pages.static":
        months = _months(who.scope.only or who.chosen) if who.scope.only or who.chosen else []
        g.newest_month = months[0] if months else "2024-11"


def _months(station: str) -> list[str]:
    with services().read_models.engine.connect() as connection:
        return months_on_record(connection, station)


# ---- the overview ----


@pages.route("/")
@action(READ_FIGURES)
def home() -> str:
    """The newest month's figures and all months."""
    found, station = services(), one_station()
    profile = station_profile(found.ledger, station)
    months = _months(station)
    month = months[0] if months else None
    shown = _figures(station, profile.indicator_set, month) if month else []
    with found.read_models.engine.connect() as connection:
        books = records_of_kind(connection, station, "task_book", topic="task_book.drafted")
    return render_template(
        "pages/home.html", books=books, profile=profile, months=months, month=month, figures=shown,
        codes=_printed_codes(station),
        month_label=month and f"{month[:4]} 年 {int(month[5:])} 月",
        behind=found.ledger.head() - found.read_models.position(),
    )


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


def _asked() -> Moment:
    """As of and as known when, from the address."""
    return moment_of(request.args)


def _times() -> dict[str, str | None]:
    """The same as the address says it, for the form and for links."""
    return {name: request.args.get(name) or None for name in ("as_of", "known_at")}


@pages.route("/months/<month>")
@action(READ_FIGURES)
def month(month: str) -> str:
    """The monthly report; each figure leads to its records."""
    report, times = report_at(_asked(), month, opened=reading().opened), _times()
    query = {name: value for name, value in times.items() if value}
    return render_template(
        "pages/month.html", report=report, numerals=NUMERALS, **fillings_for_page(report), **times,
        **publication_state(month),
        docx_url=f"/api/v1/reports/{month}/docx" + (f"?{urlencode(query)}" if query else ""),
    )


def publication_state(period: str) -> dict[str, Any]:
    """What a report's page says of its publication."""
    chain = publications_for(services().ledger, one_station(), period)
    return {
        "publications": chain, "published_by": published_by,
        "may_publish": allowed(caller().role, RECORD, "reports"),
        "may_compare": allowed(caller().role, READ_CASES, ""),
    }


def fillings_for_page(report: MonthlyReport) -> dict[str, Any]:
    """What the page prints beside the report itself: the same as the Word file."""
    filled = fillings(report)
    return {name: filled[name] for name in ("introduction", "summary", "imprint")}


@pages.route("/months/<month>/figures/<code>")
@action(READ_CASES)
def evidence_page(month: str, code: str) -> str:
    """The records that make a figure."""
    moment = _asked()
    report = report_at(moment, month, opened=unopened)
    figure = next((f for f in report.figures if f.indicator.code == code), None)
    if figure is None:
        raise UnknownRecord(id=code, kind="指标")
    with summed_at(moment) as then:
        rows = evidence(
            then.connection, report.station, figure.indicator, report.period, as_of=then.as_of,
            known_at=then.known_at, indicators=report.indicator_set,
        )
    absence = figure.indicator.without
    return render_template(
        "pages/evidence.html", figure=figure, month=month,
        terms=[(term, MEASURES[term.measure]) for term in figure.indicator.terms],
        without=absence and MEASURES[absence.measure],
        late=report.late.get(code), rows=[_evidence_row(row) for row in rows],
        is_cut=len(rows) == EVIDENCE_LIMIT, **_times(),
    )


def _evidence_row(row: Evidence) -> dict[str, Any]:
    recorded = row.recorded_at.astimezone(STATION_TIME)
    return {
        "position": row.position, "effective_on": row.effective_on,
        "recorded": f"{recorded:%Y-%m-%d %H:%M}", "is_late": row.is_late,
        "days_late": row.days_late, "is_imported": row.is_imported,
        "kind_label": KINDS[stream_kind(row.stream)].label,
        "kind": stream_kind(row.stream), "id": stream_subject(row.stream), "entry": row.entry,
        "community": row.community, "actor": row.actor, "amount": row.amount,
        "merged_into": row.counts_as if row.counts_as not in {"", row.entity} else None,
    }


# ---- the task book ----


@pages.route("/task-books/<subject>")
@action(READ_FIGURES)
def task_book_page(subject: str) -> str:
    """A task book: each target, what is expected by now, what was done, month by month."""
    moment = _asked()
    with summed_at(moment) as then:
        progress = task_book_progress(
            then.connection, services().ledger, one_station(), subject,
            as_of=moment.as_of or today(), known_at=then.known_at,
        )
    return render_template("pages/task_book.html", progress=progress, **_times())


# ---- households ----


@pages.route("/households")
@action(READ_CASES)
def household_list_page() -> str:
    """The register of households, a page at a time."""
    station, moment = one_station(), _asked()
    community, category = (request.args.get(n) or None for n in ("community", "category"))
    profile = station_profile(services().ledger, station)
    with standing_at(moment, *STATUS) as then:
        rows = households_then(
            then, station, community=community, category=category,
            after=read_cursor(request.args.to_dict()), limit=PAGE + 1,
        )
    last = rows[PAGE - 1].household if len(rows) > PAGE else None
    rows = rows_shown(rows, [stream_id(station, "household", row.household) for row in rows])
    return render_template(
        "pages/households.html", rows=rows[:PAGE], community=community, category=category,
        communities=[c.name for c in profile.communities],
        categories=list(code_list("assistance_categories").values()),
        labels=Labels("assistance_categories"), next_url=last and _next_url((last, last)),
        position=then.position, **_times(),
    )


def _next_url(key: tuple[Any, Any]) -> str:
    return next_url(make_cursor(key))


@pages.route("/households/<household>")
@action(READ_CASES)
def household_page(household: str) -> str:
    """A household: members, needs, timeline."""
    station, moment = one_station(), _asked()
    page = Page(after=read_cursor(request.args.to_dict(), date, int), limit=PAGE + 1)
    with standing_at(moment, *STATUS, "timeline") as then:
        status = status_then(then, station, household)
        rows = timeline_then(then, station, f"household:{household}", page)
    if status is None:
        raise UnknownRecord(id=household, kind=KINDS["household"].label)
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    return render_template(
        "pages/household.html", status=status_shown(station, status), timeline=rows[:PAGE],
        labels=Labels("assistance_categories"), relations=Labels("relations"),
        needs=Labels("needs"), position=then.position, **_times(),
        next_url=last and _next_url((last.occurred_on, last.position)),
    )


@pages.route("/records/<kind>/<subject>")
@action(READ_CASES)
def record_page(kind: str, subject: str) -> str | BaseResponse:
    """A record's audit trail: who recorded what, when, and what it was corrected to."""
    if kind not in KINDS:
        raise UnknownRecord(id=subject, kind=kind)
    if kind == "report":
        return redirect(url_for("pages.published_page", month=subject), 303)
    history = services().ledger.history(stream_id(one_station(), kind, subject))
    if not history:
        raise UnknownRecord(id=subject, kind=KINDS[kind].label)
    return render_template(
        "pages/record.html", subject=subject, kind_label=KINDS[kind].label,
        entries=[audit_row(event, reading()) for event in history],
    )


# ---- operations ----


@pages.route("/operations")
@action(OPERATE)
def operations() -> str:
    """Positions, lag and parked events."""
    found = services()
    checkpoints = [
        {
            "name": c.name, "label": c.label, "position": c.position, "parked": c.parked,
            "updated": f"{c.updated_at.astimezone(STATION_TIME):%Y-%m-%d %H:%M:%S}",
        }
        for c in found.read_models.checkpoints()
    ]
    return render_template(
        "pages/operations.html", head=found.ledger.head(), checkpoints=checkpoints,
        parked=parked_here(),
    )
