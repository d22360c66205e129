"""What is it now, and what is a new id? The one place that reads the clock and makes ids."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import uuid4  # noqa: TID251 - ids are made here, at the edge, and given down

from domain.kernel import STATION_TIME


def now() -> datetime:
    """The present instant, UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the edge: everything below is given the time


def today() -> date:
    """Today in the stations' calendar."""
    return now().astimezone(STATION_TIME).date()


def new_id() -> str:
    """A new id."""
    return uuid4().hex
