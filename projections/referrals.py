"""Where does each referral stand, and how long has it waited?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import Column, Connection, Date, Index, String, Table, Text, select

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


class Referrals(FoldProjection):
    """One row a referral."""

    name = "referrals"
    label = "转介跟踪"
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
    status: str
    made_on: date
    accepted_on: date | None
    completed_on: date | None
    ended_on: date | None
    outcome: str | None


def referral_list(
    connection: Connection, station: str, *, status: str | None = None,
    household: str | None = None, after: tuple[date, str] | None = None, limit: int = 50,
) -> list[ReferralRow]:
    """The station's referrals, those made first first, a page at a time."""
    made_on, identity = referrals.c.made_on, referrals.c.referral
    query = select(*(referrals.c[n] for n in ReferralRow.__dataclass_fields__)).where(
        referrals.c.station == station
    )
    if status is not None:
        query = query.where(referrals.c.status == status)
    if household is not None:
        files = aliases_at(connection, station).family("household", household)
        query = query.where(referrals.c.household.in_(files))
    if after is not None:
        query = query.where(
            (made_on > after[0]) | ((made_on == after[0]) & (identity > after[1]))
        )
    rows = connection.execute(query.order_by(made_on, identity).limit(limit))
    return [ReferralRow(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
