"""May a record be corrected to be about somebody else, with a photo attached to it?

A photo's key is its household's or person's. It would stay when the other one is erased,
and go with one whom it does not show any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from api.services import services
from domain.evidence import (
    EVIDENCE,
    EvidenceAttached,
    EvidenceMoved,
    evidence_for,
    owner_shown,
)
from domain.kernel import Context, Stream, stream_kind, stream_subject
from domain.ledger import Instruction, Subject
from domain.record_keeping import Correct
from projections.evidence import streams_of_record


def refuse_to_move(instruction: Instruction, said: Context) -> None:
    """Let no correction change whom an entry is about that has evidence.

    :raises EvidenceMoved: where it would.
    :raises ReferencesUnknown: where too much was recorded since the read models were written.
    """
    if not isinstance(instruction.command, Correct) or not evidence_for(instruction.kind.name):
        return
    subject = Subject(said.station, instruction.kind.name, instruction.subject)
    stream = services().ledger.stream(said.station, subject.kind, subject.id)
    if stream is None or not (moved := _moved(stream, instruction.command)):
        return
    for evidence, shown in _evidence_of(subject):
        if shown.step in moved:
            raise EvidenceMoved(entry=shown.step, evidence=evidence)


def _moved(stream: Stream[object], command: Correct) -> set[int]:
    """The entries that would be about somebody else: what a record began with says it of all."""
    if command.entry not in stream.entries:
        return set()
    entry = msgspec.structs.replace(stream.entries[command.entry], statement=command.statement)
    after = replace(stream, entries=dict(stream.entries) | {command.entry: entry})
    return {n for n in stream.entries if owner_shown(stream, n) != owner_shown(after, n)}


def _evidence_of(subject: Subject) -> Iterator[tuple[str, EvidenceAttached]]:
    """The evidence of a record that counts, as the log stands now."""
    ledger, record = services().ledger, f"{subject.kind}/{subject.id}"
    lately = ledger.streams_naming(subject)  # first: what the read models get meanwhile is in both
    with services().read_models.engine.connect() as connection:
        known = streams_of_record(connection, subject.station, record)
    mine = f"{subject.station}/{EVIDENCE.name}/"
    for name in dict.fromkeys([*known, *lately]):
        if not name.startswith(mine):
            continue
        stream = ledger.stream(subject.station, stream_kind(name), stream_subject(name))
        for entry in stream.active() if stream else ():
            event = entry.statement.event
            if isinstance(event, EvidenceAttached) and event.record == record:
                yield stream_subject(name), event
