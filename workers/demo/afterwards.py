"""What happens at the demo's station once its months are published, for reviewers to find?

A survey that was entered late, a supervision that was corrected, and a day of visits at which
nobody was met that is too full to be true. None of it moves a figure of the task book or of
the month that the demo is compared by.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from domain.kernel import STATION_TIME
from workers.demo import demo_history
from workers.demo.year import CYCLE

RESTATED: Final = "2024-08"
"""The published month of which a restatement is published, too; September's stays open."""
BECAUSE: Final = "补录一次独居老年人需求调研"
WORKER: Final = "陈一鸣"
FULL_DAY: Final = date(2025, 5, 22)
VISITS: Final = 13
MINUTES: Final = 60
ENTERED_AT: Final = datetime.combine(FULL_DAY, time(21), STATION_TIME)


def later_history() -> Iterator[bytes]:
    """The lines of what was recorded afterwards, in the format of a history file."""
    for line in (_late_survey(), _corrected_supervision(), *_full_day()):
        yield json.dumps(line | {"project_cycle": CYCLE}, ensure_ascii=False).encode()


def _late_survey() -> dict[str, Any]:
    return {
        "key": "later-survey", "topic": "survey.held", "occurred_on": "2024-08-20",
        "recorded_at": "2025-01-14T17:42:00+08:00", "actor": WORKER,
        "data": {
            "kind": "elderly_alone", "title": "独居老年人需求调研", "community": "济柴",
            "persons_surveyed": {"value": 12}, "workers": [WORKER],
            "summary": "受访老人多希望有人定期上门探访。",
        },
    }


def _corrected_supervision() -> dict[str, Any]:
    """September's supervision was held online."""
    lines = (json.loads(line) for line in demo_history())
    held = next(
        line for line in lines if line["topic"] == "supervision.received"
        and line["occurred_on"].startswith("2024-09")
    )
    return {
        "key": "later-supervision", "topic": "record.corrected", "occurred_on": "2025-01-15",
        "recorded_at": "2025-01-15T17:40:00+08:00", "actor": "林知夏", "role": "lead",
        "data": {
            "of": held["key"], "data": held["data"] | {"mode": "online"},
            "reason": "当次因下雨改为线上，登记时写成现场",
        },
    }


def _full_day() -> Iterator[dict[str, Any]]:
    """Thirteen hours of visits in one day, two of them at once."""
    begins = datetime.combine(FULL_DAY, time(8), STATION_TIME)
    for number in range(VISITS):
        minutes = MINUTES * number - (MINUTES // 2 if number == VISITS - 1 else 0)
        yield {
            "key": f"later-visit-{number + 1}", "topic": "visit.recorded",
            "occurred_at": (begins + timedelta(minutes=minutes)).isoformat(),
            "recorded_at": (ENTERED_AT + timedelta(minutes=number)).isoformat(), "actor": WORKER,
            "data": {
                "household": f"h{21 + number}", "mode": "home", "purpose": "routine",
                "outcome": "not_met", "persons_met": 0, "persons": [], "workers": [WORKER],
                "minutes": MINUTES,
            },
        }
