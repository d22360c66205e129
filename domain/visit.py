"""Whom did the station visit, when, how and with what result?"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace as with_fields

from domain.fields import (
    CODE_LIST,
    Community,
    Count,
    Derived,
    HouseholdId,
    Minutes,
    PersonalText,
    PersonId,
    ServiceContent,
    ShortText,
    VisitMode,
    VisitOutcome,
    VisitPurpose,
)
from domain.household import Household
from domain.kernel import Event, Refused, Related, Statement
from domain.single import single

Need = Annotated[str, Meta(extra={CODE_LIST: "needs"})]


class VisitRecorded(Event, topic="visit.recorded", label="走访"):
    """A visit, call or talk; ``persons_met`` is 0 where nobody was met (未遇)."""

    mode: VisitMode
    purpose: VisitPurpose
    persons_met: Count
    outcome: VisitOutcome = "met"
    household: HouseholdId | None = None
    persons: Annotated[tuple[PersonId, ...], Meta(max_length=50)] = ()
    workers: Annotated[tuple[ShortText, ...], Meta(max_length=20)] = ()
    minutes: Minutes | None = None
    contents: Annotated[tuple[ServiceContent, ...], Meta(max_length=11)] = ()
    needs: Annotated[tuple[Need, ...], Meta(max_length=10)] = ()
    community: Community | None = None
    note: PersonalText | None = None
    category: Annotated[str | None, Derived] = None


class PersonsMetContradictsOutcome(
    Refused, code="persons_met_contradicts_outcome", title="见到人数与结果不符",
    detail="结果为“{outcome}”时见到人数应{wanted}，填写的是 {got}。",
):
    """未遇 counts 0 persons; 见到 counts at least one."""


class MorePersonsThanMet(
    Refused, code="more_persons_than_met", title="列出的人多于见到人数",
    detail="列出了 {named} 人，见到人数只有 {got}。",
):
    """Persons met by name are among the persons met."""


class PersonsWithoutHousehold(
    Refused, code="persons_without_household", title="列出了人而没有写明户",
    detail="列出了见到的人（{named} 人），但没有写明是哪一户；请填写 household，或者不列出人。",
):
    """A person is known by the household that lists the person."""


class PersonNotOfHousehold(
    Refused, code="person_not_of_household", title="此人不属于该户",
    detail="编号为 {person} 的人现在和过去都不是该户成员。",
):
    """A person met in a household is, or was, of that household."""


def decide(statement: Statement, related: Related) -> Event:
    """A visit whose persons and outcome agree, with the household's category then."""
    visit = statement.event
    assert isinstance(visit, VisitRecorded)
    if visit.outcome == "met" and visit.persons_met == 0:
        raise PersonsMetContradictsOutcome(outcome="见到", wanted="至少为 1", got=0)
    if visit.outcome != "met" and visit.persons_met:
        raise PersonsMetContradictsOutcome(
            outcome="未遇或拒访", wanted="为 0", got=visit.persons_met
        )
    if visit.outcome == "met" and len(visit.persons) > visit.persons_met:
        raise MorePersonsThanMet(named=len(visit.persons), got=visit.persons_met)
    if visit.household is None:
        if visit.persons:
            raise PersonsWithoutHousehold(named=len(visit.persons))
        return visit
    household: Household = related.state("household", visit.household)
    for person in visit.persons:
        if not household.has_known(person):
            raise PersonNotOfHousehold(person=person)
    then: Household = related.state_on("household", visit.household, statement.occurred.on)
    community = visit.community or then.community or household.community
    return with_fields(visit, category=then.category, community=community)


VISIT = single("visit", VisitRecorded, decide)
