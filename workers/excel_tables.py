"""How does a table of ours become cells? Ids and texts as text, numbers as numbers.

A text is never taken for a formula or a link, whatever it begins with, and an id never
loses its digits. Rows are written downwards and not held, so a table may be long.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final

import xlsxwriter

from domain.kernel import STATION_TIME

Cell = str | int | Decimal | date | datetime | bool | None
FONT: Final = "宋体"
MOST_ROWS: Final = 1_000_000
"""A sheet of Excel ends at 1,048,576 rows."""


@dataclass(frozen=True, slots=True)
class ExcelTable:
    """A sheet: its title, a line that says what it is, the columns with their widths, the rows."""

    title: str
    says: str
    columns: Sequence[tuple[str, int]]
    rows: Iterable[Sequence[Cell]]
    without: str = "没有。"
    """What stands there where there is no row."""


@dataclass
class Excel:
    """A workbook on its way, with the few formats that our sheets have."""

    workbook: Any
    formats: dict[str, Any] = field(default_factory=dict)

    def sheet(self, name: str) -> Any:
        """A new sheet, for A4 across, its head repeated on each page."""
        sheet = self.workbook.add_worksheet(name)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.set_footer("&C&P / &N")
        return sheet

    def table(self, sheet: Any, table: ExcelTable, row: int = 0) -> int:
        """Write a table; answers the row after it."""
        for number, (_name, width) in enumerate(table.columns):
            sheet.set_column(number, number, width)
        sheet.write_string(row, 0, table.title, self.look("title"))
        sheet.write_string(row + 1, 0, table.says, self.look("says"))
        for number, (name, _width) in enumerate(table.columns):
            sheet.write_string(row + 2, number, name, self.look("head"))
        sheet.freeze_panes(row + 3, 0)
        sheet.repeat_rows(row + 2)
        down = row + 3
        for cells in islice(table.rows, MOST_ROWS):
            self.row(sheet, down, cells)
            down += 1
        if down == row + 3:
            sheet.write_string(down, 0, table.without, self.look("says"))
            down += 1
        return down

    def row(self, sheet: Any, down: int, cells: Sequence[Cell], look: str = "") -> None:
        """Write the cells of a row, each as what it is."""
        for number, cell in enumerate(cells):
            self.cell(sheet, down, number, cell, look)

    def cell(self, sheet: Any, down: int, across: int, cell: Cell, look: str = "") -> None:
        """Write one cell."""
        match cell:
            case None:
                sheet.write_blank(down, across, None, self.look(look or "text"))
            case bool():
                sheet.write_string(down, across, "是" if cell else "", self.look(look or "text"))
            case int() | Decimal():
                sheet.write_number(down, across, cell, self.look(look or "number"))
            case datetime():
                local = cell.astimezone(STATION_TIME).replace(tzinfo=None)
                sheet.write_datetime(down, across, local, self.look("instant"))
            case date():
                sheet.write_datetime(down, across, cell, self.look("day"))
            case str():
                sheet.write_string(down, across, cell, self.look(look or "text"))

    def look(self, name: str) -> Any:
        """A format by its name, made once."""
        if name not in self.formats:
            plain = {"font_name": FONT, "font_size": 10, "valign": "vcenter"}
            self.formats[name] = self.workbook.add_format(plain | LOOKS[name])
        return self.formats[name]


BORDER: Final = {"border": 1, "border_color": "#BFBFBF"}
LOOKS: Final[dict[str, dict[str, Any]]] = {
    "title": {"bold": True, "font_size": 14},
    "says": {"font_color": "#595959"},
    "head": BORDER | {"bold": True, "bg_color": "#E8EEF2", "text_wrap": True, "align": "center"},
    "text": BORDER | {"text_wrap": True},
    "sum": BORDER | {"bold": True, "bg_color": "#F4F4F4"},
    "number": BORDER | {"align": "right"},
    "day": BORDER | {"num_format": "yyyy-mm-dd", "align": "center"},
    "instant": BORDER | {"num_format": "yyyy-mm-dd hh:mm", "align": "center"},
}
"""What there is besides the font, by what a cell is."""


def write_workbook(target: Path, fill: Callable[[Excel], None], made_at: datetime) -> None:
    """Write a workbook, whole or not at all; what is the same again has the same bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".xlsx")
    os.close(handle)
    part = Path(name)
    try:
        with xlsxwriter.Workbook(str(part), {"constant_memory": True}) as workbook:
            workbook.set_properties({"created": made_at.replace(tzinfo=None)})
            fill(Excel(workbook))
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
