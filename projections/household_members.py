"""Who belongs to a household, over all its files, and whom do several units cover?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Column, ColumnElement, Connection, Index, String, Table, Text, select

from projections.aliases import Aliases
from projections.kernel import metadata

household_members: Final = Table(
    "household_members",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("household", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("relation", Text, nullable=False),
    Column("category", Text),
    Column("unit", Text),
    Index("ix_household_members_person", "station", "person"),
    Index("ix_household_members_household", "station", "household"),
)
"""Filled by ``household_status.py`` from each household's own stream."""


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A current member of a household; ``category`` where a unit covers the person.

    ``household`` is the file that lists the person, ``merged`` other ids of the same person.
    """

    person: str
    name: str
    relation: str
    category: str | None
    unit: str | None
    household: str
    merged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CoveredTwice:
    """A person whom several units cover: a sum counts each until one is corrected."""

    person: str
    units: tuple[tuple[str, str, str], ...]
    """Household, unit and category of each."""


def members_of(
    connection: Connection, station: str, files: Sequence[str], found: Aliases
) -> tuple[MemberRow, ...]:
    """Everybody whom some files list, each person once."""
    return once_each(listed_in(connection, station, files), files, found)


def listed_in(connection: Connection, station: str, files: Sequence[str]) -> list[MemberRow]:
    """Everybody whom some files list, each as often as he or she is listed."""
    return _rows(connection, station, household_members.c.household.in_(files))


def _rows(
    connection: Connection, station: str, which: ColumnElement[bool]
) -> list[MemberRow]:
    names = [n for n in MemberRow.__dataclass_fields__ if n in household_members.c]
    rows = connection.execute(
        select(*(household_members.c[n] for n in names))
        .where(household_members.c.station == station, which)
        .order_by(household_members.c.person)
    )
    return [MemberRow(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


def members_named(
    connection: Connection, station: str, persons: Collection[str]
) -> list[MemberRow]:
    """Some persons, as each file that lists them names them."""
    member = household_members.c
    return _rows(connection, station, member.person.in_(persons))


def households_listing(
    connection: Connection, station: str, persons: Collection[str]
) -> list[tuple[str, str]]:
    """The households that list some persons now: (person, household)."""
    query = (
        select(household_members.c.person, household_members.c.household)
        .where(household_members.c.station == station)
        .where(household_members.c.person.in_(persons))
        .order_by(household_members.c.person, household_members.c.household)
    )
    return [(person, household) for person, household in connection.execute(query)]


def once_each(
    listed: Sequence[MemberRow], files: Sequence[str], found: Aliases
) -> tuple[MemberRow, ...]:
    """Each person once: as the survivor's file has it, under the id that survives."""
    by_person: dict[str, list[MemberRow]] = {}
    for row in listed:
        by_person.setdefault(found.root("person", row.person), []).append(row)
    members = []
    for person, rows in by_person.items():
        rows.sort(key=lambda row: (files.index(row.household), row.person != person, row.person))
        others = sorted({row.person for row in rows} - {rows[0].person})
        members.append(replace(rows[0], merged=tuple(others)))
    return tuple(sorted(members, key=lambda row: (files.index(row.household), row.person)))


def covered_twice(listed: Sequence[MemberRow], found: Aliases) -> tuple[CoveredTwice, ...]:
    """The persons whom units of several files, or of several ids, cover at once."""
    units: dict[str, list[tuple[str, str, str]]] = {}
    for row in listed:
        if row.unit is not None:
            of_person = units.setdefault(found.root("person", row.person), [])
            of_person.append((row.household, row.unit, row.category or ""))
    return tuple(
        CoveredTwice(person, tuple(dict.fromkeys(of_person)))
        for person, of_person in sorted(units.items())
        if len(of_person) > 1
    )
