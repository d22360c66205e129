"""Which streams does each question need, when it is about an earlier moment?

Each function asks the query of its read model; at present that is all it does. For an
earlier moment it first has the streams brought from the log that the answer can depend
on, and no more than its page needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Select, func, select

from domain.merging import MERGE, MERGED_KINDS
from projections.aliases import Aliases, aliases_at
from projections.household_status import (
    HouseholdRow,
    HouseholdStatus,
    household_list,
    household_status,
)
from projections.referrals import ReferralRow, referral_list
from projections.staff_growth import StaffGrowth, StaffGrowthRow, staff_growth_list
from projections.standing import Standing
from projections.timeline import (
    Cursor,
    RecordRow,
    record_subjects,
    records,
    records_of_kind,
    timeline_of,
)
from projections.volunteer_hours import VolunteerHoursRow, volunteer_hours

STATUS = ("household_status", "contacts", "needs", "referrals")
"""What a household's status is read from."""
PORTION: Final = 100
"""How many streams are brought at once for a page of records: about what fills it."""


def streams_of(station: str, *kinds: str) -> Select[Any]:
    """The streams of some kinds of a station, in order."""
    wanted = (records.c.station == station, records.c.kind.in_(kinds))
    return select(records.c.stream).where(*wanted).distinct().order_by(records.c.stream)


def streams_about(station: str, subjects: Sequence[str]) -> Select[Any]:
    """The streams that have, or ever had, an entry about one of some subjects."""
    return select(record_subjects.c.stream).where(
        record_subjects.c.station == station, record_subjects.c.subject.in_(subjects)
    ).distinct()


def aliases_then(then: Standing, station: str) -> Aliases:
    """Who counted as whom."""
    if then.is_past:
        then.bring_named(f"{station}/{MERGE.name}/{merged}" for merged in MERGED_KINDS)
    return aliases_at(then.connection, station)


def _family_then(then: Standing, station: str, subject: str) -> list[str]:
    """A subject and all that were merged with it."""
    kind, _, identity = subject.partition(":")
    family = aliases_then(then, station).family(kind, identity)
    return [f"{kind}:{member}" for member in family]


# ---- households ----


def status_then(then: Standing, station: str, household: str) -> HouseholdStatus | None:
    """A household's status."""
    then.bring(streams_about(station, _family_then(then, station, f"household:{household}")))
    return household_status(then.connection, station, household)


def households_then(then: Standing, station: str, **asked: Any) -> list[HouseholdRow]:
    """A page of the households; what else is known is brought for those on the page."""
    aliases_then(then, station)
    by_contact = asked.get("sort") == "last_contact_on"
    then.bring(streams_of(station, "household", *(("visit",) if by_contact else ())))
    rows = household_list(then.connection, station, **asked)
    if not then.is_past or not rows:
        return rows
    files = [file for row in rows for file in (row.household, *row.merged)]
    then.bring(streams_about(station, [f"household:{file}" for file in files]))
    return household_list(then.connection, station, **asked)


# ---- records ----


@dataclass(frozen=True, slots=True)
class Page:
    """Which page of a list of records: its days, where it begins, how long, which way."""

    first: date | None = None
    last: date | None = None
    after: Cursor | None = None
    limit: int = 50
    is_newest_first: bool = True


def records_then(
    then: Standing, station: str, kind: str, page: Page, *, topic: str | None = None,
    subject: str | None = None, status: str | None = "active",
) -> list[RecordRow]:
    """A page of the records of a kind."""
    wanted = [records.c.kind == kind, *([records.c.topic == topic] if topic else [])]
    return _paged(
        then, _candidates(then, station, page, wanted, subject), page,
        lambda: records_of_kind(
            then.connection, station, kind, first=page.first, last=page.last, topic=topic,
            subject=subject, status=status, after=page.after, limit=page.limit,
            is_newest_first=page.is_newest_first,
        ),
    )


def timeline_then(then: Standing, station: str, subject: str, page: Page) -> list[RecordRow]:
    """A page of a subject's timeline."""
    return _paged(
        then, _candidates(then, station, page, [], subject), page,
        lambda: timeline_of(
            then.connection, station, subject, after=page.after, limit=page.limit,
            is_newest_first=page.is_newest_first,
        ),
    )


def _candidates(
    then: Standing, station: str, page: Page, wanted: Sequence[Any], subject: str | None
) -> Select[Any]:
    """Streams that may have a record on the page, with the day that bounds their records.

    The bound is the last day (the first, in a list that begins with the oldest) on which
    any of their entries was ever said to have occurred.
    """
    earliest, latest = records.c.earliest_on, records.c.latest_on
    newest_first = page.is_newest_first
    bound = func.max(latest) if newest_first else func.min(earliest)
    query = select(records.c.stream, bound).where(
        records.c.station == station, records.c.position <= then.position, *wanted
    )
    if subject is not None:
        family = _family_then(then, station, subject)
        query = query.where(records.c.stream.in_(streams_about(station, family)))
    ends = [page.last, then.as_of, _day(page) if newest_first else None]
    begins = [page.first, None if newest_first else _day(page)]
    query = query.where(
        *(earliest <= day for day in ends if day), *(latest >= day for day in begins if day)
    )
    order = bound.desc() if newest_first else bound
    return query.group_by(records.c.stream).order_by(order, records.c.stream)


def _day(page: Page) -> date | None:
    return page.after[0] if page.after else None


def _paged(
    then: Standing, candidates: Select[Any], page: Page, ask: Callable[[], list[RecordRow]]
) -> list[RecordRow]:
    """Bring candidates, nearest first, until no other can be on the page."""
    if not then.is_past:
        return ask()
    found = then.live.execute(candidates).all()
    chunks = [found[start : start + PORTION] for start in range(0, len(found), PORTION)]
    for chunk, following in pairwise([*chunks, []]):
        then.bring_named(stream for stream, _bound in chunk)
        rows = ask()
        if not following or (len(rows) == page.limit and _is_beyond(rows[-1], following[0], page)):
            return rows
    return []


def _is_beyond(row: RecordRow, candidate: Any, page: Page) -> bool:
    """Whether all that a candidate holds comes after a row."""
    bound: date = candidate[1]
    return bound < row.occurred_on if page.is_newest_first else bound > row.occurred_on


# ---- referrals, volunteers, growth ----


def referrals_then(then: Standing, station: str, **asked: Any) -> list[ReferralRow]:
    """A page of the referrals."""
    aliases_then(then, station)
    then.bring(streams_of(station, "referral"))
    return referral_list(then.connection, station, **asked)


def volunteer_hours_then(
    then: Standing, station: str, *, limit: int, after: str | None = None, **asked: Any
) -> list[VolunteerHoursRow]:
    """A page of the volunteers' hours; volunteers are brought in the order of the list."""
    def ask() -> list[VolunteerHoursRow]:
        return volunteer_hours(then.connection, station, limit=limit, after=after, **asked)

    if not then.is_past:
        return ask()
    query = streams_of(station, "volunteer")
    if after is not None:
        query = query.where(records.c.stream > f"{station}/volunteer/{after}")
    streams = list(then.live.execute(query).scalars())
    for start in range(0, len(streams), limit):
        then.bring_named(streams[start : start + limit])
        if len(rows := ask()) == limit:
            return rows
    return ask()


def staff_growth_then(then: Standing, station: str, **asked: Any) -> list[StaffGrowthRow]:
    """The trainings and supervisions between two days."""
    then.bring(streams_of(station, *StaffGrowth.kinds))
    return staff_growth_list(then.connection, station, **asked)
