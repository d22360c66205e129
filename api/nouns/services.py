"""Which routes have groups, activities, resources, trainings, supervisions and meetings?"""

from __future__ import annotations

from typing import Final

from api.recording import Noun
from domain.activity import ACTIVITY, ActivityHeld
from domain.group import GROUP, GroupClosed, GroupOpened, GroupSessionHeld
from domain.meeting import MEETING, MeetingHeld
from domain.resource import RESOURCE, ResourceDelivered, ResourceLinked
from domain.supervision import (
    SUPERVISION,
    SupervisionCancelled,
    SupervisionReceived,
    SupervisionScheduled,
)
from domain.training import (
    TRAINING_DELIVERED,
    TRAINING_RECEIVED,
    TrainingDelivered,
    TrainingReceived,
)

groups = Noun("groups", GROUP)
groups.opens(GroupOpened)
groups.takes("sessions", GroupSessionHeld)
groups.takes("closure", GroupClosed)

activities = Noun("activities", ACTIVITY)
activities.opens(ActivityHeld)

resources = Noun("resources", RESOURCE)
resources.opens(ResourceLinked)
resources.takes("deliveries", ResourceDelivered)

trainings_delivered = Noun("trainings-delivered", TRAINING_DELIVERED)
trainings_delivered.opens(TrainingDelivered)

trainings_received = Noun("trainings-received", TRAINING_RECEIVED)
trainings_received.opens(TrainingReceived)

supervisions = Noun("supervisions", SUPERVISION)
supervisions.opens(SupervisionReceived)
supervisions.opens_also("scheduled", SupervisionScheduled)
supervisions.takes("receipt", SupervisionReceived)
supervisions.takes("cancellation", SupervisionCancelled)

meetings = Noun("meetings", MEETING)
meetings.opens(MeetingHeld)

SERVICES: Final = (
    groups, activities, resources, trainings_delivered, trainings_received, supervisions, meetings
)
