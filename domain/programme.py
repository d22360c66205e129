"""Which projects, competitions, reviews and brands does the station have?"""

from __future__ import annotations

from domain.fields import Fen, Narrative, ShortText
from domain.kernel import Entry, Event, Refused, Related, Statement, StreamKind
from domain.single import single

# ---- facts said once ----


class ServiceProjectDrafted(Event, topic="project.drafted", label="服务项目起草"):
    """A service project was drafted."""

    title: ShortText
    cycle: ShortText | None = None
    summary: Narrative | None = None


class ProjectReviewPresented(Event, topic="project_review.presented", label="立项评审"):
    """The station presented its project to the reviewers."""

    title: ShortText
    organiser: ShortText | None = None
    cycle: ShortText | None = None
    advice: Narrative | None = None


class BrandRegistered(Event, topic="brand.registered", label="品牌登记"):
    """The station has a service brand."""

    name: ShortText
    summary: Narrative | None = None


PROJECT = single("project", ServiceProjectDrafted, label="服务项目")
PROJECT_REVIEW = single("project_review", ProjectReviewPresented)
BRAND = single("brand", BrandRegistered, label="品牌")

# ---- competition ----


class CompetitionEntered(Event, topic="competition.entered", label="参加大赛"):
    """The station entered a competition."""

    title: ShortText
    organiser: ShortText | None = None
    entry: ShortText | None = None
    summary: Narrative | None = None


class CompetitionAwarded(Event, topic="competition.awarded", label="大赛获奖"):
    """The entry won an award; a prize that nobody stated prints 未填报."""

    award: ShortText
    prize_fen: Fen | None = None
    summary: Narrative | None = None


class AlreadyAwarded(
    Refused, code="already_awarded", status=409, title="奖项已登记",
    detail="这次大赛已登记奖项“{award}”，如需修改请更正该条。",
):
    """An entry wins one award."""


def evolve_competition(award: str | None, entry: Entry) -> str | None:
    """The award, once there is one."""
    event = entry.statement.event
    return event.award if isinstance(event, CompetitionAwarded) else award


def decide_competition(statement: Statement, award: str | None, _related: Related) -> Event:
    """The event to record of a competition, or a refusal."""
    if award is not None and isinstance(statement.event, CompetitionAwarded):
        raise AlreadyAwarded(award=award)
    return statement.event


COMPETITION: StreamKind[str | None] = StreamKind(
    "competition", "大赛", None, evolve_competition, decide_competition,
    (CompetitionEntered, CompetitionAwarded),
)
