"""How far is each group: how many sessions were held, and who came?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Date,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from domain.group import GroupClosed, GroupOpened, GroupSessionHeld
from projections.kernel import metadata
from projections.stepwise import StepwiseProjection

group_progress: Final = Table(
    "group_progress",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("group", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("community", Text),
    Column("opened_on", Date, nullable=False),
    Column("closed_on", Date),
    Column("is_open", Integer, nullable=False),
    Column("planned_sessions", Integer),
    Column("sessions", Integer, nullable=False),
    Column("attendance", Integer, nullable=False),
    Column("unstated", Integer, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("last_session_on", Date),
    Index("ix_group_progress", "station", "is_open", "opened_on"),
)
"""``attendance`` sums what was stated (人次); ``unstated`` counts the sessions that state none."""


class GroupProgress(StepwiseProjection):
    """One row a group."""

    name = "group_progress"
    label = "小组进展"
    kinds = ("group",)
    tables = (group_progress,)

    def step(self, event: Any, on: date, row: dict[str, Any]) -> dict[str, Any]:
        """What a step of a group changes in its row."""
        match event:
            case GroupOpened():
                return {
                    "title": event.title, "audience": event.audience, "community": event.community,
                    "planned_sessions": event.planned_sessions, "opened_on": on, "closed_on": None,
                    "is_open": 1, "sessions": 0, "attendance": 0, "unstated": 0, "minutes": 0,
                    "last_session_on": None,
                }
            case GroupSessionHeld():
                came = event.attendance.value
                return {
                    "sessions": row["sessions"] + 1, "attendance": row["attendance"] + (came or 0),
                    "unstated": row["unstated"] + (came is None),
                    "minutes": row["minutes"] + (event.minutes or 0),
                    "last_session_on": max(row["last_session_on"] or on, on),
                }
            case GroupClosed():
                return {"closed_on": on, "is_open": 0}
            case _:
                raise TypeError(event)


# ---- questions ----


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group as lists show it."""

    group: str
    title: str
    audience: str
    community: str | None
    opened_on: date
    closed_on: date | None
    planned_sessions: int | None
    sessions: int
    attendance: int
    unstated: int
    minutes: int
    last_session_on: date | None


def group_list(
    connection: Connection, station: str, *, is_open: bool | None = None,
    after: tuple[date, str] | None = None, limit: int = 50,
) -> list[GroupRow]:
    """The station's groups, those opened last first, a page at a time."""
    return GroupProgress.newest(
        connection, GroupRow, station, is_open=is_open, after=after, limit=limit,
    )


def group_row(connection: Connection, station: str, group: str) -> GroupRow | None:
    """One group."""
    return GroupProgress.one(connection, GroupRow, station, group)
