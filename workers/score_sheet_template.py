"""Which Word template does the score sheet of an evaluation fill?

As with the monthly report it is the station's own from the first use on: what stands in
``{{ }}`` and ``{% %}`` is filled in, everything else may be edited in WPS or Word.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from docx.enum.style import WD_STYLE_TYPE
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt

from workers.monthly_template import begin_document, body_paragraph, say_of_row

CELL, SMALL_CELL = ("得分表", 9), ("得分表（小）", 7)
"""The styles of a cell's text, with their sizes in points; a station may edit them in one place."""
Columns = Sequence[tuple[str, float, str]]
"""The title of a column, its width in cm, and the name under which a row has its text."""
HEADS: Final[Columns] = (
    ("考核维度", 4.4, "head"), ("指标数", 2.2, "count"), ("分值", 2.2, "weight"),
    ("其中由评审评定", 3.3, "judged"), ("按记录得分", 3.3, "points"),
)
INDICATORS: Final[Columns] = (
    ("考核维度", 2.5, "head"), ("指标", 3.6, "label"), ("要求", 2.7, "wanted"),
    ("完成", 1.6, "actual"), ("完成率", 1.8, "completed"), ("分值", 1.1, "weight"),
    ("得分", 2.2, "points"), ("补录", 1.1, "late"),
)
LATE: Final[Columns] = (
    ("指标", 4.2, "label"), ("服务日期", 2.4, "on"), ("录入时间", 3.4, "at"),
    ("迟（天）", 1.6, "days"), ("记录", 5.0, "record"),
)
REPORTS: Final[Columns] = (
    ("期间", 2.0, "period"), ("快照码", 3.3, "code"), ("发布时间", 3.4, "at"),
    ("发布人", 2.2, "actor"), ("台账位置", 1.8, "position"), ("与台账", 3.9, "found"),
)
CHANGES: Final[Columns] = (
    ("期间", 1.7, "period"), ("指标", 3.2, "label"), ("发布时", 1.4, "before"),
    ("现为", 1.4, "after"), ("变动", 1.3, "change"), ("服务日期", 2.4, "on"),
    ("记录", 5.2, "record"),
)
SIGNALS: Final[Columns] = (
    ("类别", 2.6, "label"), ("日期", 2.3, "on"), ("有关人员", 2.2, "who"), ("说明", 6.9, "text"),
    ("记录数", 1.6, "count"),
)
PROOF: Final[Columns] = (("项目", 3.2, "name"), ("内容", 12.4, "text"))
MONTHS_CM: Final = (3.2, 1.2, 1.0)
"""The name of an indicator, what a row says of it, and each of the twelve months."""
TO_THE_LEFT: Final = frozenset({"head", "label", "text", "record", "name", "found"})


def write_score_template(path: Path) -> None:
    """Write the template that every station starts from."""
    document = begin_document()
    _lay_out(document)
    for text, style in (
        ("{{ sheet.name }}", "Title"), ("{{ title }}", "Title"), ("{{ imprint }}", CELL[0]),
    ):
        document.add_paragraph(text, style=style).alignment = WD_ALIGN_PARAGRAPH.CENTER
    _when(document, "warning", "{{ warning }}")
    _heading(document, "一、得分汇总")
    body_paragraph(document, "{{ summary }}")
    _table(document, "heads", HEADS)
    _heading(document, "二、指标完成情况")
    document.add_paragraph("{%p if indicators %}")
    _indicators(document)
    _otherwise(document)
    _heading(document, "三、分月完成情况")
    document.add_paragraph("{%p if by_month %}")
    _months(document)
    _when(document, "completion", "{{ completion }}")
    _month_charts(document)
    _otherwise(document)
    _list(document, "四、补录", "late", LATE)
    _list(document, "五、与已发布报告的比较", "reports", REPORTS)
    _list(document, "六、报告发布以来的变动", "changes", CHANGES)
    _list(document, "七、核查提示", "signals", SIGNALS)
    _heading(document, "八、核对与签名")
    _table(document, "proof", PROOF)
    body_paragraph(document, "评审意见：")
    body_paragraph(document, "评审签字：　　　　　　　　　　　日期：　　　　年　　月　　日")
    path.parent.mkdir(parents=True, exist_ok=True)
    document.save(str(path))


def _lay_out(document: Any) -> None:
    """Room for wide tables, and styles for the text in them."""
    page = document.sections[0]
    page.left_margin = page.right_margin = Cm(2.2)
    for name, points in (CELL, SMALL_CELL):
        style = document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        style.base_style = document.styles["Normal"]
        style.font.size = Pt(points)
        style.paragraph_format.line_spacing = 1.0
        style.paragraph_format.space_before = style.paragraph_format.space_after = Pt(1)


def _heading(document: Any, text: str) -> None:
    document.add_paragraph(text, style="Heading 1")


def _when(document: Any, name: str, text: str) -> None:
    """A paragraph that stands there only where there is something to say."""
    document.add_paragraph(f"{{%p if {name} %}}")
    paragraph = document.add_paragraph(text)
    paragraph.paragraph_format.line_spacing = 1.0
    document.add_paragraph("{%p endif %}")


def _otherwise(document: Any) -> None:
    """What stands there where a task book gives nothing."""
    document.add_paragraph("{%p else %}")
    body_paragraph(document, "任务书没有可列的指标。")
    document.add_paragraph("{%p endif %}")


def _list(document: Any, heading: str, name: str, columns: Columns) -> None:
    """A table under its heading, with a line before it that says how many and of which."""
    _heading(document, heading)
    body_paragraph(document, f"{{{{ {name}.says }}}}")
    document.add_paragraph(f"{{%p if {name}.rows %}}")
    _table(document, f"{name}.rows", columns)
    document.add_paragraph("{%p endif %}")


def _table(document: Any, name: str, columns: Columns) -> None:
    """A table; docxtpl repeats the row between the two control rows."""
    table = _bare_table(document, 4, [width for _title, width, _key in columns])
    rest = [""] * (len(columns) - 1)
    texts = (
        [title for title, _width, _key in columns], [f"{{%tr for row in {name} %}}", *rest],
        [f"{{{{ row.{key} }}}}" for _title, _width, key in columns], ["{%tr endfor %}", *rest],
    )
    for row, said in zip(table.rows, texts, strict=True):
        _write_row(row, said)
    _centre(table.rows[2], columns)
    _repeat_head(table)


def _centre(row: Any, columns: Columns) -> None:
    """What is no text stands in the middle."""
    for cell, (_title, _width, key) in zip(row.cells, columns, strict=True):
        if key not in TO_THE_LEFT:
            cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.CENTER


def _indicators(document: Any) -> None:
    """The indicators head by head, each head's name in one cell beside its rows."""
    widths = [width for _title, width, _key in INDICATORS]
    table, rest = _bare_table(document, 6, widths), [""] * (len(INDICATORS) - 1)
    keys = [key for _title, _width, key in INDICATORS[1:]]
    cells = ["{% vm %}{{ head.label }}", *(f"{{{{ row.{key} }}}}" for key in keys)]
    texts = (
        [title for title, _width, _key in INDICATORS],
        ["{%tr for head in indicator_heads %}", *rest], ["{%tr for row in head.rows %}", *rest],
        cells, ["{%tr endfor %}", *rest], ["{%tr endfor %}", *rest],
    )
    for row, said in zip(table.rows, texts, strict=True):
        _write_row(row, said)
    _centre(table.rows[3], INDICATORS)
    _repeat_head(table)


def _months(document: Any) -> None:
    """Each indicator: what was done in each month of the cycle, and what was planned."""
    name_cm, kind_cm, month_cm = MONTHS_CM
    table = _bare_table(document, 7, [name_cm, kind_cm, *[month_cm] * 12])
    rest = [""] * 13
    texts = (
        ["指标", "月份", *(f"{{{{ months[{number}] }}}}" for number in range(12))],
        ["{%tr for row in by_month %}", *rest],
        ["{{ row.label }}", "完成", *(f"{{{{ row.done[{number}] }}}}" for number in range(12))],
        ["{%tr if row.has_plan %}", *rest],
        ["", "{{ row.plan_label }}", *(f"{{{{ row.planned[{n}] }}}}" for n in range(12))],
        ["{%tr endif %}", *rest], ["{%tr endfor %}", *rest],
    )
    for row, said in zip(table.rows, texts, strict=True):
        _write_row(row, said, SMALL_CELL)
        for cell in row.cells[1:]:
            cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.CENTER
    _narrow_margins(table)
    _begin_merge(table.cell(2, 0), "restart")
    _begin_merge(table.cell(4, 0), None)
    _repeat_head(table)


def _narrow_margins(table: Any) -> None:
    """Leave the width of a month to its figure."""
    margins = OxmlElement("w:tblCellMar")
    for side in ("left", "right"):
        margin = OxmlElement(f"w:{side}")
        margin.set(qn("w:w"), "20")
        margin.set(qn("w:type"), "dxa")
        margins.append(margin)
    look = table._tbl.tblPr.find(qn("w:tblLook"))  # noqa: SLF001 - as above
    look.addprevious(margins)


def _begin_merge(cell: Any, says: str | None) -> None:
    """A cell that begins, or without ``says`` goes on with, one over several rows.

    Between the two stand control rows, over which python-docx would merge as well.
    """
    merge = OxmlElement("w:vMerge")
    if says is not None:
        merge.set(qn("w:val"), says)
    cell._tc.get_or_add_tcPr().append(merge)  # noqa: SLF001 - as above


def _month_charts(document: Any) -> None:
    """The charts of the months, two in a row."""
    table = _bare_table(document, 3, [8.2, 8.2], style=None)
    texts = (
        ["{%tr for pair in month_charts %}", ""], ["{{ pair[0] }}", "{{ pair[1] }}"],
        ["{%tr endfor %}", ""],
    )
    for row, said in zip(table.rows, texts, strict=True):
        _write_row(row, said)


def _bare_table(
    document: Any, rows: int, widths_cm: Sequence[float], style: str | None = "Table Grid"
) -> Any:
    table = document.add_table(rows=rows, cols=len(widths_cm), style=style)
    table.autofit, table.alignment = False, WD_TABLE_ALIGNMENT.CENTER
    for column, width in zip(table.columns, widths_cm, strict=True):
        column.width = Cm(width)
        for cell in column.cells:
            cell.width = Cm(width)
    return table


def _write_row(row: Any, texts: Sequence[str], style: tuple[str, int] = CELL) -> None:
    for cell, text in zip(row.cells, texts, strict=True):
        cell.paragraphs[0].style = style[0]
        cell.paragraphs[0].add_run(text)
    say_of_row(row, "w:cantSplit")


def _repeat_head(table: Any) -> None:
    """Let a table's head stand on every page that it comes to."""
    say_of_row(table.rows[0], "w:tblHeader")
    for cell in table.rows[0].cells:
        for run in cell.paragraphs[0].runs:
            run.font.bold = True
        cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.CENTER
