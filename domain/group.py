"""How does a group run, from its opening over its sessions to its closing?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, assert_never

from msgspec import Meta
from msgspec.structs import replace as with_fields

from domain.fields import (
    Audience,
    Community,
    Count,
    Derived,
    Minutes,
    Narrative,
    Quantity,
    ShortText,
)
from domain.kernel import Entry, Event, Refused, Related, Statement, StreamKind


class GroupOpened(Event, topic="group.opened", label="开设小组"):
    """A group begins."""

    title: ShortText
    audience: Audience
    community: Community | None = None
    planned_sessions: Count | None = None
    workers: Annotated[tuple[ShortText, ...], Meta(max_length=20)] = ()


class GroupSessionHeld(Event, topic="group.session_held", label="小组活动"):
    """A session (节) of the group."""

    theme: ShortText | None = None
    attendance: Quantity = Quantity()
    minutes: Minutes | None = None
    community: Annotated[str | None, Derived] = None


class GroupClosed(Event, topic="group.closed", label="小组结束"):
    """The group ended."""

    summary: Narrative | None = None
    community: Annotated[str | None, Derived] = None


GroupEvent = GroupOpened | GroupSessionHeld | GroupClosed


class GroupIsClosed(
    Refused, code="group_closed", status=409, title="小组已结束",
    detail="小组已结束，不能再登记“{label}”。",
):
    """A closed group takes no more sessions; a second close is refused."""


@dataclass(frozen=True, slots=True)
class Group:
    """The group as it stands."""

    title: str = ""
    community: str | None = None
    sessions: int = 0
    is_closed: bool = False


def evolve(group: Group, entry: Entry) -> Group:
    """The group after a statement about it."""
    event = entry.statement.event
    assert isinstance(event, GroupEvent)
    match event:
        case GroupOpened():
            return Group(event.title, event.community)
        case GroupSessionHeld():
            return replace(group, sessions=group.sessions + 1)
        case GroupClosed():
            return replace(group, is_closed=True)
        case _:
            assert_never(event)


def decide(statement: Statement, group: Group, _related: Related) -> Event:
    """The event to record of a group, or a refusal."""
    event = statement.event
    assert isinstance(event, GroupEvent)
    match event:
        case GroupOpened():
            return event
        case GroupSessionHeld() | GroupClosed():
            if group.is_closed:
                raise GroupIsClosed(label=event.label)
            return with_fields(event, community=group.community)
        case _:
            assert_never(event)


GROUP = StreamKind(
    "group", "小组", Group(), evolve, decide, (GroupOpened, GroupSessionHeld, GroupClosed)
)
