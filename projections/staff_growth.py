"""Which trainings and supervisions did the station give, receive, plan or cancel?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import msgspec
from sqlalchemy import Column, Connection, Date, Index, Integer, String, Table, Text, select

from domain.kernel import Stream, stream_kind, stream_station, stream_subject
from domain.supervision import SupervisionCancelled, SupervisionReceived, SupervisionScheduled
from domain.training import TrainingDelivered, TrainingReceived
from projections.kernel import FoldProjection, Rows, metadata

staff_growth: Final = Table(
    "staff_growth",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("id", Text, nullable=False),
    Column("sort", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("occurred_on", Date, nullable=False),
    Column("occurred_until", Date),
    Column("title", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("minutes", Integer),
    Column("participants", Text, nullable=False),
    Column("summary", Text),
    Index("ix_staff_growth", "station", "occurred_on"),
)
"""``sort`` is ``training_delivered``, ``training_received`` or ``supervision``; ``status``
is ``held``, ``scheduled`` or ``cancelled``; ``title`` of a supervision its supervisor."""


class StaffGrowth(FoldProjection):
    """One row a training or supervision, as it stands."""

    name = "staff_growth"
    label = "培训与督导"
    kinds = ("training_delivered", "training_received", "supervision")
    tables = (staff_growth,)

    def rows(self, stream: Stream[Any]) -> Rows:
        """The training or supervision after its latest step; none where it was voided."""
        row: dict[str, Any] = {}
        for entry in stream.active():
            occurred = entry.statement.occurred
            days = {"occurred_on": occurred.on, "occurred_until": occurred.until}
            row |= _said(entry.statement.event, days)
        if row:
            yield staff_growth, {"minutes": None, "summary": None, "occurred_until": None} | row | {
                "stream": stream.id, "station": stream_station(stream.id),
                "id": stream_subject(stream.id), "sort": stream_kind(stream.id),
            }


def _said(event: object, days: dict[str, Any]) -> dict[str, Any]:
    match event:
        case TrainingDelivered():
            return days | {
                "status": "held", "title": event.title, "kind": event.audience,
                "mode": event.mode, "minutes": event.minutes,
                "participants": _names(event.workers), "summary": event.summary,
            }
        case TrainingReceived():
            return days | {
                "status": "held", "title": event.title, "kind": "", "mode": event.mode,
                "minutes": event.minutes, "participants": _names(event.participants),
                "summary": event.summary,
            }
        case SupervisionScheduled():
            return {
                "status": "scheduled", "title": event.supervisor, "kind": event.kind,
                "mode": event.mode, "occurred_on": event.planned_on, "participants": _names(()),
            }
        case SupervisionReceived():
            return days | {
                "status": "held", "title": event.supervisor, "kind": event.kind,
                "mode": event.mode, "minutes": event.minutes,
                "participants": _names(event.participants), "summary": event.advice,
            }
        case SupervisionCancelled():
            return {"status": "cancelled", "summary": event.because}
        case _:
            raise TypeError(event)


def _names(names: tuple[str, ...]) -> str:
    return msgspec.json.encode(names).decode()


@dataclass(frozen=True, slots=True)
class StaffGrowthRow:
    """A training or supervision as lists show it."""

    id: str
    sort: str
    status: str
    occurred_on: date
    occurred_until: date | None
    title: str
    kind: str
    mode: str
    minutes: int | None
    participants: tuple[str, ...]
    summary: str | None


def staff_growth_list(
    connection: Connection, station: str, *, first: date, last: date,
    sort: str | None = None, status: str | None = None, limit: int = 500,
) -> list[StaffGrowthRow]:
    """The trainings and supervisions between two days (both included), oldest first."""
    query = select(*(staff_growth.c[n] for n in StaffGrowthRow.__dataclass_fields__)).where(
        staff_growth.c.station == station, staff_growth.c.occurred_on.between(first, last)
    )
    if sort is not None:
        query = query.where(staff_growth.c.sort == sort)
    if status is not None:
        query = query.where(staff_growth.c.status == status)
    rows = connection.execute(
        query.order_by(staff_growth.c.occurred_on, staff_growth.c.id).limit(limit)
    )
    return [
        StaffGrowthRow(
            **{**row._mapping, "participants": tuple(msgspec.json.decode(row.participants))}  # noqa: SLF001 - SQLAlchemy's public name
        )
        for row in rows
    ]
