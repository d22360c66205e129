"""By which rules (口径) does a station count its figures, and since when?

An indicator is data: a measure, a filter, an aggregation, a unit, labels. Sets of them
come as files; what a station counts otherwise it defines and revises here, each time
whole, from a day on and with a reason. A figure of a period uses the definition that is
valid for it. Which measures exist is not known here: what counts registers its check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final, NamedTuple, assert_never

import msgspec
from msgspec import Meta
from msgspec.structs import replace as with_fields

from domain.fields import Derived, LocalId, Remark, ShortText
from domain.kernel import Entry, Event, Refused, Related, Statement, StreamKind, Value
from domain.vocabulary import Labelled, Unit


class Aggregation(Labelled):
    """How the postings that an indicator counts make its figure."""

    SUM = "sum", "期间合计"
    AT_END = "at_end", "期末存量"
    MONTHLY_MEAN = "monthly_mean", "各月末平均"
    DISTINCT = "distinct", "不重复计数"
    COUNT = "count", "笔数"
    AVERAGE = "average", "平均"


class PeriodRule(Labelled):
    """From when on a figure counts what happened until the period's last day."""

    PERIOD = "period", "本期"
    YEAR = "year", "本年累计"
    EVER = "ever", "累计至今"


MeasureCode = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_.]{0,63}$")]
Values = str | Annotated[tuple[ShortText, ...], Meta(min_length=1, max_length=50)]
Filter = Annotated[dict[str, Values], Meta(max_length=10)]
"""What is counted: by dimension, the value or values that it may have."""
Codes = Annotated[tuple[LocalId, ...], Meta(max_length=50)]


class Counted(Value):
    """A measure, and which of its postings count."""

    measure: MeasureCode
    filter: Filter = msgspec.field(default_factory=dict)


class Without(Value):
    """Of those on file only they count who have no posting to this measure for so many days."""

    measure: MeasureCode
    days: Annotated[int, Meta(ge=1, le=3_660)]
    filter: Filter = msgspec.field(default_factory=dict)


class Indicator(Value):
    """One row of a report.

    ``plus`` names further measures that are added: training delivered and received.
    ``divide_by`` turns the measure's unit into the row's: fen into 元 (100), minutes
    into 小时 (60). ``part_of`` names the row that this one is a part of (其中).
    """

    code: LocalId
    label: ShortText
    label_en: ShortText
    unit: Unit
    measure: MeasureCode | None = None
    filter: Filter = msgspec.field(default_factory=dict)
    plus: Annotated[tuple[Counted, ...], Meta(max_length=10)] = ()
    without: Without | None = None
    aggregation: Aggregation | None = None
    """``None`` is the measure's own."""
    over: PeriodRule = PeriodRule.PERIOD
    divide_by: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    part_of: LocalId | None = None
    remainder_of: LocalId | None = None
    minus: Codes = ()
    is_fact: bool = False
    """A fact beside the figures: printed as it was stated, not a figure of the set."""

    @property
    def terms(self) -> tuple[Counted, ...]:
        """All that is counted; nothing for a remainder."""
        if self.measure is None:
            return ()
        return (Counted(measure=self.measure, filter=self.filter), *self.plus)


class IndicatorDefined(Event, topic="indicator.defined", label="指标定义"):
    """The station counts this, by this rule, from a day on."""

    indicator_set: LocalId
    indicator: Indicator
    valid_from: date
    valid_until: date | None = None
    because: Remark | None = None


class IndicatorRevised(Event, topic="indicator.revised", label="指标口径修订"):
    """It counts it by another rule from a day on; the rule before stands until then."""

    indicator: Indicator
    valid_from: date
    because: Remark
    valid_until: date | None = None
    indicator_set: Annotated[str | None, Derived] = None


IndicatorEvent = IndicatorDefined | IndicatorRevised


class Fault(NamedTuple):
    """What is wrong with a definition: a JSON pointer into it, and a sentence."""

    where: str
    problem: str


class BadIndicator(
    Refused, code="bad_indicator", title="指标定义有误",
    detail="定义中 {where} 处有误：{problem}。",
):
    """A definition that cannot be counted, with the place of the fault (a JSON pointer)."""


Check = Callable[[Indicator, str | None], Iterator[Fault]]
CHECKS: Final[list[Check]] = []
"""What counts the figures says here whether it can count a definition (for a set)."""


def refuse_faults(faults: Iterator[Fault], within: str = "") -> None:
    """Refuse the first fault, with its place.

    :raises BadIndicator: where there is one.
    """
    for where, problem in faults:
        raise BadIndicator(where=f"{within}{where}", problem=problem)


@dataclass(frozen=True, slots=True)
class Definitions:
    """The indicator's definitions: their set, what they count in, and when each is valid."""

    indicator_set: str | None = None
    unit: Unit | None = None
    validity: tuple[tuple[date, date | None], ...] = ()


def evolve(state: Definitions, entry: Entry) -> Definitions:
    """The definitions after one more."""
    event = entry.statement.event
    assert isinstance(event, IndicatorEvent)
    return Definitions(
        event.indicator_set, event.indicator.unit,
        (*state.validity, (event.valid_from, event.valid_until)),
    )


def decide(statement: Statement, state: Definitions, related: Related) -> Event:
    """The definition to record, or a refusal that names the place of its fault."""
    event = statement.event
    assert isinstance(event, IndicatorEvent)
    match event:
        case IndicatorDefined():
            indicator_set: str | None = event.indicator_set
        case IndicatorRevised():
            indicator_set = state.indicator_set
            event = with_fields(event, indicator_set=indicator_set)
        case _:
            assert_never(event)
    refuse_faults(_faults(event, state, related.subject))
    for check in CHECKS:
        refuse_faults(check(event.indicator, indicator_set), "/indicator")
    return event


def _faults(event: IndicatorEvent, state: Definitions, subject: str) -> Iterator[Fault]:
    code, unit = event.indicator.code, event.indicator.unit
    if code != subject:
        yield Fault("/indicator/code", f"指标编号“{code}”与地址中的“{subject}”不一致")
    if state.unit is not None and unit is not state.unit:
        yield Fault(
            "/indicator/unit",
            f"修订不能把单位由“{state.unit.label}”改为“{unit.label}”，请另设指标",
        )
    if event.valid_until is not None and event.valid_until < event.valid_from:
        yield Fault("/valid_until", f"失效日期 {event.valid_until} 早于生效日期 {event.valid_from}")
    for first, last in state.validity:
        if _overlap((first, last), (event.valid_from, event.valid_until)):
            until = last or "下一口径生效"
            yield Fault("/valid_from", f"有效期与已有口径（{first} 至{until}）重叠")


def _overlap(one: tuple[date, date | None], other: tuple[date, date | None]) -> bool:
    """Whether two definitions would be valid on one day; an open end ends with the next."""
    (first, until), (second, _until) = sorted((one, other), key=lambda span: span[0])
    return first == second or (until is not None and until >= second)


INDICATOR = StreamKind(
    "indicator", "指标口径", Definitions(), evolve, decide, (IndicatorDefined, IndicatorRevised)
)
