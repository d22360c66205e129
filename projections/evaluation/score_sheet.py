"""What does a score sheet say? Heads, indicators, months, and what a reviewer must know beside.

Everything on it is plain: figures as they are printed, targets as the task book has
them. So it can be kept, sent, read back and compared as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import msgspec

from domain.publication import PublishedFigure, RestatedFigure, canonical
from domain.task_book import Head, TaskIndicator
from projections.periods import Period
from projections.task_progress import LaterDefinition

BY_REVIEWERS: Final = "由评审填写"
"""What stands in the place of points that no event can give."""
NOT_IN_BOOK: Final = "任务书未列"
"""What stands in the place of points where the task book has nothing under a head."""


@dataclass(frozen=True, slots=True)
class MonthOfRow:
    """A month of an indicator: what was planned and what was done.

    ``planned`` is ``None`` where a month's share of the target says nothing: of a distinct
    count, and of what is wanted less than once a month. ``is_reported`` is false where the
    indicator was defined only later, so that the month's own report has no such row.
    """

    month: str
    planned: Decimal | None
    actual: PublishedFigure | None
    is_reported: bool = True


@dataclass(frozen=True, slots=True)
class LateEntry:
    """A late entry (补录) behind an actual."""

    stream: str
    entry: int
    effective_on: date
    recorded_at: datetime
    days_late: int


@dataclass(frozen=True, slots=True)
class SheetRow:
    """An indicator of the task book. ``late`` and ``imported`` count records behind the actual.

    ``late_entries`` names the late ones, the first of them where they are many.
    ``counted_by`` is the version that lent its definition, where the one of the sheet has
    none (decision 0029).
    """

    target: TaskIndicator
    actual: PublishedFigure | None = None
    completed_percent: Decimal | None = None
    points: Decimal | None = None
    months: tuple[MonthOfRow, ...] = ()
    late: int = 0
    imported: int = 0
    late_entries: tuple[LateEntry, ...] = ()
    counted_by: LaterDefinition | None = None

    @property
    def has_plan(self) -> bool:
        """Whether its months can be held against what was planned for them."""
        return any(month.planned is not None for month in self.months)

    @property
    def plan_label(self) -> str:
        """What the planned row is: a level that is wanted all the time is no plan."""
        every = {month.planned for month in self.months}
        return "要求" if every == {Decimal(self.target.target)} else "计划"

    @property
    def remark(self) -> str | None:
        """What is to be said of how it is counted: by another version, or that it has no value."""
        return "；".join(self._remarks()) or None

    def _remarks(self) -> Iterator[str]:
        if self.counted_by is not None:
            version, since = self.counted_by.version, self.counted_by.valid_from
            yield f"截至日有效的口径没有这一项，按第 {version} 版（{since} 起有效）计"
        if self.actual is not None and self.is_judged:
            yield f"台账没有可计分的数（{self.actual.display}），{BY_REVIEWERS}"

    @property
    def is_judged(self) -> bool:
        """Whether no event can tell: people judge it, and its weight is theirs to give.

        So it is where nothing counts it, and where what counts it has no value: an average
        of no case, what nobody stated. That is not zero.
        """
        return self.actual is None or self.actual.value is None


@dataclass(frozen=True, slots=True)
class SheetHead:
    """A head of the evaluation (考核维度) with its indicators; each of the five has one."""

    head: Head
    rows: tuple[SheetRow, ...] = ()

    @property
    def result(self) -> Decimal | str:
        """What stands as the head's points: those of the log, or that it can give none."""
        if not self.rows:
            return NOT_IN_BOOK
        return self.points if self.weight > self.judged_weight else BY_REVIEWERS

    @property
    def weight(self) -> int:
        """The points that the head can give."""
        return sum(row.target.weight for row in self.rows)

    @property
    def judged_weight(self) -> int:
        """Of these, the points that reviewers give."""
        return sum(row.target.weight for row in self.rows if row.is_judged)

    @property
    def points(self) -> Decimal:
        """The points that the events give."""
        return sum((row.points for row in self.rows if row.points is not None), Decimal(0))


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """Every figure of a month, by the definitions valid in it: its report's figures."""

    month: str
    figures: tuple[PublishedFigure, ...]

    @property
    def counted(self) -> tuple[PublishedFigure, ...]:
        """The figures by which the month has something to publish."""
        return tuple(figure for figure in self.figures if figure.value or figure.unstated)

    @property
    def unpublished_remark(self) -> str:
        """What is said of the month where no report of it was published."""
        counted, every = len(self.counted), len(self.figures)
        return f"未发布，无可比较；台账计出 {every} 个数字，其中 {counted} 个不为零"


@dataclass(frozen=True, slots=True)
class FigureDifference:
    """A figure that reads otherwise in two places; ``where`` is its month, or its period."""

    where: str
    code: str
    label: str
    replayed: str
    other: str


@dataclass(frozen=True, slots=True)
class ComparedReport:
    """A published report of the cycle beside the log.

    It is compared as it was published last: ``number`` counts the publications of the
    period. ``changed`` are the figures that read otherwise now, with the records that
    changed them. ``unreproduced`` must be empty: figures that the log, read up to the
    position of the publication, does not give.
    """

    period: str
    number: int
    code: str
    published_at: datetime
    actor: str
    position: int
    changed: tuple[RestatedFigure, ...] = ()
    unreproduced: tuple[FigureDifference, ...] = ()
    restatements: tuple[str, ...] = ()
    """The codes of the restatements, in their order."""

    @property
    def is_same(self) -> bool:
        """Whether the log gives today what was published last."""
        return not (self.changed or self.unreproduced)


@dataclass(frozen=True, slots=True)
class SheetSignal:
    """A sign that something is odd, with its first records (stream, entry, position)."""

    kind: str
    label: str
    on: date
    who: str
    text: str
    record_count: int
    records: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class UnscoredBook:
    """An approved task book whose days are partly the sheet's, and which it does not score."""

    id: str
    title: str
    cycle: str
    first_on: date | None
    last_on: date | None

    @property
    def said(self) -> str:
        """Which one it is, in words."""
        days = f"，{self.first_on} 至 {self.last_on}" if self.first_on else ""
        return f"《{self.title}》（周期 {self.cycle}{days}，编号 {self.id}）"


@dataclass(frozen=True, slots=True)
class UnreadEvent:
    """An event that this program cannot take in; it is in no figure."""

    position: int
    stream: str
    error: str


@dataclass(frozen=True, slots=True)
class ScoreSheet:
    """A station's project cycle, scored by what its log says.

    ``position`` is up to where the log was read, ``known_at`` the moment of knowing as it
    was asked (``moments.known_at_text``), ``what_if`` the codes that were defined otherwise
    for this sheet only. ``task_book`` is ``None`` where no approved one is on record: then
    there are figures, and nothing to score. ``projected`` are the figures that the read
    models have otherwise; ``None`` where there was nothing to compare with. ``signals`` are
    the newest of ``signal_count``. ``code_as_recorded`` is set where the sheet is shown
    otherwise than its code was worked out: as it was kept, or without single records.
    """

    station: str
    name: str
    cycle: str
    first_on: date
    last_on: date
    as_of: date
    known_at: str | int | None
    position: int
    events: int
    task_book: str | None
    title: str | None
    indicator_set: str
    indicator_version: int
    what_if: tuple[str, ...]
    heads: tuple[SheetHead, ...]
    months: tuple[MonthFigures, ...]
    totals: tuple[PublishedFigure, ...]
    reports: tuple[ComparedReport, ...] = ()
    signals: tuple[SheetSignal, ...] = ()
    unread: tuple[UnreadEvent, ...] = ()
    projected: tuple[FigureDifference, ...] | None = None
    signal_count: int = 0
    other_books: tuple[UnscoredBook, ...] = ()
    code_as_recorded: str | None = None

    @property
    def is_mid_term(self) -> bool:
        """Whether the sheet ends before its cycle does."""
        return self.as_of < self.last_on

    @property
    def mid_term_said(self) -> str:
        """How a sheet that ends before its cycle is to be read."""
        return (
            f"周期还没有结束：只计到 {self.as_of}，目标和计分仍按全周期（至 {self.last_on}），"
            "得分只供中期参考。"
        )

    @property
    def other_books_said(self) -> str | None:
        """Which approved task books about these days are not scored; ``None`` where all are."""
        if not self.other_books:
            return None
        named = "、".join(book.said for book in self.other_books)
        return f"另有已审定的任务书与本表日期相交，未在本表计分：{named}。"

    @property
    def rows(self) -> list[SheetRow]:
        """Every indicator of the task book, head by head."""
        return [row for head in self.heads for row in head.rows]

    @property
    def weight(self) -> int:
        """The points that the task book can give."""
        return sum(head.weight for head in self.heads)

    @property
    def judged_weight(self) -> int:
        """Of these, the points that reviewers give."""
        return sum(head.judged_weight for head in self.heads)

    @property
    def points(self) -> Decimal:
        """The points that the events give."""
        return sum((head.points for head in self.heads), Decimal(0))

    @property
    def late(self) -> int:
        """Late entries behind the actuals; one behind two indicators counts twice."""
        return sum(row.late for row in self.rows)

    @property
    def changed(self) -> tuple[str, ...]:
        """The published periods that read otherwise now."""
        return tuple(report.period for report in self.reports if not report.is_same)

    @property
    def unpublished(self) -> tuple[MonthFigures, ...]:
        """The whole months with something to publish that have no published report.

        A month that the sheet has in part only is not reported in that part.
        """
        published = {report.period for report in self.reports}
        return tuple(
            month for month in self.months
            if month.counted and month.month not in published and self._has_whole(month)
        )

    def _has_whole(self, month: MonthFigures) -> bool:
        days = Period.of_month(month.month)
        return self.first_on <= days.first and days.last <= self.as_of

    @property
    def unlisted_signals(self) -> str | None:
        """How many signs there are and where the others stand; ``None`` where all are named."""
        if self.signal_count == len(self.signals):
            return None
        rest = "其余见审计中的可疑之处（taizhang signals）" if self.signals else "不逐条列出"
        return f"共 {self.signal_count} 处，{rest}"

    @property
    def code(self) -> str:
        """SHA-256 (hex) over the canonical JSON of all that the log alone gives.

        Whoever replays the same events elsewhere, asking the same, has the same code.
        """
        return self.code_as_recorded or hashlib.sha256(self.by_the_log()).hexdigest()

    def by_the_log(self) -> bytes:
        """The canonical JSON of all that the log alone gives: not what the read models have."""
        return canonical(replace(self, projected=None, code_as_recorded=None))

    def without_records(self) -> ScoreSheet:
        """The figures and counts only, for who may not read single records; with its code."""
        return replace(
            self, code_as_recorded=self.code, heads=tuple(map(_counted_only, self.heads)),
            signals=(), unread=tuple(replace(event, stream="", error="") for event in self.unread),
            reports=tuple(
                replace(report, changed=tuple(
                    msgspec.structs.replace(figure, records=()) for figure in report.changed
                ))
                for report in self.reports
            ),
        )

    def report(self, period: str) -> ComparedReport | None:
        """The published report of a period, where there is one."""
        return next((report for report in self.reports if report.period == period), None)


def _counted_only(head: SheetHead) -> SheetHead:
    return replace(head, rows=tuple(replace(row, late_entries=()) for row in head.rows))
