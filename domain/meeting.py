"""Which meetings did the station's staff take part in?"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from domain.fields import MeetingKind, Minutes, Narrative, ShortText
from domain.kernel import Event
from domain.single import single


class MeetingHeld(Event, topic="meeting.held", label="会议"):
    """A meeting took place."""

    title: ShortText
    kind: MeetingKind
    organiser: ShortText | None = None
    participants: Annotated[tuple[ShortText, ...], Meta(max_length=50)] = ()
    minutes: Minutes | None = None
    summary: Narrative | None = None


MEETING = single("meeting", MeetingHeld)
