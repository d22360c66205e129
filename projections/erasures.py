"""Whose information is to be erased or locked, who agreed, and what is still to be done?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Connection, Index, String, Table, Text, select

from domain.erasure import Erasure, ErasureStatus
from domain.kernel import Stream, stream_station, stream_subject
from projections.columns import UtcDateTime
from projections.kernel import FoldProjection, Rows, metadata

erasures: Final = Table(
    "erasures",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("erasure", Text, nullable=False),
    Column("household", Text),
    Column("person", Text),
    Column("volunteer", Text),
    Column("ground", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", UtcDateTime, nullable=False),
    Column("last_by", Text, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Index("ix_erasures_status", "station", "status"),
)
TO_CARRY_OUT: Final = (ErasureStatus.APPROVED, ErasureStatus.LOCKED, ErasureStatus.UNLOCKED)
"""The states after which keys are not as they were."""


class Erasures(FoldProjection):
    """One row an erasure."""

    name = "erasures"
    label = "个人信息删除"
    kinds = ("erasure",)
    tables = (erasures,)

    def rows(self, stream: Stream[Any]) -> Rows:
        """The erasure as its steps leave it."""
        state: Erasure = stream.state
        steps = list(stream.active())
        if state.proposal is None:
            return
        yield erasures, {
            "stream": stream.id, "station": stream_station(stream.id),
            "erasure": stream_subject(stream.id), "household": state.proposal.household,
            "person": state.proposal.person, "volunteer": state.proposal.volunteer,
            "ground": state.proposal.ground.value, "status": state.status.value,
            "proposed_by": state.proposed_by, "proposed_at": steps[0].recorded_at,
            "last_by": steps[-1].actor, "last_at": steps[-1].recorded_at,
        }


@dataclass(frozen=True, slots=True)
class ErasureRow:
    """An erasure as lists show it; ``last_by`` recorded its latest step."""

    stream: str
    erasure: str
    household: str | None
    person: str | None
    volunteer: str | None
    ground: str
    status: str
    proposed_by: str
    proposed_at: datetime
    last_by: str
    last_at: datetime


def erasure_list(
    connection: Connection, station: str | None, *, statuses: Sequence[str] = (),
    after: tuple[datetime, str] | None = None, limit: int = 1_000_000,
) -> list[ErasureRow]:
    """The erasures of a station (or of all), those that moved last last, a page at a time."""
    last_at, identity = erasures.c.last_at, erasures.c.erasure
    query = select(*(erasures.c[n] for n in ErasureRow.__dataclass_fields__))
    if station is not None:
        query = query.where(erasures.c.station == station)
    if statuses:
        query = query.where(erasures.c.status.in_(statuses))
    if after is not None:
        query = query.where(
            (last_at > after[0]) | ((last_at == after[0]) & (identity > after[1]))
        )
    rows = connection.execute(query.order_by(last_at, identity).limit(limit))
    return [ErasureRow(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
