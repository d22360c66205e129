"""Where is it read what was recorded of a stream: in the ledger, or in a replay of it?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from domain.kernel import Recorded, Stream


class Histories(Protocol):
    """The streams of a log, event by event; the ledger is one."""

    def history(self, stream: str) -> list[Recorded]:
        """Every event of a stream with its position, oldest first."""

    def histories(self, streams: Iterable[str]) -> Mapping[str, Sequence[Recorded]]:
        """The same of several streams; of one that was never begun there is nothing."""

    def stream(self, station: str, kind: str, subject: str) -> Stream[Any] | None:
        """A stream as it stands, or ``None`` where it was never begun."""
