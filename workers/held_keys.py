"""Which keys does a process hold in memory, and until when?

Until the keyring's generation changes, which whoever destroys or locks a key, or wraps all
of them anew, changes in the same transaction. A process asks for it at most a tenth of a
second before it uses a key; a change is answered after twice that, so that who began in the
last moment of his tenth has as long again to end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from domain.vault import DataKey

HELD_SECONDS: Final = 0.1
"""For how long a process may not notice that a key was destroyed, locked or wrapped anew."""
SETTLED_SECONDS: Final = 2 * HELD_SECONDS
"""After which nobody uses what a change took away: as long again as somebody may not have
noticed, for what he began in the last moment of it."""
MOST_HELD: Final = 20_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How a keyring tells how much time has passed, and lets some pass, in seconds."""

    now: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep


REAL_TIME: Final = Pace()


class HeldKeys:
    """The keys that one process has read since the keyring last changed."""

    def __init__(
        self, asked: Callable[[], str], now: Callable[[], float] = time.monotonic
    ) -> None:
        """Hold nothing yet; ``asked`` answers the generation of the keyring now."""
        self._asked, self._now = asked, now
        self._generation, self._since = "", -HELD_SECONDS
        self._keys: dict[str, tuple[DataKey, ...]] = {}
        self._lock = threading.Lock()

    def generation(self) -> str:
        """The keyring's generation, a tenth of a second old at most; of others nothing is held."""
        if self._now() - self._since >= HELD_SECONDS:
            with self._lock:
                now = self._now()  # before it is asked, so that no lease is longer
                if now - self._since >= HELD_SECONDS:
                    found = self._asked()
                    if found != self._generation:
                        self._keys.clear()
                    self._generation, self._since = found, now
        return self._generation

    def of(self, owner: str) -> tuple[DataKey, ...]:
        """The keys of an owner that are held, oldest first; the newest, if any is."""
        return self._keys.get(owner, ())

    def hold(self, generation: str, keys: Iterable[DataKey]) -> None:
        """Hold keys that were read after a generation was, unless it has changed meanwhile."""
        with self._lock:
            if generation != self._generation:
                return
            if len(self._keys) > MOST_HELD:
                self._keys.clear()
            for key in keys:
                others = [k for k in self.of(key.owner) if k.epoch != key.epoch]
                self._keys[key.owner] = tuple(sorted([*others, key], key=lambda k: k.epoch))

    def missing(self, owners: Collection[str]) -> list[str]:
        """Those of some owners of whom no key is held."""
        return [owner for owner in owners if owner not in self._keys]

    def forget(self) -> None:
        """Hold nothing any more, and ask at the next use."""
        with self._lock:
            self._keys.clear()
            self._generation, self._since = "", -HELD_SECONDS
