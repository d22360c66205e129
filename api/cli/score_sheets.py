"""How is a score sheet printed at the command line, and written to files?"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from api.cli.common import WIDE, CommandFailedError, results, table_of, wanted
from domain.publication import short_code
from domain.scoring import decimal_said
from projections.evaluation.beside import Beside
from projections.evaluation.score_sheet import BY_REVIEWERS, MonthFigures, ScoreSheet, SheetRow
from workers.reports import BadTemplateError
from workers.score_sheet_excel import write_score_workbook
from workers.score_sheet_tables import Proof
from workers.score_sheet_word import write_score_document

TEXTS: Final = {"指标", "单位", "月份", "社工站", "说明", "数字"}
MOST_PRINTED: Final = 20
"""How many signs are printed one by one."""
MONTHS_AT_ONCE: Final = 6
"""How many months a narrow window shows in one table."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files that a score sheet is to be written to."""

    docx: Path | None = None
    xlsx: Path | None = None

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.docx is not None or self.xlsx is not None


def write_files(
    files: Files, sheet: ScoreSheet, proof: Proof, templates: Path | None = None
) -> None:
    """Write the score sheet in Word and Excel, as asked; ``templates`` are the station's own.

    :raises CommandFailedError: where a folder is missing or a template cannot be filled.
    """
    try:
        if files.docx is not None:
            write_score_document(sheet, proof, _in_folder(files.docx), templates)
        if files.xlsx is not None:
            write_score_workbook(sheet, proof, _in_folder(files.xlsx))
    except BadTemplateError as error:
        raise CommandFailedError(f"模板无法填写：{error}") from error


def _in_folder(file: Path) -> Path:
    if not file.absolute().parent.is_dir():
        raise CommandFailedError(f"目录 {file.absolute().parent} 不存在")
    return file


def print_sheet(sheet: ScoreSheet) -> None:
    """The sheet by heads, by month, and what a reviewer must know beside it."""
    console = results()
    console.print(
        f"[bold]{sheet.name}　{sheet.cycle} 年度评估[/bold]\n"
        f"{sheet.title or '没有已审定的任务书：只有数字，不计分'}；"
        f"截至 {sheet.as_of}，台账第 {sheet.position} 条；"
        f"口径 {sheet.indicator_set} 第 {sheet.indicator_version} 版"
        + (f"\n[bold]中期[/bold]：{sheet.mid_term_said}" if sheet.is_mid_term else "")
        + (f"\n{escape(sheet.other_books_said)}" if sheet.other_books_said else "")
    )
    for head in sheet.heads:
        counted = head.weight - head.judged_weight
        given = [f"{decimal_said(head.points)} / {counted} 分"] if counted else []
        if head.judged_weight:
            given.append(f"{'另 ' if given else ''}{head.judged_weight} 分{BY_REVIEWERS}")
        title = f"{head.head.label}　{'，'.join(given)}"
        if not head.rows:
            console.print(f"{head.head.label}：任务书没有列指标")
            continue
        table = table_of(title, ("指标", "目标", "完成", "完成率", "得分", "分值", "补录"), TEXTS)
        for row in head.rows:
            table.add_row(*_cells(row))
        console.print(table)
        for row in head.rows:
            if row.remark:
                console.print(f"  {row.target.label}：{row.remark}")
    console.print(
        f"[bold]合计 {decimal_said(sheet.points)} / {sheet.weight - sheet.judged_weight} 分[/bold]"
        + (f"，另 {sheet.judged_weight} 分{BY_REVIEWERS}" if sheet.judged_weight else "")
    )
    _print_months(console, sheet)
    _print_remarks(console, sheet)


def _cells(row: SheetRow) -> tuple[str, ...]:
    target = row.target
    return (
        target.label, wanted(target), row.actual.display if row.actual else "",
        "" if row.completed_percent is None else f"{decimal_said(row.completed_percent)}%",
        BY_REVIEWERS if row.is_judged else _points(row.points), str(target.weight),
        str(row.late) if row.late else "",
    )


def _print_months(console: Console, sheet: ScoreSheet) -> None:
    rows = [row for row in sheet.rows if row.months]
    if not rows:
        return
    count = len(rows[0].months)
    at_once = count if console.width >= WIDE else MONTHS_AT_ONCE
    for start in range(0, count, at_once):
        months = rows[0].months[start : start + at_once]
        table = table_of("分月完成值", ("指标", *(m.month[2:] for m in months)), TEXTS)
        for row in rows:
            values = (m.actual.display if m.actual else "" for m in row.months)
            table.add_row(row.target.label, *list(values)[start : start + at_once])
        console.print(table)


def _print_remarks(console: Console, sheet: ScoreSheet) -> None:
    """Published reports, signs, and whether the read models agree."""
    for report in sheet.reports:
        said = "与台账一致" if report.is_same else f"有 {len(report.changed)} 个数字已变动"
        if report.unreproduced:
            said += f"；有 {len(report.unreproduced)} 个数字台账重算不出"
        restated = f"，已更正 {len(report.restatements)} 次" if report.restatements else ""
        console.print(f"已发布 {report.period}（{report.code}）：{said}{restated}")
        for figure in report.changed:
            console.print(f"    {figure.label}：发布 {figure.before}，现为 {figure.after}")
    for month in sheet.unpublished:
        console.print(f"{month.month} {_unpublished(sheet, month)}")
    console.print(f"可疑之处：{sheet.signal_count} 处（只作提示）")
    for signal in sheet.signals[:MOST_PRINTED]:
        console.print(f"    {signal.on} {signal.label}：{signal.text}")
    if sheet.signal_count > MOST_PRINTED:
        console.print("    其余见 --json、--docx 或 --xlsx")
    if sheet.projected is not None:
        console.print(
            "与统计逐月比对：一致" if not sheet.projected
            else f"与统计逐月比对：有 {len(sheet.projected)} 个数字不同"
        )
        for unlike in sheet.projected:
            console.print(
                f"    {unlike.where} {unlike.label}：台账 {unlike.replayed}，统计 {unlike.other}"
            )
    for event in sheet.unread:
        console.print(f"未能读取：位置 {event.position}（{event.stream}）")
    console.print(f"评分表的哈希：{sheet.code}（评估码 {short_code(sheet.code)}）")
    console.print(
        f"在别处核对：读到同一台账位置才有同一个哈希，如 taizhang evaluate --cycle {sheet.cycle}"
        f" --known-at {sheet.position}"
    )


def _unpublished(sheet: ScoreSheet, month: MonthFigures) -> str:
    """That nothing was published, and what the task book's figures of the month come to."""
    targets = {row.target.indicator for row in sheet.rows}
    said = "，".join(f"{f.label} {f.display}" for f in month.counted if f.code in targets)
    return f"{month.unpublished_remark}" + (f"（{said}）" if said else "")


def print_beside(found: Beside) -> None:
    """Two sheets side by side: the rows, and every figure that differs."""
    console = results()
    table = table_of(
        f"{found.sheet.name}　{found.sheet.cycle}：现行与试算并列",
        ("指标", "分值", "现行完成", "得分", "试算完成", "试算得分"), TEXTS,
    )
    for row in found.rows:
        table.add_row(
            row.label, str(row.weight), row.actual, _points(row.points), row.other_actual,
            _points(row.other_points),
        )
    table.add_row("合计", "", "", _points(found.sheet.points), "", _points(found.other.points))
    console.print(table)
    differing = table_of("不同的数字", ("月份", "数字", "现行", "试算"), TEXTS)
    for figure in found.figures:
        differing.add_row(figure.where, figure.label, figure.replayed or "—", figure.other or "—")
    console.print(differing if found.figures else "各月数字都相同")
    console.print("试算什么也没有保存。")


def _points(points: Decimal | None) -> str:
    return "" if points is None else decimal_said(points)


def print_runs(cycle: str, rows: list[dict[str, Any]], seconds: float) -> None:
    """The result of each station."""
    console = results()
    names = ("社工站", "得分", "由评审填写", "分值", "说明")
    table = table_of(f"{cycle} 年度评估", names, TEXTS)
    for row in rows:
        table.add_row(
            row["station"], row.get("points", ""), str(row.get("judged_weight", "")),
            str(row.get("weight", "")), row.get("problem", ""),
        )
    console.print(table)
    console.print(f"{len(rows)} 个社工站，用时 {seconds:.1f} 秒")
