"""What does one call read of persons, and how does that come into the access log?

A call has one reading: texts are opened through it, and it remembers whose they were.
It is written down before the answer leaves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from api.access_log import Access, AccessAction
from domain.kernel import Event, Stream, stream_kind, stream_subject
from domain.owners import streams_of, texts_of
from domain.vault import Vault, sealed_places

T = TypeVar("T")
_NAMED: Final = re.compile(r"[a-z_]+:[0-9A-Za-z_.-]{1,64}")
"""An id; what somebody types instead of one may be a name, and is of nobody here."""


@dataclass(slots=True)
class Reading:
    """What one call has read so far. ``subjects`` are ``household:…``, ``person:…``, …"""

    vault: Vault
    subjects: dict[str, None] = field(default_factory=dict)
    action: AccessAction = AccessAction.READ
    is_noted: bool = False
    shows_names: bool = True

    def __post_init__(self) -> None:
        """Hide what is said of persons from who may not see names."""
        if not self.shows_names:
            self.vault = replace(self.vault, hides_names=True)

    def shown(self, value: T, stream: str) -> T:
        """What is known of a stream's subject, with its sealed texts opened."""
        self.saw([stream, *(owner for owner, _version in sealed_places(value))])
        return self.vault.shown(value, stream)

    def said_back(self, value: T, stream: str, *, earlier: object = None) -> T:
        """What a call has stated just now: no reading, but for what ``earlier`` repeats in it."""
        if owners := [owner for owner, _version in sealed_places(earlier)]:
            self.saw([stream, *owners])
        return self.vault.shown(value, stream)

    def rows_shown(self, rows: Sequence[T], streams: Sequence[str]) -> list[T]:
        """The same for rows of several streams, whose keys are read at once."""
        places = [sealed_places(row) for row in rows]
        self.vault.keys.read_ahead({owner for found in places for owner, _version in found})
        shown: list[T] = []
        for row, stream, found in zip(rows, streams, places, strict=True):
            self.saw([stream, *(owner for owner, _version in found)])
            shown.append(self.vault.shown(row, stream) if found else row)
        return shown

    def compared(self, rows: Sequence[T], streams: Sequence[str]) -> list[T]:
        """Rows as they were stated whoever asks: to be compared, and shown to nobody."""
        vault = self.vault
        self.vault = replace(vault, hides_names=False)
        found = self.rows_shown(rows, streams)
        self.vault = vault
        return found

    def one_compared(self, value: T, stream: str) -> T:
        """The same for what is known of one stream."""
        return self.compared([value], [stream])[0]

    def opened(self, stream: Stream[Any]) -> Stream[Any]:
        """A stream with its sealed texts opened; one that says nothing personal is not read."""
        said = [text for entry in stream.entries.values()
                for _owner, _mark, text in texts_of(entry.statement.event, stream.id, None)]
        if said:
            self.saw([stream.id, *(owner for owner, _version in sealed_places(said))])
        return self.vault.opened_stream(stream, to_show=True)

    def unlocked(self, event: Event, stream: str) -> Event:
        """What opens a file and is itself shown to nobody; that it was read is remembered."""
        self.saw([stream])
        return self.vault.opened(event, stream)

    def saw(self, streams: Iterable[str]) -> None:
        """Streams, or owners of texts, of which something personal is read."""
        names = (name for owner in streams for name in streams_of(owner))
        self.about(f"{stream_kind(name)}:{stream_subject(name)}" for name in names)

    def about(self, subjects: Iterable[str]) -> None:
        """Subjects of whom something personal is read."""
        self.subjects |= dict.fromkeys(filter(_NAMED.fullmatch, subjects))
        self.is_noted = True

    def access(
        self, *, at: datetime, actor: str, role: str, station: str, request_id: str, route: str
    ) -> Access | None:
        """The row of the access log; ``None`` where nothing personal was read."""
        if not self.is_noted:
            return None
        return Access(
            at, actor, role, station, request_id, self.action, route, tuple(self.subjects)
        )
