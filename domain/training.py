"""Which trainings did the station give, and which did its staff receive?

They are different events: 开展培训 is never counted as 接受培训.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from domain.fields import Audience, Community, DeliveryMode, Minutes, Narrative, Quantity, ShortText
from domain.kernel import Event
from domain.single import single

Names = Annotated[tuple[ShortText, ...], Meta(max_length=50)]


class TrainingDelivered(Event, topic="training.delivered", label="开展培训"):
    """The station trained an audience."""

    title: ShortText
    audience: Audience
    attendance: Quantity = Quantity()
    minutes: Minutes | None = None
    mode: DeliveryMode = "on_site"
    community: Community | None = None
    workers: Names = ()
    summary: Narrative | None = None


class TrainingReceived(Event, topic="training.received", label="接受培训"):
    """The station's staff were trained."""

    title: ShortText
    organiser: ShortText | None = None
    participants: Names = ()
    minutes: Minutes | None = None
    mode: DeliveryMode = "on_site"
    summary: Narrative | None = None


TRAINING_DELIVERED = single("training_delivered", TrainingDelivered)
TRAINING_RECEIVED = single("training_received", TrainingReceived)
