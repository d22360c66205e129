"""Which resource did the station find for whom, and was it delivered?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, assert_never

from msgspec.structs import replace as with_fields

from domain.fields import (
    Community,
    Count,
    Derived,
    Fen,
    HouseholdId,
    Remark,
    ResourceKind,
    ShortText,
)
from domain.household import Household
from domain.kernel import Entry, Event, Related, Statement, StreamKind


class ResourceLinked(Event, topic="resource.linked", label="资源链接"):
    """A provider promised goods, money, a service or a venue."""

    title: ShortText
    kind: ResourceKind
    provider: Remark
    community: Community | None = None
    household: HouseholdId | None = None
    value_fen: Fen | None = None


class ResourceDelivered(Event, topic="resource.delivered", label="资源送达"):
    """A part or all of it reached those whom it was meant for."""

    value_fen: Fen | None = None
    households_served: Count | None = None
    persons_served: Count | None = None
    community: Annotated[str | None, Derived] = None
    kind: Annotated[str | None, Derived] = None


ResourceEvent = ResourceLinked | ResourceDelivered


@dataclass(frozen=True, slots=True)
class Resource:
    """The resource as it stands."""

    kind: str = ""
    community: str | None = None
    deliveries: int = 0


def evolve(resource: Resource, entry: Entry) -> Resource:
    """The resource after a statement about it."""
    event = entry.statement.event
    assert isinstance(event, ResourceEvent)
    match event:
        case ResourceLinked():
            return Resource(event.kind, event.community)
        case ResourceDelivered():
            return Resource(resource.kind, resource.community, resource.deliveries + 1)
        case _:
            assert_never(event)


def decide(statement: Statement, resource: Resource, related: Related) -> Event:
    """The event to record of a resource, or a refusal."""
    event = statement.event
    assert isinstance(event, ResourceEvent)
    match event:
        case ResourceLinked():
            if event.household is None:
                return event
            household: Household = related.state("household", event.household)
            return with_fields(event, community=event.community or household.community)
        case ResourceDelivered():
            return with_fields(event, community=resource.community, kind=resource.kind)
        case _:
            assert_never(event)


RESOURCE = StreamKind(
    "resource", "资源链接", Resource(), evolve, decide, (ResourceLinked, ResourceDelivered)
)
