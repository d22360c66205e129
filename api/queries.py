"""What can be asked of the read models? Status, lists, timelines, figures, reports."""

from __future__ import annotations

import io
import tempfile
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from flask import Response, send_file
from marshmallow import Schema, fields, validate

from api.answers import local_time, record_row
from api.bodies import Blueprint
from api.identity import ANY_STATION, READ_CASES, READ_FIGURES, action, station_of_request
from api.messages import coded
from api.paging import PageSchema, ReadSchema, page_answer, read_cursor
from api.personal import rows_shown, shown
from api.report_data import as_data, figure_data, parse_known_at
from api.services import services
from domain.kernel import KINDS, Refused, UnknownRecord, stream_id, stream_kind, stream_subject
from projections.figures import Evidence, KnownAt, Period, evidence, figures
from projections.household_status import SORTS, household_list, household_status
from projections.indicators import indicator_set, indicator_set_codes
from projections.monthly_report import monthly_report
from projections.referrals import referral_list
from projections.staff_growth import staff_growth_list
from projections.timeline import timeline_of
from projections.volunteer_hours import volunteer_hours
from workers.reports import write_docx

queries = Blueprint("queries", __name__, url_prefix="/api/v1", description="查询")


class StationMissing(
    Refused, code="station_missing", status=400, title="须指明社工站",
    detail="请用 station= 指明要查询的社工站。",
):
    """A hub asks about a station by name."""


class BadKnownAt(
    Refused, code="bad_known_at", status=400, title="“当时所知”写法不正确",
    detail="known_at 应为时刻（2024-12-05T09:00:00+08:00）、日期或台账位置，收到“{got}”。",
):
    """A known_at that is neither an instant, a day nor a position."""


class UnknownIndicator(
    Refused, code="unknown_indicator", status=404, title="没有这个指标",
    detail="指标集 {set_code} 中没有“{got}”。",
):
    """A figure that the set does not have."""


class FigureQuerySchema(ReadSchema):
    """Which month, and as of and as known when."""

    month = fields.String(required=True, metadata={"description": "月份，如 2024-11"})
    as_of = fields.Date(metadata={"description": "截至（服务日期）"})
    known_at = fields.String(metadata={"description": "当时所知：时刻、日期或台账位置"})


class ReportQuerySchema(ReadSchema):
    """As of and as known when."""

    as_of = fields.Date()
    known_at = fields.String()


class HouseholdQuerySchema(PageSchema):
    """Which households, in which order."""

    community = fields.String()
    category = fields.String()
    has_case_file = fields.Boolean()
    sort = fields.String(
        load_default="household",
        validate=validate.OneOf(
            [*SORTS, *(f"-{name}" for name in SORTS)],
            error=coded("unknown_choice", f"应为 {'、'.join(SORTS)}，前加 - 为倒序"),
        ),
    )


class ReferralQuerySchema(PageSchema):
    """Which referrals."""

    status = fields.String()
    household = fields.String()


class DaysQuerySchema(PageSchema):
    """Between which days."""

    first = fields.Date(required=True, data_key="from")
    last = fields.Date(required=True, data_key="to")


class GrowthQuerySchema(DaysQuerySchema):
    """Which trainings and supervisions."""

    sort = fields.String(
        metadata={"description": "training_delivered、training_received 或 supervision"}
    )
    status = fields.String(metadata={"description": "held、scheduled 或 cancelled"})


class IndicatorSchema(Schema):
    """A figure; ``value`` is null where nobody stated it (未填报)."""

    code = fields.String()
    label = fields.String()
    label_en = fields.String()
    value = fields.Raw(allow_none=True)
    unit = fields.String()
    display = fields.String()
    kind = fields.String()
    approximation = fields.String()
    unstated = fields.Integer()
    part_of = fields.String(allow_none=True)
    is_fact = fields.Boolean()


class FiguresSchema(Schema):
    """A month's figures and the question they answer."""

    station = fields.String()
    month = fields.String()
    as_of = fields.String(allow_none=True)
    known_at = fields.Raw(allow_none=True)
    indicator_set = fields.String()
    indicator_set_version = fields.Integer()
    indicators = fields.List(fields.Nested(IndicatorSchema))


def one_station() -> str:
    """The one station that is asked about."""
    station = station_of_request()
    if station == ANY_STATION:
        raise StationMissing
    return station


def known_at_of(query: dict[str, Any]) -> KnownAt | None:
    """The moment of knowing that a query names.

    :raises BadKnownAt: where it is none.
    """
    given = query.get("known_at")
    if not given:
        return None
    try:
        return parse_known_at(given)
    except ValueError:
        raise BadKnownAt(got=str(given)[:40]) from None


# ---- figures ----


@queries.route("/indicator-sets")
@action(READ_FIGURES)
@queries.response(200)
def list_indicator_sets() -> dict[str, Any]:
    """所有指标集。"""
    sets = (indicator_set(code) for code in indicator_set_codes())
    return {"items": [{"code": s.code, "label": s.label, "version": s.version} for s in sets]}


@queries.route("/indicators/<set_code>")
@action(READ_FIGURES)
@queries.arguments(FigureQuerySchema, location="query")
@queries.response(200, FiguresSchema)
def get_indicators(query: dict[str, Any], set_code: str) -> dict[str, Any]:
    """一个月的数字，可指定截至日期和当时所知。"""
    chosen, station = indicator_set(set_code), one_station()
    as_of, known_at = query.get("as_of"), known_at_of(query)
    with services().read_models.engine.connect() as connection:
        found = figures(
            connection, station, chosen, Period.of_month(query["month"]), as_of=as_of,
            known_at=known_at,
        )
    return {
        "station": station, "month": query["month"], "as_of": as_of and as_of.isoformat(),
        "known_at": query.get("known_at"), "indicator_set": chosen.code,
        "indicator_set_version": chosen.version,
        "indicators": [figure_data(figure) for figure in found],
    }


class EvidenceQuerySchema(FigureQuerySchema):
    """Which page of the evidence."""

    after = fields.Integer(load_default=0, metadata={"description": "从这个台账位置之后"})


@queries.route("/indicators/<set_code>/<code>/evidence")
@action(READ_FIGURES)
@queries.arguments(EvidenceQuerySchema, location="query")
@queries.response(200)
def get_evidence(query: dict[str, Any], set_code: str, code: str) -> dict[str, Any]:
    """一个数字由哪些分录得出。"""
    chosen = {row.code: row for row in indicator_set(set_code).indicators}
    if code not in chosen:
        raise UnknownIndicator(set_code=set_code, got=code[:80])
    with services().read_models.engine.connect() as connection:
        rows = evidence(
            connection, one_station(), chosen[code], Period.of_month(query["month"]),
            as_of=query.get("as_of"), known_at=known_at_of(query), after=query["after"],
        )
    return {"items": [evidence_row(row) for row in rows]}


def evidence_row(row: Evidence) -> dict[str, Any]:
    """A posting as the API gives it, with the way to its record."""
    kind = stream_kind(row.stream)
    return {
        "position": row.position, "kind": kind, "kind_label": KINDS[kind].label,
        "id": stream_subject(row.stream), "entry": row.entry,
        "effective_on": row.effective_on.isoformat(),
        "recorded_at": local_time(row.recorded_at), "amount": row.amount,
        "approximation": row.approximation, "entity": row.entity,
        "community": row.community, "actor": row.actor,
    }


# ---- reports ----


@queries.route("/reports/<month>")
@action(READ_FIGURES)
@queries.arguments(ReportQuerySchema, location="query")
@queries.response(200)
def get_report(query: dict[str, Any], month: str) -> dict[str, Any]:
    """月报：数字、事实和正文。"""
    with services().read_models.engine.connect() as connection:
        found = monthly_report(
            connection, services().ledger, one_station(), month, as_of=query.get("as_of"),
            known_at=known_at_of(query),
        )
    return as_data(found)


@queries.route("/reports/<month>/docx")
@action(READ_FIGURES)
@queries.arguments(ReportQuerySchema, location="query")
def get_report_docx(query: dict[str, Any], month: str) -> Response:
    """月报的 Word 文件。"""
    with services().read_models.engine.connect() as connection:
        found = monthly_report(
            connection, services().ledger, one_station(), month, as_of=query.get("as_of"),
            known_at=known_at_of(query),
        )
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "report.docx"
        write_docx(found, target, services().settings.home / "templates")
        content = target.read_bytes()
    return _file(content, f"{found.title}.docx")


def _file(content: bytes, name: str) -> Response:
    return send_file(
        io.BytesIO(content), as_attachment=True, download_name=name,
        mimetype="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    )


# ---- households, timelines, lists ----


@queries.route("/households")
@action(READ_CASES)
@queries.arguments(HouseholdQuerySchema, location="query")
def list_households(query: dict[str, Any]) -> Response:
    """困难家庭一览：成员、救助、最近见到、未了需求和转介。"""
    sort = query["sort"].removeprefix("-")
    value_type = date if sort.endswith("_on") else str
    with services().read_models.engine.connect() as connection:
        rows = household_list(
            connection, one_station(), community=query.get("community"),
            category=query.get("category"), has_case_file=query.get("has_case_file"),
            sort=sort, is_descending=query["sort"].startswith("-"),
            after=read_cursor(query, value_type), limit=query["limit"] + 1,
        )
    rows = rows_shown(rows, [stream_id(one_station(), "household", r.household) for r in rows])
    return page_answer(
        rows, query["limit"], asdict, lambda row: (getattr(row, sort), row.household)
    )


@queries.route("/households/<subject>/status")
@action(READ_CASES)
@queries.arguments(ReadSchema, location="query")
@queries.response(200)
def get_household_status(_query: dict[str, Any], subject: str) -> dict[str, Any]:
    """一户的现状：成员、救助、最近见到、需求。"""
    with services().read_models.engine.connect() as connection:
        status = household_status(connection, one_station(), subject)
    if status is None:
        raise UnknownRecord(id=subject, kind=KINDS["household"].label)
    return asdict(shown(status, stream_id(one_station(), "household", subject)))


@queries.route("/timelines/<kind>/<subject>")
@action(READ_CASES)
@queries.arguments(PageSchema, location="query")
def get_timeline(query: dict[str, Any], kind: str, subject: str) -> Response:
    """一户（household）、一人（person）或一名志愿者（volunteer）的时间线，新的在前。"""
    with services().read_models.engine.connect() as connection:
        rows = timeline_of(
            connection, one_station(), f"{kind}:{subject}", after=read_cursor(query, date, int),
            limit=query["limit"] + 1,
        )
    return page_answer(rows, query["limit"], record_row, lambda r: (r.occurred_on, r.position))


@queries.route("/referral-tracking")
@action(READ_CASES)
@queries.arguments(ReferralQuerySchema, location="query")
def list_referrals(query: dict[str, Any]) -> Response:
    """转介跟踪，先转出的在前。"""
    with services().read_models.engine.connect() as connection:
        rows = referral_list(
            connection, one_station(), status=query.get("status"),
            household=query.get("household"), after=read_cursor(query, date),
            limit=query["limit"] + 1,
        )
    return page_answer(rows, query["limit"], asdict, lambda row: (row.made_on, row.referral))


@queries.route("/volunteer-hours")
@action(READ_CASES)
@queries.arguments(DaysQuerySchema, location="query")
def list_volunteer_hours(query: dict[str, Any]) -> Response:
    """志愿者在一段时间内的服务时长（分钟），已记录和已确认。"""
    cursor = read_cursor(query)
    with services().read_models.engine.connect() as connection:
        rows = volunteer_hours(
            connection, one_station(), first=query["first"], last=query["last"],
            after=str(cursor[1]) if cursor else None, limit=query["limit"] + 1,
        )
    rows = rows_shown(rows, [stream_id(one_station(), "volunteer", r.volunteer) for r in rows])
    return page_answer(rows, query["limit"], asdict, lambda row: ("", row.volunteer))


@queries.route("/staff-growth")
@action(READ_CASES)
@queries.arguments(GrowthQuerySchema, location="query")
@queries.response(200)
def list_staff_growth(query: dict[str, Any]) -> dict[str, Any]:
    """培训与督导：已开展、已约定、已取消。"""
    with services().read_models.engine.connect() as connection:
        rows = staff_growth_list(
            connection, one_station(), first=query["first"], last=query["last"],
            sort=query.get("sort"), status=query.get("status"),
        )
    return {"items": [asdict(row) for row in rows]}
