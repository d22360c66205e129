"""Who at a station has this in the name? Asked of names held in memory, and nowhere else.

What could find somebody by a part of a name would tell the name; so it is on no disk
(decision 0037). A web process opens the names of a station when somebody first looks for a
part of one, keeps them up with the read models at every question, and holds none of them
any more once a key was destroyed or locked (as ``workers/held_keys.py`` does), or when
nobody has asked for a while.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

import structlog
from sqlalchemy import Connection

from api.pinyin import folded, is_spelled, spellings, typed
from domain.kernel import Refused
from domain.vault import UNREADABLE, Vault, is_sealed
from projections.engine import Checkpoint, ReadModels
from projections.names import STATED_BY, SealedName, sealed_names, stating_names
from workers.keyring import Keyring

IDLE_SECONDS: Final = 600.0
"""After which the names of a station that nobody asked about are dropped."""
PATIENCE_SECONDS: Final = 1.0
"""For how long a question waits for names that are being opened."""
MOST_STATIONS: Final = 20
MOST_NAMES: Final = 100_000
"""In one process, of all its stations."""
MOST_CHANGED: Final = 1_000
"""So many households that have changed are read again while somebody waits; more are not."""
TRIES: Final = 3
"""How often a question begins again where keys were destroyed while it waited."""
AT_ONCE: Final = 500
"""The names of so many streams are read at once."""
NEVER: Final = datetime.min.replace(tzinfo=UTC)
"""In place of when a read model was last written: that says nothing of what it holds."""

log = structlog.get_logger(__name__)


class NamesNotReady(
    Refused, code="names_not_ready", status=503, title="正在准备按姓名的一部分查找",
    detail="正在准备按姓名的一部分查找，请过几秒再试；写全姓名现在就可以查到。",
):
    """The station's names are being opened."""


class TooManyNames(
    Refused, code="too_many_names", status=503, title="本站人数太多",
    detail="本站在册的人超过 {most} 名，不能按姓名的一部分查找；请写全姓名。",
):
    """A station that would take all the room there is."""


class Known(NamedTuple):
    """A name that is on record now: whose it is, how it is compared, and how it is spelled."""

    owner: str
    name: str
    spelled: str


@dataclass
class StationNames:
    """The names of one station, by the stream that states them; ``generation`` is the keyring's.

    ``is_too_many`` where there were more than may be held, so that none are.
    """

    generation: str
    used_at: float
    reached: tuple[Checkpoint, ...]
    marks: dict[str, str] = field(default_factory=dict)
    known: dict[str, tuple[Known, ...]] = field(default_factory=dict)
    count: int = 0
    is_too_many: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, stream: str, names: tuple[Known, ...]) -> None:
        """Hold what a stream states, in place of what it stated before."""
        self.count += len(names) - len(self.known.pop(stream, ()))
        if names:
            self.known[stream] = names

    def everybody(self) -> Iterator[Known]:
        """Every name that is held."""
        for names in self.known.values():
            yield from names


class NameIndex:
    """The names of the stations that are asked about in one web process."""

    def __init__(
        self, read_models: Callable[[], ReadModels], keyring: Keyring,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Hold nothing yet."""
        self._read_models, self._keyring, self._now = read_models, keyring, now
        self._vault = Vault(keyring)
        self._stations: dict[str, StationNames] = {}
        self._opening: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._is_closed = False

    # ---- asking ----

    def owners_like(self, station: str, part: str) -> list[str]:
        """Who is on record now at a station with this in the name, the nearest first.

        :raises NamesNotReady: while its names are being opened.
        :raises TooManyNames: where they would take all the room.
        """
        for _try in range(TRIES):
            held = self._current(station)
            with held.lock:  # perhaps after another question, and after a destruction meanwhile
                if held.generation == self._keyring.generation():
                    return nearest(held.everybody(), part)
        raise NamesNotReady

    def _current(self, station: str) -> StationNames:
        """The names of a station, as the read models have them."""
        held = self._held(station)
        if held is None or not self._brought_up(held, station):
            self._forget(station)
            self._open_soon(station)
            held = self._held(station)
        if held is None:
            raise NamesNotReady
        held.used_at = self._now()
        if held.is_too_many:
            raise TooManyNames(most=MOST_NAMES)
        return held

    def _held(self, station: str) -> StationNames | None:
        """What is held of a station; nothing is of any, once a key was destroyed or locked."""
        generation = self._keyring.generation()
        with self._lock:
            for other in [s for s, h in self._stations.items() if h.generation != generation]:
                del self._stations[other]
            return self._stations.get(station)

    def _brought_up(self, held: StationNames, station: str) -> bool:
        """Read again what has changed; false where so much has that all is opened anew."""
        reached = self._reached()  # before what is read, so that nothing after it is missed
        with held.lock:
            if held.reached == reached or held.is_too_many:
                return True
            with self._connected() as connection:
                marks = stating_names(connection, station)
                changed = {s for s, mark in marks.items() if held.marks.get(s) != mark}
                if len(changed) > MOST_CHANGED:
                    return False
                for stream in changed | (held.marks.keys() - marks.keys()):
                    held.put(stream, ())
                for part in _portions(changed):
                    self._put(held, sealed_names(connection, station, part))
            held.marks, held.reached = marks, reached
        return True

    def _reached(self) -> tuple[Checkpoint, ...]:
        """How far the names' read models have come, and by which tables."""
        found = self._read_models().checkpoints()
        return tuple(replace(one, updated_at=NEVER) for one in found if one.name in STATED_BY)

    # ---- opening ----

    def open(self, station: str) -> None:
        """Open every name of a station, and hold them."""
        held = StationNames(self._keyring.generation(), self._now(), self._reached())
        with self._connected() as connection:
            held.marks = stating_names(connection, station)
        for part in _portions(held.marks):
            with self._connected() as connection:  # no reading transaction stays open meanwhile
                names = sealed_names(connection, station, part)
            self._put(held, names)
            if held.count > MOST_NAMES:
                held = StationNames(
                    held.generation, held.used_at, held.reached, is_too_many=True
                )
                break
        with self._lock:
            if not self._is_closed:
                self._stations[station] = held
                self._make_room()
        self._drop_later()

    def _connected(self) -> Connection:
        return self._read_models().engine.connect()

    def _open_soon(self, station: str) -> None:
        """Open the names of a station beside the requests, and wait a moment for it."""
        with self._lock:
            thread = self._opening.get(station)
            if thread is None and not self._is_closed:
                thread = threading.Thread(target=self._opened, args=(station,), daemon=True)
                self._opening[station] = thread
                thread.start()
        if thread is not None:
            thread.join(PATIENCE_SECONDS)

    def _opened(self, station: str) -> None:
        try:
            self.open(station)
        except Exception as error:  # noqa: BLE001 - nobody waits for this thread: the log says it
            log.error("names_not_opened", station=station, kind=type(error).__name__)  # noqa: TRY400 - a traceback may hold names
        finally:
            with self._lock:
                self._opening.pop(station, None)

    def _put(self, held: StationNames, names: list[SealedName]) -> None:
        """Open some names and hold them, by their streams."""
        self._keyring.read_ahead({one.owner for one in names})
        of_stream: dict[str, list[Known]] = {}
        for one in names:
            name = self._vault.shown(one.name, one.stream)
            if name != UNREADABLE and not is_sealed(name):
                said = folded(name)
                of_stream.setdefault(one.stream, []).append(Known(one.owner, said, spellings(said)))
        for stream, known in of_stream.items():
            held.put(stream, tuple(known))

    def holds(self, station: str) -> bool:
        """Whether the names of a station are held, as of the last question."""
        return station in self._stations

    # ---- forgetting ----

    def _make_room(self) -> None:
        """Drop the stations that nobody has asked about longest, while there are too many."""
        held = sorted(self._stations, key=lambda s: self._stations[s].used_at)
        while held and (
            len(held) > MOST_STATIONS
            or sum(self._stations[s].count for s in held) > MOST_NAMES
        ):
            del self._stations[held.pop(0)]

    def _forget(self, station: str) -> None:
        with self._lock:
            self._stations.pop(station, None)

    def drop_idle(self) -> None:
        """Drop what nobody has asked about for a while; looks again while anything is held."""
        before = self._now() - IDLE_SECONDS
        with self._lock:
            self._timer = None
            for station in [s for s, held in self._stations.items() if held.used_at < before]:
                del self._stations[station]
        self._drop_later()

    def _drop_later(self) -> None:
        with self._lock:
            if self._timer is None and self._stations and not self._is_closed:
                self._timer = threading.Timer(IDLE_SECONDS / 10, self.drop_idle)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Hold nothing any more, and open nothing."""
        with self._lock:
            self._is_closed = True
            self._stations.clear()
            opening = list(self._opening.values())
            if self._timer is not None:
                self._timer.cancel()
        for thread in opening:
            thread.join(PATIENCE_SECONDS)


def _portions(streams: Collection[str]) -> Iterator[list[str]]:
    ordered = sorted(streams)
    return (ordered[n : n + AT_ONCE] for n in range(0, len(ordered), AT_ONCE))


def nearest(names: Iterator[Known], part: str) -> list[str]:
    """The owners of names with a part in them: whole names first, then how names begin."""
    said = folded(part)
    if not said:
        return []
    found = _by_letters(names, said) if is_spelled(said) else _by_characters(names, said)
    return list(dict.fromkeys(owner for *_rank, owner in sorted(found)))


def _by_characters(names: Iterator[Known], said: str) -> list[tuple[int, str, str]]:
    return [
        (0 if name == said else 1 if name.startswith(said) else 2, name, owner)
        for owner, name, _spelled in names if said in name
    ]


def _by_letters(names: Iterator[Known], said: str) -> list[tuple[int, str, str]]:
    how = typed(said)
    found = re.compile(rf"\b{how}").search
    begins, ends = re.compile(rf"^{how}", re.MULTILINE), re.compile(rf"^{how}\b", re.MULTILINE)
    return [
        (0 if ends.search(spelled) else 1 if begins.search(spelled) else 2, name, owner)
        for owner, name, spelled in names if found(spelled)
    ]
