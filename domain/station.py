"""Which station is this, who runs it, and which communities does it serve?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, assert_never

from msgspec import Meta

from domain.fields import LocalId, LongText, ShortText
from domain.kernel import Entry, Event, Refused, Related, Statement, StreamKind, Value


class CommunityServed(Value):
    """A community of the station, with the other names that people use for it."""

    name: Annotated[str, Meta(min_length=1, max_length=50)]
    aliases: tuple[Annotated[str, Meta(min_length=1, max_length=50)], ...] = ()


class StationParticulars(Event):
    """What is stated of a station: at its registration, and anew at each revision."""

    name: ShortText
    short_name: ShortText
    city: ShortText
    district: ShortText
    street: ShortText
    operator: ShortText
    funder: ShortText
    host_office: ShortText
    communities: tuple[CommunityServed, ...]
    introduction: LongText = ""
    indicator_set: LocalId = "lixia-2024"


class StationRegistered(StationParticulars, topic="station.registered", label="社工站登记"):
    """A station begins to keep its ledger."""


class StationRevised(StationParticulars, topic="station.revised", label="社工站信息修订"):
    """The station's own particulars changed; everything is stated anew."""


StationEvent = StationRegistered | StationRevised


class UnknownCommunity(
    Refused, code="unknown_community", title="没有这个社区",
    detail="本站没有名为“{got}”的社区，可用：{choices}。",
):
    """Neither a community of the station nor an alias of one."""


class CommunityNamedTwice(
    Refused, code="community_named_twice", title="社区名称重复",
    detail="“{got}”同时指两个社区，请修改名称或别名。",
):
    """A name or alias that would be ambiguous."""


@dataclass(frozen=True, slots=True)
class Station:
    """The station as it is now."""

    profile: StationEvent | None = None
    names: dict[str, str] = field(default_factory=dict)

    def community(self, got: str) -> str:
        """The community's own name for a name or alias.

        :raises UnknownCommunity: where the station has no such community.
        """
        name = self.names.get(got)
        if name is None:
            known = "、".join(dict.fromkeys(self.names.values())) or "（尚无社区）"
            raise UnknownCommunity(got=got, choices=known)
        return name


def evolve(_state: Station, entry: Entry) -> Station:
    """The station after a statement about it."""
    event = entry.statement.event
    assert isinstance(event, StationEvent)
    return Station(event, dict(_names(event)))


def _names(event: StationEvent) -> list[tuple[str, str]]:
    return [
        (name, community.name)
        for community in event.communities
        for name in (community.name, *community.aliases)
    ]


def decide(statement: Statement, _state: Station, _related: Related) -> Event:
    """A name or alias means one community only."""
    event = statement.event
    assert isinstance(event, StationEvent)
    seen: set[str] = set()
    for name, _community in _names(event):
        if name in seen:
            raise CommunityNamedTwice(got=name)
        seen.add(name)
    match event:
        case StationRegistered() | StationRevised():
            return event
        case _:
            assert_never(event)


STATION = StreamKind(
    "station", "社工站", Station(), evolve, decide, (StationRegistered, StationRevised)
)
