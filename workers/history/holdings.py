"""What does the ledger already hold of what a file speaks of?

It is asked for many keys and streams at once before the lines are decided; what the
lines add is kept beside it in memory, so that deciding a line asks the database nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from domain.kernel import KINDS, Recorded, Stream, stream_kind
from domain.ledger import Answered, Ledger, by_stream, recorded_from
from domain.record_keeping import fold

AT_ONCE: Final = 500
"""How many keys or streams one question to the database names."""


class Holdings:
    """The keys and streams that a file's lines mean, as they stand so far."""

    def __init__(self, ledger: Ledger, scope: str) -> None:
        """Nothing is loaded yet; keys are those of the scope."""
        self._ledger, self._scope = ledger, scope
        self._keys: dict[str, Answered | None] = {}
        self._streams: dict[str, Stream[Any] | None] = {}

    def load_keys(self, keys: Iterable[str]) -> None:
        """Ask which of the keys were taken in before."""
        for some in _portions(key for key in keys if key not in self._keys):
            found = self._ledger.store.answered_among(self._scope, some)
            self._keys |= {key: found.get(key) for key in some}

    def load_streams(self, names: Iterable[str]) -> None:
        """Read the streams that are not at hand; one that was never begun is ``None``."""
        for some in _portions(name for name in names if name not in self._streams):
            found = by_stream(self._ledger.notifications_of(some))
            for name in some:
                recorded = map(recorded_from, found.get(name, ()))
                stream = fold(KINDS[stream_kind(name)], None, recorded)
                self._streams[name] = stream and self._ledger.vault.opened_stream(stream)

    def taken_in(self, key: str) -> Answered | None:
        """What a line's key was recorded as, by an earlier file or earlier in this one."""
        if key not in self._keys:
            self.load_keys([key])
        return self._keys[key]

    def stream(self, name: str) -> Stream[Any] | None:
        """A stream with all that was decided so far."""
        if name not in self._streams:
            self.load_streams([name])
        return self._streams[name]

    def begun(self) -> list[str]:
        """The streams at hand."""
        return list(self._streams)

    def version(self, name: str) -> int:
        """The version of a stream with all that was decided so far."""
        stream = self.stream(name)
        return stream.version if stream else 0

    def take_in(self, key: str, answered: Answered) -> None:
        """Remember what a line was decided as."""
        self._keys[key] = answered

    def append(self, recorded: Recorded) -> None:
        """Continue a stream with what was decided."""
        name = recorded.stream
        self._streams[name] = fold(KINDS[stream_kind(name)], self.stream(name), [recorded])


def _portions(names: Iterable[str]) -> Iterator[list[str]]:
    """The names without repetition, so many at once as one question may name."""
    rest = iter(dict.fromkeys(names))
    while some := list(islice(rest, AT_ONCE)):
        yield some
