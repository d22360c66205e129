"""What is recorded often, what does its form say already, and which forms lie ready in a page?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Shortcut:
    """Something that is recorded often: an event, and what its form says already."""

    label: str
    icon: str
    topic: str
    says: Mapping[str, str]

    @property
    def is_ready(self) -> bool:
        """Whether its form lies in the page already: no network is as fast as a stairwell asks."""
        return self.topic in READY

    @property
    def is_said(self) -> bool:
        """Whether that form says just this."""
        return READY.get(self.topic) == self.says


OFTEN: Final = (
    Shortcut("走访", "map-pin", "visit.recorded", {"mode": "home"}),
    Shortcut("电话", "phone", "visit.recorded", {"mode": "phone"}),
    Shortcut("信息更新", "pencil-square", "household.info_updated", {}),
    Shortcut("信息核对", "check-circle", "household.info_verified", {}),
    Shortcut("需求评估", "clipboard-document-check", "needs_assessment.made", {}),
    Shortcut("转介", "arrows-right-left", "referral.made", {}),
)
"""What is recorded of a household, the most frequent first."""
WITHOUT_HOUSEHOLD: Final = (
    Shortcut("调研", "chat-bubble-left-right", "survey.held", {}),
    Shortcut("社区需求调研", "users", "community_survey.held", {}),
    Shortcut("活动", "calendar-days", "activity.held", {}),
    Shortcut("开展培训", "document-text", "training.delivered", {}),
    Shortcut("接受培训", "document-text", "training.received", {}),
    Shortcut("接受督导", "chat-bubble-left-right", "supervision.received", {}),
    Shortcut("会议", "users", "meeting.held", {}),
)
READY: Final[Mapping[str, Mapping[str, str]]] = {
    "visit.recorded": {"mode": "home"}, "survey.held": {},
}
"""Whose form lies ready in the page that leads to it, and what it says there (decision 0039)."""
REGISTERING: Final = Shortcut("建档登记", "plus", "household.registered", {})
QUEUED: Final = (
    "visit.recorded", "survey.held", "community_survey.held", "needs_assessment.made",
    "volunteer.service_recorded",
)
"""What may wait on a phone for a signal: facts that only add, and that no later one overtakes."""
