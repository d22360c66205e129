"""Which volunteer services are accepted, and which minutes count?"""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from domain_spec import Given, given, record, refused, said

from domain.activity import ActivityHeld
from domain.volunteer import (
    ServiceCertificateIssued,
    VolunteerRegistered,
    VolunteerServiceConfirmed,
    VolunteerServiceRecorded,
    VolunteerTeamRegistered,
)

REGISTERED = said(VolunteerRegistered(name="测试甲", community="东路社区"), "2024-07-01")


def service(minutes: int = 60, **changes: Any) -> VolunteerServiceRecorded:
    return VolunteerServiceRecorded(title="理发", minutes=minutes, **changes)


def confirmed(entry: int) -> VolunteerServiceConfirmed:
    return VolunteerServiceConfirmed(entry=entry)


def volunteer(*more: Any, **related: Given) -> Given:
    return given(REGISTERED, *more, subject="v1", related=related)


def test_a_volunteer_of_an_unknown_team_is_refused_and_of_a_known_one_accepted() -> None:
    member = VolunteerRegistered(name="测试甲", team="t1")
    with refused("unknown_reference"):
        given().when(member)
    team = given(VolunteerTeamRegistered(name="红马甲", community="东"), subject="t1")
    assert team.state.community == "东路社区"
    assert given(related={"t1": team}).event(member).team == "t1"


def test_an_impossible_id_number_is_refused() -> None:
    with refused("bad_id_number"):
        given().when(VolunteerRegistered(name="测试甲", id_number="123"))


def test_a_service_carries_the_community_of_its_volunteer() -> None:
    assert volunteer().event(service()).community == "东路社区"


def test_a_service_at_an_unknown_activity_is_refused() -> None:
    with refused("unknown_reference"):
        volunteer().when(service(activity="a1"))
    activity = given(ActivityHeld(title="义剪", kind="volunteering", role="host"), subject="a1")
    assert volunteer(a1=activity).event(service(activity="a1")).activity == "a1"


@pytest.mark.parametrize(
    ("starts_at", "minutes", "is_overlapping"),
    [
        (time(8, 0), 60, False),  # ends as the other begins
        (time(8, 0), 61, True),
        (time(9, 30), 10, True),  # within the other
        (time(8, 0), 300, True),  # around the other
        (time(10, 0), 30, False),  # begins as the other ends
        (None, 60, False),
    ],
)
def test_a_volunteer_is_in_one_place_at_a_time(
    starts_at: time | None, minutes: int, is_overlapping: bool  # noqa: FBT001 - a table's column
) -> None:
    at_nine = volunteer(service(60, starts_at=time(9, 0)))
    if is_overlapping:
        with refused("volunteer_minutes_overlap"):
            at_nine.when(service(minutes, starts_at=starts_at))
    else:
        assert at_nine.when(service(minutes, starts_at=starts_at))


def test_the_same_hour_of_another_day_does_not_overlap() -> None:
    at_nine = volunteer(service(60, starts_at=time(9, 0)))
    assert at_nine.when(record(service(60, starts_at=time(9, 0)), "2024-11-06"))


def test_a_day_has_24_hours() -> None:
    busy = volunteer(service(1400))
    assert busy.when(service(40))
    with refused("volunteer_day_too_long"):
        busy.when(service(41))


def test_a_confirmation_carries_minutes_day_and_community_of_the_service() -> None:
    event = volunteer(said(service(90), "2024-11-02")).event(confirmed(2))
    assert (event.minutes, event.service_on, event.community) == (
        90, date(2024, 11, 2), "东路社区",
    )


def test_only_a_recorded_service_is_confirmed() -> None:
    with refused("service_entry_unknown"):
        volunteer(service()).when(confirmed(1))
    with refused("service_entry_unknown"):
        volunteer(service()).when(confirmed(9))


def test_a_service_is_confirmed_once() -> None:
    with refused("service_already_confirmed"):
        volunteer(service(), confirmed(2)).when(confirmed(2))


def test_a_certificate_counts_confirmed_minutes_within_its_days() -> None:
    busy = volunteer(
        said(service(10), "2024-10-31"), said(service(20), "2024-11-01"),
        said(service(40), "2024-11-30"), said(service(80), "2024-11-15"),
        confirmed(2), confirmed(3), confirmed(4),
    )
    november = ServiceCertificateIssued(
        number="C-1", from_on=date(2024, 11, 1), until_on=date(2024, 11, 30)
    )
    assert busy.event(record(november, "2024-12-01")).minutes == 60
    assert busy.after(record(november, "2024-12-01")).state == busy.state


def test_a_certificate_ends_after_it_begins() -> None:
    with refused("certificate_range"):
        volunteer().when(
            ServiceCertificateIssued(
                number="C-1", from_on=date(2024, 11, 2), until_on=date(2024, 11, 1)
            )
        )
