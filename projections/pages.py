"""What is a page of the log to the read models? Events, and what they change.

The next page can be read and worked out while one is written: nothing here touches the
read models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.kernel import Recorded
from domain.ledger import Ledger, StoredRow, by_stream, recorded_row
from projections import catalog, store
from projections.kernel import Batch, Changes, Fault, Folds, Projection

BATCH: Final = 3_000
"""How many events are read at once; they bound a worker's memory."""


@dataclass(frozen=True, slots=True)
class Page:
    """Consecutive events: those that could be read, and those that could not."""

    batch: Batch
    faults: list[Fault]
    last: int

    @property
    def is_newest(self) -> bool:
        """Whether nothing more was there when it was read."""
        return len(self.batch.events) + len(self.faults) < BATCH

    def changes(self, projection: Projection) -> Changes:
        """A projection's row changes; what could not be read is among the faults."""
        changes = projection.changes(self.batch)
        changes.faults.extend(self.faults)
        return changes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A page's row changes, worked out for the projections that stand before it.

    A projection whose changes cannot be worked out at all has the error instead.
    """

    start: int
    last: int
    is_newest: bool
    names: list[str]
    changes: Mapping[str, Changes | Exception]

    def of(self, name: str) -> Changes:
        """A projection's row changes; raises where there are none."""
        found = self.changes[name]
        if isinstance(found, Exception):
            raise found
        return found


def read(ledger: Ledger, after: int, folds: Folds) -> Page:
    """The next events; those this program cannot read become faults."""
    rows = ledger.rows(after, BATCH)
    events, faults = _decoded(rows)
    last = rows[-1][0] if rows else after
    return Page(Batch(events, _loading(ledger, last), folds=folds), faults, last)


def prepared(ledger: Ledger, start: int, names: list[str], folds: Folds) -> Prepared:
    """Read the next page and work out what it changes."""
    page = read(ledger, start, folds)
    changes: dict[str, Changes | Exception] = {}
    for name in names:
        try:
            changes[name] = page.changes(catalog.PROJECTIONS[name])
        except Exception as error:  # noqa: BLE001 - raised when it is that one's turn
            changes[name] = error
    return Prepared(start, page.last, page.is_newest, names, changes)


def read_again(ledger: Ledger, position: int, up_to: int) -> Page:
    """A single event, with its stream's history up to another position."""
    events, faults = _decoded(ledger.rows(position - 1, 1))
    return Page(Batch(events, _loading(ledger, up_to), is_excerpt=True), faults, position)


def _decoded(rows: Sequence[StoredRow]) -> tuple[list[Recorded], list[Fault]]:
    events: list[Recorded] = []
    faults: list[Fault] = []
    for row in rows:
        try:
            events.append(recorded_row(row))
        except Exception as error:  # noqa: BLE001 - parked, shown and retried
            faults.append(Fault(row[0], row[1], repr(error)[:500]))
    return events, faults


def _loading(
    ledger: Ledger, last: int
) -> Callable[[Iterable[str]], Mapping[str, Sequence[Recorded] | Fault]]:
    """Reads the histories of streams up to a position."""

    def load(streams: Iterable[str]) -> Mapping[str, Sequence[Recorded] | Fault]:
        names = list(streams)
        groups: dict[str, Sequence[Recorded] | Fault] = {}
        for start in range(0, len(names), store.CHUNK):
            found = ledger.notifications_of(names[start : start + store.CHUNK], last)
            for name, notifications in by_stream(found).items():
                events, faults = _decoded([
                    (n.id, name, n.originator_version, n.topic, n.state) for n in notifications
                ])
                groups[name] = faults[0] if faults else events
        return groups

    return load
