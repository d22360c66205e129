"""Which signed entries does each event make, for ever?

The ledger of postings: a figure *as of* a day and *as known* at a moment is a sum over
it, and each figure can be traced to the rows that make it. A correction reverses the
postings of what was stated before and posts what is stated now, on the days that they
belong to; it is known from the moment it was recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

import msgspec
from sqlalchemy import BigInteger, Column, Date, Index, Integer, String, Table, Text

from domain.kernel import Recorded, Statement, stream_station
from domain.record_keeping import EntryCorrected, EntryReinstated, EntryVoided
from projections.columns import UtcDateTime
from projections.kernel import EntryProjection, Rows, metadata
from projections.measures import POSTS, Measure, Posting

DIMENSIONS: Final = ("community", "category", "kind", "role", "mode", "audience")
"""What an indicator may filter or group by."""

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
    Column("stream", Text, nullable=False),
    Column("entry", Integer, nullable=False),
    Index("ix_postings_figure", "station", "measure", "effective_on"),
    Index("ix_postings_stream", "stream"),
)


def posted(event: Recorded) -> Iterator[tuple[Measure, Posting, int]]:
    """Every posting of an event, with the version of the entry that it is about."""
    kept = event.event
    match kept:
        case EntryCorrected():
            yield from _stated(event, kept.before, kept.entry, -1)
            yield from _stated(event, kept.after, kept.entry, 1)
        case EntryVoided():
            yield from _stated(event, kept.voided, kept.entry, -1)
        case EntryReinstated():
            yield from _stated(event, kept.reinstated, kept.entry, 1)
        case _:
            yield from _stated(event, event.statement, event.version, 1)


def _stated(
    event: Recorded, statement: Statement, entry: int, sign: int
) -> Iterator[tuple[Measure, Posting, int]]:
    """What a statement posts, or its reversal."""
    as_stated = msgspec.structs.replace(
        event, event=statement.event, occurred=statement.occurred, version=entry
    )
    for measure, post in POSTS.get(statement.event.topic, ()):
        for posting in _several(post(statement.event, as_stated)):
            on = posting.on or statement.occurred.on
            yield measure, replace(posting, amount=sign * posting.amount, on=on), entry


def _several(posting: Posting | Iterable[Posting] | None) -> Iterable[Posting]:
    if posting is None:
        return ()
    return (posting,) if isinstance(posting, Posting) else posting


class Postings(EntryProjection):
    """The ledger of postings itself."""

    name = "postings"
    label = "记账分录"
    tables = (postings,)

    def rows(self, event: Recorded) -> Rows:
        """One row a posting."""
        for number, (measure, posting, entry) in enumerate(posted(event)):
            yield postings, {
                "position": event.position, "number": number, "measure": measure.code,
                "station": stream_station(event.stream), "effective_on": posting.on,
                "recorded_at": event.envelope.recorded_at, "amount": posting.amount,
                "entity": posting.entity, "approximation": posting.approximation,
                **{name: getattr(posting, name) for name in DIMENSIONS},
                "actor": event.envelope.actor, "project": event.envelope.project_cycle or "",
                "stream": event.stream, "entry": entry,
            }
