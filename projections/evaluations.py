"""Which annual evaluations were run, by whom, and what did they come to?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    Index,
    Integer,
    String,
    Table,
    Text,
    select,
    tuple_,
)

from domain.kernel import Stream, stream_station, stream_subject
from projections.columns import UtcDateTime
from projections.kernel import FoldProjection, Rows, metadata

evaluations: Final = Table(
    "evaluations",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("station", String(64), nullable=False),
    Column("cycle", Text, nullable=False),
    Column("as_of", Date, nullable=False),
    Column("known_at", Text),
    Column("position", BigInteger, nullable=False),
    Column("task_book", Text),
    Column("weight", Integer, nullable=False),
    Column("judged_weight", Integer, nullable=False),
    Column("points", Text, nullable=False),
    Column("late", Integer, nullable=False),
    Column("signals", Integer, nullable=False),
    Column("differing", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("code", String(64), nullable=False),
    Column("run_at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Index("ix_evaluations_station", "station", "run_at"),
)
"""``points`` is a decimal as text: both databases then keep every digit."""


class Evaluations(FoldProjection):
    """One row a run."""

    name = "evaluations"
    label = "年度评估"
    kinds = ("evaluation",)
    tables = (evaluations,)

    def rows(self, stream: Stream[Any]) -> Rows:
        """The run that the stream is."""
        for entry in stream.active():
            event: Any = entry.statement.event
            yield evaluations, {
                "stream": stream.id, "id": stream_subject(stream.id),
                "station": stream_station(stream.id), "cycle": event.cycle, "as_of": event.as_of,
                "known_at": event.known_at, "position": event.position,
                "task_book": event.task_book, "weight": sum(h.weight for h in event.heads),
                "judged_weight": sum(h.judged_weight for h in event.heads),
                "points": str(sum(h.points for h in event.heads)), "late": event.late,
                "signals": event.signals, "differing": event.differing,
                "changed": len(event.changed), "code": event.code,
                "run_at": entry.recorded_at, "actor": entry.actor,
            }


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """A run in a list."""

    id: str
    station: str
    cycle: str
    as_of: date
    known_at: str | None
    position: int
    task_book: str | None
    weight: int
    judged_weight: int
    points: str
    late: int
    signals: int
    differing: int
    changed: int
    code: str
    run_at: datetime
    actor: str


def evaluations_of(
    connection: Connection, station: str, cycle: str | None = None, *,
    after: tuple[datetime, str] | None = None, limit: int = 100,
) -> list[EvaluationRow]:
    """A station's runs, the newest first, a page at a time: ``after`` is a run's time and id."""
    columns = (evaluations.c[name] for name in EvaluationRow.__dataclass_fields__)
    query = select(*columns).where(evaluations.c.station == station)
    if cycle is not None:
        query = query.where(evaluations.c.cycle == cycle)
    if after is not None:
        query = query.where(tuple_(evaluations.c.run_at, evaluations.c.id) < tuple_(*after))
    order = evaluations.c.run_at.desc(), evaluations.c.id.desc()
    rows = connection.execute(query.order_by(*order).limit(limit))
    return [EvaluationRow(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
