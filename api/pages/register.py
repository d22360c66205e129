"""What does the whole register say, as a table: filtered, sorted, with the columns one wants?

Everything that makes the table stands in its address, so that a table worth keeping is a
bookmark or a view (``ledger_views.py``), and a file holds exactly the columns, rows and order
that the page shows.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode

import xlsxwriter
from flask import Response, redirect, render_template, request
from marshmallow import ValidationError, fields, validate
from werkzeug.exceptions import UnprocessableEntity
from werkzeug.wrappers import Response as BaseResponse

from api.access_log import AccessAction
from api.events import follow
from api.identity import READ_CASES, action, today
from api.language import translated
from api.messages import coded
from api.moments import MomentSchema, moment_of, standing_at
from api.pages.asking import BadAddress, asked_choice
from api.pages.kept_views import asked_view, views_around
from api.pages.steps import heads_of
from api.pages.views import Labels, pages
from api.paging import make_cursor, next_url, read_cursor
from api.personal import noted, rows_shown
from api.queries import household_cursor, one_station
from api.services import services
from api.tables import MOST_EXPORTED, attachment, csv_text, refuse_too_many
from domain.code_lists import code_list
from domain.field_labels import field_label
from domain.fields import CODE_LIST, DERIVED, PERSON_MARK, PERSONAL, REFERS_TO, marks_of
from domain.kernel import KINDS, STATION_TIME, stream_id
from projections.household_status import SORTS
from projections.looking_back import STATUS, Page, households_then, records_then
from projections.monthly_report import station_profile

HOUSEHOLDS: Final = "household"
LISTED: Final = (
    HOUSEHOLDS, "visit", "survey", "community_survey", "needs_assessment", "case", "referral",
    "group", "activity", "resource", "training_delivered", "training_received", "supervision",
    "meeting",
)
"""What the register lists: households as they stand, and records of these kinds."""
ROWS: Final = 20
"""Rows on a page: up to sixteen columns, and the views, in about 30 KB."""
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: what it is called, what it holds, and whether the table sorts by it."""

    name: str
    label: str
    value: Callable[[Any], object]
    is_sorted: bool = False


class LedgerQuerySchema(MomentSchema):
    """What the table shows."""

    kind = fields.String(
        load_default=HOUSEHOLDS,
        validate=validate.OneOf(LISTED, error=coded("unknown_choice", "没有这种登记")),
    )
    columns = fields.List(fields.String())
    sort = fields.String(load_default="")
    community = fields.String()
    category = fields.String()
    first = fields.Date(data_key="from")
    last = fields.Date(data_key="to")
    status = fields.String(
        load_default="active",
        validate=validate.OneOf(
            ["active", "voided", "all"], error=coded("unknown_choice", "没有这种状态")
        ),
    )
    cursor = fields.String()


# ---- the columns ----


def _plain(name: str) -> Callable[[Any], object]:
    return lambda row: getattr(row, name)


def _labelled(name: str, list_name: str) -> Callable[[Any], object]:
    labels = Labels(list_name)
    return lambda row: (code := getattr(row, name)) and labels[code]


def _local(instant: datetime) -> datetime:
    return instant.astimezone(STATION_TIME)


HOUSEHOLD_COLUMNS: Final = (
    Column("head_name", "户主", _plain("head_name")),
    Column("file_number", "档案号", _plain("file_number"), is_sorted=True),
    Column("community", "社区", _plain("community"), is_sorted=True),
    Column("category", "救助类别", _labelled("category", "assistance_categories"), is_sorted=True),
    Column("member_count", "人口", _plain("member_count")),
    Column("covered_count", "保障", _plain("covered_count")),
    Column("case_file", "服务对象档案", _plain("case_file")),
    Column("registered_on", "建档", _plain("registered_on"), is_sorted=True),
    Column("info_confirmed_on", "信息最近确认", _plain("info_confirmed_on"), is_sorted=True),
    Column("last_contact_on", "最近见到", _plain("last_contact_on"), is_sorted=True),
    Column("open_needs", "未了需求", _plain("open_needs")),
    Column("open_referrals", "未了转介", _plain("open_referrals")),
)
RECORD_COLUMNS: Final = (
    Column("occurred_on", "日期", _plain("occurred_on"), is_sorted=True),
    Column("label", "记录", lambda row: translated(row.label)),
    Column("actor", "录入", _plain("actor")),
    Column("recorded_at", "录入时间", lambda row: f"{_local(row.recorded_at):%Y-%m-%d %H:%M}"),
    Column("days_late", "晚录天数", _plain("days_late")),
    Column("corrected_times", "更正次数", _plain("corrected_times")),
)
ORDERS: Final = {False: ("%(column)s（顺序）", "%(column)s（倒序）"),
                 True: ("%(column)s（早的在前）", "%(column)s（近的在前）")}
"""How the two ways to sort by a column are called: by a text, and by a day."""
COLUMN_LABELS: Final = tuple(c.label for c in (*HOUSEHOLD_COLUMNS, *RECORD_COLUMNS))


def columns_of(kind: str, heads: Mapping[str, str] | None = None) -> list[Column]:
    """Every column of a kind: of records, what they all say and their own open fields."""
    if kind == HOUSEHOLDS:
        return list(HOUSEHOLD_COLUMNS)
    own: dict[str, Column] = {}
    for event in KINDS[kind].events:
        for name, marks in marks_of(event).items():
            if not {PERSONAL, DERIVED, PERSON_MARK} & set(marks) and name not in own:
                own[name] = Column(name, field_label(event, name), _said(name, marks, heads or {}))
    return [*RECORD_COLUMNS[:2], *own.values(), *RECORD_COLUMNS[2:]]


@cache
def _anywhere() -> tuple[list[str], list[str]]:
    """Every kind's columns and orders: an address may still have those of the kind before."""
    columns = [column for kind in LISTED for column in columns_of(kind)]
    names = list(dict.fromkeys(column.name for column in columns))
    ordered = dict.fromkeys(column.name for column in columns if column.is_sorted)
    return names, [sign + name for name in ordered for sign in ("", "-")]


def orders_of(columns: Sequence[Column]) -> dict[str, str]:
    """Each way in which a table may be sorted, with what it is called."""
    return {
        sign + column.name: translated(said) % {"column": translated(column.label)}
        for column in columns if column.is_sorted
        for sign, said in zip(("", "-"), ORDERS[column.name.endswith("_on")], strict=True)
    }


def chosen_wrongly(query: Mapping[str, Any]) -> str | None:
    """What of a query is no choice of the page at this station; ``None`` where all of it is."""
    offered = columns_of(query["kind"])
    profile = station_profile(services().ledger, one_station())
    allowed = {
        "columns": [column.name for column in offered], "sort": list(orders_of(offered)),
        "community": [c.name for c in profile.communities],
        "category": list(code_list("assistance_categories")),
    }
    for name, choices in allowed.items():
        said = query.get(name) or []
        if not set([said] if isinstance(said, str) else said) <= set(choices):
            return name
    return None


def _said(name: str, marks: Mapping[str, Any], heads: Mapping[str, str]) -> Callable[[Any], object]:
    """What a record says in a field of its own, in words."""

    def said(row: Any) -> object:
        value = row.data.get(name)
        items = value if isinstance(value, list) else [value]
        if marks.get(REFERS_TO) == HOUSEHOLDS:
            return heads.get(str(value), value)
        if CODE_LIST in marks:
            labels = Labels(marks[CODE_LIST])
            items = [labels[item] for item in items if isinstance(item, str)]
        if isinstance(value, dict):
            return value.get("value")
        if isinstance(value, int):
            return value
        return "、".join(str(item) for item in items if isinstance(item, str | int)) or None

    return said


# ---- the rows ----


@dataclass(frozen=True, slots=True)
class Listing:
    """Some rows of the register under their columns, and the cursor of the next page."""

    kind: str
    columns: Sequence[Column]
    offered: Sequence[Column]
    rows: Sequence[Any]
    cursor: str | None

    @property
    def kind_label(self) -> str:
        """What people read for what is listed."""
        return KINDS[self.kind].label

    def cells(self, row: Any) -> list[object]:
        """A row's cells."""
        return [column.value(row) for column in self.columns]

    def href_of(self, row: Any) -> tuple[str, dict[str, str]]:
        """The page of a row."""
        if self.kind == HOUSEHOLDS:
            return "pages.household_page", {"household": row.household}
        return "pages.record_page", {"kind": row.kind, "subject": row.id}


def listing(query: Mapping[str, Any], limit: int) -> Listing:
    """A page of what was asked for: as many rows as ``limit``, and one more read."""
    is_households = query["kind"] == HOUSEHOLDS
    rows, key = (_households if is_households else _records)(query, limit)
    heads = {} if is_households else _heads(rows)
    offered = columns_of(query["kind"], heads)
    chosen = query.get("columns") or []
    shown = [column for column in offered if column.name in chosen] or offered
    cursor = make_cursor(key(rows[limit - 1])) if len(rows) > limit else None
    return Listing(query["kind"], shown, offered, rows[:limit], cursor)


Rows = tuple[list[Any], Callable[[Any], tuple[Any, Any]]]


def _households(query: Mapping[str, Any], limit: int) -> Rows:
    station = one_station()
    sort = query["sort"].removeprefix("-")
    sort = sort if sort in SORTS else "file_number"
    with standing_at(moment_of(query), *STATUS) as then:
        rows = households_then(
            then, station, community=query.get("community") or None,
            category=query.get("category") or None, sort=sort,
            is_descending=query["sort"].startswith("-"),
            after=household_cursor(dict(query), sort), limit=limit + 1,
        )
    shown = rows_shown(rows, [stream_id(station, HOUSEHOLDS, row.household) for row in rows])
    return shown, lambda row: (getattr(row, sort), row.household)


def _records(query: Mapping[str, Any], limit: int) -> Rows:
    page = Page(
        query.get("first"), query.get("last"), read_cursor(dict(query), date, int), limit + 1,
        is_newest_first=query["sort"] != "occurred_on",
    )
    community = query.get("community")
    with standing_at(moment_of(query), "timeline") as then:
        rows = records_then(
            then, one_station(), query["kind"], page,
            subject=f"community:{community}" if community else None,
            status=None if query["status"] == "all" else query["status"],
        )
    return rows, lambda row: (row.occurred_on, row.position)


def _heads(rows: Sequence[Any]) -> dict[str, str]:
    """The names of the households that records are about."""
    return heads_of(str(row.data["household"]) for row in rows if row.data.get("household"))


# ---- page and files ----


def _asked() -> dict[str, Any]:
    """What the address asks for; a field that was left empty asks nothing.

    :raises BadAddress: for a column or an order that is of no kind.
    """
    given: dict[str, Any] = {name: value for name, value in request.args.items() if value}
    if "columns" in given:
        parts = request.args.getlist("columns")
        given["columns"] = [name for part in parts for name in part.split(",") if name]
    try:
        loaded: dict[str, Any] = LedgerQuerySchema().load(given)
    except ValidationError as error:
        problem = UnprocessableEntity()
        problem.data = {"messages": {"query": error.messages}}  # type: ignore[attr-defined]
        raise problem from error
    columns, orders = _anywhere()
    asked_choice("sort", orders, "")
    if unknown := next((n for n in loaded.get("columns", ()) if n not in columns), None):
        offered = "、".join(column.name for column in columns_of(loaded["kind"]))
        raise BadAddress(name="columns", got=unknown[:40], wanted=offered)
    return loaded


@pages.route("/ledger")
@action(READ_CASES)
def ledger_page() -> str | BaseResponse:
    """The register as a table, a page at a time; or the view that one keeps."""
    if address := asked_view():
        return redirect(address)
    query = _asked()
    follow(*((query["kind"],) if query["kind"] != HOUSEHOLDS else ()))
    found = listing(query, ROWS)
    profile = station_profile(services().ledger, one_station())
    return render_template(
        "pages/ledger.html", found=found, query=query, kinds=[KINDS[name] for name in LISTED],
        communities=[c.name for c in profile.communities], labels=Labels("assistance_categories"),
        categories=list(code_list("assistance_categories")), address=_address,
        next_url=found.cursor and next_url(found.cursor), orders=orders_of(found.offered),
        sort=query["sort"] or ("file_number" if found.kind == HOUSEHOLDS else "-occurred_on"),
        **views_around(found.kind),
    )


def _address(path: str = "", **changes: str | None) -> str:
    """The address of the same table with something changed, or of its file."""
    kept = {name: request.args.getlist(name) for name in request.args if name != "cursor"}
    asked = kept | {name: [value] for name, value in changes.items() if value is not None}
    gone = {name for name, value in changes.items() if value is None}
    pairs = [(name, v) for name, values in asked.items() if name not in gone for v in values if v]
    return (path or request.path) + (f"?{urlencode(pairs)}" if pairs else "")


@pages.route("/ledger.csv")
@action(READ_CASES)
def ledger_csv() -> Response:
    """The same table as CSV: every row, the same columns and order."""
    found = _exported()
    text = csv_text(_header(found), ([_cell(c) for c in found.cells(row)] for row in found.rows))
    return attachment(text, _file_name(found, "csv"), "text/csv; charset=utf-8")


@pages.route("/ledger.xlsx")
@action(READ_CASES)
def ledger_xlsx() -> Response:
    """The same table for Excel and WPS; numbers of files and phones stay texts."""
    found, target = _exported(), io.BytesIO()
    options = {
        "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
        "strings_to_numbers": False, "default_date_format": "yyyy-mm-dd",
    }
    with xlsxwriter.Workbook(target, options) as book:
        sheet = book.add_worksheet(translated(KINDS[found.kind].label)[:31])
        sheet.write_row(0, 0, _header(found), book.add_format({"bold": True}))
        sheet.freeze_panes(1, 0)
        for number, row in enumerate(found.rows, start=1):
            sheet.write_row(number, 0, [_cell(value) for value in found.cells(row)])
        sheet.autofilter(0, 0, max(len(found.rows), 1), len(found.columns) - 1)
        sheet.autofit()
    return attachment(target.getvalue(), _file_name(found, "xlsx"), XLSX)


def _exported() -> Listing:
    """Every row that the page would show, one page after another; the access log says so."""
    found = listing(_asked() | {"cursor": None}, MOST_EXPORTED)
    refuse_too_many(MOST_EXPORTED + 1 if found.cursor else len(found.rows))
    noted(action=AccessAction.EXPORT)
    return found


def _header(found: Listing) -> list[str]:
    return [translated(column.label) for column in found.columns]


def _cell(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def _file_name(found: Listing, ending: str) -> str:
    return f"{found.kind}-{today()}.{ending}"

