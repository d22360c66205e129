"""How do threads that wait for the same disk share a commit?

A commit waits for the disk. What other threads want written meanwhile waits together: the
thread whose turn it is writes for all who wait, and each learns what came of its own.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

from eventsourcing.persistence import OperationalError

MOST_AT_ONCE: Final = 200
"""How much that waits one commit takes along."""

T = TypeVar("T")
R = TypeVar("R")
Outcome: TypeAlias = R | BaseException
"""What came of a part of a group: its result, or the error that it alone met."""


class AnswerLostError(OperationalError):
    """The connection broke after a write was sent: it has landed, or has not, or will yet."""


@dataclass(slots=True, eq=False)
class _Asked(Generic[T, R]):
    """What one thread wants written, and what came of it."""

    item: T
    outcomes: Sequence[Outcome[R]] = ()


class GroupCommit(Generic[T, R]):
    """Writes what several threads want written in as few commits as possible."""

    def __init__(
        self, write: Callable[[Sequence[T]], Sequence[Outcome[R]]],
        *, apart: tuple[type[Exception], ...] = (),
    ) -> None:
        """``write`` commits a group, all of it or (raising) nothing, and answers in order.

        ``apart`` are errors that one member causes, before anything is committed: after one
        of them each is written by itself, so that one fails no other. Any other error is
        everybody's at once: where the disk is full or the database locked, trying each would
        let them wait in turn, and where a commit failed it may have landed all the same.
        """
        self._write, self._apart = write, apart
        self._waiting: deque[_Asked[T, R]] = deque()
        self._turn = threading.Lock()

    def __call__(self, item: T) -> R:
        """Have something written, with whatever else waits; returns once it is committed."""
        mine = _Asked[T, R](item)
        self._waiting.append(mine)
        with self._turn:
            while not mine.outcomes:
                count = min(len(self._waiting), MOST_AT_ONCE)
                self._commit([self._waiting.popleft() for _ in range(count)])
        [outcome] = mine.outcomes
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _commit(self, group: Sequence[_Asked[T, R]]) -> None:
        """Write a group, and say to each what came of its own."""
        try:
            found = self._write([asked.item for asked in group])
        except BaseException as error:  # noqa: BLE001 - raised in the thread that asked
            for asked in group:
                if len(group) > 1 and isinstance(error, self._apart):
                    self._commit([asked])
                else:
                    asked.outcomes = [error]
            return
        for asked, outcome in zip(group, found, strict=True):
            asked.outcomes = [outcome]
