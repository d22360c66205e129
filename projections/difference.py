"""What changed in a month's figures between two moments of knowing, and by which records?

The figures as known at the one and at the other are sums over the same postings, so that
what lies between them is the postings recorded in between, and the merges and their ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, Row, literal, select, union_all

from projections.absences import turned
from projections.aliases import AliasChange, alias_changes, aliases_at, roots
from projections.counting import added, conditions, parameters, sought
from projections.figures import Figure, Period, figures
from projections.indicators import IndicatorSet
from projections.knowing import KnownBy, unknown_until
from projections.moments import KnownAt
from projections.postings import postings

MOST_POSTINGS: Final = 20_000
"""How many postings are compared; a difference beyond says that it is cut."""


@dataclass(frozen=True, slots=True)
class FigureChange:
    """A figure that reads otherwise at the later moment."""

    before: Figure
    after: Figure


@dataclass(frozen=True, slots=True)
class RecordChange:
    """A record that adds or takes away something: what its events in between post.

    ``positions`` are those events; ``amounts`` the net amount by indicator.
    """

    stream: str
    entry: int
    effective_on: date
    positions: tuple[int, ...]
    amounts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """What lies between two moments; ``is_cut`` where not all of it is listed."""

    figures: tuple[FigureChange, ...]
    records: tuple[RecordChange, ...]
    merges: tuple[AliasChange, ...]
    is_cut: bool = False


def difference(
    connection: Connection, station: str, indicators: IndicatorSet, period: Period, *,
    since: KnownAt, until: KnownAt | None = None, as_of: date | None = None,
) -> Difference:
    """What changed from what was known at ``since`` to what is known at ``until`` (now)."""
    before, after = (
        figures(connection, station, indicators, period, as_of=as_of, known_at=known_at)
        for known_at in (since, until)
    )
    rows = _posted_between(
        connection, station, indicators, period.until(as_of), since=since, until=until
    )
    return Difference(
        tuple(
            FigureChange(b, a)
            for b, a in zip(before, after, strict=True)
            if (b.display, b.value) != (a.display, a.value)
        ),
        tuple(sorted(_records(rows[:MOST_POSTINGS]), key=lambda change: change.positions)),
        tuple(alias_changes(connection, station, since, until)),
        is_cut=len(rows) > MOST_POSTINGS,
    )


def _posted_between(
    connection: Connection, station: str, indicators: IndicatorSet, cut: Period, *,
    since: KnownAt, until: KnownAt | None,
) -> list[Row[tuple[object, ...]]]:
    """The postings that the set counts and that were recorded in between, by record."""
    columns = [
        postings.c[name]
        for name in (
            "stream", "entry", "approximation", "entity", "position", "effective_on",
        )
    ]
    after, moment = unknown_until(postings, since), KnownBy.of(until)
    found = roots(moment) if aliases_at(connection, station, until).into else None
    wanted = tuple(sought(row, indicators, cut) for row in indicators.indicators if row.measure)
    asked = [
        select(
            literal(row.code).label("code"), *columns, added(postings, row).label("amount")
        ).where(
            *conditions(
                postings, row, moment, found,
                among=turned(connection, station, row, cut, since=since, until=until),
            ),
            after,
        )
        for row in wanted
    ]
    if not asked:
        return []
    values = parameters(station, cut, until, wanted)
    every = union_all(*asked).subquery()
    query = select(every).order_by(every.c.stream, every.c.entry, every.c.position)
    return list(connection.execute(query.limit(MOST_POSTINGS + 1), values))


def _records(rows: Iterable[Row[tuple[object, ...]]]) -> Iterator[RecordChange]:
    """The records of postings, without those whose postings cancel each other out."""
    for (stream, entry), group in groupby(rows, key=lambda row: (row.stream, row.entry)):
        of_record = list(group)
        sums: dict[tuple[str, str, str], int] = {}
        for row in of_record:
            key = row.code, row.approximation, row.entity
            sums[key] = sums.get(key, 0) + row.amount
        amounts: dict[str, int] = {}
        for (code, _approximation, _entity), amount in sums.items():
            if amount:
                amounts[code] = amounts.get(code, 0) + amount
        if amounts:
            yield RecordChange(
                stream, entry, of_record[-1].effective_on,
                tuple(sorted({row.position for row in of_record})), amounts,
            )
