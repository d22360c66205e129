"""Which activities, trainings, supervisions and meetings were held, or are agreed, on which day?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection

from projections.staff_growth import StaffGrowth, StaffGrowthRow, staff_growth_list
from projections.timeline import RecordRow, records_of_kind

RECORDED: Final = ("activity", "meeting")
"""Kinds that are read from their records; the others are ``staff_growth``'s."""
HAPPENING: Final = ("activity", "training_delivered", "training_received", "supervision", "meeting")
MOST: Final = 500
"""So many of a kind are read at once."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something on a day. ``status`` is ``held``, ``scheduled`` or ``cancelled``.

    ``sort`` is the code of the kind of activity, audience, supervision or meeting.
    """

    kind: str
    id: str
    on: date
    until: date | None
    title: str
    sort: str
    status: str
    minutes: int | None = None
    attendance: dict[str, Any] | None = None
    """As it was stated: ``value`` and ``approximation``; nothing where it is not asked for."""
    role: str | None = None


def happenings(
    connection: Connection, station: str, kinds: Sequence[str], first: date, last: date
) -> list[Happening]:
    """What is on some days (both included), of some kinds, the earliest first."""
    found: list[Happening] = []
    for kind in kinds:
        found += _of_kind(connection, station, kind, first, last)
    return sorted(found, key=lambda one: (one.on, HAPPENING.index(one.kind), one.id))


def _of_kind(
    connection: Connection, station: str, kind: str, first: date, last: date
) -> Iterator[Happening]:
    if kind in RECORDED:
        rows = records_of_kind(
            connection, station, kind, first=first, last=last, limit=MOST, is_newest_first=False
        )
        return map(_recorded, rows)
    assert kind in StaffGrowth.kinds
    grown = staff_growth_list(
        connection, station, first=first, last=last, sort=kind, limit=MOST
    )
    return map(_grown, grown)


def _recorded(row: RecordRow) -> Happening:
    said = row.data
    return Happening(
        row.kind, row.id, row.occurred_on, row.occurred_until, said["title"], said["kind"], "held",
        said.get("minutes"), said.get("attendance"), said.get("role"),
    )


def _grown(row: StaffGrowthRow) -> Happening:
    return Happening(
        row.sort, row.id, row.occurred_on, row.occurred_until, row.title, row.kind, row.status,
        row.minutes,
    )
