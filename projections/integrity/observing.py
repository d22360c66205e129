"""What was recorded at a station on some days, as it stands, for the integrity signals?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from domain.fields import PERSONAL, marked_values
from domain.kernel import (
    KINDS,
    STATION_TIME,
    Entry,
    Precision,
    Recorded,
    Refused,
    stream_kind,
)
from domain.ledger import Ledger, by_stream, recorded_from
from domain.record_keeping import fold
from projections.audit_trail import AuditQuery, audit_events_of
from projections.integrity.terms import Observed
from projections.store import CHUNK

MOST_RECORDS: Final = 20_000
"""Events that one question looks at: a busy station's year several times over."""


class TooMuchToCheck(
    Refused, code="too_much_to_check", title="一次核查的记录太多",
    detail="这些天录入的记录超过 {most} 条，请缩小日期范围后分次核查。",
):
    """More than one question may look at."""


def observed(
    connection: Connection, ledger: Ledger, station: str, first: datetime, until: datetime
) -> list[Observed]:
    """The records entered from an instant on and before another; notes stay sealed.

    :raises TooMuchToCheck: where there are more than one question may look at.
    """
    asked = AuditQuery(station=station, first=first, until=until)
    keys = audit_events_of(connection, asked, limit=MOST_RECORDS + 1)
    if len(keys) > MOST_RECORDS:
        raise TooMuchToCheck(most=MOST_RECORDS)
    positions = {key.position for key in keys}
    streams = sorted({key.stream for key in keys})
    return [
        record
        for start in range(0, len(streams), CHUNK)
        for history in _histories(ledger, streams[start : start + CHUNK])
        for record in _standing(history)
        if record.position in positions
    ]


def observed_in(
    histories: Iterable[Sequence[Recorded]], first: datetime, until: datetime
) -> list[Observed]:
    """The same of some whole streams, in the order of their names."""
    return [
        record
        for history in sorted(histories, key=lambda events: events[0].stream)
        for record in _standing(history)
        if first <= record.recorded_at < until
    ]


def _histories(ledger: Ledger, streams: Sequence[str]) -> Iterator[list[Recorded]]:
    for found in by_stream(ledger.notifications_of(streams)).values():
        yield [recorded_from(notification) for notification in found]


def _standing(history: Sequence[Recorded]) -> Iterator[Observed]:
    """The entries of a stream that count, as they stand after corrections."""
    stream = fold(KINDS[stream_kind(history[0].stream)], None, history)
    assert stream is not None
    original = {event.version: event for event in history}
    for entry in stream.active():
        yield _observed(original[entry.version], entry)


def _observed(original: Recorded, entry: Entry) -> Observed:
    event: Any = entry.statement.event
    occurred, envelope = entry.statement.occurred, original.envelope
    worker = getattr(event, "worker", None)
    return Observed(
        stream=original.stream, entry=entry.version, position=original.position,
        topic=event.topic, label=event.label, actor=envelope.actor,
        recorded_at=envelope.recorded_at, occurred_on=occurred.on, last_day=occurred.last_day,
        starts_at=occurred.at or _start(event, occurred.on),
        is_imported=envelope.imported_at is not None,
        is_day_known=occurred.precision is Precision.DAY and occurred.until is None,
        minutes=getattr(event, "minutes", None),
        workers=tuple(getattr(event, "workers", ())) or ((worker,) if worker else ()),
        place=getattr(event, "household", None) or getattr(event, "venue", None)
        or getattr(event, "community", None) or "",
        activity=getattr(event, "activity", None),
        texts=tuple(
            text for _path, mark, text in marked_values(event, PERSONAL) if mark == "note"
        ),
    )


def _start(event: Any, day: Any) -> datetime | None:
    at = getattr(event, "starts_at", None)
    return None if at is None else datetime.combine(day, at, STATION_TIME)
