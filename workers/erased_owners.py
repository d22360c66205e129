"""Whose keys is an erasure about?

Those of the person, under every id that counted as the same when it was decided, and of
all texts that may name the person: of households, merges, other requests, the records
named with it, and the reports that were published with their texts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.erasure import Erasure, ErasureProposed, ErasureStatus
from domain.fields import PERSON_MARK, PERSONAL, REFERS_TO, marked_values
from domain.household import Household
from domain.kernel import (
    KINDS,
    Event,
    Recorded,
    Statement,
    UnknownRecord,
    stream_id,
    stream_kind,
    stream_station,
    stream_subject,
)
from domain.ledger import Ledger, Subject, by_stream, recorded_from
from domain.merging import HOUSEHOLDS, MERGE, PERSONS, Merges
from domain.owners import free_text_owner, pair_owner, person_owner
from domain.record_keeping import fold
from domain.vault import KeyState, sealed_places
from projections.monthly_report import REPORTED_KINDS
from projections.report_periods import periods_covering
from workers.keyring import Keyring

CHUNK: Final = 400
NOT_DECIDED: Final = 2**62


@dataclass(frozen=True, slots=True)
class Asked:
    """An erasure: whom it is about, and up to where the log counts for whom that is.

    ``persons`` are the ids of one person: those of merges in force at ``decided_on``, the
    position of the latest step. So it means the same when it is carried out late, or again.
    """

    stream: str
    status: ErasureStatus
    proposal: ErasureProposed
    decided_on: int
    persons: frozenset[str]

    @property
    def station(self) -> str:
        """The station at which it was asked for."""
        return stream_station(self.stream)

    @property
    def subjects(self) -> list[Subject]:
        """The person under each id, or the volunteer."""
        if self.proposal.volunteer is not None:
            return [Subject(self.station, "volunteer", self.proposal.volunteer)]
        return [Subject(self.station, "person", person) for person in sorted(self.persons)]

    @property
    def records(self) -> set[str]:
        """The streams of the records that are named with it."""
        return {f"{self.station}/{record}" for record in self.proposal.records}


def asked_of(ledger: Ledger, stream: str) -> Asked:
    """What an erasure asks for.

    :raises UnknownRecord: where there is none.
    """
    history = ledger.history(stream)
    found = fold(KINDS["erasure"], None, history)
    if found is None:
        raise UnknownRecord(id=stream_subject(stream), kind=KINDS["erasure"].label)
    erasure: Erasure = found.state
    assert erasure.proposal is not None
    is_open = erasure.status is ErasureStatus.PROPOSED
    until, person = NOT_DECIDED if is_open else history[-1].position, erasure.proposal.person
    merges = _merges(ledger, stream_station(stream), PERSONS, until)
    persons = frozenset[str]() if person is None else merges.family(person)
    return Asked(stream, erasure.status, erasure.proposal, until, persons)


def _merges(ledger: Ledger, station: str, subject: str, until: int) -> Merges:
    history = ledger.history(stream_id(station, MERGE.name, subject))
    known = fold(MERGE, None, (step for step in history if step.position <= until))
    return known.state if known else MERGE.initial


# ---- what names the person ----


def histories_about(ledger: Ledger, asked: Asked) -> Mapping[str, Sequence[Recorded]]:
    """The records named with an erasure, and all that names its person, or once did."""
    candidates = set(asked.records).union(*map(ledger.streams_ever_naming, asked.subjects))
    found: dict[str, list[Recorded]] = {}
    names = sorted(candidates)
    for start in range(0, len(names), CHUNK):
        stored = ledger.notifications_of(names[start : start + CHUNK])
        for name, events in by_stream(stored).items():
            history = [recorded_from(event) for event in events]
            if name in asked.records or any(_names(r.event, asked) for r in history):
                found[name] = history
    return found


def _names(event: Event, asked: Asked) -> bool:
    volunteer = asked.proposal.volunteer
    return any(
        (mark == PERSON_MARK and text in asked.persons)
        or (mark == REFERS_TO and (kind, text) == ("volunteer", volunteer))
        for said in events_of(event)
        for mark in (PERSON_MARK, REFERS_TO)
        for _path, kind, text in marked_values(said, mark)
    )


def events_of(event: Event) -> Iterator[Event]:
    """An event, and the statements that it repeats."""
    yield event
    yield from (said.event for said in _repeated(event))


def _repeated(event: Event) -> Iterator[Statement]:
    for name in event.__struct_fields__:
        if isinstance(said := getattr(event, name), Statement):
            yield said


def sealed_owners(history: Sequence[Recorded]) -> set[str]:
    """Whose the sealed texts of a stream are."""
    texts = [
        text
        for recorded in history
        for said in events_of(recorded.event)
        for _path, _mark, text in marked_values(said, PERSONAL)
    ]
    return {owner for owner, _version in sealed_places(texts)}


# ---- whose keys ----


def owners_of(ledger: Ledger, keyring: Keyring, stream: str) -> set[str]:
    """Whose keys an erasure is about: the person's, and all whose texts may name the person."""
    asked = asked_of(ledger, stream)
    histories = histories_about(ledger, asked)
    found = {stream} | asked.records
    for name, history in histories.items():
        is_households = stream_kind(name) == "household"
        if not is_households and name in sealed_owners(history):
            found.add(name)  # a record of nobody else's; an earlier request
    for name in sorted(found & histories.keys()):
        found |= _published_with(ledger, name, histories[name])
    if asked.proposal.volunteer is not None:
        return found | {subject.stream for subject in asked.subjects}
    homes = {name for name in histories if stream_kind(name) == "household"}
    return found | _of_person(ledger, keyring, asked, homes)


def _of_person(ledger: Ledger, keyring: Keyring, asked: Asked, homes: set[str]) -> set[str]:
    """The person's own, those of every household that ever listed the person, of merges."""
    found = {person_owner(asked.station, person) for person in asked.persons}
    left = {home for home in homes if _is_left_alone(ledger, keyring, home, asked.persons)}
    sides = {HOUSEHOLDS: {stream_subject(home) for home in homes}, PERSONS: asked.persons}
    for subject, ids in sides.items():
        merges = _merges(ledger, asked.station, subject, asked.decided_on)
        stream = stream_id(asked.station, MERGE.name, subject)
        for pair in (merge.pair for merge in merges.merges.values()):
            if not ids.isdisjoint((pair.merged, pair.survivor)):
                found.add(pair_owner(stream, pair.merged, pair.survivor))
    return found | left | {free_text_owner(home) for home in homes}


def _is_left_alone(
    ledger: Ledger, keyring: Keyring, household: str, persons: Collection[str]
) -> bool:
    """Whether nobody lives in a household but the person and whoever is erased already."""
    station = stream_station(household)
    stream = ledger.stream(station, "household", stream_subject(household))
    assert stream is not None
    state: Household = stream.state
    others = {person_owner(station, p) for p in state.members if p not in persons}
    states = keyring.states_of(others)
    return all(states.get(owner) is KeyState.ERASED for owner in others)


def _published_with(ledger: Ledger, name: str, history: Sequence[Recorded]) -> set[str]:
    """The published reports that may hold a record's texts: all that cover one of its days."""
    if stream_kind(name) not in {"month", *REPORTED_KINDS}:
        return set()
    said = [s for r in history for s in (r.statement, *_repeated(r.event))]
    months = {f"{statement.occurred.on:%Y-%m}" for statement in said}
    if stream_kind(name) == "month":
        months = {stream_subject(name)}
    reports = {
        stream_id(stream_station(name), "report", period)
        for month in months
        for period in periods_covering(month)
    }
    return {str(event.originator_id) for event in ledger.notifications_of(sorted(reports))}
