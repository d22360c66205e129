"""Whom did the station visit, survey and assess?"""

from __future__ import annotations

from domain.kernel import Recorded
from domain.survey import CommunityNeedsSurveyHeld, NeedsAssessed, SurveyHeld
from domain.visit import VisitRecorded
from domain.vocabulary import Unit
from projections.measures.kernel import (
    Kind,
    Measure,
    Posting,
    stated,
)

visits = Measure("visit.held", "走访次数", "Visits", Unit.TIMES, Kind.FLOW)
person_visits = Measure("visit.persons", "走访", "Persons visited", Unit.PERSON_TIMES, Kind.FLOW)
household_visits = Measure(
    "visit.households", "走访户次", "Household visits", Unit.HOUSEHOLD_TIMES, Kind.FLOW
)
households_visited = Measure(
    "visit.distinct_households", "走访家庭", "Households visited", Unit.HOUSEHOLD, Kind.DISTINCT,
    "household",
)
known_persons_visited = Measure(
    "visit.distinct_persons", "走访到的人员", "Persons visited by name", Unit.PERSON, Kind.DISTINCT,
    "person",
)
surveys = Measure("survey.held", "调研", "Surveys", Unit.TIMES, Kind.FLOW)
persons_surveyed = Measure(
    "survey.persons", "调研人次", "Persons surveyed", Unit.PERSON_TIMES, Kind.FLOW
)
communities_surveyed = Measure(
    "community_survey.communities", "需求调研走访社区", "Communities surveyed",
    Unit.PIECE, Kind.DISTINCT, "community",
)
needs_assessments = Measure(
    "needs_assessment.made", "需求评估", "Needs assessments", Unit.TIMES, Kind.FLOW
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
