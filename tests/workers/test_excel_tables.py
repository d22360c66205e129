"""Does a text stay a text in Excel, whatever it looks like, and a number a number?"""

from __future__ import annotations

import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from lxml import etree

from workers.excel_tables import Excel, ExcelTable, write_workbook

HOSTILE = (
    "=1+1", "+8613900000000", "-1", "@SUM(A1)", "https://example.org/x", "370102190001011234",
    '=HYPERLINK("http://x")', "00123",
)


def test_no_text_becomes_a_formula_a_link_or_a_number(tmp_path: Path) -> None:
    def fill(excel: Excel) -> None:
        rows = [(text, Decimal("1.5"), date(2024, 11, 5), None) for text in HOSTILE]
        columns = [("编号", 20), ("数", 8), ("日", 12), ("空", 8)]
        excel.table(excel.sheet("表"), ExcelTable("标题", "说明", columns, rows))

    for name in ("a.xlsx", "b.xlsx"):
        write_workbook(tmp_path / name, fill, datetime(2025, 6, 30, tzinfo=UTC))
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.xlsx", "b.xlsx"]
    with zipfile.ZipFile(tmp_path / "a.xlsx") as archive:
        sheet = etree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    cells = {cell.get("r"): cell for cell in sheet.iter("{*}c")}
    for number, text in enumerate(HOSTILE, start=4):
        cell = cells[f"A{number}"]
        assert (cell.get("t"), "".join(cell.itertext())) == ("inlineStr", text)
        assert "".join(cells[f"B{number}"].itertext()) == "1.5"
        assert "".join(cells[f"C{number}"].itertext()) == "45601"  # the day as Excel counts it
    assert not list(sheet.iter("{*}f", "{*}hyperlink"))
