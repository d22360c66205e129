"""What is a projection?

A projection is tables and a pure function from a batch of events to row changes. It
runs no SQL: the engine applies the changes, set-based, and saves the new position in
the same transaction, so that a job that runs twice has the effect of one.

There are three ways to be a projection, by what a row depends on:

- :class:`SumProjection`: rows are sums of signed amounts (order does not matter);
- :class:`EntryProjection`: rows belong to single events;
- :class:`FoldProjection`: rows are what one stream folds to.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, TypeVar

from sqlalchemy import MetaData, Table

from domain.kernel import KINDS, Recorded, Stream, stream_kind
from domain.record_keeping import fold

T = TypeVar("T")

Row = dict[str, Any]
Rows = Iterable[tuple[Table, Row]]

metadata: Final = MetaData()
"""The read models as queries see them: each name is a view of the serving tables."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An event that a projection could not take in."""

    position: int
    stream: str
    error: str


@dataclass(slots=True)
class Changes:
    """Row changes of one batch, to be applied in this order: delete, add, insert.

    ``deleted`` holds streams whose rows are replaced; ``added`` sums by key;
    ``inserted`` new rows.
    """

    deleted: dict[Table, set[str]] = field(default_factory=dict)
    added: dict[Table, dict[tuple[Any, ...], int]] = field(default_factory=dict)
    inserted: dict[Table, list[Row]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def insert(self, rows: Rows) -> None:
        """Add new rows."""
        for table, row in rows:
            self.inserted.setdefault(table, []).append(row)


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive events of the log, and the full history of any stream among them.

    ``load`` reads the events of streams up to the batch's last position, for streams
    that began before it. In an ``is_excerpt`` (a parked event tried again) streams also
    go on after the batch.
    """

    events: Sequence[Recorded]
    load: Callable[[Iterable[str]], Mapping[str, Sequence[Recorded] | Fault]]
    is_excerpt: bool = False

    def histories(self, streams: Iterable[str]) -> dict[str, Sequence[Recorded] | Fault]:
        """The history of each stream; a fault where one of its events is unreadable."""
        own: dict[str, list[Recorded]] = {}
        for event in self.events:
            own.setdefault(event.stream, []).append(event)
        wanted = list(streams)
        begun_here = {
            s: own[s]
            for s in wanted
            if not self.is_excerpt and s in own and own[s][0].version == 1
        }
        earlier = self.load([s for s in wanted if s not in begun_here])
        return {s: begun_here.get(s) or earlier.get(s, ()) for s in wanted}


class Projection(ABC):
    """A read model: a name, a version of its shape, its tables, its row changes."""

    name: ClassVar[str]
    label: ClassVar[str]
    version: ClassVar[int] = 1
    """Raised whenever tables or rows change their meaning: the engine then rebuilds."""
    tables: ClassVar[tuple[Table, ...]]

    @abstractmethod
    def changes(self, batch: Batch) -> Changes:
        """The row changes that a batch of events leads to; pure, and never raises."""

    def __init_subclass__(cls) -> None:
        """Register each named projection."""
        if "name" in cls.__dict__:
            assert cls.name not in PROJECTIONS, f"two projections are named {cls.name}"
            PROJECTIONS[cls.name] = cls()


PROJECTIONS: Final[dict[str, Projection]] = {}
"""Every projection by name, filled as the modules of ``projections/catalog.py`` load."""


class SumProjection(Projection):
    """Rows are sums: each event adds signed amounts to keys of one table.

    The table's primary key is the key, its column ``amount`` the sum. A sum of 0 stays
    as a row, so that incremental and rebuilt tables are equal row for row.
    """

    @abstractmethod
    def amounts(self, event: Recorded) -> Iterable[tuple[tuple[Any, ...], int]]:
        """The keys (in the order of the primary key) and amounts an event adds."""

    def changes(self, batch: Batch) -> Changes:
        """Sum the batch in memory, so that the store is asked once a key."""
        changes = Changes()
        sums = changes.added.setdefault(self.tables[0], {})
        for _event, amounts in _each(batch.events, self.amounts, changes.faults):
            for key, amount in amounts:
                sums[key] = sums.get(key, 0) + amount
        return changes


class EntryProjection(Projection):
    """Rows belong to single events and are only ever inserted."""

    @abstractmethod
    def rows(self, event: Recorded) -> Rows:
        """The rows that an event adds."""

    def changes(self, batch: Batch) -> Changes:
        """Collect the rows of each event."""
        changes = Changes()
        for _event, rows in _each(batch.events, self.rows, changes.faults):
            changes.insert(rows)
        return changes


class FoldProjection(Projection):
    """Rows are what a stream folds to; every table has a column ``stream``.

    An event replaces all rows of its stream, so that corrections need no code.
    """

    kinds: ClassVar[tuple[str, ...]]

    @abstractmethod
    def rows(self, stream: Stream[Any]) -> Rows:
        """The rows of a stream as it stands."""

    def changes(self, batch: Batch) -> Changes:
        """Fold each stream of the batch anew and replace its rows."""
        last = {e.stream: e for e in batch.events if stream_kind(e.stream) in self.kinds}
        changes = Changes()
        histories = batch.histories(last)
        for name, history in histories.items():
            if isinstance(history, Fault):
                changes.faults.append(history)
                continue
            for _event, rows in _each([last[name]], self._folding(history), changes.faults):
                for table in self.tables:
                    changes.deleted.setdefault(table, set()).add(name)
                changes.insert(rows)
        return changes

    def _folding(self, history: Sequence[Recorded]) -> Callable[[Recorded], Rows]:
        def rows(event: Recorded) -> Rows:
            stream = fold(KINDS[stream_kind(event.stream)], None, history)
            assert stream is not None
            return self.rows(stream)

        return rows


def _each(
    events: Sequence[Recorded],
    function: Callable[[Recorded], Iterable[T]],
    faults: list[Fault],
) -> Iterator[tuple[Recorded, list[T]]]:
    """Apply a pure function to each event; an event it fails on is a fault, not an end."""
    for event in events:
        try:
            yield event, list(function(event))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is parked and shown
            faults.append(Fault(event.position, event.stream, repr(error)[:500]))
