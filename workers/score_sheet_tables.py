"""What stands in the tables of a printed score sheet, in Word as in Excel?

Cells are what they are (a number, a day, a text), so that Excel can go on calculating;
Word prints them (``said``). Both have the same tables in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from typing import Final

from domain.checkpoint import Checkpoint
from domain.kernel import KINDS, STATION_TIME, stream_kind, stream_subject
from domain.publication import ChangedRecord, PublishedFigure, short_code
from domain.scoring import decimal_said
from domain.signed_note import Verifier
from domain.vocabulary import Approximation
from projections.evaluation.score_sheet import (
    BY_REVIEWERS,
    ComparedReport,
    MonthOfRow,
    ScoreSheet,
    SheetHead,
    SheetRow,
)
from projections.moments import instant_of, parse_known_at
from workers.charts import Chart, Series
from workers.excel_tables import Cell

Rows = Iterator[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Proof:
    """By what a sheet is checked: what was verified, the log's checkpoint, and the key."""

    verdict: str
    checkpoint: Checkpoint | None
    verifier: Verifier | None


HEADS: Final = ("考核维度", "指标数", "分值", "其中由评审评定", "按记录得分")
INDICATORS: Final = (
    "考核维度", "指标编号", "指标", "单位", "要求", "目标值", "完成值", "完成率（%）", "分值",
    "得分", "补录", "导入", "口径说明",
)
LATE: Final = ("指标", "服务日期", "录入时间", "迟（天）", "记录", "编号", "第几项")
REPORTS: Final = ("期间", "快照码", "发布时间", "发布人", "台账位置", "第几次发布", "与台账")
CHANGES: Final = (
    "期间", "指标", "发布时", "现为", "变动", "服务日期", "增减", "台账位置", "记录", "编号",
    "第几项",
)
SIGNALS: Final = ("类别", "日期", "有关人员", "说明", "记录数")


def heads(sheet: ScoreSheet) -> Rows:
    """The five heads with their sums, and the sum of all."""
    for head in sheet.heads:
        yield (head.head.label, len(head.rows), head.weight, head.judged_weight, head.result)
    yield ("合计", len(sheet.rows), sheet.weight, sheet.judged_weight, sheet.points)


def indicators(sheet: ScoreSheet) -> Rows:
    """The indicators of the task book, head by head."""
    for head in sheet.heads:
        for row in head.rows:
            yield _indicator(head, row)


def _indicator(head: SheetHead, row: SheetRow) -> tuple[Cell, ...]:
    target = row.target
    return (
        head.head.label, target.indicator, target.label, target.unit.label,
        target.direction.label, target.target, number_of(row.actual), row.completed_percent,
        target.weight, BY_REVIEWERS if row.is_judged else row.points, row.late or None,
        row.imported or None, row.remark,
    )


def number_of(figure: PublishedFigure | None) -> Cell:
    """A figure as a number, or as it is printed where it is none: 近70, 未填报."""
    if figure is None:
        return None
    is_number = figure.approximation is Approximation.EXACT and not figure.unstated
    return figure.value if is_number and figure.value is not None else figure.display


def month_names(sheet: ScoreSheet) -> list[str]:
    """The months of the cycle up to the day of evaluation."""
    return [month.month for month in sheet.months]


def by_month(sheet: ScoreSheet) -> Rows:
    """Each indicator of the task book, planned and done, month by month."""
    for row in sheet.rows:
        if row.months:
            named = row.target.label, row.target.unit.label
            if row.has_plan:
                planned = _each(sheet, row, planned=True)
                yield (*named, row.plan_label, row.target.target, *planned)
            yield (*named, "完成", number_of(row.actual), *_each(sheet, row, planned=False))


def _each(sheet: ScoreSheet, row: SheetRow, *, planned: bool) -> list[Cell]:
    of = {month.month: month for month in row.months}
    return [_of_month(of.get(name), planned=planned) for name in month_names(sheet)]


def _of_month(month: MonthOfRow | None, *, planned: bool) -> Cell:
    if month is None:
        return None
    return month.planned if planned else number_of(month.actual)


def all_figures(sheet: ScoreSheet) -> Rows:
    """Every figure of the station's reports, month by month and for the cycle."""
    by_code = [{figure.code: figure for figure in month.figures} for month in sheet.months]
    totals = {figure.code: figure for figure in sheet.totals}
    named = {code: figure for month in by_code for code, figure in month.items()} | totals
    for code, figure in named.items():
        yield (
            code, figure.label, figure.unit.label, number_of(totals.get(code)),
            *(number_of(month.get(code)) for month in by_code),
        )


def late_entries(sheet: ScoreSheet) -> Rows:
    """The late entries behind the actuals, indicator by indicator."""
    for row in sheet.rows:
        for late in row.late_entries:
            yield (
                row.target.label, late.effective_on, late.recorded_at, late.days_late,
                *record_named(late.stream), late.entry,
            )
        if row.late > len(row.late_entries):
            yield (row.target.label, None, None, None, unlisted_late(row), None, None)


def unlisted_late(row: SheetRow) -> str:
    """How many late entries are behind an actual of which not all are named."""
    named = len(row.late_entries)
    return f"共 {row.late} 条，" + (f"只列出最早的 {named} 条" if named else "不逐条列出")


def record_named(stream: str) -> tuple[str, str]:
    """What kind of record a stream is, and its id."""
    return KINDS[stream_kind(stream)].label, stream_subject(stream)


def reports(sheet: ScoreSheet) -> Rows:
    """The published reports of the cycle, whether the log gives them, and the months without."""
    found = [(report.period, _report(report)) for report in sheet.reports]
    found += [
        (month.month, (month.month, *(None,) * 5, month.unpublished_remark))
        for month in sheet.unpublished
    ]
    yield from (cells for _period, cells in sorted(found, key=itemgetter(0)))


def _report(report: ComparedReport) -> tuple[Cell, ...]:
    if report.unreproduced:
        found = f"{len(report.unreproduced)} 项按当时的台账算不出"
    else:
        found = f"{len(report.changed)} 项此后有变动" if report.changed else "一致"
    return (
        report.period, report.code, report.published_at, report.actor, report.position,
        report.number, found,
    )


def changes(sheet: ScoreSheet) -> Rows:
    """What has changed since the reports were published, record by record."""
    for report in sheet.reports:
        for figure in report.changed:
            for record in figure.records or (None,):
                yield (
                    report.period, f"{figure.label}（{figure.unit.label}）", figure.before,
                    figure.after, *(_changed(record) if record else (None,) * 7),
                )
            if figure.is_cut:
                said = "还有更多记录没有列出"
                yield (report.period, figure.label, *(None,) * 6, said, None, None)
        for lost in report.unreproduced:
            yield (
                report.period, lost.label, lost.other, lost.replayed, "按当时的台账算不出",
                *(None,) * 6,
            )


def _changed(record: ChangedRecord) -> tuple[Cell, ...]:
    return (
        record.change.label, record.effective_on, record.amount, record.position,
        *record_named(record.stream), record.entry,
    )


def signals(sheet: ScoreSheet) -> Rows:
    """What looks odd; a sign is no proof."""
    for signal in sheet.signals:
        yield (signal.label, signal.on, signal.who, signal.text, signal.record_count)
    if sheet.unlisted_signals:
        yield ("未列出", None, "", sheet.unlisted_signals, None)


def proof_rows(sheet: ScoreSheet, proof: Proof) -> Rows:
    """By what the sheet is checked."""
    yield ("评估码", f"{short_code(sheet.code)}，取自评分表的哈希 {sheet.code}")
    yield ("核对结果", proof.verdict)
    yield ("台账记录", f"{sheet.events} 条，至台账位置 {sheet.position}")
    if proof.checkpoint is not None:
        yield ("检查点", f"{proof.checkpoint.origin}，{proof.checkpoint.size} 条")
        yield ("检查点的根", proof.checkpoint.text.splitlines()[2])
    if proof.verifier is not None:
        yield ("公钥", proof.verifier.vkey)
        yield ("公钥指纹", proof.verifier.fingerprint)
    for unread in sheet.unread:
        why = f"：{unread.error}" if unread.error else ""
        yield ("未能读取", f"台账位置 {unread.position} 的记录未计入{why}")
    for report in sheet.reports:
        codes = "、".join(dict.fromkeys((*report.restatements, report.code)))
        yield (f"{report.period} 的快照码", codes)


def imprint(sheet: ScoreSheet) -> str:
    """Which question the sheet answers: one line."""
    moment = instant_of(parse_known_at(str(sheet.known_at)) if sheet.known_at else None)
    known = f"{said(moment)} 时所知，" if moment else ""
    return (
        f"{sheet.first_on} 至 {sheet.last_on}，截至 {sheet.as_of}，"
        f"{known}台账至第 {sheet.position} 条；"
        f"口径 {sheet.indicator_set} 第 {sheet.indicator_version} 版；"
        f"评估码 {short_code(sheet.code)}"
    )


def warning(sheet: ScoreSheet) -> str | None:
    """That a sheet is no result but a what-if, in words; ``None`` where it is one."""
    if sheet.what_if:
        return f"假设口径的试算，不是评估结果：另行定义了 {'、'.join(sheet.what_if)}。"
    return None


# ---- charts ----


def completion_chart(sheet: ScoreSheet) -> Chart | None:
    """How far each target is reached, in percent of it; the target is 100."""
    rows = [row for row in sheet.rows if row.completed_percent is not None]
    if not rows:
        return None
    return Chart(
        "各指标完成情况（目标＝100）", tuple(row.target.label for row in rows),
        (
            Series("完成", tuple(row.completed_percent for row in rows)),
            Series("目标", (100,) * len(rows)),
        ),
        unit="%", is_across=True,
    )


def month_charts(sheet: ScoreSheet) -> list[Chart]:
    """Each indicator that is counted: done and planned, month by month."""
    return [_month_chart(row) for row in sheet.rows if row.months]


def _month_chart(row: SheetRow) -> Chart:
    done = Series("完成", tuple(None if m.actual is None else m.actual.value for m in row.months))
    planned = Series(row.plan_label, tuple(month.planned for month in row.months))
    return Chart(
        f"{row.target.label}（按月）", tuple(int(m.month[5:]) for m in row.months),
        (done, planned) if row.has_plan else (done,),
        unit=row.target.unit.label,
    )


# ---- in words ----


def said(cell: Cell) -> str:
    """A cell as it is printed in Word."""
    match cell:
        case None:
            return ""
        case datetime():
            return f"{cell.astimezone(STATION_TIME):%Y-%m-%d %H:%M}"
        case date():
            return cell.isoformat()
        case Decimal():
            return decimal_said(cell)
        case _:
            return str(cell)
