"""Whom did the station visit, survey and assess?"""

from __future__ import annotations

from domain.case import CaseAssessed, CaseFollowedUp, CaseIntaken, CasePlanned, CaseSessionHeld
from domain.kernel import Recorded
from domain.survey import CommunityNeedsSurveyHeld, NeedsAssessed, SurveyHeld
from domain.visit import VisitRecorded
from domain.vocabulary import Unit
from projections.measures.kernel import (
    CATEGORY,
    COMMUNITY,
    Kind,
    Measure,
    Posting,
    stated,
)

visits = Measure(
    "visit.held", "走访次数", "Visits", Unit.TIMES, Kind.FLOW,
    by=COMMUNITY | CATEGORY | {"kind": "visit_purposes", "mode": "visit_modes"},
)
person_visits = Measure(
    "visit.persons", "走访", "Persons visited", Unit.PERSON_TIMES, Kind.FLOW,
    by=COMMUNITY | CATEGORY | {"kind": "visit_purposes", "mode": "visit_modes"},
)
household_visits = Measure(
    "visit.households", "走访户次", "Household visits", Unit.HOUSEHOLD_TIMES, Kind.FLOW,
    by=COMMUNITY | CATEGORY | {"kind": "visit_purposes", "mode": "visit_modes"},
)
households_visited = Measure(
    "visit.distinct_households", "走访家庭", "Households visited", Unit.HOUSEHOLD, Kind.DISTINCT,
    by=COMMUNITY | CATEGORY | {"kind": "visit_purposes", "mode": "visit_modes"},
    entities="household",
)
known_persons_visited = Measure(
    "visit.distinct_persons", "走访到的人员", "Persons visited by name", Unit.PERSON, Kind.DISTINCT,
    by=COMMUNITY | CATEGORY | {"kind": "visit_purposes", "mode": "visit_modes"},
    entities="person",
)
households_contacted = Measure(
    "contact.households", "联系到的家庭", "Households in contact", Unit.HOUSEHOLD, Kind.DISTINCT,
    by=COMMUNITY | CATEGORY | {"mode": "visit_modes"}, entities="household",
)
"""Whoever was spoken to: visits where somebody was met, needs assessments, casework."""
surveys = Measure(
    "survey.held", "调研", "Surveys", Unit.TIMES, Kind.FLOW, by=COMMUNITY | {"kind": "survey_kinds"}
)
persons_surveyed = Measure(
    "survey.persons", "调研人次", "Persons surveyed", Unit.PERSON_TIMES, Kind.FLOW,
    by=COMMUNITY | {"kind": "survey_kinds"},
)
communities_surveyed = Measure(
    "community_survey.communities", "需求调研走访社区", "Communities surveyed",
    Unit.PIECE, Kind.DISTINCT, "community",
    by=COMMUNITY,
)
needs_assessments = Measure(
    "needs_assessment.made", "需求评估", "Needs assessments", Unit.TIMES, Kind.FLOW,
    by=COMMUNITY | CATEGORY,
)

Casework = (
    NeedsAssessed | CaseIntaken | CaseAssessed | CasePlanned | CaseSessionHeld | CaseFollowedUp
)


def _of_visit(visit: VisitRecorded, amount: int, entity: str = "") -> Posting:
    return Posting(
        amount, entity=entity, community=visit.community or "", category=visit.category or "",
        kind=visit.purpose, mode=visit.mode,
    )


@visits.posted_by(VisitRecorded)
def visit_held(visit: VisitRecorded, _entry: Recorded) -> Posting:
    """One visit, whether or not somebody was met."""
    return _of_visit(visit, 1)


@person_visits.posted_by(VisitRecorded)
def persons_met(visit: VisitRecorded, _entry: Recorded) -> Posting | None:
    """The persons met; 未遇 counts none."""
    return _of_visit(visit, visit.persons_met) if visit.persons_met else None


@household_visits.posted_by(VisitRecorded)
def household_met(visit: VisitRecorded, _entry: Recorded) -> Posting | None:
    """One household visit where somebody was met."""
    return _of_visit(visit, 1) if visit.household and visit.persons_met else None


@households_visited.posted_by(VisitRecorded)
def distinct_household_met(visit: VisitRecorded, _entry: Recorded) -> Posting | None:
    """The household, however often it was visited."""
    is_met = visit.household and visit.persons_met
    return _of_visit(visit, 1, visit.household or "") if is_met else None


@households_contacted.posted_by(VisitRecorded)
def household_contacted(visit: VisitRecorded, _entry: Recorded) -> Posting | None:
    """The household that a visit met, in whatever way."""
    if not (visit.household and visit.persons_met):
        return None
    return Posting(
        entity=visit.household, community=visit.community or "", category=visit.category or "",
        mode=visit.mode,
    )


@households_contacted.posted_by(
    NeedsAssessed, CaseIntaken, CaseAssessed, CasePlanned, CaseSessionHeld, CaseFollowedUp
)
def household_in_casework(event: Casework, _entry: Recorded) -> Posting | None:
    """The household of an assessment, or of a step of a case that is taken with it."""
    if not event.household:
        return None
    return Posting(
        entity=event.household, community=event.community or "", category=event.category or ""
    )


@known_persons_visited.posted_by(VisitRecorded)
def distinct_persons_met(visit: VisitRecorded, _entry: Recorded) -> list[Posting]:
    """Each person met and named, however often."""
    return [_of_visit(visit, 1, person) for person in visit.persons if visit.persons_met]


@surveys.posted_by(SurveyHeld)
def survey_held(survey: SurveyHeld, _entry: Recorded) -> Posting:
    """One survey of its kind."""
    return Posting(kind=survey.kind, community=survey.community or "")


@persons_surveyed.posted_by(SurveyHeld)
def persons_of_survey(survey: SurveyHeld, _entry: Recorded) -> Posting:
    """The persons asked, as stated."""
    amount, approximation = stated(survey.persons_surveyed)
    return Posting(
        amount, kind=survey.kind, community=survey.community or "", approximation=approximation
    )


@communities_surveyed.posted_by(CommunityNeedsSurveyHeld)
def community_surveyed(survey: CommunityNeedsSurveyHeld, _entry: Recorded) -> Posting:
    """The community, however often it was surveyed."""
    return Posting(entity=survey.community, community=survey.community)


@needs_assessments.posted_by(NeedsAssessed)
def needs_assessed(event: NeedsAssessed, _entry: Recorded) -> Posting:
    """One assessment."""
    return Posting(community=event.community or "", category=event.category or "")
