"""What can a reviewer ask? Who recorded what, and who read whose file: pages and files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields, validate

from api import access_rows, audit_rows
from api.access_log import AccessAction
from api.access_queries import AccessRow, accesses_of
from api.audit_rows import ACTION_LABELS, AuditRowSchema
from api.bodies import Blueprint
from api.identity import ANY_STATION, AUDIT, READ_ACCESSES, action, station_of_request
from api.messages import coded
from api.paging import PageSchema, ReadSchema, page_of, read_cursor, rows_answer
from api.personal import noted, reading
from api.queries import one_station
from api.services import services
from api.tables import MOST_EXPORTED, attachment, csv_text, refuse_too_many
from projections.audit_trail import AuditKey, audit_events_of
from projections.stations import station_codes

audit = Blueprint("audit", __name__, url_prefix="/api/v1", description="审计")


class AboutSchema(Schema):
    """About whom, by whom, on which days."""

    household = fields.String(metadata={"description": "户的编号或档案号"})
    person = fields.String(metadata={"description": "个人的编号"})
    actor = fields.String(metadata={"description": "录入人或查看人"})
    first = fields.Date(data_key="from", metadata={"description": "这一天起（含）"})
    last = fields.Date(data_key="to", metadata={"description": "到这一天（含）"})


class AuditFilterSchema(ReadSchema, AboutSchema):
    """Which events. ``from`` and ``to`` are days of recording."""

    kind = fields.String(metadata={"description": "记录的种类，如 visit；须与 id 一起"})
    id = fields.String(metadata={"description": "记录的编号"})
    action = fields.String(
        validate=validate.OneOf(
            list(ACTION_LABELS), error=coded("unknown_choice", f"应为 {'、'.join(ACTION_LABELS)}")
        )
    )


class AuditQuerySchema(AuditFilterSchema, PageSchema):
    """Which page of which events."""


class AccessFilterSchema(ReadSchema, AboutSchema):
    """Which calls."""

    action = fields.String(
        validate=validate.OneOf(
            [a.value for a in AccessAction],
            error=coded("unknown_choice", "应为 read、export 或 search"),
        )
    )


class AccessQuerySchema(AccessFilterSchema, PageSchema):
    """Which page of which calls."""


class AuditPageSchema(Schema):
    """A page of events."""

    items = fields.List(fields.Nested(AuditRowSchema))
    next_cursor = fields.String(allow_none=True)


def _meant(station: str, query: dict[str, Any]) -> dict[str, Any]:
    """What is asked, of a household that there is."""
    with services().read_models.engine.connect() as connection:
        stations = station_codes(connection) if station == ANY_STATION else [station]
        return audit_rows.meant(connection, services().ledger, stations, query)


# ---- who recorded what ----


def audit_page(query: dict[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    """A page of events as evidence, and the cursor of the next."""
    query = _meant(one_station(), query)
    keys = _keys(query, read_cursor(query, datetime, int), query["limit"] + 1)
    page, cursor = page_of(keys, query["limit"], lambda key: (key.recorded_at, key.position))
    noted(*audit_rows.subjects(query))
    return audit_rows.audit_rows(services().ledger, page, reading()), cursor


def _keys(query: dict[str, Any], after: Any, limit: int) -> list[AuditKey]:
    asked = audit_rows.question(one_station(), query)
    with services().read_models.engine.connect() as connection:
        return audit_events_of(connection, asked, after=after, limit=limit)


@audit.route("/audit")
@action(AUDIT)
@audit.arguments(AuditQuerySchema, location="query")
@audit.response(200, AuditPageSchema)
def list_audit(query: dict[str, Any]) -> Response:
    """审计：谁、何时、经哪个请求，记了什么、改了什么；录入晚的在前。"""
    rows, cursor = audit_page(query)
    return rows_answer(rows, cursor)


def _exported_events(query: dict[str, Any]) -> list[dict[str, Any]]:
    query = _meant(one_station(), query)
    keys = _keys(query, None, MOST_EXPORTED + 1)
    refuse_too_many(len(keys))
    noted(*audit_rows.subjects(query), action=AccessAction.EXPORT)
    return audit_rows.audit_rows(services().ledger, keys, reading())


@audit.route("/audit.csv")
@action(AUDIT)
@audit.arguments(AuditFilterSchema, location="query")
def export_audit_csv(query: dict[str, Any]) -> Response:
    """审计结果的 CSV 文件（Excel 可直接打开），每个字段一行。"""
    rows = audit_rows.table(_exported_events(query))
    return attachment(csv_text(audit_rows.HEADER, rows), "audit.csv", "text/csv; charset=utf-8")


@audit.route("/audit.json")
@action(AUDIT)
@audit.arguments(AuditFilterSchema, location="query")
def export_audit_json(query: dict[str, Any]) -> Response:
    """审计结果的 JSON 文件。"""
    return _json_file({"items": _exported_events(query)}, "audit.json")


def _json_file(content: dict[str, Any], name: str) -> Response:
    return attachment(jsonify(content).get_data(), name, "application/json")


# ---- who read what ----


def access_page(query: dict[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    """A page of calls, and the cursor of the next; asking about a person is a call itself."""
    query = _meant(station_of_request(), query)
    found = _calls(query, read_cursor(query, datetime, int), query["limit"] + 1)
    page, cursor = page_of(found, query["limit"], lambda row: (row.at, row.id))
    noted(*audit_rows.subjects(query))
    return [access_rows.access_row(row) for row in page], cursor


def _calls(query: dict[str, Any], after: Any, limit: int) -> Sequence[AccessRow]:
    asked = access_rows.question(station_of_request(), query)
    with services().access_log.questions() as connection:
        return accesses_of(connection, asked, after=after, limit=limit)


@audit.route("/access-log")
@action(READ_ACCESSES)
@audit.arguments(AccessQuerySchema, location="query")
@audit.response(200)
def list_accesses(query: dict[str, Any]) -> Response:
    """访问记录：谁在何时查看或导出了谁的信息；新的在前。"""
    rows, cursor = access_page(query)
    return rows_answer(rows, cursor)


def _exported_calls(query: dict[str, Any]) -> list[dict[str, Any]]:
    query = _meant(station_of_request(), query)
    found = _calls(query, None, MOST_EXPORTED + 1)
    refuse_too_many(len(found))
    noted(*audit_rows.subjects(query), action=AccessAction.EXPORT)
    return [access_rows.access_row(row) for row in found]


@audit.route("/access-log.csv")
@action(READ_ACCESSES)
@audit.arguments(AccessFilterSchema, location="query")
def export_accesses_csv(query: dict[str, Any]) -> Response:
    """访问记录的 CSV 文件。"""
    rows = access_rows.table(_exported_calls(query))
    content = csv_text(access_rows.HEADER, rows)
    return attachment(content, "access-log.csv", "text/csv; charset=utf-8")


@audit.route("/access-log.json")
@action(READ_ACCESSES)
@audit.arguments(AccessFilterSchema, location="query")
def export_accesses_json(query: dict[str, Any]) -> Response:
    """访问记录的 JSON 文件。"""
    return _json_file({"items": _exported_calls(query)}, "access-log.json")
