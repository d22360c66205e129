"""How many units and persons are on which assistance?"""

from __future__ import annotations

from domain.household import (
    AssistanceAssigned,
    AssistanceChanged,
    AssistanceEnded,
    HouseholdMoved,
    TemporaryAssistanceGranted,
)
from domain.kernel import Recorded
from domain.vocabulary import Unit
from projections.measures.kernel import (
    CATEGORY,
    COMMUNITY,
    Kind,
    Measure,
    Posting,
)

assistance_households = Measure(
    "assistance.households", "救助单元", "Assistance units", Unit.HOUSEHOLD, Kind.STOCK,
    by=COMMUNITY | CATEGORY,
)
assistance_persons = Measure(
    "assistance.persons", "保障人口", "Covered persons", Unit.PERSON, Kind.STOCK,
    by=COMMUNITY | CATEGORY,
)
temporary_assistance = Measure(
    "assistance.temporary", "临时救助", "Temporary assistance", Unit.TIMES, Kind.FLOW, by=COMMUNITY
)
temporary_assistance_fen = Measure(
    "assistance.temporary_fen", "临时救助金额", "Temporary assistance granted",
    Unit.YUAN, Kind.FLOW, by=COMMUNITY,
)


def _before(event: AssistanceChanged | AssistanceEnded, amount: int) -> Posting:
    return Posting(
        amount, category=event.previous_category or "", community=event.previous_community or ""
    )


@assistance_households.posted_by(AssistanceAssigned)
def unit_assigned(event: AssistanceAssigned, _entry: Recorded) -> Posting:
    """One unit more in its category."""
    return Posting(category=event.category, community=event.community or "")


@assistance_households.posted_by(AssistanceChanged)
def unit_changed(event: AssistanceChanged, _entry: Recorded) -> list[Posting]:
    """One unit less in the old category, one more in the new."""
    return [
        _before(event, -1), Posting(category=event.category, community=event.community or "")
    ]


@assistance_households.posted_by(AssistanceEnded)
def unit_ended(event: AssistanceEnded, _entry: Recorded) -> Posting:
    """One unit less."""
    return _before(event, -1)


@assistance_households.posted_by(HouseholdMoved)
def units_moved(event: HouseholdMoved, _entry: Recorded) -> list[Posting]:
    """The household's units move from community to community."""
    return [
        Posting(sign, category=unit.category, community=community)
        for unit in event.transferred or ()
        for sign, community in ((-1, unit.from_community), (1, event.community))
    ]


@assistance_persons.posted_by(AssistanceAssigned)
def persons_assigned(event: AssistanceAssigned, _entry: Recorded) -> Posting:
    """The covered persons of the unit: not the household's members."""
    return Posting(
        len(event.covered), category=event.category, community=event.community or ""
    )


@assistance_persons.posted_by(AssistanceChanged)
def persons_changed(event: AssistanceChanged, _entry: Recorded) -> list[Posting]:
    """The old covered persons less, the new more."""
    after = Posting(
        len(event.covered), category=event.category, community=event.community or ""
    )
    return [_before(event, -(event.previous_covered_count or 0)), after]


@assistance_persons.posted_by(AssistanceEnded)
def persons_ended(event: AssistanceEnded, _entry: Recorded) -> Posting:
    """The unit's covered persons less."""
    return _before(event, -(event.previous_covered_count or 0))


@assistance_persons.posted_by(HouseholdMoved)
def persons_moved(event: HouseholdMoved, _entry: Recorded) -> list[Posting]:
    """The covered persons move with their units."""
    return [
        Posting(sign * unit.covered_count, category=unit.category, community=community)
        for unit in event.transferred or ()
        for sign, community in ((-1, unit.from_community), (1, event.community))
    ]


@temporary_assistance.posted_by(TemporaryAssistanceGranted)
def granted(event: TemporaryAssistanceGranted, _entry: Recorded) -> Posting:
    """One grant."""
    return Posting(community=event.community or "")


@temporary_assistance_fen.posted_by(TemporaryAssistanceGranted)
def granted_fen(event: TemporaryAssistanceGranted, _entry: Recorded) -> Posting:
    """The grant's amount in fen."""
    return Posting(event.amount_fen, community=event.community or "")
