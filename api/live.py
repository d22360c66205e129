"""Who is told that something was recorded? Pages that listen, by position and kind alone.

Nothing is pushed to a web process: while anybody listens, it looks once a second, for all who
do, whether the read models have come further, and reads the names of the events between. So a
page is told only of what it can be shown, Redis may be away, and nobody who listens costs the
database anything. How many may listen is bounded, since each holds a thread (decision 0033).
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from domain.kernel import Refused, stream_kind, stream_station
from domain.ledger import Ledger

LOOK_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 15.0
"""How often somebody who is told nothing is sent something, so that no proxy takes him for gone."""
MOST_SECONDS: Final = 300.0
"""How long one connection lasts: then the browser asks anew, and its session is looked at again."""
MOST_LISTENERS: Final = 16
"""In one process; ``api/cli/web.py`` has as many threads more than requests need."""
MOST_OF_ONE: Final = 4
"""Of one account: windows that are looked at at the same time."""
KEPT: Final = 1_000
READ_AT_ONCE: Final = 2_000
"""So many events between two looks are read; after more, every page is told to look."""
ANYTHING: Final = "*"
"""The kind of what is not known any more."""


class TooManyListening(
    Refused, code="too_many_listening", status=503, title="同时看着的页面太多",
    detail="自动更新的页面已达上限（每个账号 {own} 个，本服务 {all} 个）；页面照常可用，"
    "请自行刷新。",
):
    """Every place for somebody who listens is taken."""


class News(NamedTuple):
    """An event that can be read: where it stands in the log, and the stream it belongs to."""

    position: int
    stream: str


@dataclass
class Newsroom:
    """What was recorded lately in one process's ledger, and who listens.

    ``reached`` says how far the read models have come. ``is_closed`` ends every connection;
    it is set where the process is told to stop.
    """

    ledger: Ledger
    reached: Callable[[], int]
    is_closed: bool = False
    _recent: deque[News] = field(default_factory=deque)
    _begins: int = -1
    _until: int = -1
    _looked_at: float = float("-inf")
    _looking: threading.Lock = field(default_factory=threading.Lock)
    _listeners: Counter[str] = field(default_factory=Counter)
    _counting: threading.Lock = field(default_factory=threading.Lock)

    # ---- places ----

    def enter(self, who: str) -> None:
        """Take a place.

        :raises TooManyListening: where none is free.
        """
        self._look()  # first: where the database does not answer, no place is taken
        with self._counting:
            if self._listeners.total() >= MOST_LISTENERS or self._listeners[who] >= MOST_OF_ONE:
                raise TooManyListening(own=MOST_OF_ONE, all=MOST_LISTENERS)
            self._listeners[who] += 1

    def leave(self, who: str) -> None:
        """Give the place back."""
        with self._counting:
            self._listeners[who] -= 1
            self._listeners += Counter()  # whoever has none left is forgotten

    @property
    def listeners(self) -> int:
        """How many listen."""
        return self._listeners.total()

    # ---- news ----

    def since(self, position: int) -> tuple[int, Sequence[News] | None]:
        """What came after a position, up to where; ``None`` where that is not known any more."""
        self._look()
        begins, until, recent = self._begins, self._until, tuple(self._recent)
        if position < begins:
            return until, None
        return max(until, position), [news for news in recent if position < news.position <= until]

    def _look(self) -> None:
        """Look once for all who ask within a second."""
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        with self._looking:
            if time.monotonic() - self._looked_at >= LOOK_SECONDS:
                self._take_in(self.reached())
                self._looked_at = time.monotonic()

    def _take_in(self, until: int) -> None:
        """Keep the names of the events up to a position; they are read in one page."""
        rows = []
        if until > self._until >= 0:
            rows = self.ledger.rows(self._until, READ_AT_ONCE)
        is_known = self._until >= 0 and len(rows) < READ_AT_ONCE and until >= self._until
        if not is_known:
            self._recent.clear()
            self._begins = until
        else:
            self._recent.extend(News(row[0], row[1]) for row in rows if row[0] <= until)
        while len(self._recent) > KEPT:
            self._begins = self._recent.popleft().position
        self._until = until


def slept(seconds: float) -> bool:
    """Wait, and find nothing out about who listens."""
    time.sleep(seconds)
    return True


@dataclass(frozen=True)
class Listener:
    """Somebody who listens: from where on, and what concerns him."""

    newsroom: Newsroom
    admits: Callable[[str], bool]
    """Whose stations' news he may be told."""
    kinds: frozenset[str] = frozenset()
    """Of which kinds of record; of every kind where it names none."""
    concerning: Callable[[Sequence[str]], Collection[str]] = tuple
    """Which of some streams are about what he looks at."""
    is_there_after: Callable[[float], bool] = slept
    """Waits so many seconds, or until he is gone: whether he is still there then."""

    def told(self, after: int) -> Iterator[str]:
        """The lines that he is sent, as long as his connection lasts."""
        yield "retry: 5000\n\n"
        began = sent = time.monotonic()
        while time.monotonic() - began < MOST_SECONDS and not self.newsroom.is_closed:
            until, found = self.newsroom.since(after)
            kinds = [ANYTHING] if found is None else self._kinds(found)
            if kinds:
                yield _event(until, kinds)
            elif time.monotonic() - sent >= HEARTBEAT_SECONDS:
                yield f"id: {until}\n\n"  # an event without data is none, but its id is kept
            elif not self.is_there_after(LOOK_SECONDS):
                return
            else:
                after = until
                continue
            after, sent = until, time.monotonic()

    def _kinds(self, found: Sequence[News]) -> list[str]:
        """The kinds of the news that concern him."""
        own = [news.stream for news in found if self.admits(stream_station(news.stream))]
        own = [s for s in own if not self.kinds or stream_kind(s) in self.kinds]
        return sorted(set(map(stream_kind, self.concerning(own) if own else ())))


def _event(position: int, kinds: Sequence[str]) -> str:
    """An event as the HTML standard (9.2.5) has it; codes need no escaping."""
    names = ",".join(f'"{kind}"' for kind in kinds)
    return f'id: {position}\nevent: recorded\ndata: {{"position":{position},"kinds":[{names}]}}\n\n'
