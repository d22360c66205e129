"""What are a station's figures for a period, as of a day and as known at a moment?

One definition serves the API, the pages, the report and every replay: a figure is a
sum over postings. Where the whole month is asked as it is known today, the monthly
sums are read instead of the single postings; both are sums of the same postings. Only
what a distinct measure counts is always looked up in the postings.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Connection,
    FromClause,
    Select,
    String,
    Table,
    bindparam,
    func,
    literal,
    select,
    union_all,
)

from domain.kernel import Refused
from domain.vocabulary import UNSTATED as UNSTATED_LABEL
from domain.vocabulary import Approximation
from projections.aliases import aliases_at, resolved, roots
from projections.indicators import Indicator, IndicatorSet
from projections.knowing import KnownBy, bounds
from projections.lateness import days_late, is_late
from projections.measures import MEASURES, UNSTATED, Kind
from projections.moments import KnownAt
from projections.monthly_counts import monthly_counts
from projections.postings import postings
from projections.timeline import records


class BadMonth(
    Refused, code="bad_month", status=400, title="月份格式不正确",
    detail="“{got}”不是月份，应写作 2024-11 这样的形式。",
):
    """A month that is no month."""


@dataclass(frozen=True, slots=True)
class Period:
    """The days that a figure is about, both included."""

    first: date
    last: date

    @classmethod
    def of_month(cls, month: str) -> Period:
        """The days of a month like ``2024-11``.

        :raises BadMonth: where it is no month.
        """
        try:
            first = datetime.strptime(month, "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
        except ValueError:
            raise BadMonth(got=month[:20]) from None
        if first.strftime("%Y-%m") != month:
            raise BadMonth(got=month[:20])
        return cls(first, first.replace(day=calendar.monthrange(first.year, first.month)[1]))

    def until(self, as_of: date | None) -> Period:
        """The period cut off after a day; before its first day nothing is left of it."""
        return self if as_of is None else Period(self.first, min(self.last, as_of))

    @property
    def is_whole_months(self) -> bool:
        """Whether the period begins and ends with a month."""
        return self.first.day == 1 and (self.last + timedelta(days=1)).day == 1


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure as it is printed: ``value`` is ``None`` where nobody stated it (未填报)."""

    indicator: Indicator
    value: int | Decimal | None
    approximation: Approximation = Approximation.EXACT
    unstated: int = 0

    @property
    def display(self) -> str:
        """The figure as the report prints it: 近70, 125, 未填报."""
        if self.value is None:
            return UNSTATED_LABEL
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
) -> list[Figure]:
    """The figures of a set for a station and period, in the set's order.

    ``as_of`` leaves out services after that day, ``known_at`` what was recorded after
    that moment (see ``moments.py``).
    """
    cut = period.until(as_of)
    is_monthly = known_at is None and cut.is_whole_months
    counted = tuple(Counted.of(row) for row in indicators.indicators if row.measure is not None)
    sums: dict[str, dict[str, int]] = {}
    if counted:
        statement = _statement(
            counted, KnownBy.of(known_at), is_monthly=is_monthly,
            is_merged=bool(aliases_at(connection, station, known_at).into),
        )
        values = parameters(station, cut, known_at)
        for code, approximation, amount in connection.execute(statement, values):
            sums.setdefault(code, {})[approximation] = int(amount)
    found: dict[str, Figure] = {}
    for indicator in indicators.indicators:
        if indicator.measure is None:
            found[indicator.code] = _remainder(indicator, found)
        else:
            found[indicator.code] = _summed(indicator, sums.get(indicator.code, {}))
    return list(found.values())


class Counted(NamedTuple):
    """What of an indicator the database counts, hashable."""

    code: str
    measure: str
    filter: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, indicator: Indicator) -> Counted:
        """What is counted of an indicator that has a measure."""
        assert indicator.measure is not None
        wanted = tuple(
            (dimension, (value,) if isinstance(value, str) else value)
            for dimension, value in sorted(indicator.filter.items())
        )
        return cls(indicator.code, indicator.measure, wanted)


@lru_cache(maxsize=64)
def _statement(
    counted: tuple[Counted, ...], moment: KnownBy, *, is_monthly: bool, is_merged: bool
) -> CompoundSelect[str, str, int]:
    """One statement for the amounts of each indicator by approximation.

    It is built once for a set: building costs several times what asking costs. Only where
    something ``is_merged`` are entities resolved.
    """
    found = roots(moment) if is_merged else None

    def source(row: Counted) -> Table:
        is_summed = is_monthly and MEASURES[row.measure].kind is not Kind.DISTINCT
        return monthly_counts if is_summed else postings

    return union_all(*(_sum(source(row), row, moment, found) for row in counted))


def _sum(
    source: Table, counted: Counted, moment: KnownBy, found: CTE | None
) -> Select[str, str, int]:
    """The amounts of one indicator; of a distinct measure, how many entities there are."""
    code, where = literal(counted.code, String), conditions(source, counted, moment)
    measure = MEASURES[counted.measure]
    if measure.kind is Kind.DISTINCT:
        entity: ColumnElement[str] = source.c.entity
        tables: FromClause = source
        if found is not None:
            is_alias, entity = resolved(source, measure.entities, found)
            tables = source.outerjoin(found, is_alias)
        entities = (
            select(entity).select_from(tables).where(*where).group_by(entity)
            .having(func.sum(source.c.amount) > 0).subquery()
        )
        return select(code, literal("", String), func.count()).select_from(entities)
    amount = func.sum(source.c.amount)
    return select(code, source.c.approximation, amount).where(*where).group_by(
        source.c.approximation
    )


def conditions(source: Table, counted: Counted, moment: KnownBy) -> list[ColumnElement[bool]]:
    """Which postings an indicator counts: the same for the figure and for its evidence.

    The values of :func:`parameters` go with them.
    """
    wanted = [source.c.station == bindparam("station"), source.c.measure == counted.measure]
    if MEASURES[counted.measure].kind is not Kind.STOCK:
        wanted.append(source.c.effective_on >= bindparam("first"))
    wanted.append(source.c.effective_on <= bindparam("last"))
    wanted += [source.c[dimension].in_(values) for dimension, values in counted.filter]
    return wanted + moment.conditions(source)


def parameters(station: str, period: Period, known_at: KnownAt | None) -> dict[str, object]:
    """The values that :func:`conditions` compares with."""
    return {
        "station": station, "first": period.first, "last": period.last, **bounds(known_at),
    }


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


def divided(total: int, divide_by: int) -> int | Decimal:
    """The amount in the indicator's unit: whole where it comes out even, else 2 places."""
    whole, rest = divmod(total, divide_by)
    return whole if not rest else round(Decimal(total) / divide_by, 2)


def _remainder(indicator: Indicator, found: dict[str, Figure]) -> Figure:
    """What the named parts leave of a total, so that the report's sums close."""
    assert indicator.remainder_of is not None
    parts = [found[code].value for code in (indicator.remainder_of, *indicator.minus)]
    if any(value is None for value in parts):
        return Figure(indicator, None, unstated=1)
    total, *minus = (value for value in parts if value is not None)
    return Figure(indicator, total - sum(minus))


# ---- what is behind a figure ----


OF_RECORD: Final = (records.c.stream == postings.c.stream) & (records.c.entry == postings.c.entry)
"""The record that a posting is about."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One posting behind a figure: where it comes from and what it adds.

    ``first_recorded_at`` and ``imported_at`` are those of the record that is posted, also
    where the posting is by its correction; ``counts_as`` is the entity that a distinct
    figure counts: the survivor of a merge.
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
    after: int = 0,
    limit: int = EVIDENCE_LIMIT,
) -> Sequence[Evidence]:
    """The postings that make a figure, in the order in which they were recorded."""
    if indicator.measure is None:
        return ()
    wanted = conditions(postings, Counted.of(indicator), KnownBy.of(known_at))
    own = [postings.c[name] for name in Evidence.__dataclass_fields__ if name in postings.c]
    first = records.c.recorded_at.label("first_recorded_at")
    query = select(*own, first, records.c.imported_at).join_from(
        postings, records, OF_RECORD
    ).where(*wanted, postings.c.position > after)
    rows = connection.execute(
        query.order_by(postings.c.position, postings.c.number).limit(min(limit, EVIDENCE_LIMIT)),
        parameters(station, period.until(as_of), known_at),
    )
    found = [Evidence(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
    entities = MEASURES[indicator.measure].entities
    if not entities:
        return found
    merged = aliases_at(connection, station, known_at)
    return [replace(row, counts_as=merged.root(entities, row.entity)) for row in found]

