"""Under which names is somebody on record now at a station, as the log has them: sealed?

What was voided is not among them, nor a name that somebody had before: that is found by the
keyring's keyed hashes of whole texts.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from domain.kernel import stream_id
from domain.owners import person_owner
from projections.household_members import household_members
from projections.household_status import HouseholdStatusProjection, households
from projections.volunteer_hours import VolunteerHours, volunteers

STATED_BY: Final = frozenset({HouseholdStatusProjection.name, VolunteerHours.name})
"""The projections whose tables have them."""


class SealedName(NamedTuple):
    """A name where it stands: its stream, whose it is (an owner of texts), and itself."""

    stream: str
    owner: str
    name: str


def stating_names(connection: Connection, station: str) -> dict[str, str]:
    """Every stream that states names, and something that is another once it states others."""
    household = select(households.c.stream, households.c.version).where(
        households.c.station == station
    )
    volunteer = select(volunteers.c.stream, volunteers.c.name).where(
        volunteers.c.station == station
    )
    rows = [*connection.execute(household), *connection.execute(volunteer)]
    return {stream: str(mark) for stream, mark in rows}


def sealed_names(
    connection: Connection, station: str, streams: Collection[str]
) -> list[SealedName]:
    """The names that some streams state."""
    member, volunteer = household_members.c, volunteers.c
    members = select(member.stream, member.person, member.name).where(
        member.station == station, member.stream.in_(streams)
    )
    served = select(volunteer.stream, volunteer.volunteer, volunteer.name).where(
        volunteer.station == station, volunteer.stream.in_(streams)
    )
    return [
        *(
            SealedName(stream, person_owner(station, person), name)
            for stream, person, name in connection.execute(members)
        ),
        *(
            SealedName(stream, stream_id(station, "volunteer", subject), name)
            for stream, subject, name in connection.execute(served)
        ),
    ]
