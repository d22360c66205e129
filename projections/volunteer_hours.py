"""How long has each volunteer served, recorded and confirmed, in a period?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    Index,
    Integer,
    String,
    Table,
    Text,
    case,
    func,
    select,
)

from domain.kernel import Stream, stream_station, stream_subject
from domain.volunteer import (
    VolunteerRegistered,
    VolunteerServiceConfirmed,
    VolunteerServiceRecorded,
)
from projections.kernel import FoldProjection, Rows, metadata

volunteers: Final = Table(
    "volunteers",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("volunteer", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("community", Text),
    Column("team", Text),
    Column("registered_on", Date, nullable=False),
    Index("ix_volunteers_volunteer", "station", "volunteer"),
)

volunteer_services: Final = Table(
    "volunteer_services",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("entry", Integer, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("volunteer", Text, nullable=False),
    Column("occurred_on", Date, nullable=False),
    Column("title", Text, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("is_confirmed", Boolean, nullable=False),
    Index("ix_volunteer_services", "station", "volunteer", "occurred_on"),
    Index(
        "ix_volunteer_services_due", "station", "is_confirmed", "occurred_on", "volunteer", "entry"
    ),
)


class VolunteerHours(FoldProjection):
    """Each volunteer and each service, confirmed or not."""

    name = "volunteer_hours"
    label = "志愿服务时长"
    kinds = ("volunteer",)
    tables = (volunteers, volunteer_services)

    def rows(self, stream: Stream[Any]) -> Rows:
        """The volunteer, and one row a service."""
        key = {
            "stream": stream.id, "station": stream_station(stream.id),
            "volunteer": stream_subject(stream.id),
        }
        entries = list(stream.active())
        confirmed = {
            e.statement.event.entry
            for e in entries
            if isinstance(e.statement.event, VolunteerServiceConfirmed)
        }
        for entry in entries:
            event, on = entry.statement.event, entry.statement.occurred.on
            if isinstance(event, VolunteerRegistered):
                yield volunteers, key | {
                    "name": event.name, "community": event.community, "team": event.team,
                    "registered_on": on,
                }
            elif isinstance(event, VolunteerServiceRecorded):
                yield volunteer_services, key | {
                    "entry": entry.version, "occurred_on": on, "title": event.title,
                    "minutes": event.minutes, "is_confirmed": entry.version in confirmed,
                }


@dataclass(frozen=True, slots=True)
class VolunteerHoursRow:
    """A volunteer's service in a period, in whole minutes."""

    volunteer: str
    name: str
    community: str | None
    services: int
    recorded_minutes: int
    confirmed_minutes: int


def volunteer_hours(
    connection: Connection, station: str, *, first: date, last: date,
    after: str | None = None, limit: int = 50,
) -> list[VolunteerHoursRow]:
    """Each volunteer's minutes between two days (both included), a page at a time."""
    service = volunteer_services.c
    minutes = func.coalesce(func.sum(service.minutes), 0)
    confirmed = func.coalesce(
        func.sum(case((service.is_confirmed, service.minutes), else_=0)), 0
    )
    joined = volunteers.outerjoin(
        volunteer_services,
        (service.station == volunteers.c.station)
        & (service.volunteer == volunteers.c.volunteer)
        & service.occurred_on.between(first, last),
    )
    query = (
        select(
            volunteers.c.volunteer, volunteers.c.name, volunteers.c.community,
            func.count(service.entry).label("services"),
            minutes.label("recorded_minutes"), confirmed.label("confirmed_minutes"),
        )
        .select_from(joined)
        .where(volunteers.c.station == station)
        .group_by(volunteers.c.volunteer, volunteers.c.name, volunteers.c.community)
        .order_by(volunteers.c.volunteer)
        .limit(limit)
    )
    if after is not None:
        query = query.where(volunteers.c.volunteer > after)
    rows = connection.execute(query)
    return [VolunteerHoursRow(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


@dataclass(frozen=True, slots=True)
class UnconfirmedService:
    """A service that nobody has confirmed yet."""

    volunteer: str
    name: str
    entry: int
    occurred_on: date
    title: str
    minutes: int


def unconfirmed_count(connection: Connection, station: str) -> int:
    """How many services wait to be confirmed."""
    query = select(func.count()).where(*_unconfirmed(station))
    return connection.execute(query).scalar_one()


def unconfirmed_services(
    connection: Connection, station: str, *, limit: int
) -> list[UnconfirmedService]:
    """The services that wait to be confirmed, the oldest first."""
    service = volunteer_services.c
    query = (
        select(
            service.volunteer, volunteers.c.name, service.entry, service.occurred_on,
            service.title, service.minutes,
        )
        .join(volunteers, volunteers.c.stream == service.stream)
        .where(*_unconfirmed(station))
        .order_by(service.occurred_on, service.volunteer, service.entry).limit(limit)
    )
    rows = connection.execute(query)
    return [UnconfirmedService(**row._mapping) for row in rows]  # noqa: SLF001 - as above


def _unconfirmed(station: str) -> tuple[ColumnElement[bool], ...]:
    service = volunteer_services.c
    return service.station == station, service.is_confirmed.is_(False)
