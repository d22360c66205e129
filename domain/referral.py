"""To whom was a need passed on, on which ground, and what became of it?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any, Final, assert_never

from msgspec import Meta
from msgspec.structs import replace as with_fields

from domain.fields import (
    CODE_LIST,
    Derived,
    HouseholdId,
    NeedsAssessmentId,
    PersonalText,
    PersonId,
    Remark,
    ShortText,
)
from domain.household import Household
from domain.kernel import Entry, Event, Refused, Related, Statement, StreamKind
from domain.survey import NeedsAssessment
from domain.visit import PersonNotOfHousehold
from domain.vocabulary import Labelled

Need = Annotated[str, Meta(extra={CODE_LIST: "needs"})]
Basis = Annotated[str, Meta(extra={CODE_LIST: "referral_bases"})]


class ReferralStatus(Labelled):
    """Where a referral stands."""

    NONE = "none", "未转介"
    MADE = "made", "已转出"
    ACCEPTED = "accepted", "已接收"
    DECLINED = "declined", "被拒绝"
    COMPLETED = "completed", "已完成"
    CLOSED = "closed", "已关闭"


def _without_need(fields: dict[str, Any]) -> None:
    fields |= {"needs_assessment": None, "need_assessed_on": None}


def _without_days(fields: dict[str, Any]) -> None:
    fields |= {"category": None, "need": None, "made_on": None, "need_assessed_on": None}


class ReferralMade(Event, topic="referral.made", label="转介", class_version=2):
    """A household's need is passed on, with consent or in an emergency.

    ``needs_assessment`` is the assessment that found the need, where there was one.
    """

    household: HouseholdId
    to_agency: ShortText
    need: Need
    basis: Basis
    person: PersonId | None = None
    worker: ShortText | None = None
    note: PersonalText | None = None
    needs_assessment: NeedsAssessmentId | None = None
    category: Annotated[str | None, Derived] = None
    community: Annotated[str | None, Derived] = None
    need_assessed_on: Annotated[date | None, Derived] = None

    upcast_v1_v2 = staticmethod(_without_need)


class ReferralAccepted(Event, topic="referral.accepted", label="转介接收"):
    """The other agency took it on."""

    community: Annotated[str | None, Derived] = None


class ReferralDeclined(Event, topic="referral.declined", label="转介被拒"):
    """The other agency did not take it on."""

    because: Remark
    community: Annotated[str | None, Derived] = None


class ReferralCompleted(Event, topic="referral.completed", label="转介完成", class_version=2):
    """The need was answered."""

    outcome: Remark
    community: Annotated[str | None, Derived] = None
    category: Annotated[str | None, Derived] = None
    need: Annotated[str | None, Derived] = None
    made_on: Annotated[date | None, Derived] = None
    need_assessed_on: Annotated[date | None, Derived] = None

    upcast_v1_v2 = staticmethod(_without_days)


class ReferralClosed(Event, topic="referral.closed", label="转介关闭"):
    """The referral is no longer followed."""

    because: Remark | None = None
    community: Annotated[str | None, Derived] = None


ReferralStep = ReferralAccepted | ReferralDeclined | ReferralCompleted | ReferralClosed
ReferralEvent = ReferralMade | ReferralStep


class NeedOfAnother(
    Refused, code="need_of_another_assessment", title="评估与转介对不上",
    detail="编号为 {id} 的需求评估不是这一户的，或没有提出需求“{need}”。",
):
    """A referral answers a need that the assessment found in this household."""


class ReferralStepRefused(
    Refused, code="referral_step_refused", status=409, title="转介状态不允许",
    detail="转介现为“{status}”，不能登记“{label}”。",
):
    """Each step follows the one before; a second close is refused."""


@dataclass(frozen=True, slots=True)
class Referral:
    """The referral as it stands."""

    status: ReferralStatus = ReferralStatus.NONE
    made: ReferralMade | None = None
    made_on: date | None = None

    @property
    def community(self) -> str | None:
        """Where the household lived then."""
        return self.made.community if self.made else None


AFTER: Final[dict[type[Event], ReferralStatus]] = {
    ReferralMade: ReferralStatus.MADE,
    ReferralAccepted: ReferralStatus.ACCEPTED,
    ReferralDeclined: ReferralStatus.DECLINED,
    ReferralCompleted: ReferralStatus.COMPLETED,
    ReferralClosed: ReferralStatus.CLOSED,
}
ALLOWED_FROM: Final[dict[type[Event], tuple[ReferralStatus, ...]]] = {
    ReferralAccepted: (ReferralStatus.MADE,),
    ReferralDeclined: (ReferralStatus.MADE,),
    ReferralCompleted: (ReferralStatus.ACCEPTED,),
    ReferralClosed: (
        ReferralStatus.MADE, ReferralStatus.ACCEPTED, ReferralStatus.DECLINED,
        ReferralStatus.COMPLETED,
    ),
}


def next_steps(status: ReferralStatus) -> tuple[type[Event], ...]:
    """What may be recorded next of a referral, the usual first."""
    return tuple(step for step, froms in ALLOWED_FROM.items() if status in froms)


def evolve(referral: Referral, entry: Entry) -> Referral:
    """The referral after a statement about it."""
    event = entry.statement.event
    if isinstance(event, ReferralMade):
        return Referral(ReferralStatus.MADE, event, entry.statement.occurred.on)
    return replace(referral, status=AFTER[type(event)])


def decide(statement: Statement, referral: Referral, related: Related) -> Event:
    """The event to record of a referral, or a refusal."""
    event = statement.event
    assert isinstance(event, ReferralEvent)
    match event:
        case ReferralMade():
            household: Household = related.state("household", event.household)
            if event.person is not None and not household.has_known(event.person):
                raise PersonNotOfHousehold(person=event.person)
            day = statement.occurred.on
            then: Household = related.state_on("household", event.household, day)
            community = then.community or household.community
            return with_fields(
                event, category=then.category, community=community,
                need_assessed_on=_assessed_on(event, related),
            )
        case ReferralAccepted() | ReferralDeclined() | ReferralCompleted() | ReferralClosed():
            if referral.status not in ALLOWED_FROM[type(event)]:
                raise ReferralStepRefused(status=referral.status.label, label=event.label)
            step = with_fields(event, community=referral.community)
            return _timed(step, referral) if isinstance(step, ReferralCompleted) else step
        case _:
            assert_never(event)


def _assessed_on(event: ReferralMade, related: Related) -> date | None:
    """When the need was found that is passed on."""
    if event.needs_assessment is None:
        return None
    found: NeedsAssessment = related.state("needs_assessment", event.needs_assessment)
    is_of_it = found.made is not None and found.made.household == event.household
    if not is_of_it or event.need not in found.stated:
        raise NeedOfAnother(id=event.needs_assessment, need=event.need)
    return found.assessed_on


def _timed(event: ReferralCompleted, referral: Referral) -> ReferralCompleted:
    """A completion that carries since when the need was known and passed on."""
    made = referral.made
    assert made is not None
    return with_fields(
        event, category=made.category, need=made.need, made_on=referral.made_on,
        need_assessed_on=made.need_assessed_on,
    )


REFERRAL = StreamKind(
    "referral", "转介", Referral(), evolve, decide,
    (ReferralMade, ReferralAccepted, ReferralDeclined, ReferralCompleted, ReferralClosed),
)
