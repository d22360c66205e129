"""How many households are registered, updated, verified, on file?"""

from __future__ import annotations

from domain.household import (
    CaseFileClosed,
    CaseFileOpened,
    HouseholdInfoUpdated,
    HouseholdInfoVerified,
    HouseholdRegistered,
)
from domain.kernel import Recorded
from domain.vocabulary import Unit
from projections.measures.kernel import (
    Kind,
    Measure,
    Posting,
)

households_registered = Measure(
    "household.registered", "新建家庭档案", "Households registered", Unit.HOUSEHOLD, Kind.FLOW
)
households_updated = Measure(
    "household.updated", "更新信息的家庭", "Households with updated information",
    Unit.HOUSEHOLD, Kind.DISTINCT, "household",
)
households_verified = Measure(
    "household.verified", "核对信息的家庭", "Households verified", Unit.HOUSEHOLD, Kind.DISTINCT,
    "household",
)
case_files_opened = Measure(
    "case_file.opened", "新建服务对象档案", "Case files opened", Unit.FILE, Kind.FLOW
)
case_files = Measure("case_file.kept", "在用服务对象档案", "Open case files", Unit.FILE, Kind.STOCK)


@households_registered.posted_by(HouseholdRegistered)
def household_registered(event: HouseholdRegistered, _entry: Recorded) -> Posting:
    """One household."""
    return Posting(community=event.community)


@households_updated.posted_by(HouseholdInfoUpdated)
def household_updated(event: HouseholdInfoUpdated, entry: Recorded) -> Posting:
    """The household, however often it was updated."""
    return Posting(
        entity=entry.id, community=event.community or "", category=event.category or ""
    )


@households_updated.posted_by(CaseFileOpened)
def household_updated_by_case_file(event: CaseFileOpened, entry: Recorded) -> Posting:
    """A new case file is an update of the household's information."""
    return Posting(
        entity=entry.id, community=event.community or "", category=event.category or ""
    )


@households_verified.posted_by(HouseholdInfoVerified)
def household_verified(event: HouseholdInfoVerified, entry: Recorded) -> Posting:
    """The household, however often it was verified."""
    return Posting(entity=entry.id, community=event.community or "")


@case_files_opened.posted_by(CaseFileOpened)
@case_files.posted_by(CaseFileOpened)
def case_file_opened(event: CaseFileOpened, _entry: Recorded) -> Posting:
    """One file."""
    return Posting(community=event.community or "")


@case_files.posted_by(CaseFileClosed)
def case_file_closed(_event: CaseFileClosed, _entry: Recorded) -> Posting:
    """One file less."""
    return Posting(-1)
