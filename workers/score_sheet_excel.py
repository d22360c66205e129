"""How does a score sheet become an Excel workbook, with charts that can be edited?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from pathlib import Path
from typing import Any, Final

from domain.kernel import STATION_TIME
from projections.evaluation.score_sheet import ScoreSheet
from workers import score_sheet_tables as tables
from workers.charts import Chart, Place, drawn, write_cells
from workers.excel_tables import Excel, ExcelTable, write_workbook
from workers.score_sheet_tables import Proof

WIDTHS: Final[dict[str, int]] = {
    "考核维度": 16, "指标编号": 24, "指标": 26, "完成率（%）": 12, "其中由评审评定": 16,
    "服务日期": 12, "录入时间": 17, "发布时间": 17, "编号": 34, "说明": 60, "与台账": 24,
    "快照码": 18, "类别": 16, "有关人员": 12, "日期": 12, "按记录得分": 12, "变动": 12,
    "台账位置": 10, "口径说明": 44, "标签": 22, "内容": 90,
}
USUAL_WIDTH: Final = 10
CHART_CELLS: Final = "图表数据"
CHART_ROWS: Final = 15
"""How many rows a chart of a month's size covers."""
CHARTS_DOWN: Final = 6
"""How many of them one page takes, at the scale that two beside each other need."""
SCALE_PERCENT: Final = 48


def write_score_workbook(sheet: ScoreSheet, proof: Proof, target: Path) -> None:
    """Write the workbook of a score sheet, whole or not at all."""
    made_at = datetime.combine(sheet.as_of, time(), STATION_TIME)
    write_workbook(target, lambda excel: _fill(excel, sheet, proof), made_at)


def _fill(excel: Excel, sheet: ScoreSheet, proof: Proof) -> None:
    scores, months = excel.sheet("得分表"), excel.sheet("分月图")
    _scores(excel, scores, sheet)
    excel.table(excel.sheet("分月"), _table(
        "指标分月计划与完成", tables.imprint(sheet),
        ("指标", "单位", "计划或完成", "全周期", *tables.month_names(sheet)),
        list(tables.by_month(sheet)),
    ))
    excel.table(excel.sheet("月报数字"), _table(
        "月报各项数字", "每月按当月有效的口径计数，与当月月报相同；全周期按周期末的口径。",
        ("指标编号", "指标", "单位", "全周期", *tables.month_names(sheet)),
        list(tables.all_figures(sheet)),
    ))
    excel.table(excel.sheet("补录"), _table(
        "补录：服务当月结束后才录入的记录", "每项指标最多列出前 100 条。", tables.LATE,
        list(tables.late_entries(sheet)),
    ))
    excel.table(excel.sheet("已发布报告"), _table(
        "与已发布报告的比较",
        "按发布时的台账重算，并与现在的台账比较；未发布的月份无可比较。", tables.REPORTS,
        list(tables.reports(sheet)),
    ))
    excel.table(excel.sheet("发布后变动"), _table(
        "报告发布以来的变动", "补录、更正、作废、恢复、合并和拆分，逐条记录。", tables.CHANGES,
        list(tables.changes(sheet)),
    ))
    excel.table(excel.sheet("核查提示"), _table(
        "看上去不寻常的地方", "只是提示，不是结论；请查看有关记录。", tables.SIGNALS,
        list(tables.signals(sheet)),
    ))
    excel.table(excel.sheet("核对"), _table(
        "核对与签名", "同一份台账在任何机器上复算，评估码相同。", ("标签", "内容"),
        list(tables.proof_rows(sheet, proof)),
    ))
    _charts(excel, scores, months, sheet)


def _table(
    title: str, says: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> ExcelTable:
    widths = [(name, WIDTHS.get(name, USUAL_WIDTH)) for name in columns]
    return ExcelTable(title, says, widths, rows)


def _scores(excel: Excel, place: Any, sheet: ScoreSheet) -> None:
    """The sheet that is looked at first: indicators, then the sums of the heads."""
    title = f"{sheet.name} {sheet.cycle} 项目周期评估得分表"
    said = tables.warning(sheet), sheet.other_books_said, tables.imprint(sheet)
    says = "　".join(filter(None, said))
    row = excel.table(
        place, _table(title, says, tables.INDICATORS, list(tables.indicators(sheet)))
    )
    for number, name in enumerate(tables.HEADS):
        place.write_string(row + 1, number, name, excel.look("head"))
    for down, cells in enumerate(tables.heads(sheet), start=row + 2):
        excel.row(place, down, cells, "sum" if cells[0] == "合计" else "")


def _charts(excel: Excel, scores: Any, months: Any, sheet: ScoreSheet) -> None:
    """The charts over cells of a sheet of their own, which is written last and downwards."""
    cells, row = excel.sheet(CHART_CELLS), 0
    whole = tables.completion_chart(sheet)
    if whole is not None:
        height = 120 + 34 * len(whole.categories)
        row = _chart(excel, cells, row, whole, (scores, _after(sheet), 0, 1_000, height))
    charts = tables.month_charts(sheet)
    months.set_portrait()
    months.set_print_scale(SCALE_PERCENT)
    page = CHART_ROWS * CHARTS_DOWN
    months.set_h_pagebreaks(range(page, len(charts) // 2 * CHART_ROWS + 1, page))
    for number, chart in enumerate(charts):
        down, across = (number // 2) * CHART_ROWS, (number % 2) * 8
        row = _chart(excel, cells, row, chart, (months, down, across, 500, 290))


def _after(sheet: ScoreSheet) -> int:
    """The row of the first sheet below its tables."""
    return len(sheet.rows) + len(sheet.heads) + 8


def _chart(
    excel: Excel, cells: Any, row: int, chart: Chart, place: tuple[Any, int, int, int, int]
) -> int:
    """Put a chart somewhere; answers the next free row of the cells."""
    sheet, down, across, width, height = place
    write_cells(cells, chart, Place(CHART_CELLS, row, 0))
    drawing = drawn(excel.workbook, chart, Place(CHART_CELLS, row, 0))
    drawing.set_size({"width": width, "height": height})
    sheet.insert_chart(down, across, drawing, {"description": chart.description})
    return row + len(chart.categories) + 2
