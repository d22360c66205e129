"""Which projects, competitions, task books, reviews and brands does the station have?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, assert_never

from msgspec import Meta

from domain.fields import Count, Fen, LocalId, Narrative, Remark, ShortText
from domain.kernel import Entry, Event, Refused, Related, Statement, StreamKind, Value
from domain.single import single
from domain.vocabulary import Labelled, Unit

# ---- facts said once ----


class ServiceProjectDrafted(Event, topic="project.drafted", label="服务项目起草"):
    """A service project was drafted."""

    title: ShortText
    cycle: ShortText | None = None
    summary: Narrative | None = None


class ProjectReviewPresented(Event, topic="project_review.presented", label="立项评审"):
    """The station presented its project to the reviewers."""

    title: ShortText
    organiser: ShortText | None = None
    cycle: ShortText | None = None
    advice: Narrative | None = None


class BrandRegistered(Event, topic="brand.registered", label="品牌登记"):
    """The station has a service brand."""

    name: ShortText
    summary: Narrative | None = None


PROJECT = single("project", ServiceProjectDrafted, label="服务项目")
PROJECT_REVIEW = single("project_review", ProjectReviewPresented)
BRAND = single("brand", BrandRegistered, label="品牌")

# ---- competition ----


class CompetitionEntered(Event, topic="competition.entered", label="参加大赛"):
    """The station entered a competition."""

    title: ShortText
    organiser: ShortText | None = None
    entry: ShortText | None = None
    summary: Narrative | None = None


class CompetitionAwarded(Event, topic="competition.awarded", label="大赛获奖"):
    """The entry won an award; a prize that nobody stated prints 未填报."""

    award: ShortText
    prize_fen: Fen | None = None
    summary: Narrative | None = None


class AlreadyAwarded(
    Refused, code="already_awarded", status=409, title="奖项已登记",
    detail="这次大赛已登记奖项“{award}”，如需修改请更正该条。",
):
    """An entry wins one award."""


def evolve_competition(award: str | None, entry: Entry) -> str | None:
    """The award, once there is one."""
    event = entry.statement.event
    return event.award if isinstance(event, CompetitionAwarded) else award


def decide_competition(statement: Statement, award: str | None, _related: Related) -> Event:
    """The event to record of a competition, or a refusal."""
    if award is not None and isinstance(statement.event, CompetitionAwarded):
        raise AlreadyAwarded(award=award)
    return statement.event


COMPETITION: StreamKind[str | None] = StreamKind(
    "competition", "大赛", None, evolve_competition, decide_competition,
    (CompetitionEntered, CompetitionAwarded),
)

# ---- task book ----


class TaskIndicator(Value):
    """An indicator of a task book with its target, a whole number in its unit."""

    indicator: LocalId
    label: ShortText
    unit: Unit
    target: Count


TaskIndicators = Annotated[tuple[TaskIndicator, ...], Meta(max_length=200)]


class TaskBookDrafted(Event, topic="task_book.drafted", label="任务书撰写"):
    """The task book of a project cycle was written."""

    title: ShortText
    cycle: ShortText
    indicators: TaskIndicators = ()


class TaskBookRevised(Event, topic="task_book.revised", label="任务书修改"):
    """Its indicators were stated anew."""

    indicators: TaskIndicators
    because: Remark | None = None


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


@dataclass(frozen=True, slots=True)
class TaskBook:
    """The task book as it stands."""

    status: TaskBookStatus = TaskBookStatus.DRAFT
    indicators: tuple[TaskIndicator, ...] = ()


def evolve_task_book(book: TaskBook, entry: Entry) -> TaskBook:
    """The task book after a statement about it."""
    event = entry.statement.event
    assert isinstance(event, TaskBookEvent)
    match event:
        case TaskBookDrafted() | TaskBookRevised():
            return TaskBook(TaskBookStatus.DRAFT, event.indicators)
        case TaskBookSubmitted():
            return replace(book, status=TaskBookStatus.SUBMITTED)
        case TaskBookApproved():
            return replace(book, status=TaskBookStatus.APPROVED)
        case _:
            assert_never(event)


def decide_task_book(statement: Statement, book: TaskBook, _related: Related) -> Event:
    """The event to record of a task book, or a refusal."""
    event = statement.event
    assert isinstance(event, TaskBookEvent)
    if book.status is TaskBookStatus.APPROVED:
        raise TaskBookIsApproved(label=event.label)
    if isinstance(event, TaskBookApproved) and book.status is not TaskBookStatus.SUBMITTED:
        raise TaskBookNotSubmitted
    return event


TASK_BOOK = StreamKind(
    "task_book", "任务书", TaskBook(), evolve_task_book, decide_task_book,
    (TaskBookDrafted, TaskBookRevised, TaskBookSubmitted, TaskBookApproved),
)
