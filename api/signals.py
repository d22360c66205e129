"""What looks odd in what was entered on some days? Signs with their records, for a reviewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from flask import Response
from marshmallow import Schema, fields, validate
from sqlalchemy import Connection

from api.access_log import AccessAction
from api.answers import local_time
from api.audit_rows import instants
from api.bodies import Blueprint
from api.identity import AUDIT, action
from api.messages import coded
from api.paging import PageSchema, page_of, read_cursor, rows_answer
from api.personal import reading
from api.queries import one_station
from api.reading import Reading
from api.services import services
from domain.kernel import KINDS, Refused, stream_kind, stream_subject
from domain.ledger import Ledger
from projections.integrity import Observed, Signal, SignalKind, odd, thresholds_of
from projections.integrity.observing import observed
from workers.settings import Settings

signals = Blueprint("signals", __name__, url_prefix="/api/v1", description="核查")

LONGEST_DAYS: Final = 400
RECORDS_SHOWN: Final = 50
OPENING: Final = frozenset({SignalKind.SAME_TEXT})
"""What compares personal texts, and is looked for only when it is asked for by name."""


class SpanTooLong(
    Refused, code="span_too_long", title="日期范围不合适",
    detail="从 {first} 到 {last} 应为 1 到 {most} 天。",
):
    """A question about too many days, or about none."""


class SignalQuerySchema(PageSchema):
    """Which days of recording, and which signs."""

    first = fields.Date(required=True, data_key="from")
    last = fields.Date(required=True, data_key="to")
    kind = fields.String(
        validate=validate.OneOf(
            [k.value for k in SignalKind],
            error=coded("unknown_choice", f"应为 {'、'.join(SignalKind)}"),
        ),
        metadata={"description": "same_text 须指明才核查：它要打开备注比对，并记入访问记录"},
    )


class SignalSchema(Schema):
    """Something odd, in words, with its records."""

    kind = fields.String()
    label = fields.String()
    on = fields.String()
    who = fields.String()
    text = fields.String()
    record_count = fields.Integer()
    records = fields.List(fields.Dict())


class SignalPageSchema(Schema):
    """A page of signs."""

    items = fields.List(fields.Nested(SignalSchema))
    next_cursor = fields.String(allow_none=True)


def signals_between(
    connection: Connection, ledger: Ledger, settings: Settings, found: Reading, *, station: str,
    first: date, last: date, kind: str | None = None,
) -> list[Signal]:
    """What looks odd in what was entered between two days (both included).

    :raises SpanTooLong: for more days than a year's evaluation needs.
    """
    if not 1 <= (last - first).days + 1 <= LONGEST_DAYS:
        raise SpanTooLong(first=first, last=last, most=LONGEST_DAYS)
    kinds = [SignalKind.of(kind)] if kind else [k for k in SignalKind if k not in OPENING]
    since, until = instants(first, last)
    if since is None or until is None:
        raise SpanTooLong(first=first, last=last, most=LONGEST_DAYS)
    records = observed(connection, ledger, station, since, until)
    if OPENING & set(kinds):
        records = _opened(records, found)
    return odd(records, thresholds_of(settings.thresholds_file), kinds)


def _opened(records: Sequence[Observed], found: Reading) -> list[Observed]:
    """The records with their notes as they were stated; whoever asks has read them."""
    saying = [record for record in records if record.texts]
    found.action = AccessAction.SEARCH
    texts = found.compared([r.texts for r in saying], [r.stream for r in saying])
    return [replace(record, texts=said) for record, said in zip(saying, texts, strict=True)]


def signal_row(signal: Signal) -> dict[str, Any]:
    """A sign as the API and the command line give it."""
    return {
        "kind": signal.kind.value, "label": signal.kind.label, "on": signal.on.isoformat(),
        "who": signal.who, "text": signal.text, "record_count": len(signal.records),
        "records": [_record(record) for record in signal.records[:RECORDS_SHOWN]],
    }


def _record(record: Observed) -> dict[str, Any]:
    kind = stream_kind(record.stream)
    return {
        "kind": kind, "kind_label": KINDS[kind].label, "id": stream_subject(record.stream),
        "entry": record.entry, "position": record.position, "label": record.label,
        "occurred_on": record.occurred_on.isoformat(),
        "recorded_at": local_time(record.recorded_at), "actor": record.actor,
    }


def signal_page(query: dict[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    """A page of signs, and the cursor of the next."""
    services_found, (_text, skipped) = services(), read_cursor(query, str, int) or ("", 0)
    with services_found.read_models.engine.connect() as connection:
        found = signals_between(
            connection, services_found.ledger, services_found.settings, reading(),
            station=one_station(), first=query["first"], last=query["last"],
            kind=query.get("kind"),
        )
    numbered = list(enumerate(found, start=1))[max(skipped, 0) :]
    page, cursor = page_of(numbered[: query["limit"] + 1], query["limit"], lambda n: ("", n[0]))
    return [signal_row(signal) for _number, signal in page], cursor


@signals.route("/integrity-signals")
@action(AUDIT)
@signals.arguments(SignalQuerySchema, location="query")
@signals.response(200, SignalPageSchema)
def list_signals(query: dict[str, Any]) -> Response:
    """可疑之处：补录过晚、评审前夜补录、一天服务量过大等，附相关记录；只作提示，不作结论。"""
    rows, cursor = signal_page(query)
    return rows_answer(rows, cursor)
