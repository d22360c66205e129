"""What can be asked of the read models? Status, lists, timelines, figures, reports."""

from __future__ import annotations

import io
import tempfile
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

from flask import Response, send_file
from marshmallow import Schema, fields, validate

from api.access_log import AccessAction
from api.answers import flat, record_row, stated
from api.bodies import Blueprint
from api.confinement import unconfined
from api.identity import (
    ANY_STATION,
    READ_CASES,
    READ_FIGURES,
    action,
    caller,
    station_of_request,
)
from api.messages import coded
from api.moments import (
    MomentPageSchema,
    MomentSchema,
    moment_of,
    standing_at,
    summed_at,
)
from api.paging import page_answer, read_cursor
from api.personal import noted, reading, rows_shown, shown
from api.problems import OtherStation, StationMissing
from api.report_data import area_data, as_data, figure_data
from api.services import services
from domain.kernel import KINDS, UnknownRecord, stream_id
from projections.area_reports import Scope, area_report
from projections.figures import Period, figures
from projections.household_status import ALWAYS_THERE, SORTS, HouseholdStatus
from projections.indicator_versions import station_set
from projections.indicators import indicator_set, indicator_set_codes
from projections.late_entries import lateness
from projections.looking_back import (
    STATUS,
    Page,
    aliases_then,
    households_then,
    referrals_then,
    staff_growth_then,
    status_then,
    timeline_then,
    volunteer_hours_then,
)
from projections.moments import Moment
from projections.monthly_report import MonthlyReport, Opener, report_then
from workers.reports import write_docx

queries = Blueprint("queries", __name__, url_prefix="/api/v1", description="查询")




class FigureQuerySchema(MomentSchema):
    """Which month, and as of and as known when."""

    month = fields.String(required=True, metadata={"description": "月份，如 2024-11"})
    version = fields.Integer(
        validate=validate.Range(1, 10_000, error=coded("out_of_range", "应为 1 到 10000")),
        metadata={"description": "按第几版口径计数（默认用当月有效的一版）"},
    )


class ReportQuerySchema(MomentSchema):
    """Whose report, and as of and as known when."""

    scope = fields.String(
        load_default=Scope.STATION.value,
        validate=validate.OneOf(
            [scope.value for scope in Scope],
            error=coded("unknown_choice", "应为 station、hub 或 city"),
        ),
        metadata={"description": "一个社工站（station）、一个区（hub）或全市（city）"},
    )
    area = fields.String(metadata={"description": "区或市的名称；只有一个时可省略"})


class HouseholdQuerySchema(MomentPageSchema):
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
        metadata={"description": "按什么排序，前加 - 为倒序；没有该项的户排在最后"},
    )


class ReferralQuerySchema(MomentPageSchema):
    """Which referrals."""

    status = fields.String()
    household = fields.String()


class DaysQuerySchema(MomentPageSchema):
    """Between which days."""

    first = fields.Date(required=True, data_key="from")
    last = fields.Date(required=True, data_key="to")


class GrowthQuerySchema(DaysQuerySchema):
    """Which trainings and supervisions."""

    sort = fields.String(
        metadata={"description": "training_delivered、training_received 或 supervision"}
    )
    status = fields.String(metadata={"description": "held、scheduled 或 cancelled"})


class FigureSchema(Schema):
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
    late_entries = fields.Integer(
        metadata={"description": "所依据的记录中有多少条是补录（服务当月结束后才录入）"}
    )
    imported_entries = fields.Integer(
        metadata={"description": "所依据的记录中有多少条是从旧台账导入的"}
    )


class FiguresSchema(Schema):
    """A month's figures and the question they answer."""

    station = fields.String()
    month = fields.String()
    as_of = fields.String(allow_none=True)
    known_at = fields.Raw(allow_none=True)
    position = fields.Integer(
        metadata={"description": "读到哪个台账位置；用作 known_at 可原样再问"}
    )
    indicator_set = fields.String()
    indicator_set_version = fields.Integer()
    indicators = fields.List(fields.Nested(FigureSchema))


def one_station() -> str:
    """The one station that is asked about."""
    station = station_of_request()
    if station == ANY_STATION:
        raise StationMissing
    return station


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
    station, moment = one_station(), moment_of(query)
    period, version = Period.of_month(query["month"]), query.get("version")
    with summed_at(moment) as then:
        chosen = station_set(
            then.connection, station, set_code, period, known_at=then.known_at, version=version
        )
        asked = (then.connection, station, chosen, period)
        found = figures(*asked, as_of=then.as_of, known_at=then.known_at)
        late = lateness(*asked, as_of=then.as_of, known_at=then.known_at)
    return {
        "station": station, "month": query["month"], **stated(moment, then.position),
        "indicator_set": chosen.code, "indicator_set_version": chosen.version,
        "indicators": [figure_data(figure, late) for figure in found],
    }


# ---- reports ----


@queries.route("/reports/<month>")
@action(READ_FIGURES)
@queries.arguments(ReportQuerySchema, location="query")
@queries.response(200)
def get_report(query: dict[str, Any], month: str) -> dict[str, Any]:
    """报告：一个月、季、半年、年或项目周期的数字、事实和正文；区、市为各站之和。"""
    scope = Scope.of(query["scope"])
    if scope is not Scope.STATION:
        return _area_report(scope, query, month)
    return as_data(report_at(moment_of(query), month, opened=reading().opened))


def _area_report(scope: Scope, query: dict[str, Any], period: str) -> dict[str, Any]:
    """The report of a district or a city, for those who may see every station.

    :raises OtherStation: for a caller of one station.
    """
    own = caller().scope
    if own.only is not None:
        raise OtherStation(own=own.only, got=scope.label)
    moment = moment_of(query)
    with summed_at(moment) as then, unconfined():  # a sum of all stations of an area, or none
        found = area_report(
            then.connection, services().ledger, scope, query.get("area"), period,
            as_of=then.as_of, known_at=then.known_at, admits=own.admits,
        )
        return area_data(found) | stated(moment, then.position)


@queries.route("/reports/<month>/docx")
@action(READ_FIGURES)
@queries.arguments(MomentSchema, location="query")
def get_report_docx(query: dict[str, Any], month: str) -> Response:
    """月报的 Word 文件。"""
    found = report_at(moment_of(query), month, opened=reading().opened)
    noted(action=AccessAction.EXPORT)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "report.docx"
        write_docx(found, target, services().settings.home / "templates")
        content = target.read_bytes()
    return word_file(content, f"{found.title}.docx")


def report_at(moment: Moment, month: str, *, opened: Opener) -> MonthlyReport:
    """The station's report of a month at a moment."""
    with summed_at(moment) as then:
        return report_then(
            then, services().ledger, one_station(), month, moment, opened=opened
        )


def word_file(content: bytes, name: str) -> Response:
    """A Word file to download."""
    return _office_file(content, name, "wordprocessingml.document")


def excel_file(content: bytes, name: str) -> Response:
    """An Excel file to download."""
    return _office_file(content, name, "spreadsheetml.sheet")


def _office_file(content: bytes, name: str, kind: str) -> Response:
    return send_file(
        io.BytesIO(content), as_attachment=True, download_name=name,
        mimetype=f"application/vnd.openxmlformats-officedocument.{kind}",
    )


# ---- households, timelines, lists ----


def household_cursor(query: dict[str, Any], sort: str) -> tuple[Any, Any] | None:
    """Where the page before of a list of households ended, by what it is sorted by."""
    value_type = date if sort.endswith("_on") else str
    return read_cursor(query, value_type, may_lack=sort not in ALWAYS_THERE)


@queries.route("/households")
@action(READ_CASES)
@queries.arguments(HouseholdQuerySchema, location="query")
def list_households(query: dict[str, Any]) -> Response:
    """困难家庭一览：成员、救助、最近见到、未了需求和转介。"""
    sort, station, moment = query["sort"].removeprefix("-"), one_station(), moment_of(query)
    with standing_at(moment, *STATUS) as then:
        rows = households_then(
            then, station, community=query.get("community"), category=query.get("category"),
            has_case_file=query.get("has_case_file"), sort=sort,
            is_descending=query["sort"].startswith("-"), after=household_cursor(query, sort),
            limit=query["limit"] + 1,
        )
    rows = rows_shown(rows, [stream_id(station, "household", r.household) for r in rows])
    return page_answer(
        rows, query["limit"], flat, lambda row: (getattr(row, sort), row.household),
        stated(moment, then.position),
    )


@queries.route("/households/<subject>/status")
@action(READ_CASES)
@queries.arguments(MomentSchema, location="query")
@queries.response(200)
def get_household_status(query: dict[str, Any], subject: str) -> dict[str, Any]:
    """一户的状况：成员、救助、最近见到、需求。已并入另一户的，给出那一户的（merged_into）。"""
    moment = moment_of(query)
    with standing_at(moment, *STATUS) as then:
        status = status_then(then, one_station(), subject)
    if status is None:
        raise UnknownRecord(id=subject, kind=KINDS["household"].label)
    return stated(moment, then.position) | asdict(status_shown(one_station(), status))


def status_shown(station: str, status: HouseholdStatus) -> HouseholdStatus:
    """A household's status, each member's name opened from the file that lists it."""
    files = [stream_id(station, "household", member.household) for member in status.members]
    row = shown(status.household, stream_id(station, "household", status.household.household))
    return replace(status, household=row, members=tuple(rows_shown(status.members, files)))


@queries.route("/timelines/<kind>/<subject>")
@action(READ_CASES)
@queries.arguments(MomentPageSchema, location="query")
def get_timeline(query: dict[str, Any], kind: str, subject: str) -> Response:
    """一户（household）、一人（person）或一名志愿者（volunteer）的时间线，新的在前。

    已合并的，给出合并后的全部记录（merged_into）。
    """
    station, moment = one_station(), moment_of(query)
    page = Page(after=read_cursor(query, date, int), limit=query["limit"] + 1)
    with standing_at(moment, "timeline") as then:
        rows = timeline_then(then, station, f"{kind}:{subject}", page)
        root = aliases_then(then, station).root(kind, subject)
    noted(f"{kind}:{subject}")
    return page_answer(
        rows, query["limit"], record_row, lambda r: (r.occurred_on, r.position),
        stated(moment, then.position) | ({"merged_into": root} if root != subject else {}),
    )


@queries.route("/referral-tracking")
@action(READ_CASES)
@queries.arguments(ReferralQuerySchema, location="query")
def list_referrals(query: dict[str, Any]) -> Response:
    """转介跟踪，先转出的在前。"""
    moment = moment_of(query)
    with standing_at(moment, "referrals") as then:
        rows = referrals_then(
            then, one_station(), status=query.get("status"), household=query.get("household"),
            after=read_cursor(query, date), limit=query["limit"] + 1,
        )
    rows = rows_shown(rows, [stream_id(one_station(), "referral", r.referral) for r in rows])
    if query.get("household"):
        noted(f"household:{query['household']}")
    return page_answer(
        rows, query["limit"], flat, lambda row: (row.made_on, row.referral),
        stated(moment, then.position),
    )


@queries.route("/volunteer-hours")
@action(READ_CASES, "volunteers")
@queries.arguments(DaysQuerySchema, location="query")
def list_volunteer_hours(query: dict[str, Any]) -> Response:
    """志愿者在一段时间内的服务时长（分钟），已记录和已确认。"""
    cursor, moment, station = read_cursor(query), moment_of(query), one_station()
    with standing_at(moment, "volunteer_hours") as then:
        rows = volunteer_hours_then(
            then, station, first=query["first"], last=query["last"],
            after=str(cursor[1]) if cursor else None, limit=query["limit"] + 1,
        )
    rows = rows_shown(rows, [stream_id(station, "volunteer", r.volunteer) for r in rows])
    return page_answer(
        rows, query["limit"], flat, lambda row: ("", row.volunteer),
        stated(moment, then.position),
    )


@queries.route("/staff-growth")
@action(READ_CASES)
@queries.arguments(GrowthQuerySchema, location="query")
@queries.response(200)
def list_staff_growth(query: dict[str, Any]) -> dict[str, Any]:
    """培训与督导：已开展、已约定、已取消。"""
    moment = moment_of(query)
    with standing_at(moment, "staff_growth") as then:
        rows = staff_growth_then(
            then, one_station(), first=query["first"], last=query["last"],
            sort=query.get("sort"), status=query.get("status"),
        )
    rows = rows_shown(rows, [stream_id(one_station(), row.sort, row.id) for row in rows])
    return stated(moment, then.position) | {"items": [flat(row) for row in rows]}
