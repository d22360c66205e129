"""Which records of other streams name a stream, as the log stands now?

An index (a read model) says which streams did so up to some position; the events after it
are looked through. Each stream found is then read as it stands, since a record that was
corrected or voided names nobody any more. What others record while this is asked, within
the same moment, is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, Final, Protocol

from domain.fields import REFERS_TO, marked_values, marks_of
from domain.kernel import (
    EVENTS,
    KINDS,
    Reference,
    Refused,
    Statement,
    Stream,
    stream_id,
    stream_kind,
    stream_station,
)

FEW: Final = 5
"""How many records an answer shows."""
MOST_BEHIND: Final = 5_000
"""How far behind the log an index may be to be asked."""


class ReferencesUnknown(
    Refused, code="references_unknown", status=503, title="暂时无法核对引用",
    detail="统计落后台账 {behind} 条记录，暂时无法核对是否还有记录以它为对象；请稍后重试。",
):
    """The index is too far behind the log."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A stream that others may name."""

    station: str
    kind: str
    id: str

    @property
    def stream(self) -> str:
        """Its own name."""
        return stream_id(self.station, self.kind, self.id)


class ReferenceIndex(Protocol):
    """Finds records by whom they name, perhaps a little late."""

    def streams_naming(self, subject: Subject) -> tuple[Sequence[str], int]:
        """Some streams that name a subject, and up to which position that is known."""

    def streams_ever_naming(self, subject: Subject) -> tuple[Sequence[str], int]:
        """Every stream that names or ever named a subject, and up to which position."""


@cache
def referable_kinds() -> frozenset[str]:
    """The kinds of stream that some event names; a station is named by all it records."""
    return frozenset({"station"}) | {
        marks[REFERS_TO]
        for event in EVENTS.values()
        for marks in marks_of(event).values()
        if REFERS_TO in marks
    }


def references(
    subject: Subject, candidates: Iterable[str], read: Callable[[str], Stream[Any] | None]
) -> tuple[Reference, ...]:
    """The first records that name a subject, among some streams as they stand."""
    return tuple(islice(_references(subject, candidates, read), FEW))


def _references(
    subject: Subject, candidates: Iterable[str], read: Callable[[str], Stream[Any] | None]
) -> Iterator[Reference]:
    for name in dict.fromkeys(candidates):
        is_of_others = stream_station(name) == subject.station and name != subject.stream
        if not is_of_others or KINDS[stream_kind(name)].is_final:
            continue  # what cannot be voided is in nobody's way; merges are asked for themselves
        stream = read(name)
        for entry in stream.active() if stream else ():
            if subject.kind == "station" or _is_named(subject, entry.statement):
                yield Reference(
                    name, entry.version, entry.statement.event.label, entry.statement.occurred.on
                )


def _is_named(subject: Subject, statement: Statement) -> bool:
    return any(
        (kind, named) == (subject.kind, subject.id)
        for _path, kind, named in marked_values(statement.event, REFERS_TO)
    )
