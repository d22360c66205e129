"""Which stations keep their ledger here, and in which months did they record services?"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Final

from sqlalchemy import Connection, func, select

from domain.ledger import Ledger
from projections.measures import MEASURES, Kind
from projections.monthly_counts import monthly_counts
from projections.monthly_report import station_profile
from projections.timeline import records

MOST_STATIONS: Final = 100_000
OF_PERIODS: Final = tuple(m.code for m in MEASURES.values() if m.kind is not Kind.STOCK)
"""Measures of what was done in a month; a stock may be older than the ledger."""


def station_codes(connection: Connection, among: Collection[str] | None = None) -> list[str]:
    """The codes of the stations that were registered, all or those among some, in order.

    Every index begins with the station: it is stepped from one to the next, so that the
    answer takes as long as there are stations, not as there are records.
    """
    walk = select(func.min(records.c.station).label("station")).cte("station_walk", recursive=True)
    onward = select(func.min(records.c.station)).where(records.c.station > walk.c.station)
    walk = walk.union_all(
        select(onward.scalar_subquery()).where(walk.c.station.is_not(None))
    )
    query = (
        select(records.c.station)
        .join(walk, records.c.station == walk.c.station)
        .where(records.c.topic == "station.registered", records.c.status == "active")
        .order_by(records.c.station)
        .limit(MOST_STATIONS)
    )
    if among is not None:
        query = query.where(records.c.station.in_(among))
    return list(connection.execute(query).scalars())


def stations_of_district(
    connection: Connection, ledger: Ledger, district: str
) -> frozenset[str]:
    """The stations of a district at the moment."""
    codes = station_codes(connection)
    return frozenset(c for c in codes if station_profile(ledger, c).district == district)


def named_stations(
    connection: Connection, ledger: Ledger, among: Collection[str] | None
) -> list[dict[str, str]]:
    """The code and name of some stations, or (``None``) of all."""
    codes = station_codes(connection, among)
    return [{"code": code, "name": station_profile(ledger, code).name} for code in codes]


def months_on_record(connection: Connection, station: str) -> list[str]:
    """The months in which a station did what is counted, like ``2024-11``, newest first."""
    query = (
        select(monthly_counts.c.effective_on)
        .where(monthly_counts.c.station == station, monthly_counts.c.amount > 0)
        .where(monthly_counts.c.measure.in_(OF_PERIODS))
        .distinct()
        .order_by(monthly_counts.c.effective_on.desc())
    )
    months: list[date] = list(connection.execute(query).scalars())
    return [f"{month:%Y-%m}" for month in months]
