"""By which definitions does a station count a period, as they were known at a moment?

The file of a set is its first version. What the station defined itself stands in the
ledger and is kept here as signed rows, like postings: a correction takes the definition
before back and puts the one after in its place, so that any moment's definitions can be
told. Each day from which something is defined otherwise begins a version of the set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    Index,
    Integer,
    String,
    Table,
    Text,
    select,
)

from domain.indicators import Indicator, IndicatorDefined, IndicatorRevised
from domain.kernel import Event, Recorded, Refused, stream_id, stream_station
from domain.record_keeping import EntryCorrected, EntryReinstated, EntryVoided, RecordKeeping
from projections.columns import UtcDateTime
from projections.indicators import IndicatorSet, indicator_set
from projections.kernel import Batch, EntryProjection, Fault, Rows, metadata
from projections.knowing import KnownBy, bounds
from projections.moments import KnownAt
from projections.periods import Period

definitions: Final = Table(
    "indicator_definitions",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("station", String(64), nullable=False),
    Column("stream", Text, nullable=False),
    Column("entry", Integer, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("amount", Integer, nullable=False),
    Column("indicator_set", String(64), nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_until", Date),
    Column("definition", Text, nullable=False),
    Index("ix_indicator_definitions_station", "station", "indicator_set"),
)
"""``amount`` is 1 where the definition is stated, -1 where it is taken back."""


class UnknownIndicatorVersion(
    Refused, code="unknown_indicator_version", status=404, title="没有这一版口径",
    detail="指标集 {set_code} 没有第 {got} 版口径，可用：{choices}。",
):
    """A version that the set never had."""


def defined(event: Recorded) -> Iterator[tuple[int, int, IndicatorDefined | IndicatorRevised]]:
    """What an event states or takes back: the entry, the sign, the definition."""
    kept = event.event
    match kept:
        case IndicatorDefined() | IndicatorRevised():
            yield event.version, 1, kept
        case EntryCorrected():
            yield from _stated(kept.entry, -1, kept.before.event)
            yield from _stated(kept.entry, 1, kept.after.event)
        case EntryVoided():
            yield from _stated(kept.entry, -1, kept.voided.event)
        case EntryReinstated():
            yield from _stated(kept.entry, 1, kept.reinstated.event)


def _stated(
    entry: int, sign: int, event: Event
) -> Iterator[tuple[int, int, IndicatorDefined | IndicatorRevised]]:
    if isinstance(event, IndicatorDefined | IndicatorRevised):
        yield entry, sign, event


class IndicatorDefinitions(EntryProjection):
    """The definitions that stations made, with what took them back."""

    name = "indicator_definitions"
    label = "指标口径"
    tables = (definitions,)

    def rows(self, batch: Batch, faults: list[Fault]) -> Rows:
        """One row a definition stated or taken back."""
        answers, failed = batch.each(defined, IndicatorDefined | IndicatorRevised | RecordKeeping)
        faults += failed
        for event, made in answers:
            for number, (entry, sign, stated) in enumerate(made):
                yield definitions, (
                    event.position, number, stream_station(event.stream), event.stream, entry,
                    event.envelope.recorded_at, sign, stated.indicator_set or "",
                    stated.valid_from, stated.valid_until,
                    msgspec.json.encode(stated.indicator, order="sorted").decode(),
                )


@dataclass(frozen=True, slots=True)
class OwnDefinition:
    """A definition of the station's own, and the days on which it is valid."""

    indicator: Indicator
    valid_from: date
    valid_until: date | None


def own_definitions(
    connection: Connection, station: str, set_code: str, known_at: KnownAt | None = None
) -> list[OwnDefinition]:
    """The definitions of a station's own, as known at a moment, by when they begin."""
    column, moment = definitions.c, KnownBy.of(known_at)
    query = select(
        column.stream, column.entry, column.amount, column.definition, column.valid_from,
        column.valid_until,
    ).where(column.station == station, column.indicator_set == set_code)
    query = query.where(*moment.conditions(definitions)).order_by(column.position, column.number)
    standing: dict[tuple[str, int], OwnDefinition] = {}
    for row in connection.execute(query, bounds(known_at)):
        if row.amount < 0:
            standing.pop((row.stream, row.entry), None)
        else:
            indicator = msgspec.json.decode(row.definition, type=Indicator)
            standing[(row.stream, row.entry)] = OwnDefinition(
                indicator, row.valid_from, row.valid_until
            )
    return sorted(standing.values(), key=lambda own: own.valid_from)


def set_of_own(connection: Connection, station: str, code: str) -> str | None:
    """The set for which a station first defined an indicator; ``None`` where it did not."""
    stream = stream_id(station, "indicator", code)
    query = select(definitions.c.indicator_set).where(
        definitions.c.station == station, definitions.c.stream == stream
    )
    found: str | None = connection.execute(
        query.order_by(definitions.c.position).limit(1)
    ).scalar()
    return found


def versions_of(base: IndicatorSet, own: list[OwnDefinition]) -> list[IndicatorSet]:
    """Every version of a set, from the file's on; a new one begins where a definition does."""
    begins = {d.valid_from for d in own} | {
        d.valid_until + timedelta(days=1) for d in own if d.valid_until
    }
    versions = [base]
    for number, day in enumerate(sorted(begins), 1):
        valid = {d.indicator.code: d.indicator for d in own if _is_valid(d, day)}
        version = msgspec.structs.replace(
            base.defining(valid.values()), version=base.version + number, valid_from=day
        )
        versions.append(version)
    return versions


def _is_valid(definition: OwnDefinition, day: date) -> bool:
    return definition.valid_from <= day <= (definition.valid_until or date.max)


def versions(
    connection: Connection, station: str, set_code: str, known_at: KnownAt | None = None
) -> list[IndicatorSet]:
    """Every version of a set at a station, as known at a moment, oldest first.

    :raises UnknownIndicatorSet: where there is no such set.
    """
    base = indicator_set(set_code)
    return versions_of(base, own_definitions(connection, station, set_code, known_at))


def station_set(
    connection: Connection, station: str, set_code: str, period: Period, *,
    known_at: KnownAt | None = None, version: int | None = None,
) -> IndicatorSet:
    """The set by which a station counts a period: the version valid at its end.

    The versions valid before it come along, for periods that several touch. One that is
    asked for by its number counts the whole period by itself.

    :raises UnknownIndicatorSet: where there is no such set.
    :raises UnknownIndicatorVersion: where it has no such version.
    """
    known = versions(connection, station, set_code, known_at)
    if version is not None:
        chosen = [found for found in known if found.version == version]
        if not chosen:
            choices = "、".join(str(found.version) for found in known)
            raise UnknownIndicatorVersion(set_code=set_code, got=version, choices=choices)
        return chosen[0]
    return set_of(known, period)


def set_of(known: list[IndicatorSet], period: Period) -> IndicatorSet:
    """Of all versions the one valid at a period's end, with those before it."""
    begun = [found for found in known[1:] if found.valid_from <= period.last]
    if not begun:
        return known[0]
    return msgspec.structs.replace(begun[-1], earlier=(known[0], *begun[:-1]))
