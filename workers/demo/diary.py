"""How does the generator write a history file, line by line?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final

import msgspec

from domain.kernel import STATION_TIME

EVENING: Final = time(17, 30)


class Diary:
    """Collects the lines of a station, each recorded some time after it occurred."""

    def __init__(self, chance: random.Random, cycle: str) -> None:
        """Write for one station in one project cycle."""
        self._chance, self._cycle = chance, cycle
        self._lines: list[dict[str, Any]] = []
        self._counts: dict[str, int] = {}
        self._last: dict[str, datetime] = {}
        self._begun_at: datetime | None = None

    def write(
        self, topic: str, day: date, data: dict[str, Any], *, subject: str | None = None,
        actor: str, role: str = "social_worker", until: date | None = None,
        at: time | None = None, days_late: int | None = None, key: str | None = None,
    ) -> str:
        """Add a line and answer its key.

        What a stream records later was also written down later, and everything after
        the first line, with which the station begins its ledger.
        """
        self._counts[topic] = self._counts.get(topic, 0) + 1
        key = key or f"{topic}-{self._counts[topic]}"
        about = subject or key
        recorded_at = self._recorded_at(until or day, days_late, about)
        line: dict[str, Any] = {
            "key": key, "topic": topic, "recorded_at": recorded_at.isoformat(), "actor": actor,
            "data": data, "project_cycle": self._cycle,
        }
        if at is None:
            line["occurred_on"] = day.isoformat()
        else:
            line["occurred_at"] = datetime.combine(day, at, STATION_TIME).isoformat()
        optional = {
            "subject": subject, "role": None if role == "social_worker" else role,
            "occurred_until": until and until.isoformat(), "precision": until and "range",
        }
        self._lines.append(line | {name: value for name, value in optional.items() if value})
        return key

    def _recorded_at(self, day: date, days_late: int | None, about: str) -> datetime:
        late = days_late if days_late is not None else self._chance.choice((0, 0, 0, 1, 1, 2))
        moment = datetime.combine(day, EVENING, STATION_TIME) + timedelta(
            days=late, seconds=self._chance.randint(0, 3 * 3600)
        )
        earliest = self._last.get(about, self._begun_at)
        if earliest is not None and moment <= earliest:
            moment = earliest + timedelta(seconds=1)
        self._begun_at = self._begun_at or moment
        self._last[about] = moment
        return moment

    def lines(self) -> Iterator[bytes]:
        """The lines in the order in which they were recorded, as the file has them."""
        for line in sorted(self._lines, key=lambda line: (line["recorded_at"], line["key"])):
            yield msgspec.json.encode(line, order="sorted")
