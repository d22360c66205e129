"""Who has read whose file? Questions to the access log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection, select, tuple_

from api.access_index import EVERYBODY
from api.access_log import access_subjects, accesses


@dataclass(frozen=True, slots=True)
class AccessQuery:
    """Which calls are asked for; what is ``None`` does not matter."""

    station: str | None
    subjects: tuple[str, ...] = ()
    """Subjects that all must be among those a call was about."""
    actor: str | None = None
    first: datetime | None = None
    until: datetime | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class AccessRow:
    """A call as the log has it. ``subjects`` is empty where it was about very many."""

    id: int
    at: datetime
    actor: str
    role: str
    station: str
    request_id: str
    action: str
    route: str
    subjects: tuple[str, ...]
    subject_count: int
    is_whole_station: bool


def accesses_of(
    connection: Connection, asked: AccessQuery, *, after: tuple[datetime, int] | None = None,
    limit: int = 50,
) -> list[AccessRow]:
    """The calls asked for, newest first; a call about a whole station is about each subject."""
    row = accesses.c
    query = select(accesses).order_by(row.at.desc(), row.id.desc()).limit(limit)
    if asked.station is not None:
        query = query.where(row.station == asked.station)
    for subject in asked.subjects:
        about = access_subjects.c.subject.in_([subject, EVERYBODY])
        named = select(access_subjects.c.call).where(about)
        if asked.station is not None:
            named = named.where(access_subjects.c.station == asked.station)
        query = query.where(row.id.in_(named))
    for column, value in ((row.actor, asked.actor), (row.action, asked.action)):
        if value is not None:
            query = query.where(column == value)
    if asked.first is not None:
        query = query.where(row.at >= asked.first)
    if asked.until is not None:
        query = query.where(row.at < asked.until)
    if after is not None:
        query = query.where(tuple_(row.at, row.id) < tuple_(*after))
    return [
        AccessRow(**{**found._mapping, "subjects": tuple(msgspec.json.decode(found.subjects))})  # noqa: SLF001 - SQLAlchemy's public name
        for found in connection.execute(query)
    ]
