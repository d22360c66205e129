"""What are a station's figures for a period, as of a day and as known at a moment?

One definition serves the API, the pages, the report and every replay: a figure is a
sum over postings. Where the whole month is asked as it is known today, the monthly
sums are read instead of the single postings; both are sums of the same postings. Only
what a distinct measure counts is always looked up in the postings.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from dataclasses import replace as as_counted
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, select

from domain.indicators import Aggregation, Indicator
from domain.scoring import rounded
from domain.vocabulary import UNSTATED as UNSTATED_LABEL
from domain.vocabulary import Approximation
from projections.aliases import aliases_at, roots
from projections.counting import added, conditions, parameters, sought, statement
from projections.indicator_checks import aggregation_of
from projections.indicators import IndicatorSet, alone
from projections.knowing import KnownBy
from projections.lateness import days_late, is_late
from projections.measures import MEASURES, TIMED, UNSTATED
from projections.moments import KnownAt
from projections.periods import BadMonth, Period
from projections.postings import postings
from projections.timeline import records

__all__ = [
    "BadMonth", "Evidence", "Figure", "KnownAt", "Period", "evidence", "figures",
]
NOTHING: Final = "—"
"""What an average prints where there is nothing to average."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as it is printed.

    ``value`` is ``None`` where nobody stated it (未填报), and for an average of nothing.
    """

    indicator: Indicator
    value: int | Decimal | None
    approximation: Approximation = Approximation.EXACT
    unstated: int = 0

    @property
    def display(self) -> str:
        """The figure as the report prints it: 近70, 125, 未填报."""
        if self.value is None:
            return UNSTATED_LABEL if self.unstated else NOTHING
        stated = f"{self.approximation.label}{self.value}"
        return f"{stated}(另有{self.unstated}项{UNSTATED_LABEL})" if self.unstated else stated


def figures(
    connection: Connection,
    station: str,
    indicators: IndicatorSet,
    period: Period,
    *,
    as_of: date | None = None,
    known_at: KnownAt | None = None,
    definitions: Sequence[Indicator] = (),
) -> list[Figure]:
    """The figures of a set for a station and period, in the set's order.

    ``as_of`` leaves out services after that day, ``known_at`` what was recorded after
    that moment (see ``moments.py``). ``definitions`` count instead of
    the set's own rows, or beside them, with nothing stored: what if?
    """
    if definitions:
        indicators = _only_now(indicators).defining(definitions)
    cut = period.until(as_of)
    is_monthly = known_at is None and cut.is_whole_months
    means = tuple(row for row in indicators.indicators if _is_mean(row))
    counted = [row for row in indicators.indicators if row.measure and not _is_mean(row)]
    wanted = tuple(sought(row, indicators, cut) for row in counted)
    sums: dict[str, dict[str, int]] = {}
    if wanted:
        asked = statement(
            wanted, KnownBy.of(known_at), is_monthly=is_monthly,
            is_merged=bool(aliases_at(connection, station, known_at).into),
        )
        values = parameters(station, cut, known_at, wanted)
        for code, approximation, amount in connection.execute(asked, values):
            sums.setdefault(code, {})[approximation] = int(amount)
    found = {row.code: _counted(row, sums.get(row.code, {})) for row in counted}
    if means:
        of_months = replace(indicators, indicators=means, earlier=())
        found |= _monthly_means(connection, station, of_months, cut, known_at)
    for row in indicators.indicators:
        _with_remainders(row, indicators, found)
    return [found[row.code] for row in indicators.indicators]


def _only_now(indicators: IndicatorSet) -> IndicatorSet:
    """The set as if it had always been so."""
    return replace(indicators, earlier=())


def _is_mean(row: Indicator) -> bool:
    return aggregation_of(row) is Aggregation.MONTHLY_MEAN


def _monthly_means(
    connection: Connection, station: str, means: IndicatorSet, cut: Period,
    known_at: KnownAt | None,
) -> dict[str, Figure]:
    """The means of what stands at the end of each month that a period touches."""
    rows = tuple(replace(row, aggregation=Aggregation.AT_END) for row in means.indicators)
    at_end = replace(means, indicators=rows)
    standing = [
        figures(connection, station, at_end, month, known_at=known_at) for month in cut.months()
    ]
    return {
        row.code: Figure(row, _mean([month[number].value or 0 for month in standing]))
        for number, row in enumerate(means.indicators)
    }


def _mean(values: Sequence[int | Decimal]) -> int | Decimal | None:
    return divided(sum(map(Fraction, values), Fraction()), len(values)) if values else None


def _counted(row: Indicator, amounts: dict[str, int]) -> Figure:
    """A figure from its amounts by approximation."""
    timed = amounts.pop(TIMED, 0)
    if aggregation_of(row) is not Aggregation.AVERAGE:
        return _summed(row, amounts)
    if not timed:
        return Figure(row, None)
    return Figure(row, divided(sum(amounts.values()), timed * row.divide_by))


def _summed(indicator: Indicator, amounts: dict[str, int]) -> Figure:
    """A figure from its amounts by approximation."""
    unstated = amounts.pop(UNSTATED, 0)
    stated = {approximation: amount for approximation, amount in amounts.items() if amount}
    total = sum(stated.values())
    if unstated and not stated:
        return Figure(indicator, None, unstated=unstated)
    approximations = set(stated) - {""}
    match len(stated), len(approximations):
        case _, 0:
            meant = Approximation.EXACT
        case 1, 1:
            meant = Approximation.of(approximations.pop())
        case _:
            meant = Approximation.ABOUT
    return Figure(indicator, divided(total, indicator.divide_by), meant, unstated)


def divided(total: int | Fraction, divide_by: int) -> int | Decimal:
    """The amount in the indicator's unit: whole where it comes out even, else 2 places.

    It is rounded half up, as points are.
    """
    exact = Fraction(total) / divide_by
    return int(exact) if exact.denominator == 1 else rounded(exact)


def _with_remainders(row: Indicator, indicators: IndicatorSet, found: dict[str, Figure]) -> Figure:
    """The figure of a row; a remainder is what the named parts leave of a total.

    It is unstated where a part is, or where rows of several definitions do not close.
    """
    if row.code in found:
        return found[row.code]
    found[row.code] = Figure(row, None, unstated=1)  # what a row that refers to itself finds
    parts = [indicators.row(code) for code in filter(None, (row.remainder_of, *row.minus))]
    values = [_with_remainders(part, indicators, found).value for part in parts if part]
    stated = [value for value in values if value is not None]
    if stated and len(stated) == len(parts):
        found[row.code] = Figure(row, stated[0] - sum(stated[1:]))
    return found[row.code]


# ---- what is behind a figure ----


OF_RECORD: Final = (records.c.stream == postings.c.stream) & (records.c.entry == postings.c.entry)
"""The record that a posting is about."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One posting behind a figure: where it comes from and what it adds.

    ``first_recorded_at`` and ``imported_at`` are those of the record that is posted, also
    where the posting is by its correction; ``counts_as`` is the entity that a distinct
    figure counts: the survivor of a merge. ``category`` and the dimensions after it are
    as they were on the posting's own day.
    """

    position: int
    stream: str
    entry: int
    effective_on: date
    recorded_at: datetime
    amount: int
    approximation: str
    entity: str
    community: str
    actor: str
    first_recorded_at: datetime
    imported_at: datetime | None
    counts_as: str = ""
    number: int = 0
    measure: str = ""
    category: str = ""
    kind: str = ""
    role: str = ""
    mode: str = ""
    audience: str = ""
    topic: str = ""

    @property
    def is_late(self) -> bool:
        """Whether the record was made after the month that it counts in had ended (补录)."""
        return is_late(self.effective_on, self.first_recorded_at)

    @property
    def days_late(self) -> int:
        """Days between the day that it counts on and its recording."""
        return days_late(self.effective_on, self.first_recorded_at)

    @property
    def is_imported(self) -> bool:
        """Whether the record was taken over from an older ledger (导入)."""
        return self.imported_at is not None


EVIDENCE_LIMIT: Final = 500


def evidence(
    connection: Connection,
    station: str,
    indicator: Indicator,
    period: Period,
    *,
    as_of: date | None = None,
    known_at: KnownAt | None = None,
    after: int | tuple[int, int] = 0,
    limit: int = EVIDENCE_LIMIT,
    indicators: IndicatorSet | None = None,
    among: Collection[str] | None = None,
) -> Sequence[Evidence]:
    """The postings that make a figure, in the order in which they were recorded.

    ``after`` is a position, or a posting by its position and number.
    ``indicators`` is the set with its earlier versions, where the period touches several;
    ``among`` the entities of an absence of which is asked what ended it, too.
    """
    if indicator.measure is None:
        return ()
    cut = period.until(as_of)
    row, moment = sought(indicator, indicators or alone(indicator), cut), KnownBy.of(known_at)
    merged = aliases_at(connection, station, known_at)
    fields = (name for name in Evidence.__dataclass_fields__ if name in postings.c)
    own = [added(postings, row).label(n) if n == "amount" else postings.c[n] for n in fields]
    first = records.c.recorded_at.label("first_recorded_at")
    query = select(*own, first, records.c.imported_at, records.c.topic).join_from(
        postings, records, OF_RECORD
    ).where(
        *conditions(postings, row, moment, roots(moment) if merged.into else None, among=among),
        _beyond(after), postings.c.approximation != TIMED,
    )
    rows = connection.execute(
        query.order_by(postings.c.position, postings.c.number).limit(min(limit, EVIDENCE_LIMIT)),
        parameters(station, cut, known_at, (row,)),
    )
    found = [Evidence(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
    entities = MEASURES[indicator.measure].entities
    if not entities:
        return found
    return [as_counted(row, counts_as=merged.root(entities, row.entity)) for row in found]


def _beyond(after: int | tuple[int, int]) -> ColumnElement[bool]:
    """The postings after a position, or after one of the postings of an event."""
    if isinstance(after, int):
        return postings.c.position > after
    position, number = after
    is_of_event = (postings.c.position == position) & (postings.c.number > number)
    return (postings.c.position > position) | is_of_event
