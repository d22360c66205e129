"""How are records given in answers? As they stand, as their history, and as rows of lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from marshmallow import Schema, fields

from domain.catalog import to_builtins
from domain.kernel import (
    KINDS,
    STATION_TIME,
    Entry,
    Recorded,
    UnknownRecord,
    stream_kind,
    stream_subject,
)
from domain.ledger import Receipt
from domain.record_keeping import fold
from projections.lateness import days_late, is_late
from projections.moments import Moment, as_of, known_at_text, position_of
from projections.timeline import RecordRow


class RecordedSchema(Schema):
    """The answer to a write."""

    id = fields.String(metadata={"description": "记录的编号"})
    version = fields.Integer(
        metadata={"description": "版本，同时在 ETag 中；读取时的 ETag 还有内容的摘要"}
    )
    position = fields.Integer(
        metadata={"description": "台账位置；查询时用 at_least 读到自己的写入"}
    )
    recorded_at = fields.String()
    topic = fields.String()
    label = fields.String()
    occurred = fields.Dict()
    data = fields.Dict()
    warnings = fields.List(fields.Dict())


class EntrySchema(Schema):
    """An entry of a record as it stands."""

    version = fields.Integer()
    topic = fields.String()
    label = fields.String()
    occurred = fields.Dict()
    data = fields.Dict()
    recorded_at = fields.String()
    actor = fields.String()
    is_late = fields.Boolean(metadata={"description": "补录：服务当月结束后才录入"})
    days_late = fields.Integer()
    is_imported = fields.Boolean()
    is_voided = fields.Boolean()
    corrected_times = fields.Integer()


class RecordSchema(Schema):
    """A record as it stands, or stood."""

    as_of = fields.String(allow_none=True)
    known_at = fields.Raw(allow_none=True)
    position = fields.Integer()
    id = fields.String()
    kind = fields.String()
    version = fields.Integer()
    entries = fields.List(fields.Nested(EntrySchema))


def record_data(history: Sequence[Recorded], moment: Moment) -> dict[str, Any]:
    """A record as its history leaves it, as of a day.

    ``position`` is that of the newest event read: asked again with it, the same is answered.

    :raises UnknownRecord: where nothing of it had occurred by then.
    """
    name = history[0].stream
    whole = fold(KINDS[stream_kind(name)], None, history)
    assert whole is not None
    stream = as_of(whole, moment.as_of)
    if not stream.entries:
        raise UnknownRecord(id=stream_subject(name), kind=KINDS[stream_kind(name)].label)
    first = {event.version: event for event in history}
    position = position_of(moment.known_at)
    return {
        **stated(moment, history[-1].position if position is None else position),
        "id": stream_subject(name), "kind": stream_kind(name), "version": stream.version,
        "entries": [_entry(entry, first[entry.version]) for entry in stream.entries.values()],
    }


def _entry(entry: Entry, first: Recorded) -> dict[str, Any]:
    """An entry as it stands, with how late it was first recorded."""
    said, recorded_at = entry.statement, entry.recorded_at
    return {
        "version": entry.version, "topic": said.event.topic, "label": said.event.label,
        "occurred": to_builtins(said.occurred), "data": to_builtins(said.event),
        "recorded_at": local_time(recorded_at), "actor": entry.actor,
        "is_late": is_late(said.occurred.on, recorded_at),
        "days_late": days_late(said.occurred.on, recorded_at),
        "is_imported": first.envelope.imported_at is not None,
        "is_voided": entry.is_voided, "corrected_times": entry.corrected_times,
    }


def stated(moment: Moment, position: int) -> dict[str, Any]:
    """The moment that an answer is about, and up to where the log was read for it."""
    return {
        "as_of": moment.as_of and moment.as_of.isoformat(),
        "known_at": known_at_text(moment.known_at), "position": position,
    }


def flat(row: Any) -> dict[str, Any]:
    """A row of a list as plain data; ``asdict`` would copy each of its values."""
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


def local_time(instant: datetime) -> str:
    """RFC 3339 in the station's time."""
    return instant.astimezone(STATION_TIME).isoformat()


def record_row(row: RecordRow) -> dict[str, Any]:
    """A record as lists and timelines give it."""
    return {
        "id": row.id, "kind": row.kind, "kind_label": KINDS[row.kind].label,
        "entry": row.entry, "topic": row.topic, "label": row.label, "position": row.position,
        "occurred_on": row.occurred_on.isoformat(),
        "occurred_until": row.occurred_until and row.occurred_until.isoformat(),
        "recorded_at": local_time(row.recorded_at), "days_late": row.days_late,
        "is_late": row.is_late, "is_imported": row.is_imported,
        "actor": row.actor, "status": row.status, "corrected_times": row.corrected_times,
        "data": row.data,
    }


def receipt_data(receipt: Receipt) -> dict[str, Any]:
    """What was recorded, as it is told back."""
    recorded = receipt.recorded
    return {
        "id": recorded.id, "version": receipt.version, "position": receipt.position,
        "recorded_at": local_time(recorded.envelope.recorded_at),
        "topic": recorded.event.topic, "label": recorded.event.label,
        "occurred": to_builtins(recorded.occurred), "data": to_builtins(recorded.event),
    }
