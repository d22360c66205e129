"""What does one station's log add up to, from its first event on, with nothing stored?

The events may come from the ledger or from a file. The projections' own row functions
make their rows of them, in a database in memory, and the queries of the figures read
them there: a replay counts by the rules by which everything is counted, but knows
nothing of what the read models hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

from sqlalchemy import Connection

from domain.kernel import KINDS, Recorded, Refused, Stream, stream_id, stream_kind, stream_station
from domain.ledger import Notification, StoredRow, recorded_from
from domain.record_keeping import fold
from projections import catalog, generation_tables, row_writing
from projections.kernel import Batch, Fault
from projections.moments import KnownAt, position_of
from projections.standing import GENERATION, SUMMED
from projections.timeline import record_subjects

MOST_EVENTS: Final = 2_000_000
"""Of one station: several hundred years of a busy one."""
AT_ONCE: Final = 20_000
"""How many events become rows at once; it bounds what is held beside the rows."""


class TooLongToReplay(
    Refused, code="too_long_to_replay", title="记录太多，不能一次重算",
    detail="社工站 {station} 的记录超过 {most} 条，不能在内存中重算。",
):
    """More events than one replay holds in memory."""


class NotOneStation(
    Refused, code="not_one_station", title="记录不是一个社工站按序的记录",
    detail="位置 {position} 的记录不属于社工站 {station}，或次序颠倒，不能重算。",
):
    """A file whose lines are not one station's events in the order of the log."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A station's log, replayed up to a position; ``connection`` is where figures are read.

    ``faults`` are events that this program cannot read or take in: they are in no figure.
    """

    station: str
    position: int
    events: int
    connection: Connection
    streams: Mapping[str, Sequence[Recorded]]
    faults: tuple[Fault, ...]

    def history(self, stream: str) -> list[Recorded]:
        """Every event of a stream with its position, oldest first."""
        return list(self.streams.get(stream, ()))

    def histories(self, streams: Iterable[str]) -> Mapping[str, Sequence[Recorded]]:
        """The same of several streams; of one that was never begun there is nothing."""
        return {name: self.streams[name] for name in streams if name in self.streams}

    def stream(self, station: str, kind: str, subject: str) -> Stream[Any] | None:
        """A stream as it stands, or ``None`` where it was never begun."""
        history = self.history(stream_id(station, kind, subject))
        return fold(KINDS[kind], None, history) if history else None

    def of_kind(self, kind: str) -> list[Stream[Any]]:
        """Every stream of a kind as it stands, by name."""
        names = sorted(name for name in self.streams if stream_kind(name) == kind)
        streams = (fold(KINDS[kind], None, self.streams[name]) for name in names)
        return [stream for stream in streams if stream is not None]


@contextmanager
def replay(
    rows: Iterable[StoredRow], station: str, known_at: KnownAt | None = None
) -> Iterator[Replayed]:
    """Replay a station's stored events, all of them from the first, in the order of the log.

    Those after the position of ``known_at`` are not read; an instant is for the questions
    to cut by, as the log is not in the order of instants.

    :raises NotOneStation: where the rows are not one station's in order.
    :raises TooLongToReplay: where they are more than can be held.
    """
    until = position_of(known_at)
    wanted = rows if until is None else takewhile(lambda row: row[0] <= until, rows)
    reading = _Reading(station)
    for row in wanted:
        reading.take(row)
    tables = tuple(
        table for name in SUMMED for table in catalog.PROJECTIONS[name].tables
        if table is not record_subjects
    )
    with generation_tables.in_memory(tables).connect() as connection:
        reading.write(connection)
        yield Replayed(
            station, reading.position, len(reading.events), connection, reading.streams,
            tuple(reading.faults),
        )


class _Reading:
    """The events of a station as they are read, by stream and in order."""

    def __init__(self, station: str) -> None:
        self.station, self.position = station, 0
        self.events: list[Recorded] = []
        self.streams: dict[str, list[Recorded]] = {}
        self.faults: list[Fault] = []

    def take(self, row: StoredRow) -> None:
        """One more event; what this program cannot read becomes a fault."""
        position, stream, version, topic, state = row
        if position <= self.position or stream_station(stream) != self.station:
            raise NotOneStation(position=position, station=self.station)
        if len(self.events) == MOST_EVENTS:
            raise TooLongToReplay(station=self.station, most=MOST_EVENTS)
        self.position = position
        try:
            event = recorded_from(Notification(stream, version, topic, state, position))
        except Exception as error:  # noqa: BLE001 - whatever it is, the sheet names it
            self.faults.append(Fault(position, stream, repr(error)[:500]))
            return
        self.events.append(event)
        self.streams.setdefault(stream, []).append(event)

    def write(self, connection: Connection) -> None:
        """The rows that the projections make of the events."""
        for start in range(0, len(self.events), AT_ONCE):
            events = self.events[start : start + AT_ONCE]
            batch = Batch(events, self._up_to(events[-1].position))
            for name in SUMMED:
                changes = catalog.PROJECTIONS[name].changes(batch)
                for rows in (changes.inserted, changes.deleted):
                    rows.pop(record_subjects, None)  # no figure asks whom a record is about
                row_writing.apply(connection, changes, GENERATION)
                self.faults += [f for f in changes.faults if f not in self.faults]

    def _up_to(
        self, last: int
    ) -> Callable[[Iterable[str]], Mapping[str, Sequence[Recorded] | Fault]]:
        unread = {fault.stream: fault for fault in self.faults}

        def load(names: Iterable[str]) -> dict[str, Sequence[Recorded] | Fault]:
            return {name: unread.get(name) or self._known(name, last) for name in names}

        return load

    def _known(self, name: str, last: int) -> Sequence[Recorded]:
        return [event for event in self.streams.get(name, ()) if event.position <= last]
