"""How do a station's figures go, month by month, and how does one split by community or worker?

Nothing is counted here: each number is the one of ``figures.py`` for that month, by the
definitions valid in it, as of a day and as known at a moment: the report's own number. A part
is the same figure, counted with one condition more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace
from sqlalchemy import select

from domain.indicators import Counted, Indicator, PeriodRule
from projections.figures import Figure, Period, figures
from projections.indicator_versions import set_of, versions
from projections.indicators import IndicatorSet
from projections.knowing import KnownBy, bounds
from projections.late_entries import Lateness, lateness
from projections.measures import MEASURES, Kind
from projections.monthly_counts import monthly_counts
from projections.postings import postings
from projections.standing import Summed

PARTED_BY: Final = ("community", "staff")
"""By what a figure can be split: where it was, and who stated it."""
MOST_PARTS: Final = 60


@dataclass(frozen=True, slots=True)
class MonthOfFigures:
    """A month of a trend: its figures by code, and the late entries behind each."""

    period: Period
    figures: dict[str, Figure]
    late: dict[str, Lateness]

    @property
    def name(self) -> str:
        """The month as reports are addressed: ``2024-11``."""
        return f"{self.period.first:%Y-%m}"


def trend(
    then: Summed, station: str, set_code: str, codes: Collection[str], months: Sequence[Period],
) -> Iterator[MonthOfFigures]:
    """Some figures of a set, month by month."""
    known = versions(then.connection, station, set_code, then.known_at)
    for month in months:
        chosen = only(set_of(known, month), codes)
        asked = (then.connection, station, chosen, month)
        found = figures(*asked, as_of=then.as_of, known_at=then.known_at)
        late = lateness(*asked, as_of=then.as_of, known_at=then.known_at)
        yield MonthOfFigures(month, {one.indicator.code: one for one in found}, late)


def parts(
    then: Summed, station: str, indicators: IndicatorSet, code: str, period: Period, *, by: str,
) -> list[tuple[str, Figure]]:
    """A figure of a period for each community, or for each of who stated what it counts.

    They add up to the figure, but for one that counts each only once: who was met in two
    communities is in both.
    """
    chosen, found = only(indicators, [code]), []
    for value in _values(then, station, chosen, period, by):
        within = narrowed(chosen, by, value)
        every = figures(
            then.connection, station, within, period, as_of=then.as_of, known_at=then.known_at
        )
        figure = next(one for one in every if one.indicator.code == code)
        if figure.value or figure.unstated:
            found.append((value, figure))
    return sorted(found, key=lambda part: (-(part[1].value or 0), part[0]))


def only(indicators: IndicatorSet, codes: Collection[str]) -> IndicatorSet:
    """The set with nothing but some rows, and the rows of which they are remainders."""
    wanted = set(codes)
    for row in (*indicators.indicators, *indicators.indicators):  # a remainder of a remainder
        if row.code in wanted:
            wanted |= {part for part in (row.remainder_of, *row.minus) if part}
    rows = tuple(row for row in indicators.indicators if row.code in wanted)
    return replace(indicators, indicators=rows)


def narrowed(indicators: IndicatorSet, by: str, value: str) -> IndicatorSet:
    """The set, with its earlier versions, counting only what has a value in a dimension."""
    return replace(
        indicators,
        indicators=tuple(_narrowed(row, by, value) for row in indicators.indicators),
        earlier=tuple(narrowed(version, by, value) for version in indicators.earlier),
    )


def _narrowed(row: Indicator, by: str, value: str) -> Indicator:
    if row.measure is None:
        return row
    own, *more = (_within(counted, by, value) for counted in row.terms)
    return replace(row, filter=own.filter, plus=tuple(more))


def _within(counted: Counted, by: str, value: str) -> Counted:
    """What is counted, and has the value: nothing where it must have another."""
    before = counted.filter.get(by, value)
    wanted = (before,) if isinstance(before, str) else before
    return replace(counted, filter=counted.filter | {by: tuple(v for v in wanted if v == value)})


def _values(
    then: Summed, station: str, indicators: IndicatorSet, period: Period, by: str
) -> list[str]:
    """Which values a figure's postings have in a dimension, or had before a correction."""
    rows = [
        row for one in indicators.indicators
        for version in (*indicators.earlier, indicators) if (row := version.row(one.code))
    ]
    measures = sorted({counted.measure for row in rows for counted in row.terms})
    source = monthly_counts if by in monthly_counts.c and then.known_at is None else postings
    wanted = [source.c.station == station, source.c.measure.in_(measures),
              source.c.effective_on <= period.last]
    is_of_period = all(row.over is PeriodRule.PERIOD for row in rows)
    if is_of_period and not any(MEASURES[m].kind is Kind.STOCK for m in measures):
        wanted.append(source.c.effective_on >= period.first.replace(day=1))
    if source is postings:
        wanted += KnownBy.of(then.known_at).conditions(source)
    column = source.c[by]
    query = select(column).where(*wanted).distinct().order_by(column).limit(MOST_PARTS)
    return list(then.connection.execute(query, bounds(then.known_at)).scalars())


def months_until(last: Period, count: int) -> list[Period]:
    """So many months, the last of them a given one, in order."""
    number = last.first.year * 12 + last.first.month - 1
    first = max(number - count + 1, 12)
    names = (f"{n // 12:04}-{n % 12 + 1:02}" for n in range(first, number + 1))
    return [Period.of_month(name) for name in names]
