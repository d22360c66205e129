"""Which routes has a household?"""

from __future__ import annotations

from typing import Final

from api.recording import Noun
from domain.household import (
    HOUSEHOLD,
    AssistanceAssigned,
    AssistanceChanged,
    AssistanceEnded,
    BenefitGranted,
    BenefitStopped,
    CaseFileClosed,
    CaseFileOpened,
    ConsentGiven,
    ConsentWithdrawn,
    HouseholdInfoUpdated,
    HouseholdInfoVerified,
    HouseholdMoved,
    HouseholdRegistered,
    MemberAdded,
    MemberRemoved,
    TemporaryAssistanceGranted,
)

HOUSEHOLDS: Final = Noun("households", HOUSEHOLD)
HOUSEHOLDS.opens(HouseholdRegistered)
HOUSEHOLDS.takes("info-updates", HouseholdInfoUpdated)
HOUSEHOLDS.takes("info-verifications", HouseholdInfoVerified)
HOUSEHOLDS.takes("members", MemberAdded)
HOUSEHOLDS.takes("member-removals", MemberRemoved)
HOUSEHOLDS.takes("moves", HouseholdMoved)
HOUSEHOLDS.takes("case-file", CaseFileOpened)
HOUSEHOLDS.takes("case-file/closure", CaseFileClosed)
HOUSEHOLDS.takes("consents", ConsentGiven)
HOUSEHOLDS.takes("consent-withdrawals", ConsentWithdrawn)
HOUSEHOLDS.takes("assistance", AssistanceAssigned)
HOUSEHOLDS.takes("assistance/changes", AssistanceChanged)
HOUSEHOLDS.takes("assistance/end", AssistanceEnded)
HOUSEHOLDS.takes("benefits", BenefitGranted)
HOUSEHOLDS.takes("benefits/stops", BenefitStopped)
HOUSEHOLDS.takes("temporary-assistance", TemporaryAssistanceGranted)
