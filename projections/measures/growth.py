"""How much training, supervision, volunteering and programme work?"""

from __future__ import annotations

from domain.kernel import Event, Recorded
from domain.meeting import MeetingHeld
from domain.programme import (
    CompetitionAwarded,
    CompetitionEntered,
    ProjectReviewPresented,
)
from domain.station_month import PlanItemAdded, ReflectionWritten
from domain.supervision import SupervisionReceived
from domain.task_book import (
    TaskBookDrafted,
    TaskBookSubmitted,
)
from domain.training import TrainingDelivered, TrainingReceived
from domain.vocabulary import Unit
from domain.volunteer import (
    VolunteerRegistered,
    VolunteerServiceConfirmed,
    VolunteerServiceRecorded,
)
from projections.measures.kernel import (
    COMMUNITY,
    Kind,
    Measure,
    Posting,
    stated,
    stated_fen,
)

trainings_delivered = Measure(
    "training.delivered", "开展培训", "Trainings delivered", Unit.TIMES, Kind.FLOW,
    by=COMMUNITY | {"audience": "audiences", "mode": "delivery_modes"},
)
training_attendance = Measure(
    "training.attendance", "培训参与", "Training attendance", Unit.PERSON_TIMES, Kind.FLOW,
    by=COMMUNITY | {"audience": "audiences", "mode": "delivery_modes"},
)
trainings_received = Measure(
    "training.received", "接受培训", "Trainings received", Unit.TIMES, Kind.FLOW,
    by={"mode": "delivery_modes"},
)
supervisions_received = Measure(
    "supervision.received", "接受督导", "Supervisions received", Unit.TIMES, Kind.FLOW,
    by={"kind": "supervision_kinds", "mode": "delivery_modes", "role": "supervision_sources"},
)
meetings = Measure(
    "meeting.held", "会议", "Meetings", Unit.TIMES, Kind.FLOW, by={"kind": "meeting_kinds"}
)
volunteers_registered = Measure(
    "volunteer.registered", "注册志愿者", "Volunteers registered",
    Unit.PERSON, Kind.STOCK, by=COMMUNITY,
)
volunteer_minutes = Measure(
    "volunteer.minutes", "志愿服务时长(已确认)", "Confirmed volunteer time",
    Unit.MINUTE, Kind.FLOW, by=COMMUNITY,
)
volunteer_services = Measure(
    "volunteer.services", "志愿服务人次", "Volunteer services",
    Unit.PERSON_TIMES, Kind.FLOW, by=COMMUNITY,
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
    amount, approximation = stated_fen(event.prize_fen)
    return Posting(amount, approximation=approximation)
