"""Which community activity took place, and in which role was the station part of it?"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from domain.fields import (
    ActivityKind,
    ActivityRole,
    Audience,
    Community,
    Narrative,
    ProjectId,
    Quantity,
    ServiceContent,
    ShortText,
)
from domain.kernel import Event, Related, Statement
from domain.single import single


class ActivityHeld(Event, topic="activity.held", label="社区活动"):
    """An activity. Its ``role`` decides how it counts: 协助 never counts as 开展."""

    title: ShortText
    kind: ActivityKind
    role: ActivityRole
    community: Community | None = None
    attendance: Quantity = Quantity()
    audience: Audience | None = None
    contents: Annotated[tuple[ServiceContent, ...], Meta(max_length=11)] = ()
    workers: Annotated[tuple[ShortText, ...], Meta(max_length=20)] = ()
    organisers: Annotated[tuple[ShortText, ...], Meta(max_length=10)] = ()
    venue: ShortText | None = None
    project: ProjectId | None = None
    summary: Narrative | None = None


def decide(statement: Statement, related: Related) -> Event:
    """An activity whose project, where it names one, exists."""
    activity = statement.event
    assert isinstance(activity, ActivityHeld)
    if activity.project is not None:
        related.state("project", activity.project)
    return activity


ACTIVITY = single("activity", ActivityHeld, decide)
