"""What does a replayed log give for a project cycle: every figure, and the score sheet?

Targets are those of the station's approved task book, actuals its figures, points those
of ``domain/scoring.py``: by the same functions as the progress of the task book. What no
indicator counts is left to the reviewers, with its weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from domain.indicators import Indicator
from domain.kernel import STATION_TIME, Refused
from domain.task_book import Head, OtherTarget, with_targets
from projections.evaluation.comparing import compared_reports
from projections.evaluation.covering import refuse_uncovered
from projections.evaluation.cycles import cycle_asked
from projections.evaluation.replaying import Replayed
from projections.evaluation.score_sheet import (
    LateEntry,
    MonthFigures,
    MonthOfRow,
    ScoreSheet,
    SheetHead,
    SheetRow,
    SheetSignal,
    UnreadEvent,
)
from projections.figures import Figure, figures
from projections.indicator_versions import set_of, versions
from projections.indicators import IndicatorSet
from projections.integrity import Signal, SignalKind, Thresholds, odd
from projections.integrity.observing import observed_in
from projections.late_entries import Lateness, late_records, lateness
from projections.moments import KnownAt, bounded, known, known_at_text, position_of
from projections.monthly_report import station_profile
from projections.periods import Period
from projections.published_reports import printed
from projections.task_progress import Progress, TaskBookProgress, task_book_progress, what_if

MOST_LATE: Final = 100
"""How many late entries a row names."""
MOST_SIGNALS: Final = 500
MOST_OF_SIGNAL: Final = 50
"""How many records a sign names."""
OPENING: Final = frozenset({SignalKind.SAME_TEXT})
"""What compares personal texts, which a replay leaves sealed."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which cycle is evaluated, as of which day, as known when, and under which other rules."""

    cycle: str
    as_of: date | None = None
    known_at: KnownAt | None = None
    definitions: tuple[Indicator, ...] = ()
    targets: tuple[OtherTarget, ...] = ()

    @property
    def otherwise(self) -> tuple[str, ...]:
        """The codes that are defined, or aimed at, otherwise than they are."""
        codes = (*(row.code for row in self.definitions), *(row.indicator for row in self.targets))
        return tuple(dict.fromkeys(codes))


@dataclass(frozen=True, slots=True)
class CycleFigures:
    """Every figure of a cycle: of each month by its own definitions, and of all of it."""

    indicator_set: IndicatorSet
    months: tuple[MonthFigures, ...]
    totals: tuple[Figure, ...]


def cycle_figures(
    connection: Connection, station: str, set_code: str, cycle: Period, asked: Question
) -> CycleFigures:
    """Every figure of a cycle, read from a replay or from the read models."""
    known_versions = versions(connection, station, set_code, asked.known_at)
    known_versions = what_if(known_versions, asked.definitions)
    cut = cycle.until(asked.as_of)
    whole = set_of(known_versions, cut)

    def of(period: Period, chosen: IndicatorSet) -> list[Figure]:
        return figures(
            connection, station, chosen, period, as_of=asked.as_of, known_at=asked.known_at
        )

    months = tuple(
        MonthFigures(
            f"{month.first:%Y-%m}", tuple(map(printed, of(month, set_of(known_versions, month))))
        )
        for month in cut.months()
    )
    return CycleFigures(whole, months, tuple(of(cut, whole)))


class AsOfBeforeCycle(
    Refused, code="as_of_before_cycle", status=400, title="截至日早于项目周期",
    detail="截至日 {as_of} 早于项目周期的第一天 {first}，还没有可以评估的内容。",
):
    """A sheet that would end before its cycle begins."""


def evaluated(replayed: Replayed, asked: Question, limits: Thresholds) -> ScoreSheet:
    """The score sheet of a station's cycle; a pure function of its events.

    :raises BadCycle: where the cycle is none.
    :raises CycleNotCovered: where the log has neither a task book nor a service in it.
    :raises UnknownStation: where the log holds no such station.
    :raises AsOfBeforeCycle: where the cycle has not begun by the day asked for.
    :raises TaskBookWithoutCycle: where its task book does not say from when to when it goes.
    """
    station, connection = replayed.station, replayed.connection
    heard = bounded(asked.known_at, replayed.position)
    position, said = position_of(heard) or 0, known_at_text(asked.known_at)
    if heard == replayed.position:  # all that was read is known: the monthly sums will do
        asked = replace(asked, known_at=None)
    profile = station_profile(replayed, station, heard)
    meant = cycle_asked(replayed, asked.cycle, asked.known_at)
    cycle, book = meant.days, _progress(replayed, asked, meant.book)
    if book is None:
        refuse_uncovered(replayed, asked.cycle, cycle)
    if asked.as_of is not None and asked.as_of < cycle.first:
        raise AsOfBeforeCycle(as_of=asked.as_of, first=cycle.first)
    set_code = book.indicator_set.code if book else profile.indicator_set
    found = cycle_figures(connection, station, set_code, cycle, asked)
    cut = cycle.until(asked.as_of)
    signs = _signals(replayed, cut, asked, limits)
    return ScoreSheet(
        station=station, name=profile.name, cycle=asked.cycle, first_on=cycle.first,
        last_on=cycle.last, as_of=cut.last,
        known_at=said, position=position,
        events=replayed.events, task_book=book.id if book else None,
        title=book.drafted.title if book else None, other_books=meant.others,
        indicator_set=found.indicator_set.code, indicator_version=found.indicator_set.version,
        what_if=asked.otherwise,
        heads=tuple(_heads(connection, book, asked)), months=found.months,
        totals=tuple(map(printed, found.totals)),
        reports=tuple(compared_reports(replayed, cut, asked.known_at)),
        signals=tuple(map(_sign, signs[:MOST_SIGNALS])), signal_count=len(signs),
        unread=tuple(
            UnreadEvent(f.position, f.stream, f.error) for f in replayed.faults
            if f.position <= position
        ),
    )


# ---- the task book ----


def _progress(replayed: Replayed, asked: Question, book: str | None) -> TaskBookProgress | None:
    """How the task book that is scored stands; ``None`` where there is none.

    :raises BadTarget: where a target is tried and there is no book, or no such row in it.
    """
    if book is None:
        with_targets((), asked.targets)
        return None
    return task_book_progress(
        replayed.connection, replayed, replayed.station, book,
        as_of=asked.as_of or date.max, known_at=asked.known_at, definitions=asked.definitions,
        targets=asked.targets,
    )


def _heads(
    connection: Connection, book: TaskBookProgress | None, asked: Question
) -> Iterator[SheetHead]:
    """The five heads, also those under which the task book has nothing."""
    late = _late(connection, book) if book else {}
    for head in Head:
        rows = book.under(head) if book else []
        yield SheetHead(
            head, tuple(_row(connection, book, row, late, asked) for row in rows if book)
        )


def _late(connection: Connection, book: TaskBookProgress) -> dict[str, Lateness]:
    return lateness(
        connection, book.station, book.indicator_set, book.cycle, as_of=book.as_of,
        known_at=book.known_at,
    )


def _row(
    connection: Connection, book: TaskBookProgress, row: Progress, late: dict[str, Lateness],
    asked: Question,
) -> SheetRow:
    if row.actual is None:
        return SheetRow(row.target)
    behind = late.get(row.target.indicator, Lateness())
    named = late_records(
        connection, book.station, row.actual.indicator, book.indicator_set,
        book.cycle.until(book.as_of), known_at=asked.known_at, limit=MOST_LATE,
    ) if behind.late else []
    return SheetRow(
        target=row.target, actual=printed(row.actual), completed_percent=row.completed_percent,
        points=row.points, months=tuple(_months(row)), late=behind.late,
        imported=behind.imported,
        late_entries=tuple(LateEntry(*record, record.days_late) for record in named),
        counted_by=row.counted_by,
    )


def _months(row: Progress) -> Iterator[MonthOfRow]:
    for month in row.months:
        actual = None if month.actual is None else printed(month.actual)
        yield MonthOfRow(
            f"{month.period.first:%Y-%m}", month.planned if row.has_monthly_plan else None,
            actual, month.is_reported,
        )


# ---- signs ----


def _signals(
    replayed: Replayed, cycle: Period, asked: Question, limits: Thresholds
) -> list[Signal]:
    """What looks odd in what was entered in the cycle, or later about it, the newest first."""
    since, end = (
        datetime.combine(day, datetime.min.time(), STATION_TIME)
        for day in (cycle.first, cycle.last + timedelta(days=1))
    )
    as_known = (known(history, asked.known_at) for history in replayed.streams.values())
    records = [
        record
        for record in observed_in(
            filter(None, as_known), since, datetime.max.replace(tzinfo=STATION_TIME)
        )
        if record.recorded_at < end
        or (record.occurred_on <= cycle.last and cycle.first <= record.last_day)
    ]
    return odd(records, limits, [kind for kind in SignalKind if kind not in OPENING])


def _sign(signal: Signal) -> SheetSignal:
    return SheetSignal(
        signal.kind.value, signal.kind.label, signal.on, signal.who, signal.text,
        len(signal.records),
        tuple((r.stream, r.entry, r.position) for r in signal.records[:MOST_OF_SIGNAL]),
    )
