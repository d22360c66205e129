"""Which statement asks the database for the amounts of indicators?

What an indicator counts are *terms*: a measure, a filter, and the days on which the
definition is valid. Figures and their evidence are asked for by the same conditions.
Where the monthly sums say enough they are read; a filter by staff, programme or cycle, a
count of postings and an absence need the postings themselves.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, NamedTuple, assert_never

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    String,
    Table,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)

from domain.indicators import Aggregation, Counted, Indicator, PeriodRule, Without
from projections.aliases import resolved, roots
from projections.indicator_checks import aggregation_of
from projections.indicators import IndicatorSet
from projections.knowing import KnownBy, bounds
from projections.measures import MEASURES, TIMED, Kind
from projections.moments import KnownAt
from projections.monthly_counts import monthly_counts
from projections.periods import Period
from projections.postings import ENVELOPE_DIMENSIONS, postings

FIRST: Final = {PeriodRule.PERIOD: "first", PeriodRule.YEAR: "year_first", PeriodRule.EVER: None}
"""From which day on a rule counts: a parameter of the statement."""


class Term(NamedTuple):
    """A measure and what of it counts, hashable; ``since`` and ``until`` bound its validity."""

    measure: str
    filter: tuple[tuple[str, tuple[str, ...]], ...]
    first: str | None
    since: date | None = None
    until: date | None = None

    @classmethod
    def of(
        cls, counted: Counted | Without, first: str | None, since: date | None = None,
        until: date | None = None,
    ) -> Term:
        """The term of what a definition counts."""
        wanted = tuple(
            (dimension, (value,) if isinstance(value, str) else value)
            for dimension, value in sorted(counted.filter.items())
        )
        return cls(counted.measure, wanted, first, since, until)


class Condition(NamedTuple):
    """One thing that a posting must satisfy to be counted, by name: ``known``, ``category``."""

    name: str
    holds: ColumnElement[bool]


class Sought(NamedTuple):
    """What of an indicator the database counts, hashable."""

    code: str
    aggregation: Aggregation
    terms: tuple[Term, ...]
    absent: Term | None = None
    days: int = 0

    @property
    def source(self) -> Table:
        """The monthly sums where they say enough, else the postings."""
        if self.absent is not None or self.aggregation is Aggregation.DISTINCT:
            return postings  # the monthly sums keep no entities
        needs_postings = (
            self.aggregation is Aggregation.COUNT
            and MEASURES[self.terms[0].measure].kind is not Kind.DURATION
        )
        needs_postings |= any(
            dimension in ENVELOPE_DIMENSIONS for term in self.terms for dimension, _v in term.filter
        )
        needs_postings |= any(not _begins_a_month(day) for day in self._bounds())
        return postings if needs_postings else monthly_counts

    def _bounds(self) -> list[date]:
        ends = [term.until + timedelta(days=1) for term in self.terms if term.until]
        return [*ends, *(term.since for term in self.terms if term.since)]


def _begins_a_month(day: date) -> bool:
    return day.day == 1


def sought(row: Indicator, indicators: IndicatorSet, period: Period) -> Sought:
    """What of an indicator is counted in a period, by each version that is valid in it."""
    aggregation = aggregation_of(row)
    assert aggregation is not None
    is_stock = aggregation in {Aggregation.AT_END, Aggregation.MONTHLY_MEAN}
    first = None if is_stock else FIRST[row.over]
    versions = [] if is_stock else _versions(row, indicators, period)
    terms = [
        Term.of(counted, first, since, until)
        for definition, since, until in versions or [(row, None, None)]
        for counted in definition.terms
    ]
    if row.without is None:
        return Sought(row.code, aggregation, tuple(terms))
    absent = Term.of(row.without, None)
    return Sought(row.code, aggregation, tuple(terms), absent, row.without.days)


def _versions(
    row: Indicator, indicators: IndicatorSet, period: Period
) -> list[tuple[Indicator, date | None, date | None]]:
    """The definitions of a row that are valid within the period, each with its days.

    Days before its first definition are counted by that one: nothing else was ever said.
    """
    begins = {
        PeriodRule.PERIOD: period.first, PeriodRule.YEAR: _year_first(period),
        PeriodRule.EVER: date.min,
    }[row.over]
    found: list[tuple[Indicator, date | None, date | None]] = []
    since: date | None = None
    is_known = False
    versions = (*indicators.earlier, indicators)
    for number, version in enumerate(versions):
        later = versions[number + 1 : number + 2]
        until = later[0].valid_from - timedelta(days=1) if later else None
        definition = row if not later else version.row(row.code)
        is_within = until is None or until >= begins
        if is_within and definition is not None and definition.measure is not None:
            is_same = bool(found) and found[-1][0] == definition
            is_same = is_same and found[-1][2] == (since and since - timedelta(days=1))
            begin = found.pop()[1] if is_same else since
            found.append((definition, begin if found or is_known else None, until))
        is_known |= definition is not None
        since = until and until + timedelta(days=1)
    return found


def _year_first(period: Period) -> date:
    return period.last.replace(month=1, day=1)


@lru_cache(maxsize=256)
def statement(
    wanted: tuple[Sought, ...], moment: KnownBy, *, is_monthly: bool, is_merged: bool
) -> CompoundSelect[str, str, int]:
    """One statement for the amounts of each indicator by approximation.

    It is built once for a set: building costs several times what asking costs. Only where
    something ``is_merged`` are entities resolved.
    """
    found = roots(moment) if is_merged else None
    return union_all(
        *(_amounts(row.source if is_monthly else postings, row, moment, found) for row in wanted)
    )


def _amounts(
    source: Table, row: Sought, moment: KnownBy, found: CTE | None
) -> Select[str, str, int]:
    """The amounts of one indicator; of a distinct measure, how many entities there are."""
    code, none = literal(row.code, String), literal("", String)
    if row.absent is not None:
        return select(code, none, func.count()).select_from(absent(row, moment, found).subquery())
    where, amount = conditions(source, row, moment, found), source.c.amount
    match row.aggregation:
        case Aggregation.DISTINCT:
            entities = _entities(source, row, where, found).subquery()
            return select(code, none, func.count()).select_from(entities)
        case Aggregation.COUNT:
            sign = case((amount > 0, 1), (amount < 0, -1), else_=0)
            if MEASURES[row.terms[0].measure].kind is Kind.DURATION:
                sign = case((source.c.approximation == TIMED, amount), else_=0)
            return select(code, none, func.sum(sign)).where(*where).having(func.count() > 0)
        case (
            Aggregation.SUM | Aggregation.AT_END | Aggregation.MONTHLY_MEAN | Aggregation.AVERAGE
        ):
            approximation = source.c.approximation
            return select(code, approximation, func.sum(amount)).where(*where).group_by(
                approximation
            )
        case _:
            assert_never(row.aggregation)


def _resolved(
    source: Table, row: Sought, found: CTE | None
) -> tuple[FromClause, ColumnElement[str]]:
    """A source with its entities as they count: merged ones as their survivor."""
    kind = MEASURES[row.terms[0].measure].entities
    if found is None or not kind:
        return source, source.c.entity
    is_alias, entity = resolved(source, kind, found)
    return source.outerjoin(found, is_alias), entity


def _entities(
    source: Table, row: Sought, where: list[ColumnElement[bool]], found: CTE | None
) -> Select[str]:
    """The entities that are counted once each: those whose postings sum to more than 0."""
    tables, entity = _resolved(source, row, found)
    positive = func.sum(source.c.amount) > 0
    return select(entity).select_from(tables).where(*where).group_by(entity).having(positive)


def absent(row: Sought, moment: KnownBy, found: CTE | None) -> Select[str]:
    """The entities on file that have no posting to the other measure for so many days."""
    source, amount = postings, postings.c.amount
    tables, entity = _resolved(source, row, found)
    on_file, seen = _term(source, row.terms[0]), _seen(source, row)
    where = [*_asked(source, moment), or_(on_file, seen)]
    return (
        select(entity).select_from(tables).where(*where).group_by(entity)
        .having(func.sum(case((on_file, amount), else_=0)) > 0)
        .having(func.sum(case((seen, amount), else_=0)) <= 0)
    )


def _seen(source: Table, row: Sought) -> ColumnElement[bool]:
    """The postings that end an absence."""
    return and_(*(condition.holds for condition in seen_conditions(source, row)))


def seen_conditions(source: Table, row: Sought) -> list[Condition]:
    """What a posting must satisfy to end an absence, one by one."""
    assert row.absent is not None
    lately = source.c.effective_on >= bindparam(f"last_{row.days}_days")
    return [*term_conditions(source, row.absent), Condition("lately", lately)]


def added(source: Table, row: Sought) -> ColumnElement[int]:
    """What a posting adds to an indicator: what ends an absence takes away from it."""
    amount = source.c.amount
    return amount if row.absent is None else case((_seen(source, row), -amount), else_=amount)


def conditions(
    source: Table, row: Sought, moment: KnownBy, found: CTE | None, *,
    among: Collection[str] | None = None,
) -> list[ColumnElement[bool]]:
    """Which postings an indicator counts: the same for the figure and for its evidence.

    The values of :func:`parameters` go with them; ``found`` are the roots of what is merged.
    Of an absence they are those that put the absent on file; ``among`` some entities
    instead also those that end it (see ``absences.py``).
    """
    counted = or_(*(_term(source, term) for term in row.terms))
    if among is not None:
        counted = or_(counted, _seen(source, row))
    wanted = [*_asked(source, moment), counted]
    if row.absent is not None:
        entity: ColumnElement[str] = source.c.entity
        if found is not None:
            kind = MEASURES[row.terms[0].measure].entities
            is_alias, _entity = resolved(source, kind, found)
            root = select(found.c.root).where(is_alias).correlate(source).scalar_subquery()
            entity = func.coalesce(root, source.c.entity)
        wanted.append(entity.in_(absent(row, moment, found) if among is None else among))
    return wanted


def _asked(source: Table, moment: KnownBy) -> list[ColumnElement[bool]]:
    """Whose postings, as of which day, and as known at which moment."""
    return [condition.holds for condition in asked_conditions(source, moment)]


def asked_conditions(source: Table, moment: KnownBy) -> list[Condition]:
    """The same, one by one."""
    return [
        Condition("station", source.c.station == bindparam("station")),
        Condition("last", source.c.effective_on <= bindparam("last")),
        *(Condition("known", holds) for holds in moment.conditions(source)),
    ]


def _term(source: Table, term: Term) -> ColumnElement[bool]:
    return and_(*(condition.holds for condition in term_conditions(source, term)))


def term_conditions(source: Table, term: Term) -> list[Condition]:
    """What a posting must satisfy to be one of a term's, one by one: by these figures count,
    and by these it is said why something is not counted.
    """
    found = [Condition("measure", source.c.measure == term.measure)]
    if term.first is not None:
        found.append(Condition("first", source.c.effective_on >= bindparam(term.first)))
    if term.since is not None:
        found.append(Condition("since", source.c.effective_on >= term.since))
    if term.until is not None:
        found.append(Condition("until", source.c.effective_on <= term.until))
    for dimension, values in term.filter:
        column = source.c[dimension]
        if dimension == "programme":
            named = (column.contains(f"\n{value}\n", autoescape=True) for value in values)
            found.append(Condition(dimension, or_(*named)))
        else:
            # Each value by itself: a list would be written out anew at every execution.
            found.append(Condition(dimension, column.in_([literal(v, String) for v in values])))
    return found


def parameters(
    station: str, period: Period, known_at: KnownAt | None, wanted: tuple[Sought, ...]
) -> dict[str, object]:
    """What a statement is executed with."""
    days = {row.days for row in wanted if row.days}
    return {
        "station": station, "first": period.first, "last": period.last,
        "year_first": _year_first(period), **bounds(known_at),
    } | {f"last_{n}_days": period.last - timedelta(days=n - 1) for n in days}
