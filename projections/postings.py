"""Which signed entries does each event make, for ever?

The ledger of postings: a figure *as of* a day and *as known* at a moment is a sum over
it, and each figure can be traced to the rows that make it. A correction reverses the
postings of what was stated before and posts what is stated now, on the days that they
belong to; it is known from the moment it was recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from operator import attrgetter
from typing import Final, NamedTuple, assert_never

import msgspec
from sqlalchemy import BigInteger, Column, Date, Index, Integer, String, Table, Text

from domain.kernel import Recorded, Statement, stream_station
from domain.record_keeping import (
    EntryCorrected,
    EntryReinstated,
    EntryVoided,
    RecordKeeping,
    StatedIn,
)
from projections.columns import UtcDateTime
from projections.kernel import Batch, EntryProjection, Fault, Rows, metadata
from projections.measures import POSTS, Measure, Posting

DIMENSIONS: Final = ("community", "category", "kind", "role", "mode", "audience")
"""What an indicator may filter or group by."""
ENVELOPE_DIMENSIONS: Final = ("staff", "programme", "project")
"""What it may filter by as well, of how a record was stated: kept here, not in monthly sums."""
_dimensions: Final = attrgetter(*DIMENSIONS)

postings: Final = Table(
    "postings",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("measure", String(64), nullable=False),
    Column("station", String(64), nullable=False),
    Column("effective_on", Date, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("entity", Text, nullable=False),
    Column("approximation", String(16), nullable=False),
    *(Column(name, Text, nullable=False) for name in DIMENSIONS),
    Column("actor", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("staff", Text, nullable=False),
    Column("programme", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("entry", Integer, nullable=False),
    Index("ix_postings_figure", "station", "measure", "effective_on"),
    sqlite_with_rowid=False,  # rows come in the order of their key
)
"""``actor`` recorded the posting; ``staff`` stated the entry, and for which ``project`` (cycle)
and programmes (``programme``, a line each): the same for the entry and all that keeps it right.
"""


class Posted(NamedTuple):
    """A posting that an event makes: its day and sign, and the entry that it is about."""

    measure: Measure
    posting: Posting
    on: date
    amount: int
    entry: int


def posted(event: Recorded) -> list[Posted]:
    """Every posting of an event."""
    kept = event.event
    if not isinstance(kept, RecordKeeping):
        return _stated(event, 1)
    match kept:
        case EntryCorrected():
            return [
                *_restated(event, kept.before, kept.entry, -1),
                *_restated(event, kept.after, kept.entry, 1),
            ]
        case EntryVoided():
            return _restated(event, kept.voided, kept.entry, -1)
        case EntryReinstated():
            return _restated(event, kept.reinstated, kept.entry, 1)
        case _:
            assert_never(kept)


def stated_in(event: Recorded) -> StatedIn:
    """By whom and for what the entry that an event is about was stated.

    Events of older programs do not say it of what they keep right; their own stands for it.
    """
    kept, envelope = event.event, event.envelope
    if isinstance(kept, EntryCorrected | EntryVoided | EntryReinstated) and kept.stated_in:
        return kept.stated_in
    return StatedIn(
        actor=envelope.actor, project_cycle=envelope.project_cycle,
        programmes=envelope.programmes,
    )


def _restated(event: Recorded, statement: Statement, entry: int, sign: int) -> list[Posted]:
    """What a statement inside a record-keeping event posts, or its reversal."""
    as_stated = msgspec.structs.replace(
        event, event=statement.event, occurred=statement.occurred, version=entry
    )
    return _stated(as_stated, sign)


def _stated(event: Recorded, sign: int) -> list[Posted]:
    stated, day, entry = event.event, event.occurred.on, event.version
    return [
        Posted(measure, posting, posting.on or day, sign * posting.amount, entry)
        for measure, post in POSTS.get(stated.topic, ())
        for posting in _several(post(stated, event))
    ]


def _several(made: Posting | Iterable[Posting] | None) -> Iterable[Posting]:
    return (made,) if isinstance(made, Posting) else made or ()


class Postings(EntryProjection):
    """The ledger of postings itself."""

    name = "postings"
    label = "记账分录"
    version = 3  # persons met by name are counted as well
    tables = (postings,)

    def rows(self, batch: Batch, faults: list[Fault]) -> Rows:
        """One row a posting, in the order of the columns above."""
        answers, failed = batch.each(posted)
        faults += failed
        for event, made in answers:
            if not made:
                continue
            envelope, stream = event.envelope, event.stream
            station, said = stream_station(stream), stated_in(event)
            programmes = "".join(f"\n{name}\n" for name in said.programmes)
            for number, (measure, posting, on, amount, entry) in enumerate(made):
                yield postings, (
                    event.position, number, measure.code, station, on, envelope.recorded_at,
                    amount, posting.entity, posting.approximation, *_dimensions(posting),
                    envelope.actor, said.project_cycle or "", said.actor, programmes, stream, entry,
                )
