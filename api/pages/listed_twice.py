"""Whom do two files of one household both list, under one name? And which file went into which?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api.identity import READ_NAMES, may
from api.language import translated
from api.pages.whose import called, people_in
from api.pages.writing import may_state
from api.pinyin import folded
from api.queries import one_station
from api.services import services
from domain.merging import MERGE, PERSONS, Merges, MergeStatus, PersonMergeProposed
from projections.household_members import MemberRow
from projections.household_status import HouseholdStatus
from projections.timeline import RecordRow

SEPARATOR: Final = "/"
"""Between a file and one of its members, as the form of persons names them."""


@dataclass(frozen=True, slots=True)
class Twice:
    """Two of one name, in two files; each as the form of persons names them."""

    name: str
    person: str
    same_as: str


def listed_twice(status: HouseholdStatus) -> list[Twice]:
    """Who may be one person: of one name in two files, and neither waits to be merged.

    For whoever sees names and proposes merges; ``status`` is as it is shown to him.
    """
    if not status.household.merged or not may(READ_NAMES, "households"):
        return []
    if not may_state(PersonMergeProposed.topic):
        return []
    waiting, by_name = _waiting(), dict[str, list[MemberRow]]()
    for member in status.members:
        if member.name:
            by_name.setdefault(folded(member.name), []).append(member)
    return [
        Twice(kept.name, _value(other), _value(kept))
        for kept, *others in by_name.values() for other in others
        if other.household != kept.household and not {kept.person, other.person} & waiting
    ]


def _value(member: MemberRow) -> str:
    return f"{member.household}{SEPARATOR}{member.person}"


def _waiting() -> set[str]:
    """The persons of whom a merge waits to be approved."""
    stream = services().ledger.stream(one_station(), MERGE.name, PERSONS)
    known: Merges = stream.state if stream else MERGE.initial
    pairs = [merge.pair for _entry, merge in known.of_status(MergeStatus.PROPOSED)]
    return {one for pair in pairs for one in (pair.merged, pair.survivor)}


def files_called(households: Iterable[str]) -> dict[str, str]:
    """Files by the head's name and their number, which tells two of one household apart."""
    people = people_in((), {f"household:{household}" for household in households})
    return {
        subject.partition(":")[2]: " ".join(dict.fromkeys(filter(None, (called(one), one.number))))
        for subject, one in people.known.items()
    }


def merges_told(rows: Sequence[RecordRow]) -> dict[int, str]:
    """What the records of merges say, by position: which went into which."""
    pairs = {row.position: _sides(row.data) for row in rows if row.kind == MERGE.name}
    every = {side for pair in pairs.values() for side in pair}
    files = files_called({file for _person, file in every if file})
    people = people_in((), {f"person:{person}" for person, _file in every if person})

    def told(person: str | None, file: str) -> str:
        of = files.get(file, file[:8])
        name = people.known.get(f"person:{person}")
        return f"{called(name)}（{of}）" if name else of

    return {
        position: translated("%(merged)s 并入 %(survivor)s")
        % {"merged": told(*pair[0]), "survivor": told(*pair[1])}
        for position, pair in pairs.items() if all(file for _person, file in pair)
    }


def _sides(said: Mapping[str, Any]) -> list[tuple[str | None, str]]:
    """Who became an alias and who is kept: a person (of two households nobody) and a file."""
    if "merged_household" in said:
        kept = said.get("survivor", said.get("surviving_person"))
        file = said.get("survivor_household", said.get("surviving_household"))
        merged = said.get("merged", said.get("merged_person"))
        return [(merged, said["merged_household"] or ""), (kept, file or "")]
    return [(None, said.get("merged") or ""), (None, said.get("survivor") or "")]
