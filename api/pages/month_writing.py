"""Which of a month's texts may the caller write, and where on its page does each stand?

The lead writes text, reflection and plan of a month where the report prints them. A text
that stands there already is corrected; what is planned is said to be done or carried over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from flask import url_for

from api.identity import today
from api.pages.writing import may_state
from api.personal import reading
from api.queries import one_station
from api.services import services
from domain.describing import shortened
from domain.kernel import Entry, Event, Stream
from domain.station_month import (
    MONTH,
    NarrativeWritten,
    PlanItemAdded,
    PlanItemCarriedOver,
    PlanItemCompleted,
    ReflectionWritten,
)
from domain.vocabulary import Labelled, ReportSection
from projections.monthly_report import PLAN_SECTION
from projections.periods import Period
from projections.plans import Planned, carried_to, plan_items
from projections.report_periods import month_after

TEXTS_OF: Final = {
    1: (ReportSection.STATISTICS,),
    2: (ReportSection.CASE_CENTRE, ReportSection.NEEDS_SURVEY, ReportSection.ELDERLY_SURVEY),
    3: (ReportSection.FEATURED, ReportSection.COMPETITION),
    4: (ReportSection.PROJECT_REVIEW,),
    5: (ReportSection.SUPERVISION,),
}
"""Which texts of the lead each section of the report holds."""
REFLECTION: Final = 6
"""The section that holds nothing but what the lead has learnt; the plan follows it."""
GIST: Final = 20
DONE: Final = "已完成（%(day)s）"
DONE_WITH: Final = "已完成（%(day)s）：%(result)s"
CARRIED: Final = "已顺延至 %(month)s"
CARRIED_HERE: Final = "由 %(month)s 的计划顺延而来，没有登记完成或再顺延"


class Doing(Labelled):
    """What a button of a section does."""

    WRITE = "write", "写一段"
    PLAN = "plan", "加一项"
    CORRECT = "correct", "改"
    COMPLETE = "complete", "已完成"
    CARRY_OVER = "carry_over", "顺延"


@dataclass(frozen=True, slots=True)
class Link:
    """What can be done, and where it leads."""

    doing: Doing
    href: str


@dataclass(frozen=True, slots=True)
class Line:
    """A text that stands in a section, or may: what it is, and what can be done with it."""

    of: str
    links: tuple[Link, ...]
    fate: tuple[str, dict[str, str]] | None = None
    """What became of it: a sentence to be translated, and what stands in its places."""


def writing_of(month: str) -> dict[int, list[Line]]:
    """The lines of each section of a month's report, by the section's number from 1."""
    if not may_state(NarrativeWritten.topic):
        return {}
    sealed = services().ledger.stream(one_station(), MONTH.name, month)
    stream = sealed and reading().opened(sealed)
    entries = list(stream.active()) if stream else []
    found = {number: list(_texts(month, entries, texts)) for number, texts in TEXTS_OF.items()}
    return found | {
        REFLECTION: list(_reflections(month, entries)),
        PLAN_SECTION: list(_plan(month, stream)),
    }


def _texts(month: str, entries: list[Entry], sections: tuple[ReportSection, ...]) -> Iterator[Line]:
    for section in sections:
        own = [e for e in entries if getattr(e.statement.event, "section", None) is section]
        yield from (Line(section.label, (_correction(month, entry),)) for entry in own)
        if not own:
            write = _new(NarrativeWritten, month, Doing.WRITE, section=section.value)
            yield Line(section.label, (write,))


def _reflections(month: str, entries: list[Entry]) -> Iterator[Line]:
    for entry in entries:
        if isinstance(event := entry.statement.event, ReflectionWritten):
            yield Line(_cut(event.text), (_correction(month, entry),))
    yield Line(ReflectionWritten.label, (_new(ReflectionWritten, month, Doing.WRITE),))


def _plan(month: str, stream: Stream[Any] | None) -> Iterator[Line]:
    """The items that stand in the plan, those put off to the month it plans, one to add."""
    for one in plan_items(stream) if stream else ():
        yield Line(_cut(one.text), (_correction(month, one.added), *_outcomes(one)), _fate(one))
    ledger, opened = services().ledger, reading().opened
    for one in carried_to(ledger, one_station(), month_after(month), opened):
        yield Line(_cut(one.text), tuple(_outcomes(one)), (CARRIED_HERE, {"month": one.planned_in}))
    items = stream.state.items if stream else {}
    number = max((int(item) for item in items if item.isdecimal()), default=0) + 1
    yield Line(PlanItemAdded.label, (_new(PlanItemAdded, month, Doing.PLAN, item=str(number)),))


def _fate(one: Planned) -> tuple[str, dict[str, str]] | None:
    """What became of an item, in words."""
    if one.outcome is None:
        return None
    match one.outcome.statement.event:
        case PlanItemCarriedOver(to_month=month):
            return CARRIED, {"month": month}
        case PlanItemCompleted(outcome=None):
            return DONE, {"day": str(one.outcome.statement.occurred.on)}
        case PlanItemCompleted(outcome=result):
            said = {"day": str(one.outcome.statement.occurred.on), "result": _cut(result or "")}
            return DONE_WITH, said
        case _:
            return None


def _outcomes(one: Planned) -> Iterator[Link]:
    """What is planned for the next month is done then, or in the month after it."""
    if not one.is_open:
        return
    done_in = one.carried_to or month_after(one.planned_in)
    said = {"item": one.item, "until": done_in}
    yield _new(PlanItemCompleted, one.planned_in, Doing.COMPLETE, **said)
    to_month = month_after(done_in)
    yield _new(PlanItemCarriedOver, one.planned_in, Doing.CARRY_OVER, to_month=to_month, **said)


def _correction(month: str, entry: Entry) -> Link:
    href = url_for("pages.correct_page", kind=MONTH.name, subject=month, version=entry.version)
    return Link(Doing.CORRECT, href)


def _new(event: type[Event], month: str, doing: Doing, *, until: str = "", **says: Any) -> Link:
    """A form that says already what is known: of a month gone by (``until``), its last day."""
    on = min(Period.of_month(until or month).last, today())
    return Link(doing, url_for(
        "pages.record_new", topic=event.topic, subject=month, occurred_on=on, **says
    ))


def _cut(text: str) -> str:
    return shortened(text, GIST)


def planned(month: str) -> tuple[tuple[str, str], ...]:
    """The items of a month's plan that are not done: to be chosen from, by their texts."""
    sealed = services().ledger.stream(one_station(), MONTH.name, month)
    return tuple(
        (one.item, _cut(one.text))
        for one in (plan_items(reading().opened(sealed)) if sealed else ()) if one.is_open
    )
