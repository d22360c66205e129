"""Which household is meant by an id, or by the number of its file, as people know it?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select

from domain.kernel import Refused
from projections.household_status import households
from projections.timeline import record_subjects

HOUSEHOLD: Final = "household/"
"""Before what is meant as a household's id."""
MOST_NAMES: Final = 500
"""How many streams or stations one statement asks for."""
MOST_OF_NUMBER: Final = 5
"""How many households of one file number are named."""


class AmbiguousFileNumber(
    Refused, code="ambiguous_file_number", status=409, title="档案号不止一户",
    detail="档案号 {number} 有几户：{ids}。请写编号。",
):
    """A file number that several households were given."""


class AmbiguousHousehold(
    Refused, code="ambiguous_household", status=409, title="编号与档案号是两户",
    detail="“{named}”既是一户的编号，也是另一户 {ids} 的档案号。请写另一户的编号，"
    "或写 household/{named} 指编号。",
):
    """What is the id of one household and the file number of another."""


def household_meant(connection: Connection, stations: Sequence[str], named: str) -> str:
    """The household of an id, or else the one that has a file number; not whether there is one.

    ``household/ID`` means an id in any case.

    :raises AmbiguousHousehold: where one has it for its id, and another for its file number.
    :raises AmbiguousFileNumber: where several have the file number.
    """
    if (only := named.removeprefix(HOUSEHOLD)) != named:
        return only
    found = _of_file_number(connection, stations, named)
    if found and named_at(connection, f"household:{named}", stations):
        raise AmbiguousHousehold(named=named, ids="、".join(found))
    if len(found) > 1:
        raise AmbiguousFileNumber(number=named, ids="、".join(found))
    return found[0] if found else named


def _of_file_number(connection: Connection, stations: Sequence[str], number: str) -> list[str]:
    """The households of some stations that have a file number, which is not their id."""
    found: list[str] = []
    for start in range(0, len(stations), MOST_NAMES):
        query = select(households.c.household).where(
            households.c.station.in_(stations[start : start + MOST_NAMES]),
            households.c.file_number == number, households.c.household != number,
        )
        found += connection.execute(query.limit(MOST_OF_NUMBER)).scalars()
    return sorted(found)[:MOST_OF_NUMBER]


def named_at(connection: Connection, subject: str, stations: Sequence[str]) -> list[str]:
    """The stations of some whose records name a subject (``household:…``)."""
    found: list[str] = []
    for start in range(0, len(stations), MOST_NAMES):
        chosen = stations[start : start + MOST_NAMES]
        query = select(record_subjects.c.station).where(
            record_subjects.c.station.in_(chosen), record_subjects.c.subject == subject
        )
        found += connection.execute(query.distinct()).scalars()
    return sorted(found)
