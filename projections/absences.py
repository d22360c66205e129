"""Whose absence began or ended between two moments of knowing?

An absence is no sum of its own postings: a contact that was recorded later ends it. What
lies between two figures is what was posted of those who are absent at one moment only.
"""

from __future__ import annotations

from sqlalchemy import Connection

from projections.aliases import aliases_at, roots
from projections.counting import Sought, absent, parameters
from projections.knowing import KnownBy
from projections.moments import KnownAt
from projections.periods import Period


def absentees(
    connection: Connection, station: str, row: Sought, cut: Period, known_at: KnownAt | None
) -> set[str]:
    """The entities that an absence counts, as known at a moment."""
    moment = KnownBy.of(known_at)
    found = roots(moment) if aliases_at(connection, station, known_at).into else None
    values = parameters(station, cut, known_at, (row,))
    return set(connection.scalars(absent(row, moment, found), values))


def turned(
    connection: Connection, station: str, row: Sought, cut: Period, *, since: KnownAt,
    until: KnownAt | None,
) -> set[str] | None:
    """The entities that are absent at one moment and not at the other.

    ``None`` of what counts no absence.
    """
    if row.absent is None:
        return None
    before, after = (
        absentees(connection, station, row, cut, known_at) for known_at in (since, until)
    )
    return before ^ after
