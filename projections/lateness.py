"""Which records are late entries (补录), and by how many days?

A record is a late entry when it was recorded after the month of its service had ended:
the month's report could not count it. Months are the station's calendar.
"""

from __future__ import annotations

from datetime import date, datetime

from domain.kernel import STATION_TIME


def recorded_on(recorded_at: datetime) -> date:
    """The station's day on which something was recorded."""
    return recorded_at.astimezone(STATION_TIME).date()


def recorded_month(recorded_at: datetime) -> date:
    """The first day of the station's month in which something was recorded."""
    return recorded_on(recorded_at).replace(day=1)


def is_late(occurred_on: date, recorded_at: datetime) -> bool:
    """Whether the month of the service had closed when it was recorded."""
    return occurred_on < recorded_month(recorded_at)


def days_late(occurred_on: date, recorded_at: datetime) -> int:
    """Days between the service and its recording."""
    return (recorded_on(recorded_at) - occurred_on).days
