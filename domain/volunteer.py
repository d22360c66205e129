"""Who volunteers, what did they do, how long, and who confirmed it?

谁组织谁记录: a service is recorded by who organised it, and counts once confirmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, time
from typing import Annotated, assert_never

from msgspec.structs import replace as with_fields

from domain.fields import (
    ActivityId,
    Community,
    Derived,
    EntryVersion,
    LocalId,
    Minutes,
    PersonalIdNumber,
    PersonalName,
    PersonalPhone,
    ShortText,
    VolunteerTeamId,
)
from domain.identity_number import check_id_number
from domain.kernel import Entry, Event, Refused, Related, Statement, StreamKind
from domain.single import single
from domain.vault import is_sealed

DAY_MINUTES = 24 * 60


class VolunteerTeamRegistered(Event, topic="volunteer_team.registered", label="志愿者队伍登记"):
    """A team of volunteers."""

    name: ShortText
    community: Community | None = None


VOLUNTEER_TEAM = single("volunteer_team", VolunteerTeamRegistered, label="志愿者队伍")


class VolunteerRegistered(Event, topic="volunteer.registered", label="志愿者注册"):
    """A person volunteers at the station."""

    name: PersonalName
    phone: PersonalPhone | None = None
    id_number: PersonalIdNumber | None = None
    community: Community | None = None
    team: VolunteerTeamId | None = None


class VolunteerServiceRecorded(Event, topic="volunteer.service_recorded", label="志愿服务记录"):
    """A service on the day of occurrence, in whole minutes."""

    title: ShortText
    minutes: Minutes
    starts_at: time | None = None
    activity: ActivityId | None = None
    recorder: ShortText | None = None
    community: Annotated[str | None, Derived] = None


class VolunteerServiceConfirmed(
    Event, topic="volunteer.service_confirmed", label="志愿服务确认"
):
    """A recorded service was confirmed; its minutes count from now on."""

    entry: EntryVersion
    minutes: Annotated[int | None, Derived] = None
    service_on: Annotated[date | None, Derived] = None
    community: Annotated[str | None, Derived] = None


class ServiceCertificateIssued(
    Event, topic="volunteer.certificate_issued", label="志愿服务记录证明"
):
    """A certificate over the confirmed minutes between two days."""

    number: LocalId
    from_on: date
    until_on: date
    minutes: Annotated[int | None, Derived] = None


VolunteerEvent = (
    VolunteerRegistered
    | VolunteerServiceRecorded
    | VolunteerServiceConfirmed
    | ServiceCertificateIssued
)


class VolunteerMinutesOverlap(
    Refused, code="volunteer_minutes_overlap", title="志愿服务时间重叠",
    detail="{on} 的“{title}”与第 {entry} 条记录“{other}”时间重叠，同一人同一时间只能计一次。",
):
    """A volunteer is in one place at a time."""


class VolunteerDayTooLong(
    Refused, code="volunteer_day_too_long", title="一天的志愿服务超过 24 小时",
    detail="{on} 已记录 {got} 分钟，再加 {more} 分钟超过 24 小时。",
):
    """A day has 1,440 minutes."""


class ServiceEntryUnknown(
    Refused, code="service_entry_unknown", title="没有这条志愿服务记录",
    detail="该志愿者没有第 {entry} 条志愿服务记录。",
):
    """Only a recorded service is confirmed."""


class ServiceAlreadyConfirmed(
    Refused, code="service_already_confirmed", status=409, title="该服务已确认",
    detail="第 {entry} 条志愿服务记录已经确认。",
):
    """A service counts once."""


class CertificateRange(
    Refused, code="certificate_range", title="证明的起止日期颠倒",
    detail="结束日期 {until} 早于开始日期 {first}。",
):
    """A certificate covers a range of days."""


@dataclass(frozen=True, slots=True)
class Service:
    """A recorded service of a volunteer."""

    on: date
    title: str
    minutes: int
    starts_at: time | None
    is_confirmed: bool = False

    def overlaps(self, other: VolunteerServiceRecorded) -> bool:
        """Whether both have a start and run at the same time of day."""
        if self.starts_at is None or other.starts_at is None:
            return False
        mine, theirs = _minute(self.starts_at), _minute(other.starts_at)
        return mine < theirs + other.minutes and theirs < mine + self.minutes


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute


@dataclass(frozen=True, slots=True)
class Volunteer:
    """The volunteer as he or she stands; services by the version of their entry."""

    name: str = ""
    community: str | None = None
    services: Mapping[int, Service] = field(default_factory=dict)


def evolve(volunteer: Volunteer, entry: Entry) -> Volunteer:
    """The volunteer after a statement about him or her."""
    event = entry.statement.event
    assert isinstance(event, VolunteerEvent)
    match event:
        case VolunteerRegistered():
            return Volunteer(event.name, event.community)
        case VolunteerServiceRecorded():
            service = Service(
                entry.statement.occurred.on, event.title, event.minutes, event.starts_at
            )
            return replace(volunteer, services=dict(volunteer.services) | {entry.version: service})
        case VolunteerServiceConfirmed():
            confirmed = replace(volunteer.services[event.entry], is_confirmed=True)
            services = dict(volunteer.services) | {event.entry: confirmed}
            return replace(volunteer, services=services)
        case ServiceCertificateIssued():
            return volunteer
        case _:
            assert_never(event)


def decide(statement: Statement, volunteer: Volunteer, related: Related) -> Event:
    """The event to record of a volunteer, or a refusal."""
    event = statement.event
    assert isinstance(event, VolunteerEvent)
    match event:
        case VolunteerRegistered():
            if event.id_number is not None and not is_sealed(event.id_number):
                check_id_number(event.id_number, related.context.today)
            if event.team is not None:
                related.state("volunteer_team", event.team)
            return event
        case VolunteerServiceRecorded():
            if event.activity is not None:
                related.state("activity", event.activity)
            _check_day(event, statement.occurred.on, volunteer)
            return with_fields(event, community=volunteer.community)
        case VolunteerServiceConfirmed():
            return _confirm(event, volunteer)
        case ServiceCertificateIssued():
            return _certify(event, volunteer)
        case _:
            assert_never(event)


def _check_day(event: VolunteerServiceRecorded, on: date, volunteer: Volunteer) -> None:
    same_day = {n: service for n, service in volunteer.services.items() if service.on == on}
    for entry, service in same_day.items():
        if service.overlaps(event):
            raise VolunteerMinutesOverlap(
                on=on, title=event.title, entry=entry, other=service.title
            )
    got = sum(service.minutes for service in same_day.values())
    if got + event.minutes > DAY_MINUTES:
        raise VolunteerDayTooLong(on=on, got=got, more=event.minutes)


def _confirm(event: VolunteerServiceConfirmed, volunteer: Volunteer) -> VolunteerServiceConfirmed:
    service = volunteer.services.get(event.entry)
    if service is None:
        raise ServiceEntryUnknown(entry=event.entry)
    if service.is_confirmed:
        raise ServiceAlreadyConfirmed(entry=event.entry)
    return with_fields(
        event, minutes=service.minutes, service_on=service.on, community=volunteer.community
    )


def _certify(event: ServiceCertificateIssued, volunteer: Volunteer) -> ServiceCertificateIssued:
    if event.until_on < event.from_on:
        raise CertificateRange(first=event.from_on, until=event.until_on)
    minutes = sum(
        service.minutes
        for service in volunteer.services.values()
        if service.is_confirmed and event.from_on <= service.on <= event.until_on
    )
    return with_fields(event, minutes=minutes)


VOLUNTEER = StreamKind(
    "volunteer", "志愿者", Volunteer(), evolve, decide,
    (
        VolunteerRegistered, VolunteerServiceRecorded, VolunteerServiceConfirmed,
        ServiceCertificateIssued,
    ),
)
