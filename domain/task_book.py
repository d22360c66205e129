"""What did the station promise for a project cycle (任务书), and who agreed to it?

A task book is drafted, revised and submitted by the station, and approved by the bureau
that pays: another person than the one who submitted it. Approved, it is final; what was
submitted or approved is not corrected under those who stand for it, but revised. A cycle
may cross calendar years.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any, Final, assert_never

from msgspec import Meta
from msgspec.structs import replace as with_fields

from domain.fields import Count, LocalId, Remark, ShortText
from domain.kernel import Entry, Event, Refused, Related, Statement, StreamKind, Value
from domain.scoring import Direction, Scoring, ScoringRule
from domain.second_person import refuse_the_same_person
from domain.vocabulary import Labelled, Unit

LONGEST_CYCLE_DAYS: Final = 1_100
"""Three years."""


class Head(Labelled):
    """The heads of the evaluation, under which its indicators stand."""

    ADMINISTRATION = "administration", "行政管理"
    FINANCE = "finance", "财务管理"
    SERVICE = "service", "服务执行与产出"
    SOCIAL = "social", "社会评价"
    INNOVATION = "innovation", "宣传创新"


class TaskIndicator(Value):
    """An indicator of a task book with its target, a whole number in its unit.

    ``weight`` is the points that it can give; ``plan`` the amounts planned for each month
    of the cycle, where they are not to be spread evenly over its days.
    """

    indicator: LocalId
    label: ShortText
    unit: Unit
    target: Count
    head: Head = Head.SERVICE
    weight: Annotated[int, Meta(ge=0, le=1_000)] = 0
    direction: Direction = Direction.AT_LEAST
    scoring: ScoringRule = ScoringRule()
    plan: Annotated[tuple[Count, ...], Meta(max_length=40)] = ()


TaskIndicators = Annotated[tuple[TaskIndicator, ...], Meta(max_length=200)]


class OtherTarget(Value):
    """Another target or weight of an indicator of a task book, to see what it would give."""

    indicator: LocalId
    target: Count | None = None
    weight: Annotated[int, Meta(ge=0, le=1_000)] | None = None


def with_targets(indicators: TaskIndicators, others: Sequence[OtherTarget]) -> TaskIndicators:
    """A task book's indicators with other targets or weights.

    Months that were planned for another target are spread evenly.

    :raises BadTarget: where one is of no indicator of the book.
    """
    found = {row.indicator: row for row in indicators}
    for number, other in enumerate(others):
        if other.indicator not in found:
            problem = f"任务书没有“{other.indicator}”这项指标"
            raise BadTarget(where=f"/targets/{number}/indicator", problem=problem)
        found[other.indicator] = _with_target(found[other.indicator], other)
    return tuple(found[row.indicator] for row in indicators)


def _with_target(row: TaskIndicator, other: OtherTarget) -> TaskIndicator:
    weight = row.weight if other.weight is None else other.weight
    if other.target in {None, row.target}:
        return with_fields(row, weight=weight)
    return with_fields(row, weight=weight, target=other.target, plan=())


def _without_weights(fields: dict[str, Any]) -> None:
    """Targets were only targets: of the service, spread evenly, without points."""
    scoring = {"kind": "proportional", "cap_percent": 100, "steps": []}
    added = {
        "head": "service", "weight": 0, "direction": "at_least", "scoring": scoring, "plan": [],
    }
    fields["indicators"] = [added | indicator for indicator in fields["indicators"]]


def _without_days(fields: dict[str, Any]) -> None:
    _without_weights(fields)
    fields |= {"first_on": None, "last_on": None, "indicator_set": None}


class TaskBookDrafted(Event, topic="task_book.drafted", label="任务书撰写", class_version=2):
    """The task book of a project cycle was written.

    ``first_on`` and ``last_on`` are the cycle's days; ``indicator_set`` is what its
    indicators are taken from, where it is not the station's own.
    """

    title: ShortText
    cycle: ShortText
    indicators: TaskIndicators = ()
    first_on: date | None = None
    last_on: date | None = None
    indicator_set: LocalId | None = None

    upcast_v1_v2 = staticmethod(_without_days)


class TaskBookRevised(Event, topic="task_book.revised", label="任务书修改", class_version=2):
    """Its indicators were stated anew."""

    indicators: TaskIndicators
    because: Remark | None = None

    upcast_v1_v2 = staticmethod(_without_weights)


class TaskBookSubmitted(Event, topic="task_book.submitted", label="任务书提交"):
    """It was handed in as it then stood."""


class TaskBookApproved(Event, topic="task_book.approved", label="任务书审定"):
    """It was approved and is final."""

    approver: ShortText | None = None


TaskBookEvent = TaskBookDrafted | TaskBookRevised | TaskBookSubmitted | TaskBookApproved


class TaskBookStatus(Labelled):
    """Where a task book stands."""

    DRAFT = "draft", "撰写中"
    SUBMITTED = "submitted", "已提交"
    APPROVED = "approved", "已审定"


class TaskBookIsApproved(
    Refused, code="task_book_approved", status=409, title="任务书已审定",
    detail="任务书已审定，不能再登记“{label}”。",
):
    """An approved task book is final."""


class TaskBookNotSubmitted(
    Refused, code="task_book_not_submitted", status=409, title="任务书尚未提交",
    detail="任务书尚未提交（或修改后未重新提交），不能审定。",
):
    """What is approved was submitted as it stands."""


class BadProjectCycle(
    Refused, code="bad_project_cycle", title="项目周期不正确",
    detail="项目周期须同时写明首日和末日，末日不早于首日，不超过三年；收到 {first} 至 {last}。",
):
    """A cycle without an end, or one that runs backwards."""


class BadTarget(
    Refused, code="bad_target", title="任务书指标有误",
    detail="任务书中 {where} 处有误：{problem}。",
):
    """A target that cannot be followed, with its place (a JSON pointer)."""


@dataclass(frozen=True, slots=True)
class TaskBook:
    """The task book as it stands."""

    status: TaskBookStatus = TaskBookStatus.DRAFT
    indicators: tuple[TaskIndicator, ...] = ()
    drafted: TaskBookDrafted | None = None
    submitted_by: str = ""


def evolve(book: TaskBook, entry: Entry) -> TaskBook:
    """The task book after a statement about it."""
    event = entry.statement.event
    assert isinstance(event, TaskBookEvent)
    match event:
        case TaskBookDrafted():
            return TaskBook(TaskBookStatus.DRAFT, event.indicators, event)
        case TaskBookRevised():
            return TaskBook(TaskBookStatus.DRAFT, event.indicators, book.drafted)
        case TaskBookSubmitted():
            return replace(book, status=TaskBookStatus.SUBMITTED, submitted_by=entry.actor)
        case TaskBookApproved():
            return replace(book, status=TaskBookStatus.APPROVED)
        case _:
            assert_never(event)


def decide(statement: Statement, book: TaskBook, related: Related) -> Event:
    """The event to record of a task book, or a refusal."""
    event = statement.event
    assert isinstance(event, TaskBookEvent)
    if book.status is TaskBookStatus.APPROVED:
        raise TaskBookIsApproved(label=event.label)
    match event:
        case TaskBookDrafted():
            _check_cycle(event)
            _check_targets(event.indicators, event)
        case TaskBookRevised():
            _check_targets(event.indicators, book.drafted)
        case TaskBookApproved():
            if book.status is not TaskBookStatus.SUBMITTED:
                raise TaskBookNotSubmitted
            refuse_the_same_person(book.submitted_by, related.context)
        case TaskBookSubmitted():
            pass
        case _:
            assert_never(event)
    return event


def _check_cycle(event: TaskBookDrafted) -> None:
    first, last = event.first_on, event.last_on
    if first is None and last is None:
        return
    if first is None or last is None or not 0 <= (last - first).days <= LONGEST_CYCLE_DAYS:
        raise BadProjectCycle(first=first or "（未写）", last=last or "（未写）")


def _check_targets(indicators: tuple[TaskIndicator, ...], book: TaskBookDrafted | None) -> None:
    for number, target in enumerate(indicators):
        for field, problem in _faults(target, indicators[:number], _months(book)):
            raise BadTarget(where=f"/indicators/{number}/{field}", problem=problem)


def _faults(
    target: TaskIndicator, earlier: tuple[TaskIndicator, ...], months: int | None
) -> Iterator[tuple[str, str]]:
    if any(other.indicator == target.indicator for other in earlier):
        yield "indicator", f"指标“{target.indicator}”出现两次"
    if (target.scoring.kind is Scoring.STEPS) != bool(target.scoring.steps):
        yield "scoring/steps", "分档计分须写明各档，其他计分办法不写"
    if target.plan and len(target.plan) != months:
        wanted = "周期的起止日期" if months is None else f"{months} 个月"
        yield "plan", f"分月计划有 {len(target.plan)} 个数，应有{wanted}"
    if target.plan and sum(target.plan) != target.target:
        yield "plan", f"分月计划合计 {sum(target.plan)}，应等于目标值 {target.target}"


def _months(book: TaskBookDrafted | None) -> int | None:
    """How many calendar months the cycle touches."""
    if book is None or book.first_on is None or book.last_on is None:
        return None
    years = book.last_on.year - book.first_on.year
    return 12 * years + book.last_on.month - book.first_on.month + 1


TASK_BOOK = StreamKind(
    "task_book", "任务书", TaskBook(), evolve, decide,
    (TaskBookDrafted, TaskBookRevised, TaskBookSubmitted, TaskBookApproved),
    settled_by=(TaskBookSubmitted, TaskBookApproved),
)
