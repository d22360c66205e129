"""From which indicator set are a task book's indicators taken, for good?

The one that the book names; else the one that its station had when it was approved. What
the station counts by later is its own affair and rewrites no score sheet.
"""

from __future__ import annotations

from collections.abc import Iterable

from domain.kernel import Recorded, Stream
from domain.task_book import TaskBook, TaskBookApproved
from projections.histories import Histories
from projections.moments import KnownAt, bounded
from projections.monthly_report import station_profile


def task_book_set(
    ledger: Histories, station: str, stream: Stream[TaskBook], events: Iterable[Recorded],
    known_at: KnownAt | None,
) -> str:
    """The code of the set of a task book, whose ``events`` are those known at the moment.

    A book that is not approved goes with its station.
    """
    named = stream.state.drafted.indicator_set if stream.state.drafted else None
    approvals = {
        entry.version for entry in stream.active()
        if isinstance(entry.statement.event, TaskBookApproved)
    }
    positions = [event.position for event in events if event.version in approvals]
    then = bounded(known_at, max(positions)) if positions else known_at
    return named or station_profile(ledger, station, then).indicator_set
