"""How far along is a task book: target, expected by a day, actual, forecast, points?

Actuals are the station's figures over the cycle, by the definitions valid in it. A *flow*
or *distinct* target is expected in proportion to the days gone by, or by its own monthly
plan; a *level* (a stock, an average, an absence) is expected to stand where the target is
all the time. The forecast lets the pace so far go on: actual over the share of the target
that was expected by now. For a distinct count that is an upper estimate, as it slows down
when most have been counted; a level is forecast to stay as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Final

import msgspec
from sqlalchemy import Connection

from domain.indicators import Aggregation, Indicator, PeriodRule
from domain.kernel import KINDS, Refused, Stream, UnknownRecord, stream_id
from domain.record_keeping import fold
from domain.scoring import completion, points, rounded
from domain.task_book import (
    Head,
    OtherTarget,
    TaskBook,
    TaskBookDrafted,
    TaskIndicator,
    with_targets,
)
from domain.vocabulary import Labelled
from projections.figures import Figure, figures
from projections.histories import Histories
from projections.indicator_checks import aggregation_of
from projections.indicator_versions import set_of, versions
from projections.indicators import IndicatorSet
from projections.moments import KnownAt
from projections.moments import known as known_events
from projections.periods import Period
from projections.task_book_set import task_book_set

GREEN_FROM: Final = Fraction(95, 100)
AMBER_FROM: Final = Fraction(75, 100)


@dataclass(frozen=True, slots=True)
class LaterDefinition:
    """By which version a target counts that the set then in force has no row for."""

    version: int
    valid_from: date


class Light(Labelled):
    """How a target stands against what is expected by now: actual over expected.

    For a target that is not to be exceeded it is expected over actual, at most 1.
    """

    GREEN = "green", "正常"
    AMBER = "amber", "偏慢"
    RED = "red", "滞后"
    NONE = "none", "暂无"


class TaskBookWithoutCycle(
    Refused, code="task_book_without_cycle", status=409, title="任务书没有写明周期",
    detail="任务书 {id} 没有写明项目周期的首日和末日，无法对照进度；"
    "请更正任务书，补上 first_on 和 last_on。",
):
    """Progress needs to know from when to when."""


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the cycle: what was planned for it and what was done.

    It is counted by the month's own definition, or, where the indicator was defined only
    later and is no row of that month's report, by the first one (``is_reported``).
    """

    period: Period
    planned: Decimal
    actual: Figure | None
    is_reported: bool = True


@dataclass(frozen=True, slots=True)
class Progress:
    """A target and how it stands; without an indicator or a value it is judged by people."""

    target: TaskIndicator
    is_level: bool = False
    expected: Decimal | None = None
    actual: Figure | None = None
    forecast: Decimal | None = None
    completed_percent: Decimal | None = None
    points: Decimal | None = None
    light: Light = Light.NONE
    months: tuple[Month, ...] = ()
    has_monthly_plan: bool = False
    """Whether a month's share of the target says how the month should go."""
    counted_by: LaterDefinition | None = None
    """Set where the version in force by the day asked for does not have the indicator."""

    @property
    def is_judged(self) -> bool:
        """Whether people judge it: nothing counts it, or what counts it has no value."""
        return self.actual is None or self.actual.value is None


@dataclass(frozen=True, slots=True)
class HeadSum:
    """A head of the evaluation: its weights, what of it people judge, and the points so far."""

    head: Head
    weight: int
    points: Decimal
    judged_weight: int = 0

    @classmethod
    def of(cls, head: Head, rows: list[Progress]) -> HeadSum:
        """The sums over a head's targets."""
        given = sum((row.points for row in rows if row.points is not None), Decimal(0))
        judged = sum(row.target.weight for row in rows if row.is_judged)
        return cls(head, sum(row.target.weight for row in rows), given, judged)


@dataclass(frozen=True, slots=True)
class TaskBookProgress:
    """How a task book stands on a day, as known at a moment."""

    id: str
    station: str
    book: TaskBook
    drafted: TaskBookDrafted
    cycle: Period
    as_of: date
    known_at: KnownAt | None
    indicator_set: IndicatorSet
    rows: tuple[Progress, ...]

    @property
    def heads(self) -> list[HeadSum]:
        """The sums of each head that has indicators."""
        return [HeadSum.of(head, rows) for head in Head if (rows := self.under(head))]

    def under(self, head: Head) -> list[Progress]:
        """The targets under a head."""
        return [row for row in self.rows if row.target.head is head]


def task_book_progress(
    connection: Connection, ledger: Histories, station: str, subject: str, *,
    as_of: date, known_at: KnownAt | None = None, definitions: Sequence[Indicator] = (),
    targets: Sequence[OtherTarget] = (),
) -> TaskBookProgress:
    """How a station's task book stands by a day.

    ``definitions`` count in the place of the station's own, ``targets`` stand in the place
    of the book's, as if they always had: what if?

    :raises UnknownRecord: where there is, or was then, no such task book.
    :raises TaskBookWithoutCycle: where it does not say from when to when it goes.
    :raises BadTarget: where another target is of no indicator of the book.
    """
    events = known_events(ledger.history(stream_id(station, "task_book", subject)), known_at)
    stream: Stream[TaskBook] | None = fold(KINDS["task_book"], None, events)
    if stream is None or stream.state.drafted is None:
        raise UnknownRecord(id=subject, kind=KINDS["task_book"].label)
    drafted = stream.state.drafted
    book = replace(stream.state, indicators=with_targets(stream.state.indicators, targets))
    if drafted.first_on is None or drafted.last_on is None:
        raise TaskBookWithoutCycle(id=subject)
    cycle = Period(drafted.first_on, drafted.last_on)
    as_of = min(as_of, cycle.last)
    set_code = task_book_set(ledger, station, stream, known_at)
    known = what_if(versions(connection, station, set_code, known_at), definitions)
    codes = [target.indicator for target in book.indicators]
    in_force = set_of(known, cycle.until(as_of))
    lent = lent_by(known, in_force, cycle, codes)
    whole = in_force.defining(_row(version, code) for code, version in lent.items())
    asking = _Asking(connection, station, known, whole, known_at, as_of)
    found = asking.figures(cycle, codes)
    by_month = [
        (month, asking.reported(month), asking.figures(month, begun))
        for month in cycle.months()
        for begun in (found if month.first <= as_of else {},)
    ]
    rows = tuple(
        replace(
            _progress(target, cycle, as_of, found, by_month),
            counted_by=_named(lent.get(target.indicator)),
        )
        for target in book.indicators
    )
    return TaskBookProgress(
        subject, station, book, drafted, cycle, as_of, known_at,
        whole, rows,
    )


def what_if(versions: list[IndicatorSet], definitions: Sequence[Indicator]) -> list[IndicatorSet]:
    """Versions of a set with other definitions in each, as if it had always been so."""
    return [version.defining(definitions) for version in versions]


def lent_by(
    known: Sequence[IndicatorSet], in_force: IndicatorSet, cycle: Period, codes: Iterable[str]
) -> dict[str, IndicatorSet]:
    """For each code that the set in force has no row for, the version that counts it.

    It is the newest that begins within the cycle, else the first that ever had it; a code
    that no version has is not in the answer (decision 0029). What a remainder is left of is
    lent with it.
    """
    found: dict[str, IndicatorSet] = {}
    sought = list(codes)
    for code in sought:
        having = [version for version in known if version.row(code) is not None]
        if having and code not in found and in_force.row(code) is None:
            begun = [version for version in having if version.valid_from <= cycle.last]
            found[code] = begun[-1] if begun else having[0]
            row = _row(found[code], code)
            sought += filter(None, (row.remainder_of, *row.minus))
    return found


def _row(version: IndicatorSet, code: str) -> Indicator:
    row = version.row(code)
    assert row is not None
    return row


def _named(version: IndicatorSet | None) -> LaterDefinition | None:
    return None if version is None else LaterDefinition(version.version, version.valid_from)


ByMonth = list[tuple[Period, frozenset[str], dict[str, Figure]]]
"""Each month with the codes that its report has, and the figures asked for."""


@dataclass(frozen=True, slots=True)
class _Asking:
    """Asks for some indicators of a station, by the versions valid in each period."""

    connection: Connection
    station: str
    versions: list[IndicatorSet]
    whole: IndicatorSet
    known_at: KnownAt | None
    as_of: date

    def reported(self, month: Period) -> frozenset[str]:
        """The codes that the month's own report has."""
        return frozenset(row.code for row in set_of(self.versions, month).indicators)

    def figures(self, period: Period, codes: Iterable[str]) -> dict[str, Figure]:
        """The figures of a period, by code; of those codes only that the cycle's set has."""
        own = set_of(self.versions, period.until(self.as_of))
        later = [row for row in self.whole.indicators if own.row(row.code) is None]
        chosen = _only(own.defining(later), codes)
        found = figures(
            self.connection, self.station, chosen, period, as_of=self.as_of,
            known_at=self.known_at,
        )
        return {figure.indicator.code: figure for figure in found}


def _only(indicators: IndicatorSet, codes: Iterable[str]) -> IndicatorSet:
    """The set with those rows only, and what they are the remainder of."""
    wanted = set(_needed(indicators, codes, frozenset()))
    rows = tuple(row for row in indicators.indicators if row.code in wanted)
    return msgspec.structs.replace(indicators, indicators=rows)


def _needed(
    indicators: IndicatorSet, codes: Iterable[str], above: frozenset[str]
) -> Iterator[str]:
    for code in codes:
        row = indicators.row(code)
        if row is not None and code not in above:
            yield code
            below = filter(None, (row.remainder_of, *row.minus))
            yield from _needed(indicators, below, above | {code})


def _progress(
    target: TaskIndicator, cycle: Period, as_of: date, found: dict[str, Figure], by_month: ByMonth
) -> Progress:
    actual = found.get(target.indicator)
    if actual is None:
        return Progress(target)
    level = is_level(actual.indicator)
    months = tuple(
        Month(
            month, rounded(_planned(target, cycle, month, level)), of.get(target.indicator),
            target.indicator in reported,
        )
        for month, reported, of in by_month
    )
    wanted = Fraction(target.target)
    expected = wanted if level else _expected(target, cycle, as_of)
    has_plan = _has_monthly_plan(target, actual.indicator, len(months))
    row = Progress(
        target, level, rounded(expected) if has_plan else Decimal(int(expected)), actual,
        months=months, has_monthly_plan=has_plan,
    )
    if actual.value is None or as_of < cycle.first:
        return row
    value = Fraction(actual.value)
    completed = completion(value, wanted, target.direction)
    return replace(
        row, forecast=_told_forecast(row, _forecast(value, expected, wanted, level)),
        completed_percent=rounded(completed * 100),
        points=points(target.scoring, target.weight, completed),
        light=light_of(completion(value, expected, target.direction)),
    )


def is_level(row: Indicator) -> bool:
    """Whether the figure stands at a level, and does not grow through the cycle."""
    levels = (Aggregation.AT_END, Aggregation.MONTHLY_MEAN, Aggregation.AVERAGE)
    return aggregation_of(row) in levels or row.over is not PeriodRule.PERIOD


def _has_monthly_plan(target: TaskIndicator, row: Indicator, months: int) -> bool:
    """Whether months can be held against their share of a target, and the pace goes on.

    Those of a distinct count add up to more than the whole, and what is wanted less than
    once a month is not done by tenths: what is expected of them by now
    is told in whole numbers. A plan of the task book's own always can.
    """
    if target.plan or is_level(row):
        return True
    return aggregation_of(row) is not Aggregation.DISTINCT and target.target >= months


def light_of(ratio: Fraction) -> Light:
    """Green from 95 %, amber from 75 % of what is expected by now."""
    if ratio >= GREEN_FROM:
        return Light.GREEN
    return Light.AMBER if ratio >= AMBER_FROM else Light.RED


def _expected(target: TaskIndicator, cycle: Period, as_of: date) -> Fraction:
    """What of a growing target is expected by the end of a day."""
    if not target.plan:
        return Fraction(target.target * cycle.until(as_of).days, cycle.days)
    shares = zip(target.plan, cycle.months(), strict=False)
    return sum(
        (Fraction(planned * month.until(as_of).days, month.days) for planned, month in shares),
        Fraction(0),
    )


def _planned(target: TaskIndicator, cycle: Period, month: Period, level: bool) -> Fraction:  # noqa: FBT001 - internal
    if level:
        return Fraction(target.target)
    if target.plan:
        planned = dict(zip((m.first for m in cycle.months()), target.plan, strict=False))
        return Fraction(planned[month.first])
    return Fraction(target.target * month.days, cycle.days)


def _told_forecast(row: Progress, forecast: Decimal | None) -> Decimal | None:
    """A forecast as it can be told: whole where the months have no plan, and of what grows only.

    Of a distinct count the pace says nothing, nor of what is wanted once.
    """
    if row.has_monthly_plan or forecast is None or row.actual is None:
        return forecast
    is_distinct = aggregation_of(row.actual.indicator) is Aggregation.DISTINCT
    return None if is_distinct or row.target.target < 2 else forecast.quantize(Decimal(1))


def _forecast(value: Fraction, expected: Fraction, wanted: Fraction, level: bool) -> Decimal | None:  # noqa: FBT001 - internal
    """What the cycle ends with when the pace so far goes on."""
    if level:
        return rounded(value)
    return rounded(value * wanted / expected) if expected else None
