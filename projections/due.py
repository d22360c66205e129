"""Whom does somebody have to see, call or answer today?

Nothing here is stored: what is due follows from what is on record and from the day. A
household merged into another is not listed; its survivor stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, exists, func, or_, select

from domain.kernel import stream_subject
from projections.aliases import aliases_at
from projections.household_status import contacts, households
from projections.referrals import OPEN_STATUSES, ReferralRow, referrals
from projections.timeline import records
from projections.volunteer_hours import volunteer_services, volunteers

FOLLOW_UP_DAYS: Final = 30
"""How long after its closing a case should have been followed up."""
OPENED_AGAIN: Final = ("case.followed_up", "case.reopened")


@dataclass(frozen=True, slots=True)
class HouseholdDue:
    """A household to be seen: since when; ``None`` where nobody was ever met there."""

    household: str
    head_name: str | None
    file_number: str | None
    community: str
    category: str | None
    since: date | None


@dataclass(frozen=True, slots=True)
class CaseDue:
    """A closed case that was not followed up: the day that it was closed."""

    case: str
    closed_on: date


@dataclass(frozen=True, slots=True)
class HoursDue:
    """A volunteer with hours that nobody has confirmed."""

    volunteer: str
    name: str
    services: int
    minutes: int
    oldest_on: date


@dataclass(frozen=True, slots=True)
class Listed:
    """The first of what is due, and how many there are in all."""

    rows: Sequence[Any]
    count: int


def households_unseen(
    connection: Connection, station: str, today: date, *, days: int, limit: int, skip: int = 0
) -> Listed:
    """The households where nobody was met for some days, the longest first, never ones before."""
    last_met = _newest(contacts.c.is_met)
    since = last_met.label("since")
    query = _households(connection, station, since).where(
        or_(last_met.is_(None), last_met < today - timedelta(days=days))
    )
    order = [since.is_not(None), since, households.c.household]
    return _listed(connection, query, order, limit, skip)


def households_missed(
    connection: Connection, station: str, *, limit: int, skip: int = 0
) -> Listed:
    """The households where the last visit met nobody: to be visited again, oldest first."""
    last, last_met = _newest(), _newest(contacts.c.is_met)
    since = last.label("since")
    query = _households(connection, station, since).where(
        last.is_not(None), or_(last_met.is_(None), last_met < last)
    )
    return _listed(connection, query, [since, households.c.household], limit, skip)


def _newest(*conditions: Any) -> Any:
    """The day of a household's newest contact of some kind."""
    return (
        select(func.max(contacts.c.occurred_on))
        .where(contacts.c.station == households.c.station, *conditions)
        .where(contacts.c.household == households.c.household)
        .scalar_subquery()
    )


def _households(connection: Connection, station: str, since: Any) -> Select[Any]:
    own = [households.c[n] for n in HouseholdDue.__dataclass_fields__ if n in households.c]
    query = select(*own, since).where(households.c.station == station)
    merged = aliases_at(connection, station).merged("household")
    return query.where(households.c.household.not_in(merged)) if merged else query


def _listed(
    connection: Connection, query: Select[Any], order: Sequence[Any], limit: int, skip: int
) -> Listed:
    count = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    rows = connection.execute(query.order_by(*order).limit(limit).offset(skip))
    return Listed([HouseholdDue(**row._mapping) for row in rows], count)  # noqa: SLF001 - SQLAlchemy's public name


def referrals_open(
    connection: Connection, station: str, *, limit: int, skip: int = 0
) -> Listed:
    """The referrals that wait to be accepted or completed, those made first first."""
    own = referrals.c
    query = select(*(own[n] for n in ReferralRow.__dataclass_fields__)).where(
        own.station == station, own.status.in_(OPEN_STATUSES)
    )
    count = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    rows = connection.execute(query.order_by(own.made_on, own.referral).limit(limit).offset(skip))
    return Listed([ReferralRow(**row._mapping) for row in rows], count)  # noqa: SLF001 - as above


def cases_to_follow_up(
    connection: Connection, station: str, today: date, *, limit: int, skip: int = 0
) -> Listed:
    """The cases closed some time ago and neither followed up nor reopened since."""
    later = records.alias("later")
    is_answered = exists().where(
        and_(
            later.c.stream == records.c.stream, later.c.status == "active",
            later.c.topic.in_(OPENED_AGAIN), later.c.entry > records.c.entry,
        )
    )
    query = select(records.c.stream, records.c.occurred_on).where(
        records.c.station == station, records.c.topic == "case.closed",
        records.c.status == "active", ~is_answered,
        records.c.occurred_on <= today - timedelta(days=FOLLOW_UP_DAYS),
    )
    count = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    order = (records.c.occurred_on, records.c.stream)
    rows = connection.execute(query.order_by(*order).limit(limit).offset(skip))
    return Listed([CaseDue(stream_subject(stream), on) for stream, on in rows], count)


def hours_unconfirmed(connection: Connection, station: str, *, limit: int) -> Listed:
    """The volunteers with services that nobody has confirmed, the oldest first."""
    service = volunteer_services.c
    oldest = func.min(service.occurred_on).label("oldest_on")
    query = (
        select(
            volunteers.c.volunteer, volunteers.c.name, func.count().label("services"),
            func.sum(service.minutes).label("minutes"), oldest,
        )
        .join(volunteers, volunteers.c.stream == service.stream)
        .where(service.station == station, service.is_confirmed.is_(False))
        .group_by(volunteers.c.volunteer, volunteers.c.name)
    )
    count = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    rows = connection.execute(query.order_by(oldest, volunteers.c.volunteer).limit(limit))
    return Listed([HoursDue(**row._mapping) for row in rows], count)  # noqa: SLF001 - as above
