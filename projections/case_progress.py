"""How far is each case: where it stands, how often somebody met, how it ended?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Date,
    Index,
    Integer,
    String,
    Table,
    Text,
    func,
    select,
)

from domain.case import STAGE_OF, CaseClosed, CaseFollowedUp, CaseIntaken, CaseReopened, Stage
from domain.case import CaseSessionHeld as Session
from projections.kernel import metadata
from projections.stepwise import StepwiseProjection

case_progress: Final = Table(
    "case_progress",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("case", Text, nullable=False),
    Column("household", Text, nullable=False),
    Column("worker", Text, nullable=False),
    Column("number", Text),
    Column("community", Text),
    Column("stage", String(16), nullable=False),
    Column("is_open", Integer, nullable=False),
    Column("opened_on", Date, nullable=False),
    Column("closed_on", Date),
    Column("days", Integer),
    Column("reason", Text),
    Column("followed_up_on", Date),
    Column("sessions", Integer, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("last_session_on", Date),
    Index("ix_case_progress", "station", "is_open", "opened_on"),
)
"""``days`` from opening to closing; ``is_open`` 1 or 0; ``minutes`` of the sessions that say so."""


_NOT_CLOSED: Final = {
    "is_open": 1, "closed_on": None, "days": None, "reason": None, "followed_up_on": None,
}


class CaseProgress(StepwiseProjection):
    """One row a case."""

    name = "case_progress"
    label = "个案进展"
    kinds = ("case",)
    tables = (case_progress,)

    def step(self, event: Any, on: date, row: dict[str, Any]) -> dict[str, Any]:
        """What a step of a case changes in its row."""
        stage = STAGE_OF.get(type(event))
        said: dict[str, Any] = {"stage": stage.value} if stage is not None else {}
        match event:
            case CaseIntaken():
                return said | _NOT_CLOSED | {
                    "household": event.household, "worker": event.worker, "number": event.number,
                    "community": event.community, "opened_on": on, "sessions": 0, "minutes": 0,
                    "last_session_on": None,
                }
            case Session():
                return said | {
                    "sessions": row["sessions"] + 1,
                    "minutes": row["minutes"] + (event.minutes or 0),
                    "last_session_on": max(row["last_session_on"] or on, on),
                }
            case CaseClosed():
                days = max((on - row["opened_on"]).days, 0)
                return said | {"is_open": 0, "closed_on": on, "days": days, "reason": event.reason}
            case CaseReopened():
                return said | _NOT_CLOSED | {"opened_on": on}
            case CaseFollowedUp():
                return {"followed_up_on": on}
            case _:
                return said


# ---- questions ----


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as lists show it."""

    case: str
    household: str
    worker: str
    number: str | None
    community: str | None
    stage: str
    opened_on: date
    closed_on: date | None
    days: int | None
    reason: str | None
    followed_up_on: date | None
    sessions: int
    minutes: int
    last_session_on: date | None

    def days_so_far(self, today: date) -> int:
        """How long it took, or has taken up to today."""
        return self.days if self.days is not None else max((today - self.opened_on).days, 0)

    @property
    def stage_label(self) -> str:
        """Where it stands, for people."""
        return Stage.of(self.stage).label


@dataclass(frozen=True, slots=True)
class CaseTotals:
    """How many cases run and ended, how many of those with goals met, in how many days."""

    running: int
    closed: int
    goals_met: int
    mean_days: int | None


def case_list(
    connection: Connection, station: str, *, is_open: bool | None = None,
    worker: str | None = None, after: tuple[date, str] | None = None, limit: int = 50,
) -> list[CaseRow]:
    """The station's cases, those opened last first, a page at a time."""
    return CaseProgress.newest(
        connection, CaseRow, station, *_whose(worker), is_open=is_open, after=after, limit=limit,
    )


def case_row(connection: Connection, station: str, case: str) -> CaseRow | None:
    """One case."""
    return CaseProgress.one(connection, CaseRow, station, case)


def case_totals(connection: Connection, station: str, *, worker: str | None = None) -> CaseTotals:
    """The cases of a station, or of a worker, in figures."""
    own = case_progress.c
    query = select(
        func.coalesce(func.sum(own.is_open), 0), func.count(own.closed_on),
        func.count().filter(own.reason == "goals_met"), func.avg(own.days),
    ).where(own.station == station, *_whose(worker))
    running, closed, met, days = connection.execute(query).one()
    return CaseTotals(int(running), closed, met, None if days is None else round(days))


def case_workers(connection: Connection, station: str) -> list[str]:
    """Who has, or had, a case."""
    own = case_progress.c
    query = select(own.worker).where(own.station == station).distinct().order_by(own.worker)
    return list(connection.execute(query.limit(MOST_WORKERS)).scalars())


MOST_WORKERS: Final = 200


def _whose(worker: str | None) -> list[ColumnElement[bool]]:
    return [case_progress.c.worker == worker] if worker else []
