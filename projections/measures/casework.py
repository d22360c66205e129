"""How many cases and groups, and what was done in them?"""

from __future__ import annotations

from domain.case import CaseClosed, CaseFollowedUp, CaseIntaken, CaseReopened, CaseSessionHeld
from domain.group import GroupOpened, GroupSessionHeld
from domain.kernel import Recorded
from domain.vocabulary import Unit
from projections.measures.kernel import (
    CATEGORY,
    COMMUNITY,
    Kind,
    Measure,
    Posting,
    stated,
)

cases_opened = Measure(
    "case.opened", "新开个案", "Cases opened", Unit.PIECE, Kind.FLOW, by=COMMUNITY | CATEGORY
)
cases_closed = Measure(
    "case.closed", "结案", "Cases closed", Unit.PIECE, Kind.FLOW, by=COMMUNITY | CATEGORY
)
cases_open = Measure(
    "case.open", "在案个案", "Open cases", Unit.PIECE, Kind.STOCK, by=COMMUNITY | CATEGORY
)
case_sessions = Measure(
    "case.sessions", "个案服务", "Case sessions", Unit.SESSION, Kind.FLOW, by=COMMUNITY | CATEGORY
)
case_follow_ups = Measure(
    "case.follow_ups", "个案回访", "Case follow-ups", Unit.TIMES, Kind.FLOW, by=COMMUNITY | CATEGORY
)
groups_opened = Measure(
    "group.opened", "开展小组", "Groups opened", Unit.PIECE, Kind.FLOW,
    by=COMMUNITY | {"audience": "audiences"},
)
group_sessions = Measure(
    "group.sessions", "小组服务", "Group sessions", Unit.SESSION, Kind.FLOW, by=COMMUNITY
)
group_attendance = Measure(
    "group.attendance", "小组服务人次", "Group attendance",
    Unit.PERSON_TIMES, Kind.FLOW, by=COMMUNITY,
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
