"""How long did casework take: stages of cases, needs, referrals?

A duration posts its days, and beside them that it is one, on the day on which it ended:
an average is the one sum over the other, and every correction reverses both.
"""

from __future__ import annotations

from datetime import date

from domain.case import (
    STAGE_OF,
    CaseAssessed,
    CaseClosed,
    CasePlanned,
    CaseReviewed,
    CaseSessionHeld,
    Stage,
    StageEvent,
)
from domain.kernel import Recorded
from domain.referral import ReferralCompleted, ReferralMade
from domain.survey import NeedMet
from domain.vocabulary import Unit
from projections.measures.kernel import (
    CATEGORY,
    COMMUNITY,
    Kind,
    Measure,
    Posting,
    took,
)

case_days = Measure(
    "case.days", "个案历时", "Days of a case", Unit.DAY, Kind.DURATION, by=COMMUNITY | CATEGORY
)
stage_days = Measure(
    "case.stage_days", "个案阶段历时", "Days of a stage of a case", Unit.DAY, Kind.DURATION,
    by=COMMUNITY | CATEGORY | {"kind": Stage},
)
"""``kind`` is the stage that was left: from intake (接案) until assessed, and so on."""
need_days_to_met = Measure(
    "need.days_to_met", "需求至满足", "Days from need to met", Unit.DAY, Kind.DURATION,
    by=COMMUNITY | CATEGORY | {"kind": "needs"},
)
need_days_to_referral = Measure(
    "need.days_to_referral", "需求至转介", "Days from need to referral", Unit.DAY, Kind.DURATION,
    by=COMMUNITY | CATEGORY | {"kind": "needs"},
)
need_days_to_completion = Measure(
    "need.days_to_completion", "需求至转介完成", "Days from need to referral completed",
    Unit.DAY, Kind.DURATION, by=COMMUNITY | CATEGORY | {"kind": "needs"},
)
referral_days = Measure(
    "referral.days", "转介至完成", "Days from referral to completion", Unit.DAY, Kind.DURATION,
    by=COMMUNITY | CATEGORY | {"kind": "needs"},
)

Timed = StageEvent | NeedMet | ReferralMade | ReferralCompleted


def _took(
    event: Timed, since: date | None, entry: Recorded, kind: str = ""
) -> tuple[Posting, ...]:
    return took(
        since, entry.occurred.on, community=event.community or "",
        category=event.category or "", kind=kind,
    )


@case_days.posted_by(CaseClosed)
def case_closed(event: CaseClosed, entry: Recorded) -> tuple[Posting, ...]:
    """From the intake, or the reopening, to the closing."""
    return _took(event, event.opened_on, entry)


@stage_days.posted_by(CaseAssessed, CasePlanned, CaseSessionHeld, CaseReviewed, CaseClosed)
def stage_left(event: StageEvent, entry: Recorded) -> tuple[Posting, ...]:
    """How long the case stood where it stood; further sessions leave no stage."""
    if event.stage is None or event.stage == STAGE_OF[type(event)]:
        return ()
    return _took(event, event.stage_since, entry, event.stage.value)


@need_days_to_met.posted_by(NeedMet)
def need_met(event: NeedMet, entry: Recorded) -> tuple[Posting, ...]:
    """From the assessment that found the need."""
    return _took(event, event.assessed_on, entry, event.need)


@need_days_to_referral.posted_by(ReferralMade)
def need_referred(event: ReferralMade, entry: Recorded) -> tuple[Posting, ...]:
    """From the assessment that found the need, where the referral names it."""
    return _took(event, event.need_assessed_on, entry, event.need)


@need_days_to_completion.posted_by(ReferralCompleted)
def need_answered(event: ReferralCompleted, entry: Recorded) -> tuple[Posting, ...]:
    """From the need to its answer."""
    return _took(event, event.need_assessed_on, entry, event.need or "")


@referral_days.posted_by(ReferralCompleted)
def referral_completed(event: ReferralCompleted, entry: Recorded) -> tuple[Posting, ...]:
    """From the referral to its completion."""
    return _took(event, event.made_on, entry, event.need or "")
