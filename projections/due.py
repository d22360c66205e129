"""Whom does somebody have to see, call or answer today?

Nothing here is stored: what is due follows from what is on record and from the day. A
household merged into another is not listed; its survivor stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    Connection,
    Date,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
)

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
    merged = aliases_at(connection, station).merged("household")
    return _listed(
        connection, _unseen(is_merged=bool(merged)), HouseholdDue, station=station, limit=limit,
        skip=skip, merged=merged, before=today - timedelta(days=days),
    )


def households_missed(
    connection: Connection, station: str, *, limit: int, skip: int = 0
) -> Listed:
    """The households where the last visit met nobody: to be visited again, oldest first."""
    merged = aliases_at(connection, station).merged("household")
    return _listed(
        connection, _missed(is_merged=bool(merged)), HouseholdDue, station=station, limit=limit,
        skip=skip, merged=merged,
    )


@cache
def _unseen(*, is_merged: bool) -> Select[Any]:
    last_met = _newest(contacts.c.is_met)
    since = last_met.label("since")
    query = _households(since, is_merged=is_merged).where(
        or_(last_met.is_(None), last_met < bindparam("before", type_=Date))
    )
    return _first(query, since.is_not(None), since, households.c.household)


@cache
def _missed(*, is_merged: bool) -> Select[Any]:
    last, last_met = _newest(), _newest(contacts.c.is_met)
    since = last.label("since")
    query = _households(since, is_merged=is_merged).where(
        last.is_not(None), or_(last_met.is_(None), last_met < last)
    )
    return _first(query, since, households.c.household)


def _newest(*conditions: Any) -> Any:
    """The day of a household's newest contact of some kind."""
    return (
        select(func.max(contacts.c.occurred_on))
        .where(contacts.c.station == households.c.station, *conditions)
        .where(contacts.c.household == households.c.household)
        .scalar_subquery()
    )


def _households(since: Any, *, is_merged: bool) -> Select[Any]:
    own = [households.c[n] for n in HouseholdDue.__dataclass_fields__ if n in households.c]
    query = select(*own, since).where(households.c.station == bindparam("station"))
    merged: BindParameter[Any] = bindparam("merged", expanding=True)
    return query.where(households.c.household.not_in(merged)) if is_merged else query


def _first(query: Select[Any], *order: Any) -> Select[Any]:
    """The first rows of a list, each with how many there are in all: one question for both."""
    in_all = func.count().over().label("in_all")
    return query.add_columns(in_all).order_by(*order).limit(
        bindparam("limit", type_=Integer)
    ).offset(bindparam("skip", type_=Integer))


def _listed(
    connection: Connection, query: Select[Any], kind: Callable[..., Any], **asked: object
) -> Listed:
    """What a list answers; statements are built once, since that takes longer than asking."""
    rows = connection.execute(query, asked).all()
    if not rows and asked["skip"]:  # past the end: how many there are stands at the beginning
        first = connection.execute(query, asked | {"skip": 0, "limit": 1}).all()
        return Listed([], first[0].in_all if first else 0)
    return Listed([kind(*row[:-1]) for row in rows], rows[0].in_all if rows else 0)


def referrals_open(
    connection: Connection, station: str, *, limit: int, skip: int = 0
) -> Listed:
    """The referrals that wait to be accepted or completed, those made first first."""
    return _listed(
        connection, _open_referrals(), ReferralRow, station=station, limit=limit, skip=skip
    )


@cache
def _open_referrals() -> Select[Any]:
    own = referrals.c
    query = select(*(own[n] for n in ReferralRow.__dataclass_fields__)).where(
        own.station == bindparam("station"), own.status.in_(OPEN_STATUSES)
    )
    return _first(query, own.made_on, own.referral)


def cases_to_follow_up(
    connection: Connection, station: str, today: date, *, limit: int, skip: int = 0
) -> Listed:
    """The cases closed some time ago and neither followed up nor reopened since."""
    before = today - timedelta(days=FOLLOW_UP_DAYS)
    return _listed(
        connection, _unanswered(), _case_due, station=station, limit=limit, skip=skip, before=before
    )


def _case_due(stream: str, closed_on: date) -> CaseDue:
    return CaseDue(stream_subject(stream), closed_on)


@cache
def _unanswered() -> Select[Any]:
    later = records.alias("later")
    is_answered = exists().where(
        and_(
            later.c.stream == records.c.stream, later.c.status == "active",
            later.c.topic.in_(OPENED_AGAIN), later.c.entry > records.c.entry,
        )
    )
    query = select(records.c.stream, records.c.occurred_on).where(
        records.c.station == bindparam("station"), records.c.topic == "case.closed",
        records.c.status == "active", ~is_answered,
        records.c.occurred_on <= bindparam("before", type_=Date),
    )
    return _first(query, records.c.occurred_on, records.c.stream)


def hours_unconfirmed(connection: Connection, station: str, *, limit: int) -> Listed:
    """The volunteers with services that nobody has confirmed, the oldest first."""
    return _listed(connection, _unconfirmed(), HoursDue, station=station, limit=limit, skip=0)


@cache
def _unconfirmed() -> Select[Any]:
    service = volunteer_services.c
    oldest = func.min(service.occurred_on).label("oldest_on")
    query = (
        select(
            volunteers.c.volunteer, volunteers.c.name, func.count().label("services"),
            func.sum(service.minutes).label("minutes"), oldest,
        )
        .join(volunteers, volunteers.c.stream == service.stream)
        .where(service.station == bindparam("station"), service.is_confirmed.is_(False))
        .group_by(volunteers.c.volunteer, volunteers.c.name)
    )
    return _first(query, oldest, volunteers.c.volunteer)
