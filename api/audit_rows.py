"""How is an event given as evidence? Who recorded it, when, from where, and before → after.

The same row for a record's own trail, the audit query, its exports and its page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from marshmallow import Schema, fields
from sqlalchemy import Connection

from api.answers import local_time
from api.reading import Reading
from domain.catalog import to_builtins
from domain.describing import described, differences, statements_in
from domain.kernel import (
    KINDS,
    STATION_TIME,
    Recorded,
    Refused,
    UnknownRecord,
    stream_id,
    stream_kind,
)
from domain.ledger import Ledger
from domain.vocabulary import Role
from projections.audit_trail import ACTION_OF, RECORDED, AuditKey, AuditQuery
from projections.explaining import household_meant, named_at
from projections.lateness import days_late, is_late

ACTION_LABELS: Final = {
    RECORDED: "登记", "corrected": "更正", "voided": "作废", "reinstated": "恢复",
}
CHUNK: Final = 400
"""Events read from the log at once."""


class RecordNotNamed(
    Refused, code="record_not_named", status=400, title="须写明是哪一条记录",
    detail="kind（种类）和 id（编号）须一起填写；种类“{kind}”应为 {choices} 之一。",
):
    """A record is named by its kind and its id."""


class ChangeSchema(Schema):
    """What one field said before and says after, in people's words."""

    field = fields.String()
    label = fields.String()
    before = fields.String(allow_none=True)
    after = fields.String(allow_none=True)


class AuditRowSchema(Schema):
    """One event: who recorded what, when, by which request, and before → after by field."""

    position = fields.Integer(metadata={"description": "台账位置，证明由它引出"})
    kind = fields.String()
    kind_label = fields.String()
    id = fields.String()
    version = fields.Integer()
    entry = fields.Integer(metadata={"description": "所登记或改动的是第几条"})
    topic = fields.String()
    label = fields.String()
    action = fields.String()
    action_label = fields.String()
    occurred = fields.Dict()
    recorded_at = fields.String()
    is_late = fields.Boolean(metadata={"description": "补录：服务的月份结束后才录入"})
    days_late = fields.Integer()
    imported_at = fields.String(allow_none=True)
    actor = fields.String()
    role = fields.String()
    role_label = fields.String()
    request_id = fields.String()
    idempotency_key = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)
    changes = fields.List(fields.Nested(ChangeSchema))
    data = fields.Dict()


def audit_row(event: Recorded, reading: Reading) -> dict[str, Any]:
    """An event as evidence, with its personal texts opened for whoever reads it."""
    held, envelope = statements_in(event.event, event.occurred), event.envelope
    action = ACTION_OF.get(event.event.topic, RECORDED)
    before, after, reason, data = reading.shown(
        (
            described(held.before) if held.before else [],
            described(held.after) if held.after else [],
            getattr(event.event, "reason", None) if action != RECORDED else None,
            to_builtins(event.event),
        ),
        event.stream,
    )
    day = (held.after or held.before or event.statement).occurred.on
    return {
        "position": event.position, "kind": stream_kind(event.stream),
        "kind_label": KINDS[stream_kind(event.stream)].label, "id": event.id,
        "version": event.version,
        "entry": event.version if action == RECORDED else event.event.entry,  # type: ignore[attr-defined]
        "topic": event.event.topic, "label": event.event.label,
        "action": action, "action_label": ACTION_LABELS[action],
        "occurred": to_builtins(event.occurred),
        "recorded_at": local_time(envelope.recorded_at),
        "is_late": is_late(day, envelope.recorded_at),
        "days_late": days_late(day, envelope.recorded_at),
        "imported_at": envelope.imported_at and local_time(envelope.imported_at),
        "actor": envelope.actor, "role": envelope.role, "role_label": role_label(envelope.role),
        "request_id": envelope.request_id, "idempotency_key": envelope.idempotency_key,
        "reason": reason, "data": data,
        "changes": [
            {
                "field": path, "label": (other or one).label,  # type: ignore[union-attr]
                "before": one.text if one else None, "after": other.text if other else None,
            }
            for path, one, other in differences(
                {said.path: said for said in before}, {said.path: said for said in after}
            )
        ],
    }


def role_label(role: str) -> str:
    """What people read for a role; one that is no longer known reads as itself."""
    return Role.of(role).label if role in {r.value for r in Role} else role


def audit_rows(
    ledger: Ledger, keys: Sequence[AuditKey], reading: Reading
) -> list[dict[str, Any]]:
    """The events that were asked for, in that order."""
    rows: list[dict[str, Any]] = []
    for start in range(0, len(keys), CHUNK):
        chunk = [key.position for key in keys[start : start + CHUNK]]
        found = {event.position: event for event in ledger.at(chunk)}
        rows += [audit_row(found[position], reading) for position in chunk]
    return rows


# ---- the question ----


def question(station: str, asked: dict[str, Any]) -> AuditQuery:
    """The audit query that filters by name make, the same for every way to ask.

    :raises RecordNotNamed: where only half of a record is named.
    """
    kind, subject = asked.get("kind"), asked.get("id")
    if (kind is None) != (subject is None) or (kind is not None and kind not in KINDS):
        raise RecordNotNamed(kind=str(kind)[:40], choices="、".join(KINDS))
    first, until = instants(asked.get("first"), asked.get("last"))
    return AuditQuery(
        station=station, about=subjects(asked),
        stream=stream_id(station, kind, str(subject)) if kind else None,
        actor=asked.get("actor"), first=first, until=until, action=asked.get("action"),
    )


def meant(
    connection: Connection, ledger: Ledger, stations: Sequence[str], asked: dict[str, Any]
) -> dict[str, Any]:
    """What is asked, with the household by its id, whether it was named so or by its file's number.

    :raises UnknownRecord: where no station of those has it; "none" would be a false answer.
    """
    if not (named := str(asked.get("household") or "").strip()):
        return asked
    household = household_meant(connection, stations, named)
    if not _is_known(connection, ledger, stations, household):
        raise UnknownRecord(id=named[:120], kind="户")
    return asked | {"household": household}


def _is_known(
    connection: Connection, ledger: Ledger, stations: Sequence[str], household: str
) -> bool:
    """Whether records name it, or its file was begun a moment ago."""
    if named_at(connection, f"household:{household}", stations):
        return True
    return len(stations) == 1 and ledger.stream(stations[0], "household", household) is not None


def subjects(asked: dict[str, Any]) -> tuple[str, ...]:
    """The household and person that a question names."""
    return tuple(f"{name}:{asked[name]}" for name in ("household", "person") if asked.get(name))


def instants(first: date | None, last: date | None) -> tuple[datetime | None, datetime | None]:
    """The instants from which and before which the days between two (both included) are."""
    after = last + timedelta(days=1) if last is not None and last < date.max else None
    return _midnight(first), _midnight(after)


def _midnight(day: date | None) -> datetime | None:
    is_any = day is None or day == date.min  # a zone's midnight of which no calendar has
    return None if is_any else datetime.combine(day, time.min, STATION_TIME)  # type: ignore[arg-type]


# ---- as a table ----

HEADER: Final = (
    "台账位置", "录入时间", "录入人", "角色", "请求编号", "请求键", "导入时间", "种类", "编号",
    "条目", "事件", "动作", "发生日期", "迟录天数", "原因", "字段", "改前", "改后",
)
_COLUMNS: Final[tuple[Callable[[dict[str, Any]], Any], ...]] = (
    lambda r: r["position"], lambda r: r["recorded_at"], lambda r: r["actor"],
    lambda r: r["role_label"], lambda r: r["request_id"], lambda r: r["idempotency_key"],
    lambda r: r["imported_at"], lambda r: r["kind_label"], lambda r: r["id"],
    lambda r: r["entry"], lambda r: r["label"], lambda r: r["action_label"],
    lambda r: r["occurred"]["on"], lambda r: r["days_late"], lambda r: r["reason"],
)


def table(rows: Sequence[dict[str, Any]]) -> list[list[Any]]:
    """Audit rows as a table: a line a field, so that it can be filtered and sorted."""
    return [
        [*(column(row) for column in _COLUMNS), c["label"], c["before"], c["after"]]
        for row in rows
        for c in row["changes"] or [{"label": "", "before": "", "after": ""}]
    ]
