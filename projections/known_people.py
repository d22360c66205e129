"""Whom do some records name, and by what are they known? Name, file number, community.

Asked for a whole list at once: which households, persons and volunteers its records name
(``subjects_of``), and as whom the station knows them (``known``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, null, select

from projections.household_members import household_members
from projections.household_status import households
from projections.timeline import record_subjects
from projections.volunteer_hours import volunteers

PEOPLE: Final = ("household", "person", "volunteer")
"""The kinds of subject that are somebody, the wider first."""
CHUNK: Final = 400


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody as the station knows them; ``name`` is sealed for ``stream``."""

    stream: str
    name: str | None
    number: str | None
    community: str | None


def subjects_of(
    connection: Connection, station: str, streams: Iterable[str]
) -> dict[str, list[str]]:
    """Whom the records of some streams name now (``household:…``), households first."""
    own = record_subjects.c
    found: dict[str, list[str]] = {}
    for part in _chunks(streams):
        query = select(own.stream, own.subject).distinct().where(
            own.station == station, own.stream.in_(part), own.is_current
        )
        for stream, subject in connection.execute(query):
            if subject.partition(":")[0] in PEOPLE:
                found.setdefault(stream, []).append(subject)
    return {stream: sorted(named, key=_rank) for stream, named in found.items()}


def _rank(subject: str) -> tuple[int, str]:
    return PEOPLE.index(subject.partition(":")[0]), subject


def known(connection: Connection, station: str, subjects: Iterable[str]) -> dict[str, Known]:
    """As whom some subjects are known; one whose registration was voided is not."""
    asked: dict[str, list[str]] = {}
    for subject in subjects:
        kind, _, identity = subject.partition(":")
        asked.setdefault(kind, []).append(identity)
    found: dict[str, Known] = {}
    for kind, query in _QUERIES.items():
        for part in _chunks(asked.get(kind, ())):
            wanted = query.where(_STATION[kind] == station, _IDENTITY[kind].in_(part))
            for identity, stream, *said in connection.execute(wanted):
                found[f"{kind}:{identity}"] = Known(stream, *said)
    return found


def _chunks(names: Iterable[str]) -> Iterator[Sequence[str]]:
    every = sorted(set(names))
    return (every[start : start + CHUNK] for start in range(0, len(every), CHUNK))


_HOUSEHOLD, _MEMBER, _VOLUNTEER = households.c, household_members.c, volunteers.c
_IDENTITY: Final[Mapping[str, Any]] = {
    "household": _HOUSEHOLD.household, "person": _MEMBER.person,
    "volunteer": _VOLUNTEER.volunteer,
}
_STATION: Final[Mapping[str, Any]] = {
    "household": _HOUSEHOLD.station, "person": _MEMBER.station, "volunteer": _VOLUNTEER.station,
}
_QUERIES: Final[Mapping[str, Select[Any]]] = {
    "household": select(
        _HOUSEHOLD.household, _HOUSEHOLD.stream, _HOUSEHOLD.head_name, _HOUSEHOLD.file_number,
        _HOUSEHOLD.community,
    ),
    "person": select(_MEMBER.person, _MEMBER.stream, _MEMBER.name, null(), null()),
    "volunteer": select(
        _VOLUNTEER.volunteer, _VOLUNTEER.stream, _VOLUNTEER.name, null(), _VOLUNTEER.community
    ),
}
"""Of each kind: its id, whose key opens the name, the name, the file's number, the community."""
