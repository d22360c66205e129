"""Which names does a station know?"""

from __future__ import annotations

import msgspec
import pytest
from desk import STATION, a_station
from domain_spec import given, refused

from domain.household import HouseholdRegistered, Member
from domain.kernel import BadIdentifier, stream_id, stream_kind, stream_station, stream_subject
from domain.station import CommunityServed, StationRegistered, StationRevised

EAST, WEST = CommunityServed(name="东路社区", aliases=("东",)), CommunityServed(name="西路社区")


def revised(station: StationRegistered) -> StationRevised:
    return StationRevised(**msgspec.structs.asdict(station))


@pytest.mark.parametrize(
    "communities",
    [
        (EAST, CommunityServed(name="东路社区")),
        (EAST, CommunityServed(name="西路社区", aliases=("东",))),
        (EAST, CommunityServed(name="东")),
    ],
)
def test_a_name_or_alias_means_one_community(communities: tuple[CommunityServed, ...]) -> None:
    with refused("community_named_twice"):
        given(subject=STATION).when(a_station(communities=communities))
    with refused("community_named_twice"):
        given(a_station(), subject=STATION).when(revised(a_station(communities=communities)))


def test_a_revision_states_everything_anew() -> None:
    station = given(a_station(), revised(a_station(communities=(WEST,))), subject=STATION)
    assert station.state.community("西路社区") == "西路社区"
    with refused("unknown_community"):
        station.state.community("东路社区")


def test_an_unknown_community_is_refused_with_those_that_are_known() -> None:
    with refused("unknown_community") as caught:
        given(a_station(), subject=STATION).state.community("南路社区")
    assert "东路社区、西路社区" in str(caught.value)


def test_a_station_without_communities_says_so() -> None:
    with refused("unknown_community") as caught:
        given(a_station(communities=()), subject=STATION).state.community("东路社区")
    assert "尚无社区" in str(caught.value)


def test_nothing_is_recorded_of_a_community_where_the_station_is_unknown() -> None:
    nowhere = given(related={STATION: given(subject=STATION)})
    event = HouseholdRegistered(community="东路社区", members=(Member(person="p1", name="甲"),))
    with refused("unknown_station"):
        nowhere.when(event)


def test_the_name_of_a_stream_says_its_station_kind_and_subject() -> None:
    name = stream_id("st", "visit", "v.1-2_3")
    assert (stream_station(name), stream_kind(name), stream_subject(name)) == (
        "st", "visit", "v.1-2_3",
    )


@pytest.mark.parametrize("part", ["", "a/b", "东路", "x" * 65, "a b"])
def test_a_name_that_could_not_be_part_of_a_stream_is_refused(part: str) -> None:
    for station, subject in ((part, "s"), ("s", part)):
        with pytest.raises(BadIdentifier):
            stream_id(station, "visit", subject)
