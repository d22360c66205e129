"""How are records given in answers? As they stand, as their history, and as rows of lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from marshmallow import Schema, fields

from domain.catalog import to_builtins
from domain.kernel import (
    KINDS,
    STATION_TIME,
    Event,
    Recorded,
    Statement,
    Stream,
    stream_kind,
    stream_subject,
)
from domain.record_keeping import EntryCorrected, EntryReinstated, EntryVoided
from projections.timeline import RecordRow


class RecordedSchema(Schema):
    """The answer to a write."""

    id = fields.String(metadata={"description": "记录的编号"})
    version = fields.Integer(metadata={"description": "版本，同时在 ETag 中"})
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
    is_voided = fields.Boolean()
    corrected_times = fields.Integer()


class RecordSchema(Schema):
    """A record as it stands."""

    id = fields.String()
    kind = fields.String()
    version = fields.Integer()
    entries = fields.List(fields.Nested(EntrySchema))


class AuditEntrySchema(Schema):
    """One event of a record: who recorded what, when, by which request."""

    version = fields.Integer()
    position = fields.Integer()
    topic = fields.String()
    label = fields.String()
    occurred = fields.Dict()
    recorded_at = fields.String()
    imported_at = fields.String(allow_none=True)
    actor = fields.String()
    role = fields.String()
    request_id = fields.String()
    data = fields.Dict()
    changes = fields.List(fields.Dict())


def stream_data(stream: Stream[Any]) -> dict[str, Any]:
    """A record as it stands."""
    return {
        "id": stream_subject(stream.id), "kind": stream_kind(stream.id),
        "version": stream.version,
        "entries": [
            {
                "version": entry.version, "topic": entry.statement.event.topic,
                "label": entry.statement.event.label,
                "occurred": to_builtins(entry.statement.occurred),
                "data": to_builtins(entry.statement.event),
                "recorded_at": local_time(entry.recorded_at), "actor": entry.actor,
                "is_voided": entry.is_voided, "corrected_times": entry.corrected_times,
            }
            for entry in stream.entries.values()
        ],
    }


def audit_entry(event: Recorded) -> dict[str, Any]:
    """One event of a record's history, with before → after where it keeps a record."""
    envelope = event.envelope
    return {
        "version": event.version, "position": event.position, "topic": event.event.topic,
        "label": event.event.label, "occurred": to_builtins(event.occurred),
        "recorded_at": local_time(envelope.recorded_at),
        "imported_at": envelope.imported_at and local_time(envelope.imported_at),
        "actor": envelope.actor, "role": envelope.role, "request_id": envelope.request_id,
        "data": to_builtins(event.event), "changes": _changes(event.event),
    }


def _changes(event: Event) -> list[dict[str, Any]]:
    """Before → after by field, for what keeps records."""
    match event:
        case EntryCorrected():
            before, after = _said(event.before), _said(event.after)
        case EntryVoided():
            before, after = _said(event.voided), {}
        case EntryReinstated():
            before, after = {}, _said(event.reinstated)
        case _:
            return []
    return [
        {"field": name, "before": before.get(name), "after": after.get(name)}
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _said(statement: Statement) -> dict[str, Any]:
    fields_said: dict[str, Any] = to_builtins(statement.event)
    return fields_said | {"occurred_on": statement.occurred.on.isoformat()}


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
        "actor": row.actor, "status": row.status, "corrected_times": row.corrected_times,
        "data": row.data,
    }
