"""How did the read models stand at an earlier moment?

A question about the present reads the read models. One about an earlier moment is
answered by the same queries, over a database in memory that holds what the projections'
own row functions make of the streams that the question needs, read from the log and cut
at the moment. So each fact has one definition, whenever it is asked about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, Select, Table

from domain.ledger import Ledger, Notification, by_stream, recorded_from
from projections import catalog, generation_tables, row_writing, store
from projections.direct import rows
from projections.engine import ReadModels
from projections.kernel import Changes, Projection, Row
from projections.moments import KnownAt, Moment, bounded, known, position_of
from projections.store import CHUNK

GENERATION: Final = 0
"""What a database in memory holds is nobody's generation."""
_POSITIONS: Final = "SELECT position FROM projection_generations WHERE is_serving"


@dataclass(slots=True)
class Standing:
    """The read models as they stood at a moment: ``connection`` is where queries read.

    ``position`` is up to where the log was read: with it as *known at*, the same question
    has the same answer for ever. ``known_at`` is what figures are to be cut by, ``None``
    at present.
    """

    live: Connection
    connection: Connection
    position: int
    as_of: date | None
    known_at: KnownAt | None
    _ledger: Ledger
    _projections: Sequence[Projection]
    _here: set[str] = field(default_factory=set)

    @property
    def is_past(self) -> bool:
        """Whether the question is about an earlier moment."""
        return self.connection is not self.live

    def bring(self, streams: Select[Any]) -> None:
        """Have the streams there that a query of the read models names first in its rows."""
        if self.is_past:
            self.bring_named(self.live.execute(streams).scalars())

    def bring_named(self, streams: Iterable[str]) -> None:
        """Have some streams there."""
        missing = list(dict.fromkeys(name for name in streams if name not in self._here))
        for start in range(0, len(missing), CHUNK):
            self._take_in(missing[start : start + CHUNK])

    def _take_in(self, streams: Sequence[str]) -> None:
        changes = Changes()
        found = by_stream(self._ledger.notifications_of(streams, self.position))
        for notifications in found.values():
            try:
                changes.insert(list(self._rows(notifications)))
            except Exception:  # noqa: BLE001, S112 - what cannot be taken in is parked and shown
                continue
        row_writing.apply(self.connection, changes, GENERATION)
        self._here.update(streams)


    def _rows(self, notifications: Iterable[Notification]) -> Iterator[tuple[Table, Row]]:
        """The rows that the projections make of what was known of a stream."""
        history = known(map(recorded_from, notifications), self.known_at)
        for projection in self._projections if history else ():
            yield from projection.standing(history, self.as_of)


@dataclass(frozen=True, slots=True)
class Summed:
    """The ledger of postings at a moment: what figures are to be cut by.

    ``known_at`` is ``None`` where everything that the read models hold is known.
    """

    connection: Connection
    position: int
    as_of: date | None
    known_at: KnownAt | None


SUMMED: Final = ("postings", "monthly_counts", "timeline", "indicator_definitions", "aliases")
"""What figures are read from: what is counted, by which definitions, and by whom recorded."""


@contextmanager
def summed(read_models: ReadModels, moment: Moment) -> Iterator[Summed]:
    """What figures at a moment are summed over; sums are cut by the query itself."""
    with _snapshot(read_models, SUMMED) as (live, positions):
        known_at: KnownAt | None = moment.known_at
        if known_at is not None or len(set(positions)) > 1:
            known_at = bounded(known_at, min(positions))
        position = position_of(known_at)
        yield Summed(live, min(positions) if position is None else position, moment.as_of, known_at)


@contextmanager
def standing(
    read_models: ReadModels, ledger: Ledger, moment: Moment, *names: str
) -> Iterator[Standing]:
    """Some read models as they stood at a moment.

    Where they have not come equally far, the present is what the slowest has taken in.
    """
    names = (*names, "aliases")
    needed = tuple(dict.fromkeys((*names, "timeline")))  # which says what streams there are
    with _snapshot(read_models, needed) as (live, positions):
        projections = [catalog.PROJECTIONS[name] for name in names]
        if moment.is_present and len(set(positions)) == 1:
            yield Standing(live, live, positions[0], None, None, ledger, projections)
            return
        known_at = bounded(moment.known_at, min(positions))
        position = position_of(known_at)
        assert position is not None
        with generation_tables.in_memory(_tables(names)).connect() as past:
            yield Standing(live, past, position, moment.as_of, known_at, ledger, projections)


@contextmanager
def _snapshot(
    read_models: ReadModels, names: Sequence[str]
) -> Iterator[tuple[Connection, list[int]]]:
    """The read models at one moment, and how far each of some has come."""
    marks = ", ".join("?" * len(names))
    with store.snapshot(read_models.engine, _tables(names)) as live:
        if not live.in_transaction():
            live.begin()  # so that what follows sees what this sees
        found = rows(live, f"{_POSITIONS} AND projection IN ({marks})", names)
        yield live, [position for [position] in found]


def _tables(names: Sequence[str]) -> tuple[Table, ...]:
    return tuple(table for name in names for table in catalog.PROJECTIONS[name].tables)
