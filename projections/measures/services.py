"""How many activities, referrals and resources?"""

from __future__ import annotations

from domain.activity import ActivityHeld
from domain.kernel import Recorded
from domain.referral import ReferralCompleted, ReferralMade
from domain.resource import ResourceDelivered, ResourceLinked
from domain.vocabulary import Unit
from projections.measures.kernel import (
    COMMUNITY,
    Kind,
    Measure,
    Posting,
    stated,
    stated_fen,
)

activities = Measure(
    "activity.held", "社区活动", "Activities", Unit.TIMES, Kind.FLOW,
    by=COMMUNITY | {"kind": "activity_kinds", "role": "activity_roles", "audience": "audiences"},
)
activity_attendance = Measure(
    "activity.attendance", "活动参与", "Activity attendance", Unit.PERSON_TIMES, Kind.FLOW,
    by=COMMUNITY | {"kind": "activity_kinds", "role": "activity_roles", "audience": "audiences"},
)
referrals_made = Measure(
    "referral.made", "转介", "Referrals made", Unit.TIMES, Kind.FLOW, by=COMMUNITY
)
referrals_completed = Measure(
    "referral.completed", "转介完成", "Referrals completed", Unit.TIMES, Kind.FLOW, by=COMMUNITY
)
resources_linked = Measure(
    "resource.linked", "资源链接", "Resources linked", Unit.TIMES, Kind.FLOW,
    by=COMMUNITY | {"kind": "resource_kinds"},
)
resource_fen = Measure(
    "resource.delivered_fen", "链接资源价值", "Value of resources delivered", Unit.YUAN, Kind.FLOW,
    by=COMMUNITY | {"kind": "resource_kinds"},
)


def _of_activity(event: ActivityHeld, amount: int, approximation: str = "") -> Posting:
    return Posting(
        amount, community=event.community or "", kind=event.kind, role=event.role,
        audience=event.audience or "", approximation=approximation,
    )


@activities.posted_by(ActivityHeld)
def activity_held(event: ActivityHeld, _entry: Recorded) -> Posting:
    """One activity in the station's role: an indicator that means 开展 leaves out 协助."""
    return _of_activity(event, 1)


@activity_attendance.posted_by(ActivityHeld)
def activity_attended(event: ActivityHeld, _entry: Recorded) -> Posting:
    """The persons present, as stated."""
    return _of_activity(event, *stated(event.attendance))


@referrals_made.posted_by(ReferralMade)
@referrals_completed.posted_by(ReferralCompleted)
def referral(event: ReferralMade | ReferralCompleted, _entry: Recorded) -> Posting:
    """One referral."""
    return Posting(community=event.community or "")


@resources_linked.posted_by(ResourceLinked)
def resource_linked(event: ResourceLinked, _entry: Recorded) -> Posting:
    """One resource."""
    return Posting(kind=event.kind, community=event.community or "")


@resource_fen.posted_by(ResourceDelivered)
def resource_value(event: ResourceDelivered, _entry: Recorded) -> Posting:
    """What was delivered, in fen; a value nobody stated is marked so."""
    amount, approximation = stated_fen(event.value_fen)
    return Posting(
        amount, kind=event.kind or "", community=event.community or "",
        approximation=approximation,
    )
