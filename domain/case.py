"""How does a case run, from intake to closing and after?

The stages are 接案 → 预估 → 计划 → 介入 → 评估 → 结案; one is skipped only with a reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any, Final, TypeVar, assert_never

from msgspec import Meta
from msgspec.structs import replace as with_fields

from domain.fields import (
    ClosingReason,
    Count,
    Derived,
    HouseholdId,
    LocalId,
    Minutes,
    PersonalText,
    PersonId,
    Remark,
    ShortText,
    VisitMode,
)
from domain.household import Household
from domain.kernel import Entry, Event, Refused, Related, Statement, StreamKind
from domain.visit import PersonNotOfHousehold
from domain.vocabulary import Labelled


class Stage(Labelled):
    """Where a case stands."""

    NONE = "none", "未接案"
    INTAKE = "intake", "接案"
    ASSESSED = "assessed", "预估"
    PLANNED = "planned", "计划"
    INTERVENING = "intervening", "介入"
    REVIEWED = "reviewed", "评估"
    CLOSED = "closed", "结案"


ORDER: Final = tuple(Stage)

# ---- events ----


def _without_stage(fields: dict[str, Any]) -> None:
    """Steps did not say how long the case had stood where it stood."""
    fields |= {"household": None, "opened_on": None, "stage": None, "stage_since": None}


class CaseIntaken(Event, topic="case.intake", label="接案"):
    """A household, or one person of it, becomes a case of a worker."""

    household: HouseholdId
    worker: ShortText
    problem: PersonalText
    person: PersonId | None = None
    source: Remark | None = None
    number: LocalId | None = None
    category: Annotated[str | None, Derived] = None
    community: Annotated[str | None, Derived] = None


class CaseAssessed(Event, topic="case.assessed", label="预估", class_version=2):
    """The situation was assessed."""

    summary: PersonalText | None = None
    skipping_because: Remark | None = None
    category: Annotated[str | None, Derived] = None
    community: Annotated[str | None, Derived] = None
    household: Annotated[str | None, Derived] = None
    opened_on: Annotated[date | None, Derived] = None
    stage: Annotated[Stage | None, Derived] = None
    stage_since: Annotated[date | None, Derived] = None

    upcast_v1_v2 = staticmethod(_without_stage)


class CasePlanned(Event, topic="case.planned", label="制定计划", class_version=2):
    """Goals were agreed."""

    goals: Annotated[tuple[PersonalText, ...], Meta(min_length=1, max_length=20)]
    skipping_because: Remark | None = None
    category: Annotated[str | None, Derived] = None
    community: Annotated[str | None, Derived] = None
    household: Annotated[str | None, Derived] = None
    opened_on: Annotated[date | None, Derived] = None
    stage: Annotated[Stage | None, Derived] = None
    stage_since: Annotated[date | None, Derived] = None

    upcast_v1_v2 = staticmethod(_without_stage)


class CaseSessionHeld(Event, topic="case.session_held", label="个案服务", class_version=2):
    """A session (节) of the case."""

    persons_met: Count = 1
    minutes: Minutes | None = None
    summary: PersonalText | None = None
    skipping_because: Remark | None = None
    category: Annotated[str | None, Derived] = None
    community: Annotated[str | None, Derived] = None
    household: Annotated[str | None, Derived] = None
    opened_on: Annotated[date | None, Derived] = None
    stage: Annotated[Stage | None, Derived] = None
    stage_since: Annotated[date | None, Derived] = None

    upcast_v1_v2 = staticmethod(_without_stage)


class CaseReviewed(Event, topic="case.reviewed", label="个案评估", class_version=2):
    """What the sessions achieved was reviewed."""

    summary: PersonalText | None = None
    skipping_because: Remark | None = None
    category: Annotated[str | None, Derived] = None
    community: Annotated[str | None, Derived] = None
    household: Annotated[str | None, Derived] = None
    opened_on: Annotated[date | None, Derived] = None
    stage: Annotated[Stage | None, Derived] = None
    stage_since: Annotated[date | None, Derived] = None

    upcast_v1_v2 = staticmethod(_without_stage)


class CaseClosed(Event, topic="case.closed", label="结案", class_version=2):
    """The case was closed."""

    reason: ClosingReason
    summary: PersonalText | None = None
    skipping_because: Remark | None = None
    category: Annotated[str | None, Derived] = None
    community: Annotated[str | None, Derived] = None
    household: Annotated[str | None, Derived] = None
    opened_on: Annotated[date | None, Derived] = None
    stage: Annotated[Stage | None, Derived] = None
    stage_since: Annotated[date | None, Derived] = None

    upcast_v1_v2 = staticmethod(_without_stage)


class CaseReopened(Event, topic="case.reopened", label="重新接案", class_version=2):
    """A closed case was taken up again."""

    because: Remark
    category: Annotated[str | None, Derived] = None
    community: Annotated[str | None, Derived] = None
    household: Annotated[str | None, Derived] = None
    opened_on: Annotated[date | None, Derived] = None
    stage: Annotated[Stage | None, Derived] = None
    stage_since: Annotated[date | None, Derived] = None

    upcast_v1_v2 = staticmethod(_without_stage)


class CaseFollowedUp(Event, topic="case.followed_up", label="个案回访", class_version=2):
    """The person was contacted after the closing."""

    mode: VisitMode
    summary: PersonalText | None = None
    category: Annotated[str | None, Derived] = None
    community: Annotated[str | None, Derived] = None
    household: Annotated[str | None, Derived] = None
    opened_on: Annotated[date | None, Derived] = None
    stage: Annotated[Stage | None, Derived] = None
    stage_since: Annotated[date | None, Derived] = None

    upcast_v1_v2 = staticmethod(_without_stage)


StageEvent = CaseAssessed | CasePlanned | CaseSessionHeld | CaseReviewed | CaseClosed
CaseEvent = CaseIntaken | StageEvent | CaseReopened | CaseFollowedUp
CaseStep = StageEvent | CaseReopened | CaseFollowedUp
C = TypeVar("C", bound=CaseStep)

STAGE_OF: Final[dict[type[Event], Stage]] = {
    CaseIntaken: Stage.INTAKE,
    CaseAssessed: Stage.ASSESSED,
    CasePlanned: Stage.PLANNED,
    CaseSessionHeld: Stage.INTERVENING,
    CaseReviewed: Stage.REVIEWED,
    CaseClosed: Stage.CLOSED,
    CaseReopened: Stage.PLANNED,
}

# ---- refusals ----


class CaseIsClosed(
    Refused, code="case_closed", status=409, title="个案已结案",
    detail="个案已结案，不能再登记“{label}”；如需继续请先重新接案。",
):
    """A closed case takes no more of its stages; a second close is refused."""


class CaseNotClosed(
    Refused, code="case_not_closed", status=409, title="个案尚未结案",
    detail="个案尚未结案，不能登记“{label}”。",
):
    """Only a closed case is reopened or followed up."""


class StageSkipped(
    Refused, code="stage_skipped", title="跳过了个案阶段",
    detail="个案现在处于“{stage}”，直接登记“{label}”跳过了“{skipped}”，请先补登或写明跳过原因。",
):
    """A stage is skipped only with a reason."""


# ---- state and decisions ----


@dataclass(frozen=True, slots=True)
class Case:
    """The case as it stands."""

    household: str = ""
    stage: Stage = Stage.NONE
    category: str | None = None
    community: str | None = None
    opened_on: date | None = None
    stage_since: date | None = None


def evolve(case: Case, entry: Entry) -> Case:
    """The case after a statement about it."""
    event: Any = entry.statement.event
    on = entry.statement.occurred.on
    if isinstance(event, CaseIntaken):
        return Case(event.household, Stage.INTAKE, event.category, event.community, on, on)
    stage = STAGE_OF.get(type(event))
    if stage is None or stage is case.stage:
        return case
    opened_on = on if isinstance(event, CaseReopened) else case.opened_on
    return replace(case, stage=stage, opened_on=opened_on, stage_since=on)


def decide(statement: Statement, state: Case, related: Related) -> Event:
    """The event to record of a case, or a refusal."""
    event = statement.event
    assert isinstance(event, CaseEvent)
    match event:
        case CaseIntaken():
            return _take_in(event, related, statement.occurred.on)
        case CaseReopened() | CaseFollowedUp():
            if state.stage is not Stage.CLOSED:
                raise CaseNotClosed(label=event.label)
            return _counted(event, state)
        case CaseAssessed() | CasePlanned() | CaseSessionHeld() | CaseReviewed() | CaseClosed():
            if state.stage is Stage.CLOSED:
                raise CaseIsClosed(label=event.label)
            _check_stage(event, state)
            return _counted(event, state)
        case _:
            assert_never(event)


def next_steps(stage: Stage) -> tuple[type[Event], ...]:
    """What usually comes next of a case, the usual first; anything else needs a reason."""
    if stage is Stage.CLOSED:
        return (CaseFollowedUp, CaseReopened)
    following = ORDER[ORDER.index(stage) + 1]
    after = [step for step, to in STAGE_OF.items() if to is following and step is not CaseReopened]
    again = [CaseSessionHeld] if stage in {Stage.INTERVENING, Stage.REVIEWED} else []
    return tuple(dict.fromkeys([*again, *after, CaseClosed]))


def _take_in(event: CaseIntaken, related: Related, day: date) -> CaseIntaken:
    household: Household = related.state("household", event.household)
    if event.person is not None and not household.has_known(event.person):
        raise PersonNotOfHousehold(person=event.person)
    then: Household = related.state_on("household", event.household, day)
    community = then.community or household.community
    return with_fields(event, category=then.category, community=community)


def _check_stage(event: StageEvent, case: Case) -> None:
    """The stages between where the case stands and the new one are not left out silently."""
    now, wanted = ORDER.index(case.stage), ORDER.index(STAGE_OF[type(event)])
    skipped = ORDER[now + 1 : wanted]
    if skipped and event.skipping_because is None:
        raise StageSkipped(
            stage=case.stage.label, label=event.label,
            skipped="、".join(stage.label for stage in skipped),
        )


def _counted(event: C, case: Case) -> C:
    """An event that carries what it is counted by, and since when the case stood where."""
    return with_fields(
        event, category=case.category, community=case.community, household=case.household,
        opened_on=case.opened_on, stage=case.stage, stage_since=case.stage_since,
    )


CASE = StreamKind(
    "case", "个案", Case(), evolve, decide,
    (
        CaseIntaken, CaseAssessed, CasePlanned, CaseSessionHeld, CaseReviewed, CaseClosed,
        CaseReopened, CaseFollowedUp,
    ),
)
