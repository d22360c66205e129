"""Which routes have visits, surveys, assessments, cases and referrals?"""

from __future__ import annotations

from typing import Final

from api.recording import Noun
from domain.case import (
    CASE,
    CaseAssessed,
    CaseClosed,
    CaseFollowedUp,
    CaseIntaken,
    CasePlanned,
    CaseReopened,
    CaseReviewed,
    CaseSessionHeld,
)
from domain.referral import (
    REFERRAL,
    ReferralAccepted,
    ReferralClosed,
    ReferralCompleted,
    ReferralDeclined,
    ReferralMade,
)
from domain.survey import (
    COMMUNITY_SURVEY,
    NEEDS_ASSESSMENT,
    SURVEY,
    CommunityNeedsSurveyHeld,
    NeedMet,
    NeedsAssessed,
    SurveyHeld,
)
from domain.visit import VISIT, VisitRecorded

visits = Noun("visits", VISIT)
visits.opens(VisitRecorded)

surveys = Noun("surveys", SURVEY)
surveys.opens(SurveyHeld)

community_surveys = Noun("community-surveys", COMMUNITY_SURVEY)
community_surveys.opens(CommunityNeedsSurveyHeld)

needs_assessments = Noun("needs-assessments", NEEDS_ASSESSMENT)
needs_assessments.opens(NeedsAssessed)
needs_assessments.takes("needs-met", NeedMet)

cases = Noun("cases", CASE)
cases.opens(CaseIntaken)
cases.takes("assessment", CaseAssessed)
cases.takes("plan", CasePlanned)
cases.takes("sessions", CaseSessionHeld)
cases.takes("reviews", CaseReviewed)
cases.takes("closure", CaseClosed)
cases.takes("reopening", CaseReopened)
cases.takes("follow-ups", CaseFollowedUp)

referrals = Noun("referrals", REFERRAL)
referrals.opens(ReferralMade)
referrals.takes("acceptance", ReferralAccepted)
referrals.takes("refusal", ReferralDeclined)
referrals.takes("completion", ReferralCompleted)
referrals.takes("closure", ReferralClosed)

CASEWORK: Final = (visits, surveys, community_surveys, needs_assessments, cases, referrals)
