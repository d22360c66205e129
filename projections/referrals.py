"""Where does each referral stand, and how long has it waited?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Date,
    Index,
    String,
    Table,
    Text,
    func,
    select,
    tuple_,
)

from domain.kernel import Stream, stream_station, stream_subject
from domain.referral import (
    ReferralAccepted,
    ReferralClosed,
    ReferralCompleted,
    ReferralDeclined,
    ReferralMade,
)
from projections.aliases import aliases_at
from projections.kernel import FoldProjection, Rows, metadata

referrals: Final = Table(
    "referrals",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("referral", Text, nullable=False),
    Column("household", Text, nullable=False),
    Column("person", Text),
    Column("to_agency", Text, nullable=False),
    Column("need", Text, nullable=False),
    Column("community", Text),
    Column("worker", Text),
    Column("status", String(16), nullable=False),
    Column("made_on", Date, nullable=False),
    Column("accepted_on", Date),
    Column("completed_on", Date),
    Column("ended_on", Date),
    Column("outcome", Text),
    Index("ix_referrals_household", "station", "household"),
    Index("ix_referrals_status", "station", "status", "made_on"),
)

STATUSES: Final = {
    ReferralMade: "made",
    ReferralAccepted: "accepted",
    ReferralDeclined: "declined",
    ReferralCompleted: "completed",
    ReferralClosed: "closed",
}
OPEN_STATUSES: Final = ("made", "accepted")
MOST_CHOICES: Final = 200


class Referrals(FoldProjection):
    """One row a referral."""

    name = "referrals"
    label = "转介跟踪"
    version = 3
    """3: the community and the worker."""
    kinds = ("referral",)
    tables = (referrals,)

    def rows(self, stream: Stream[Any]) -> Rows:
        """The referral as its steps leave it; a voided one has no row."""
        row: dict[str, Any] = {}
        for entry in stream.active():
            event, on = entry.statement.event, entry.statement.occurred.on
            match event:
                case ReferralMade():
                    row |= {
                        "household": event.household, "person": event.person,
                        "to_agency": event.to_agency, "need": event.need, "made_on": on,
                        "community": event.community, "worker": event.worker,
                    }
                case ReferralAccepted():
                    row["accepted_on"] = on
                case ReferralCompleted():
                    row |= {"completed_on": on, "outcome": event.outcome}
                case ReferralDeclined() | ReferralClosed():
                    row |= {"ended_on": on, "outcome": event.because}
            row["status"] = STATUSES[type(event)]
        if row:
            blank = dict.fromkeys(("accepted_on", "completed_on", "ended_on", "outcome"))
            yield referrals, blank | row | {
                "stream": stream.id, "station": stream_station(stream.id),
                "referral": stream_subject(stream.id),
            }


@dataclass(frozen=True, slots=True)
class ReferralRow:
    """A referral as lists show it; a step not yet taken has no day."""

    referral: str
    household: str
    person: str | None
    to_agency: str
    need: str
    community: str | None
    worker: str | None
    status: str
    made_on: date
    accepted_on: date | None
    completed_on: date | None
    ended_on: date | None
    outcome: str | None

    def days(self, today: date) -> int:
        """How long it has waited where it stands; of one that ended, how long it took."""
        if self.status in OPEN_STATUSES:
            return (today - (self.accepted_on or self.made_on)).days
        return max(((self.ended_on or self.completed_on or today) - self.made_on).days, 0)


@dataclass(frozen=True, slots=True)
class Asked:
    """Of whom the referrals are that somebody asks for."""

    community: str | None = None
    worker: str | None = None
    to_agency: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same for a query."""
        return [
            referrals.c[name] == value
            for name in self.__dataclass_fields__ if (value := getattr(self, name))
        ]


EVERY_ONE: Final = Asked()


def referral_list(
    connection: Connection, station: str, *, status: str | None = None,
    household: str | None = None, asked: Asked = EVERY_ONE,
    after: tuple[date, str] | None = None, limit: int = 50, is_newest_first: bool = False,
) -> list[ReferralRow]:
    """The station's referrals, those made first first, a page at a time."""
    key = tuple_(referrals.c.made_on, referrals.c.referral)
    query = select(*(referrals.c[n] for n in ReferralRow.__dataclass_fields__)).where(
        referrals.c.station == station, *asked.conditions()
    )
    if status is not None:
        query = query.where(referrals.c.status == status)
    if household is not None:
        files = aliases_at(connection, station).family("household", household)
        query = query.where(referrals.c.household.in_(files))
    if after is not None:
        bound = tuple_(*after)
        query = query.where(key < bound if is_newest_first else key > bound)
    made = (referrals.c.made_on, referrals.c.referral)
    order = [one.desc() for one in made] if is_newest_first else made
    rows = connection.execute(query.order_by(*order).limit(limit))
    return [ReferralRow(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


def referral_counts(connection: Connection, station: str, asked: Asked) -> dict[str, int]:
    """How many referrals stand where."""
    status = referrals.c.status
    query = select(status, func.count()).where(
        referrals.c.station == station, *asked.conditions()
    )
    return {row[0]: row[1] for row in connection.execute(query.group_by(status))}


def referral_choices(connection: Connection, station: str, name: str) -> list[str]:
    """The communities, workers or agencies (``name``) that referrals name."""
    column = referrals.c[name]
    query = select(column).where(referrals.c.station == station, column.is_not(None)).distinct()
    return list(connection.execute(query.order_by(column).limit(MOST_CHOICES)).scalars())
