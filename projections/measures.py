"""Which figures does the field count, and which event posts what to which of them?

A measure is its definition and its postings, together; nothing else in the program
knows how that figure is counted. A posting is one signed entry that an event makes; it
is a pure function of the event. Corrections need no code here: see ``postings.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeVar

from domain.activity import ActivityHeld
from domain.case import CaseClosed, CaseFollowedUp, CaseIntaken, CaseReopened, CaseSessionHeld
from domain.fields import Quantity
from domain.group import GroupOpened, GroupSessionHeld
from domain.household import (
    AssistanceAssigned,
    AssistanceChanged,
    AssistanceEnded,
    CaseFileClosed,
    CaseFileOpened,
    HouseholdInfoUpdated,
    HouseholdInfoVerified,
    HouseholdMoved,
    HouseholdRegistered,
    TemporaryAssistanceGranted,
)
from domain.kernel import Event, Recorded
from domain.meeting import MeetingHeld
from domain.programme import (
    CompetitionAwarded,
    CompetitionEntered,
    ProjectReviewPresented,
    TaskBookDrafted,
    TaskBookSubmitted,
)
from domain.referral import ReferralCompleted, ReferralMade
from domain.resource import ResourceDelivered, ResourceLinked
from domain.station_month import PlanItemAdded, ReflectionWritten
from domain.supervision import SupervisionReceived
from domain.survey import CommunityNeedsSurveyHeld, NeedsAssessed, SurveyHeld
from domain.training import TrainingDelivered, TrainingReceived
from domain.visit import VisitRecorded
from domain.vocabulary import Approximation, Labelled, Unit
from domain.volunteer import (
    VolunteerRegistered,
    VolunteerServiceConfirmed,
    VolunteerServiceRecorded,
)

UNSTATED: Final = "unstated"


class Kind(Labelled):
    """How the postings of a measure make a figure."""

    FLOW = "flow", "期间合计"
    STOCK = "stock", "期末存量"
    DISTINCT = "distinct", "不重复计数"


@dataclass(frozen=True, slots=True)
class Posting:
    """One signed entry to a measure, on the day of the event unless ``on`` says otherwise.

    ``entity`` is what a distinct measure counts; ``approximation`` is how the amount was
    stated, or ``unstated``. The others are what an indicator may filter or group by.
    """

    amount: int = 1
    on: date | None = None
    entity: str = ""
    community: str = ""
    category: str = ""
    kind: str = ""
    role: str = ""
    mode: str = ""
    audience: str = ""
    approximation: str = ""


Post = Callable[[Any, Recorded], Posting | Iterable[Posting] | None]
"""What an event posts; the declaration beside it says which events are meant."""
P = TypeVar("P", bound=Post)


@dataclass(frozen=True, eq=False)
class Measure:
    """A named figure: what is counted, in which unit, and how postings add up."""

    code: str
    label: str
    label_en: str
    unit: Unit
    kind: Kind

    def __post_init__(self) -> None:
        """Register the measure under its code."""
        assert self.code not in MEASURES, f"two measures have the code {self.code}"
        MEASURES[self.code] = self

    def posted_by(self, *events: type[Event]) -> Callable[[P], P]:
        """Declare what events post to this measure."""

        def register(post: P) -> P:
            for event in events:
                POSTS.setdefault(event.topic, []).append((self, post))
            return post

        return register


MEASURES: Final[dict[str, Measure]] = {}
POSTS: Final[dict[str, list[tuple[Measure, Post]]]] = {}


def stated(quantity: Quantity) -> tuple[int, str]:
    """The amount and approximation of a stated quantity.

    One that nobody stated posts the count 1 of unstated ones, which is kept apart from
    the sum and can be reversed like any other posting.
    """
    if quantity.value is None:
        return 1, UNSTATED
    exact = quantity.approximation is Approximation.EXACT
    return quantity.value, "" if exact else quantity.approximation.value


def _stated_fen(fen: int | None) -> tuple[int, str]:
    return (1, UNSTATED) if fen is None else (fen, "")


# ---- households ----

households_registered = Measure(
    "household.registered", "新建家庭档案", "Households registered", Unit.HOUSEHOLD, Kind.FLOW
)
households_updated = Measure(
    "household.updated", "更新信息的家庭", "Households with updated information",
    Unit.HOUSEHOLD, Kind.DISTINCT,
)
households_verified = Measure(
    "household.verified", "核对信息的家庭", "Households verified", Unit.HOUSEHOLD, Kind.DISTINCT
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


# ---- assistance ----

assistance_households = Measure(
    "assistance.households", "救助单元", "Assistance units", Unit.HOUSEHOLD, Kind.STOCK
)
assistance_persons = Measure(
    "assistance.persons", "保障人口", "Covered persons", Unit.PERSON, Kind.STOCK
)
temporary_assistance = Measure(
    "assistance.temporary", "临时救助", "Temporary assistance", Unit.TIMES, Kind.FLOW
)
temporary_assistance_fen = Measure(
    "assistance.temporary_fen", "临时救助金额", "Temporary assistance granted",
    Unit.YUAN, Kind.FLOW,
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


# ---- contact ----

visits = Measure("visit.held", "走访次数", "Visits", Unit.TIMES, Kind.FLOW)
person_visits = Measure("visit.persons", "走访", "Persons visited", Unit.PERSON_TIMES, Kind.FLOW)
household_visits = Measure(
    "visit.households", "走访户次", "Household visits", Unit.HOUSEHOLD_TIMES, Kind.FLOW
)
households_visited = Measure(
    "visit.distinct_households", "走访家庭", "Households visited", Unit.HOUSEHOLD, Kind.DISTINCT
)
surveys = Measure("survey.held", "调研", "Surveys", Unit.TIMES, Kind.FLOW)
persons_surveyed = Measure(
    "survey.persons", "调研人次", "Persons surveyed", Unit.PERSON_TIMES, Kind.FLOW
)
communities_surveyed = Measure(
    "community_survey.communities", "需求调研走访社区", "Communities surveyed",
    Unit.PIECE, Kind.DISTINCT,
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


# ---- cases and groups ----

cases_opened = Measure("case.opened", "新开个案", "Cases opened", Unit.PIECE, Kind.FLOW)
cases_closed = Measure("case.closed", "结案", "Cases closed", Unit.PIECE, Kind.FLOW)
cases_open = Measure("case.open", "在案个案", "Open cases", Unit.PIECE, Kind.STOCK)
case_sessions = Measure("case.sessions", "个案服务", "Case sessions", Unit.SESSION, Kind.FLOW)
case_follow_ups = Measure("case.follow_ups", "个案回访", "Case follow-ups", Unit.TIMES, Kind.FLOW)
groups_opened = Measure("group.opened", "开展小组", "Groups opened", Unit.PIECE, Kind.FLOW)
group_sessions = Measure("group.sessions", "小组服务", "Group sessions", Unit.SESSION, Kind.FLOW)
group_attendance = Measure(
    "group.attendance", "小组服务人次", "Group attendance", Unit.PERSON_TIMES, Kind.FLOW
)

CaseStep = CaseIntaken | CaseClosed | CaseReopened | CaseSessionHeld | CaseFollowedUp


def _of_case(event: CaseStep, amount: int = 1) -> Posting:
    return Posting(amount, community=event.community or "", category=event.category or "")


@cases_opened.posted_by(CaseIntaken)
@cases_open.posted_by(CaseIntaken, CaseReopened)
@case_sessions.posted_by(CaseSessionHeld)
@case_follow_ups.posted_by(CaseFollowedUp)
@cases_closed.posted_by(CaseClosed)
def case_step(event: CaseStep, _entry: Recorded) -> Posting:
    """One of its kind."""
    return _of_case(event)


@cases_open.posted_by(CaseClosed)
def case_left(event: CaseClosed, _entry: Recorded) -> Posting:
    """One open case less."""
    return _of_case(event, -1)


@groups_opened.posted_by(GroupOpened)
def group_opened(event: GroupOpened, _entry: Recorded) -> Posting:
    """One group."""
    return Posting(community=event.community or "", audience=event.audience)


@group_sessions.posted_by(GroupSessionHeld)
def group_session(event: GroupSessionHeld, _entry: Recorded) -> Posting:
    """One session."""
    return Posting(community=event.community or "")


@group_attendance.posted_by(GroupSessionHeld)
def group_attended(event: GroupSessionHeld, _entry: Recorded) -> Posting:
    """The persons present, as stated."""
    amount, approximation = stated(event.attendance)
    return Posting(amount, community=event.community or "", approximation=approximation)


# ---- activities, referrals, resources ----

activities = Measure("activity.held", "社区活动", "Activities", Unit.TIMES, Kind.FLOW)
activity_attendance = Measure(
    "activity.attendance", "活动参与", "Activity attendance", Unit.PERSON_TIMES, Kind.FLOW
)
referrals_made = Measure("referral.made", "转介", "Referrals made", Unit.TIMES, Kind.FLOW)
referrals_completed = Measure(
    "referral.completed", "转介完成", "Referrals completed", Unit.TIMES, Kind.FLOW
)
resources_linked = Measure("resource.linked", "资源链接", "Resources linked", Unit.TIMES, Kind.FLOW)
resource_fen = Measure(
    "resource.delivered_fen", "链接资源价值", "Value of resources delivered", Unit.YUAN, Kind.FLOW
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
    amount, approximation = _stated_fen(event.value_fen)
    return Posting(
        amount, kind=event.kind or "", community=event.community or "",
        approximation=approximation,
    )


# ---- people's growth, volunteers, programme, report ----

trainings_delivered = Measure(
    "training.delivered", "开展培训", "Trainings delivered", Unit.TIMES, Kind.FLOW
)
training_attendance = Measure(
    "training.attendance", "培训参与", "Training attendance", Unit.PERSON_TIMES, Kind.FLOW
)
trainings_received = Measure(
    "training.received", "接受培训", "Trainings received", Unit.TIMES, Kind.FLOW
)
supervisions_received = Measure(
    "supervision.received", "接受督导", "Supervisions received", Unit.TIMES, Kind.FLOW
)
meetings = Measure("meeting.held", "会议", "Meetings", Unit.TIMES, Kind.FLOW)
volunteers_registered = Measure(
    "volunteer.registered", "注册志愿者", "Volunteers registered", Unit.PERSON, Kind.STOCK
)
volunteer_minutes = Measure(
    "volunteer.minutes", "志愿服务时长(已确认)", "Confirmed volunteer time", Unit.MINUTE, Kind.FLOW
)
volunteer_services = Measure(
    "volunteer.services", "志愿服务人次", "Volunteer services", Unit.PERSON_TIMES, Kind.FLOW
)
competitions_entered = Measure(
    "competition.entered", "参加大赛", "Competitions entered", Unit.TIMES, Kind.FLOW
)
awards = Measure("competition.awards", "获奖", "Awards", Unit.ITEM, Kind.FLOW)
prize_fen = Measure("competition.prize_fen", "大赛奖金", "Prize money", Unit.YUAN, Kind.FLOW)
task_books_drafted = Measure(
    "task_book.drafted", "撰写任务书", "Task books drafted", Unit.FILE, Kind.FLOW
)
task_books_submitted = Measure(
    "task_book.submitted", "提交任务书", "Task books submitted", Unit.FILE, Kind.FLOW
)
project_reviews = Measure(
    "project_review.presented", "立项评审", "Project reviews", Unit.TIMES, Kind.FLOW
)
reflections = Measure("reflection.written", "工作反思", "Reflections", Unit.ITEM, Kind.FLOW)
plan_items = Measure("plan_item.added", "下月计划", "Plan items", Unit.ITEM, Kind.FLOW)


@trainings_delivered.posted_by(TrainingDelivered)
def training_delivered(event: TrainingDelivered, _entry: Recorded) -> Posting:
    """One training given to an audience."""
    return Posting(audience=event.audience, mode=event.mode, community=event.community or "")


@training_attendance.posted_by(TrainingDelivered)
def training_attended(event: TrainingDelivered, _entry: Recorded) -> Posting:
    """The persons present, as stated."""
    amount, approximation = stated(event.attendance)
    return Posting(
        amount, audience=event.audience, mode=event.mode, community=event.community or "",
        approximation=approximation,
    )


@trainings_received.posted_by(TrainingReceived)
def training_received(event: TrainingReceived, _entry: Recorded) -> Posting:
    """One training that the staff received: another thing than one delivered."""
    return Posting(mode=event.mode)


@supervisions_received.posted_by(SupervisionReceived)
def supervision_received(event: SupervisionReceived, _entry: Recorded) -> Posting:
    """One supervision; scheduled and cancelled ones post nothing."""
    return Posting(kind=event.kind, mode=event.mode, role=event.source)


@meetings.posted_by(MeetingHeld)
def meeting_held(event: MeetingHeld, _entry: Recorded) -> Posting:
    """One meeting."""
    return Posting(kind=event.kind)


@volunteers_registered.posted_by(VolunteerRegistered)
def volunteer_registered(event: VolunteerRegistered, _entry: Recorded) -> Posting:
    """One volunteer."""
    return Posting(community=event.community or "")


@volunteer_minutes.posted_by(VolunteerServiceConfirmed)
def service_confirmed(event: VolunteerServiceConfirmed, entry: Recorded) -> Posting:
    """The confirmed minutes, on the day of the service."""
    return Posting(
        event.minutes or 0, on=event.service_on or entry.occurred.on,
        community=event.community or "",
    )


@volunteer_services.posted_by(VolunteerServiceRecorded)
def service_recorded(event: VolunteerServiceRecorded, _entry: Recorded) -> Posting:
    """One person's service."""
    return Posting(community=event.community or "")


@competitions_entered.posted_by(CompetitionEntered)
@awards.posted_by(CompetitionAwarded)
@task_books_drafted.posted_by(TaskBookDrafted)
@task_books_submitted.posted_by(TaskBookSubmitted)
@project_reviews.posted_by(ProjectReviewPresented)
@reflections.posted_by(ReflectionWritten)
@plan_items.posted_by(PlanItemAdded)
def one(_event: Event, _entry: Recorded) -> Posting:
    """One of its kind."""
    return Posting()


@prize_fen.posted_by(CompetitionAwarded)
def prize(event: CompetitionAwarded, _entry: Recorded) -> Posting:
    """The prize in fen; one that nobody stated prints 未填报, never 0."""
    amount, approximation = _stated_fen(event.prize_fen)
    return Posting(amount, approximation=approximation)
