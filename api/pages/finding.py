"""Which households or volunteers did somebody mean by what he typed?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from api.name_index import NamesNotReady, TooManyNames
from api.personal import noted, rows_shown
from api.queries import one_station
from api.searching import MOST_FOUND, PART, Found, asked
from api.services import services
from domain.kernel import stream_id
from projections.aliases import aliases_at
from projections.household_members import members_named
from projections.household_status import HouseholdRow, household_list, households_numbered

HOUSEHOLD, VOLUNTEER = "household", "volunteer"
MOST_NAME: Final = 50


@dataclass(frozen=True, slots=True)
class Sought:
    """Who was found, the surest first: households under the ids that survive, or volunteers.

    ``persons`` are those of each household who were found. Not ``is_complete`` where there are
    more; ``is_whole_name_only`` where no part of a name can be looked for at the moment.
    """

    ids: tuple[str, ...]
    persons: Mapping[str, Sequence[str]]
    is_complete: bool
    is_whole_name_only: bool


def sought(
    kind: str, text: str, most: int = MOST_FOUND, *, is_whole: bool = False
) -> Sought:
    """Who is known by what was typed, a part of a name too; the access log names them."""
    station = one_station()
    with services().read_models.engine.connect() as connection:
        numbered = _numbered(connection, station, text) if kind == HOUSEHOLD else []
        could = [mark for mark in could_be(text) if mark != PART or not is_whole]
        found, is_whole_name_only = _known_by(connection, station, kind, dict.fromkeys(could, text))
    persons: dict[str, list[str]] = {household: [] for household in numbered}
    for one in found:
        persons.setdefault(one.merged_into or one.id, []).extend(one.persons)
    ids = tuple(persons)
    noted(*(f"{kind}:{one}" for one in ids[:most]))
    is_complete = len(found) <= MOST_FOUND and len(ids) <= most
    return Sought(ids[:most], persons, is_complete, is_whole_name_only)


def _numbered(connection: Connection, station: str, text: str) -> list[str]:
    """The households with a file number."""
    merged = aliases_at(connection, station)
    found = households_numbered(connection, station, text)
    return [merged.root(HOUSEHOLD, household) for household in found]


def _known_by(
    connection: Connection, station: str, kind: str, said: dict[str, str]
) -> tuple[list[Found], bool]:
    """Who is known by what was said, and whether only by whole texts."""
    try:
        return asked(connection, station, [kind], said, most=MOST_FOUND + 1), False
    except (NamesNotReady, TooManyNames):
        del said[PART]
    return asked(connection, station, [kind], said, most=MOST_FOUND + 1), True


def could_be(text: str) -> Sequence[str]:
    """What a typed text could be: digits are a number, anything else a name or an address."""
    compact = re.sub(r"[\s-]", "", text)
    if re.fullmatch(r"\d{17}[\dXx]|\d{15}", compact):
        return ("id_number",)
    if re.fullmatch(r"\+?\d{5,20}", compact):
        return ("phone",)
    return ("name", PART, "address") if len(text) <= MOST_NAME else ("address",)


# ---- as a list shows them ----


@dataclass(frozen=True, slots=True)
class HouseholdFound:
    """A household that was found, and the names of those by whom, but for its head."""

    row: HouseholdRow
    names: tuple[str, ...]


def households_shown(found: Sought) -> list[HouseholdFound]:
    """The households that were found, in their order, with names opened."""
    station = one_station()
    persons = sorted({person for those in found.persons.values() for person in those})
    with services().read_models.engine.connect() as connection:
        rows = household_list(connection, station, among=found.ids, limit=len(found.ids))
        members = members_named(connection, station, persons)
    rows = rows_shown(rows, [stream_id(station, HOUSEHOLD, row.household) for row in rows])
    members = rows_shown(members, [stream_id(station, HOUSEHOLD, m.household) for m in members])
    names: dict[str, dict[str, None]] = {}
    for member in members:
        names.setdefault(member.person, {})[member.name] = None
    by_id = {row.household: row for row in rows}
    return [
        HouseholdFound(row, _others(row, found.persons[one], names))
        for one in found.ids if (row := by_id.get(one))
    ]


def _others(
    row: HouseholdRow, persons: Sequence[str], names: Mapping[str, Mapping[str, None]]
) -> tuple[str, ...]:
    said = dict.fromkeys(name for person in persons for name in names.get(person, ()))
    return tuple(name for name in said if name != row.head_name)
