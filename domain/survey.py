"""What did the station ask, in which community, and what do households need?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any, assert_never

from msgspec import Meta
from msgspec.structs import replace as with_fields

from domain.fields import (
    CODE_LIST,
    Community,
    Derived,
    HouseholdId,
    Narrative,
    PersonalText,
    PersonId,
    Quantity,
    Remark,
    ShortText,
    SurveyKind,
)
from domain.household import Household
from domain.kernel import Entry, Event, Refused, Related, Statement, StreamKind, Value
from domain.single import single
from domain.visit import PersonNotOfHousehold
from domain.vocabulary import Labelled

Need = Annotated[str, Meta(extra={CODE_LIST: "needs"})]
Workers = Annotated[tuple[ShortText, ...], Meta(max_length=20)]


class Urgency(Labelled):
    """How soon a need wants an answer."""

    LOW = "low", "不急"
    NORMAL = "normal", "一般"
    HIGH = "high", "紧急"


# ---- surveys ----


class SurveyHeld(Event, topic="survey.held", label="调研"):
    """A survey among residents, with how many were asked."""

    kind: SurveyKind
    title: ShortText | None = None
    community: Community | None = None
    persons_surveyed: Quantity = Quantity()
    workers: Workers = ()
    summary: Narrative | None = None


class CommunityNeedsSurveyHeld(Event, topic="community_survey.held", label="社区需求调研"):
    """The needs of a community were surveyed: one record a community."""

    community: Community
    topics: Annotated[tuple[ShortText, ...], Meta(max_length=20)] = ()
    workers: Workers = ()
    summary: Narrative | None = None


SURVEY = single("survey", SurveyHeld)
COMMUNITY_SURVEY = single("community_survey", CommunityNeedsSurveyHeld)

# ---- needs assessment ----


class NeedStated(Value):
    """A need that an assessment found."""

    need: Need
    urgency: Urgency = Urgency.NORMAL
    note: PersonalText | None = None


class NeedsAssessed(Event, topic="needs_assessment.made", label="需求评估"):
    """What a household, or one person of it, needs."""

    household: HouseholdId
    needs: Annotated[tuple[NeedStated, ...], Meta(min_length=1, max_length=10)]
    person: PersonId | None = None
    worker: ShortText | None = None
    category: Annotated[str | None, Derived] = None
    community: Annotated[str | None, Derived] = None


def _without_assessment(fields: dict[str, Any]) -> None:
    fields |= {"household": None, "assessed_on": None, "category": None, "community": None}


class NeedMet(Event, topic="needs_assessment.need_met", label="需求已满足", class_version=2):
    """A need that an assessment found is met."""

    need: Need
    outcome: Remark | None = None
    household: Annotated[str | None, Derived] = None
    assessed_on: Annotated[date | None, Derived] = None
    category: Annotated[str | None, Derived] = None
    community: Annotated[str | None, Derived] = None

    upcast_v1_v2 = staticmethod(_without_assessment)


NeedsAssessmentEvent = NeedsAssessed | NeedMet


class NeedStatedTwice(
    Refused, code="need_stated_twice", title="同一需求填写了两次",
    detail="需求“{need}”在同一次评估中出现两次。",
):
    """An assessment names a need once."""


class NeedNotStated(
    Refused, code="need_not_stated", title="评估中没有这项需求",
    detail="这次评估没有提出需求“{need}”。",
):
    """Only a stated need is met."""


class NeedAlreadyMet(
    Refused, code="need_already_met", status=409, title="这项需求已满足",
    detail="需求“{need}”已经登记为满足。",
):
    """A need is met once."""


@dataclass(frozen=True, slots=True)
class NeedsAssessment:
    """What was found, and what of it is met."""

    stated: frozenset[str] = frozenset()
    met: frozenset[str] = frozenset()
    made: NeedsAssessed | None = None
    assessed_on: date | None = None


def evolve(assessment: NeedsAssessment, entry: Entry) -> NeedsAssessment:
    """The assessment after a statement about it."""
    event = entry.statement.event
    assert isinstance(event, NeedsAssessmentEvent)
    match event:
        case NeedsAssessed():
            return replace(
                assessment, stated=frozenset(need.need for need in event.needs), made=event,
                assessed_on=entry.statement.occurred.on,
            )
        case NeedMet():
            return replace(assessment, met=assessment.met | {event.need})
        case _:
            assert_never(event)


def decide(statement: Statement, assessment: NeedsAssessment, related: Related) -> Event:
    """The event to record of an assessment, or a refusal."""
    event = statement.event
    assert isinstance(event, NeedsAssessmentEvent)
    match event:
        case NeedsAssessed():
            return _assess(event, related, statement.occurred.on)
        case NeedMet():
            if event.need not in assessment.stated:
                raise NeedNotStated(need=event.need)
            if event.need in assessment.met:
                raise NeedAlreadyMet(need=event.need)
            made = assessment.made
            assert made is not None
            return with_fields(
                event, household=made.household, assessed_on=assessment.assessed_on,
                category=made.category, community=made.community,
            )
        case _:
            assert_never(event)


def _assess(event: NeedsAssessed, related: Related, day: date) -> NeedsAssessed:
    household: Household = related.state("household", event.household)
    codes = [need.need for need in event.needs]
    for index, code in enumerate(codes):
        if code in codes[:index]:
            raise NeedStatedTwice(need=code)
    if event.person is not None and not household.has_known(event.person):
        raise PersonNotOfHousehold(person=event.person)
    then: Household = related.state_on("household", event.household, day)
    community = then.community or household.community
    return with_fields(event, category=then.category, community=community)


NEEDS_ASSESSMENT = StreamKind(
    "needs_assessment", "需求评估", NeedsAssessment(), evolve, decide, (NeedsAssessed, NeedMet)
)
