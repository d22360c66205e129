"""Which moment is a question about: as of which day of service, and as known when?

*As of* cuts by the day on which something occurred, *known at* by when it was recorded:
an instant (``recorded_at``, which imported records bring along), a position of the log,
or both. An instant alone is answered differently once older records are imported; with
the position up to which the log was read it is the same question for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, assert_never

from domain.kernel import KINDS, STATION_TIME, Recorded, Refused, Stream, stream_kind
from domain.record_keeping import RecordKeeping, state_of

KnownAt = datetime | int | tuple[datetime, int]
"""An instant of recording, a position of the log, or an instant in the log up to a position."""

MOST_DIGITS: Final = 18
"""Digits of the largest position that both databases can compare with."""


class KnownAtAhead(
    Refused, code="known_at_ahead", status=400, title="台账还没有这个位置",
    detail="known_at 的台账位置 {got} 尚不存在，台账现在到 {head} 为止。",
):
    """What will be known is not known yet: the answer would not stay the same."""


def instant_of(known_at: KnownAt | None) -> datetime | None:
    """The instant until which records count as known."""
    match known_at:
        case datetime():
            return known_at
        case tuple():
            return known_at[0]
        case int() | None:
            return None
        case _:
            assert_never(known_at)


def position_of(known_at: KnownAt | None) -> int | None:
    """The position up to which the log is read."""
    match known_at:
        case int():
            return known_at
        case tuple():
            return known_at[1]
        case datetime() | None:
            return None
        case _:
            assert_never(known_at)


def bounded(known_at: KnownAt | None, position: int) -> KnownAt:
    """The same moment of knowing in a log that is read up to a position."""
    own = position_of(known_at)
    least = position if own is None else min(own, position)
    instant = instant_of(known_at)
    return least if instant is None else (instant, least)


def refuse_ahead(known_at: KnownAt | None, head: int) -> None:
    """Refuse a position that the log has not come to.

    :raises KnownAtAhead: where it names one.
    """
    position = position_of(known_at)
    if position is not None and position > head:
        raise KnownAtAhead(got=position, head=head)


def known(history: Iterable[Recorded], known_at: KnownAt | None) -> list[Recorded]:
    """The events of a history that were recorded by then.

    By an instant, a correction may be known whose entry is not (both were imported, with
    times of their own): there is nothing yet that it corrects.
    """
    instant, position = instant_of(known_at), position_of(known_at)
    found = [
        event
        for event in history
        if (position is None or event.position <= position)
        and (instant is None or event.envelope.recorded_at <= instant)
    ]
    if instant is None:
        return found
    entries = {event.version for event in found}
    return [
        event for event in found
        if not isinstance(event.event, RecordKeeping) or event.event.entry in entries
    ]


def parse_known_at(text: str) -> KnownAt:
    """A position (``1234``), a day (known at its end in the station's calendar), an instant.

    An instant is RFC 3339; without a zone it is the station's. A day or instant may be
    followed by ``@`` and a position.

    :raises ValueError: for anything else.
    """
    said, at, position = text.partition("@")
    if at:
        return _instant(said), _position(position)
    return _position(text) if text.isdigit() else _instant(text)


def _position(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > MOST_DIGITS:
        raise ValueError(text)
    return int(text)


def _instant(text: str) -> datetime:
    if len(text) == len("2024-12-05"):
        day = date.fromisoformat(text)
        instant = datetime(day.year, day.month, day.day, 23, 59, 59, 999_999, STATION_TIME)
    else:
        instant = datetime.fromisoformat(text)
    instant = instant if instant.tzinfo else instant.replace(tzinfo=STATION_TIME)
    if not date.min.year < instant.year < date.max.year:
        raise ValueError(text)
    return instant.astimezone(STATION_TIME)


def known_at_text(known_at: KnownAt | None) -> str | int | None:
    """The moment as an answer states it; :func:`parse_known_at` reads it back."""
    match known_at:
        case tuple():
            return f"{known_at[0].isoformat()}@{known_at[1]}"
        case datetime():
            return known_at.isoformat()
        case _:
            return known_at


@dataclass(frozen=True, slots=True)
class Moment:
    """What a question says of time; the present where it says nothing."""

    as_of: date | None = None
    known_at: KnownAt | None = None

    @property
    def is_present(self) -> bool:
        """Whether the question is how things stand now."""
        return self.as_of is None and self.known_at is None

    def until(self, day: date | None) -> date | None:
        """The earlier of a day and the day of ``as_of``."""
        return min(filter(None, (day, self.as_of)), default=None)


def as_of(stream: Stream[Any], day: date | None) -> Stream[Any]:
    """A stream with the entries that had occurred by a day, and the state they fold to."""
    if day is None:
        return stream
    entries = {
        version: entry
        for version, entry in stream.entries.items()
        if entry.statement.occurred.on <= day
    }
    if len(entries) == len(stream.entries):
        return stream
    state = state_of(KINDS[stream_kind(stream.id)], entries.values())
    return replace(stream, state=state, entries=entries)


def has_begun(stream: Stream[Any]) -> bool:
    """Whether an entry that counts begins the stream: before it there is nothing to show."""
    openers = KINDS[stream_kind(stream.id)].openers
    return any(isinstance(entry.statement.event, openers) for entry in stream.active())
