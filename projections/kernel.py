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

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from heapq import merge
from operator import attrgetter
from types import UnionType
from typing import Any, ClassVar, Final, TypeVar

from sqlalchemy import MetaData, Table

from domain.kernel import KINDS, Event, Recorded, Stream, stream_kind
from domain.record_keeping import fold
from projections.moments import as_of, has_begun

T = TypeVar("T")

Row = dict[str, Any] | tuple[Any, ...]
"""A new row: its values by column, or all of them in the order of the columns."""
Rows = Iterable[tuple[Table, Row]]
Amounts = Iterable[tuple[tuple[Any, ...], int]]

STREAMS: Final = 400
"""How many streams of a batch are read and folded at a time."""

STREAM_BYTES: Final = 2_500
ENTRY_BYTES: Final = 1_000
"""What was measured of the streams of twenty stations' years: 41.5 MB of 4,394 with 29,303
entries, where these make 40.3."""

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
        inserted = self.inserted
        for table, row in rows:
            if table in inserted:
                inserted[table].append(row)
            else:
                inserted[table] = [row]


class Folds:
    """Streams as they stood after the last batch, so that the next one goes on from there.

    Only a saving: a stream that is not here, or not at the version before the batch, is
    read again.
    """

    def __init__(self, most_bytes: int = 40 << 20) -> None:
        """Keep streams of at most so many bytes together, those used last.

        Bytes bound a worker's memory whether histories are many or long.
        """
        self._streams: OrderedDict[str, Stream[Any]] = OrderedDict()
        self._most, self._bytes = most_bytes, 0
        self._lock = threading.Lock()

    def at(self, name: str, version: int) -> Stream[Any] | None:
        """A stream as it stood at a version."""
        stream = self._streams.get(name)
        return stream if stream is not None and stream.version == version else None

    def keep(self, stream: Stream[Any]) -> None:
        """Remember a stream; it was used last."""
        with self._lock:
            before = self._streams.pop(stream.id, None)
            self._streams[stream.id] = stream
            self._bytes += _size(stream) - (_size(before) if before else 0)
            while self._bytes > self._most and len(self._streams) > 1:
                _name, oldest = self._streams.popitem(last=False)
                self._bytes -= _size(oldest)


def _size(stream: Stream[Any]) -> int:
    """About how many bytes a stream takes: itself with its state, and its entries."""
    return STREAM_BYTES + ENTRY_BYTES * len(stream.entries)


class Batch:
    """Consecutive events of the log, and whatever projections ask about them.

    What several projections ask is worked out once. ``load`` reads the events of streams
    up to the batch's last position. In an ``is_excerpt`` (a parked event tried again)
    streams also go on after the batch.
    """

    def __init__(
        self,
        events: Sequence[Recorded],
        load: Callable[[Iterable[str]], Mapping[str, Sequence[Recorded] | Fault]],
        *,
        folds: Folds | None = None,
        is_excerpt: bool = False,
    ) -> None:
        """Keep the events; nothing is read yet."""
        self.events: Final = events
        self.is_excerpt: Final = is_excerpt
        self._load = load
        self._folds = folds or Folds()
        self._each: dict[Any, Any] = {}
        self._histories: dict[str, Sequence[Recorded] | Fault] = {}

    @cached_property
    def own(self) -> dict[str, list[Recorded]]:
        """The batch's events by stream."""
        groups: dict[str, list[Recorded]] = {}
        for event in self.events:
            groups.setdefault(event.stream, []).append(event)
        return groups

    @cached_property
    def _by_class(self) -> dict[type[Event], list[Recorded]]:
        groups: dict[type[Event], list[Recorded]] = {}
        for event in self.events:
            groups.setdefault(type(event.event), []).append(event)
        return groups

    def of(self, classes: type[Event] | UnionType) -> Sequence[Recorded]:
        """The batch's events of some classes, in order of position."""
        found = [group for cls, group in self._by_class.items() if issubclass(cls, classes)]
        return list(merge(*found, key=_position))

    @cached_property
    def _by_kind(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for name in self.own:
            groups.setdefault(stream_kind(name), []).append(name)
        return groups

    def of_kinds(self, kinds: Iterable[str]) -> list[str]:
        """The streams of some kinds that the batch's events belong to."""
        return [name for kind in kinds for name in self._by_kind.get(kind, ())]

    def each(
        self, function: Callable[[Recorded], Iterable[T]],
        classes: type[Event] | UnionType = Event,
    ) -> tuple[list[tuple[Recorded, list[T]]], list[Fault]]:
        """A pure function's answer for each event, and the events that it failed on.

        ``classes`` are those of the events that it has an answer for.
        """
        if function not in self._each:
            faults: list[Fault] = []
            events = self.events if classes is Event else self.of(classes)
            self._each[function] = list(_each(events, function, faults)), faults
        answers: tuple[list[tuple[Recorded, list[T]]], list[Fault]] = self._each[function]
        return answers

    def histories(self, names: Iterable[str]) -> dict[str, Sequence[Recorded] | Fault]:
        """The history of each stream; a fault where one of its events is unreadable."""
        wanted = list(names)
        begun_here = {s: self.own[s] for s in wanted if self._follows(s, 0)}
        unread = [s for s in wanted if s not in begun_here and s not in self._histories]
        self._histories |= self._load(unread) if unread else {}
        return {s: begun_here.get(s) or self._histories.get(s, ()) for s in wanted}

    def _follows(self, name: str, version: int) -> bool:
        """Whether the batch goes on with a stream from a version, without a gap."""
        own = self.own.get(name)
        return (
            not self.is_excerpt
            and bool(own)
            and [e.version for e in own or ()]
            == list(range(version + 1, version + 1 + len(own or ())))
        )

    def streams(self, names: Sequence[str]) -> Iterator[tuple[str, Stream[Any] | Fault]]:
        """Each stream as it stands after the batch; a fault where it cannot be folded.

        Only some are held at a time: a page may go on with many long histories.
        """
        for start in range(0, len(names), STREAMS):
            unread = []
            for name in names[start : start + STREAMS]:
                before = self.own[name][0].version - 1
                base = self._folds.at(name, before)
                if self._follows(name, before) and (base is not None or before == 0):
                    yield name, self._folded(name, base, self.own[name])
                else:
                    unread.append(name)
            loaded = self._load(unread) if unread else {}
            for name in unread:
                yield name, self._refolded(name, loaded.get(name, ()))

    def _refolded(self, name: str, history: Sequence[Recorded] | Fault) -> Stream[Any] | Fault:
        return history if isinstance(history, Fault) else self._folded(name, None, history)

    def _folded(
        self, name: str, base: Stream[Any] | None, history: Sequence[Recorded]
    ) -> Stream[Any] | Fault:
        try:
            kind = KINDS[stream_kind(name)]
            stream = fold(kind, base, history)
            assert stream is not None, f"no event of {name} was read"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is parked and shown
            return Fault(self.own[name][-1].position, name, repr(error)[:500])
        if not self.is_excerpt and len(kind.events) > 1:  # else only a correction goes on with it
            self._folds.keep(stream)
        return stream


_position: Final = attrgetter("position")


class Projection(ABC):
    """A read model: a name, a version of its shape, its tables, its row changes."""

    name: ClassVar[str]
    label: ClassVar[str]
    version: ClassVar[int] = 2
    """Raised whenever tables or rows change their meaning: the engine then rebuilds.

    2: both databases order texts alike, by code point.
    """
    tables: ClassVar[tuple[Table, ...]]

    @abstractmethod
    def changes(self, batch: Batch) -> Changes:
        """The row changes that a batch of events leads to; pure, and never raises."""

    def standing(self, history: Sequence[Recorded], day: date | None) -> Rows:
        """The rows that a stream's history makes by itself, as of a day.

        By the same functions as :meth:`changes`; a sum over many streams has none.
        """
        raise NotImplementedError(self.name)

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
    def amounts(self, batch: Batch, faults: list[Fault]) -> Amounts:
        """The keys (in the order of the primary key) and amounts that the events add."""

    def changes(self, batch: Batch) -> Changes:
        """Sum the batch in memory, so that the store is asked once a key."""
        changes = Changes()
        sums = changes.added.setdefault(self.tables[0], {})
        for key, amount in self.amounts(batch, changes.faults):
            sums[key] = sums.get(key, 0) + amount
        return changes


class EntryProjection(Projection):
    """Rows belong to single events and are only ever inserted."""

    @abstractmethod
    def rows(self, batch: Batch, faults: list[Fault]) -> Rows:
        """The rows that the events add."""

    def changes(self, batch: Batch) -> Changes:
        """Collect the rows of each event."""
        changes = Changes()
        changes.insert(self.rows(batch, changes.faults))
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
        """Fold each stream of the batch on and replace its rows."""
        changes = Changes()
        begun = set()
        for name, stream in batch.streams(batch.of_kinds(self.kinds)):
            if isinstance(stream, Fault):
                changes.faults.append(stream)
                continue
            try:
                rows = list(self._rows(stream))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is parked and shown
                position = batch.own[name][-1].position
                changes.faults.append(Fault(position, name, repr(error)[:500]))
                continue
            if batch.own[name][0].version > 1 or batch.is_excerpt:
                begun.add(name)
            changes.insert(rows)
        if begun:
            changes.deleted |= dict.fromkeys(self.tables, begun)
        return changes

    def standing(self, history: Sequence[Recorded], day: date | None) -> Rows:
        """The rows of a stream as it stood after a history."""
        if not history or stream_kind(history[0].stream) not in self.kinds:
            return ()
        stream = fold(KINDS[stream_kind(history[0].stream)], None, history)
        assert stream is not None
        return self._rows(as_of(stream, day))

    def _rows(self, stream: Stream[Any]) -> Rows:
        """The rows of a stream, once something begins it that counts."""
        return self.rows(stream) if has_begun(stream) else ()


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
