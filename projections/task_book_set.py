"""From which indicator set are a task book's indicators taken, for good?

The one that the book names; else the one that its station had when it was approved. What
the station counts by later is its own affair and rewrites no score sheet.
"""

from __future__ import annotations

from domain.kernel import Stream
from domain.task_book import TaskBook, TaskBookApproved
from projections.histories import Histories
from projections.moments import KnownAt, bounded
from projections.monthly_report import station_profile


def task_book_set(
    ledger: Histories, station: str, stream: Stream[TaskBook], known_at: KnownAt | None
) -> str:
    """The code of the set of a task book, which is folded as it was known at the moment.

    A book that is not approved goes with its station.
    """
    named = stream.state.drafted.indicator_set if stream.state.drafted else None
    approvals = {
        entry.version for entry in stream.active()
        if isinstance(entry.statement.event, TaskBookApproved)
    }
    positions = [e.position for e in ledger.history(stream.id) if e.version in approvals]
    then = bounded(known_at, max(positions)) if positions else known_at
    return named or station_profile(ledger, station, then).indicator_set
