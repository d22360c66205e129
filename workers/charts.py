"""How does a chart of figures look? Native, so that Excel and Word both let it be edited.

XlsxWriter draws each chart over cells of a sheet. Word keeps the same drawing (DrawingML)
beside a little workbook with the same cells: it is taken out of one (``embedded``).
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import xlsxwriter

Value = int | Decimal | None

COLOURS: Final = ("#2F6F8F", "#C9C9C9", "#B5651D")
"""What was done, what was promised, what is beside them: told apart in grey print, too."""
DATA_SHEET: Final = "数据"
FONT: Final = "宋体"
_DRAWING: Final = "xl/charts/chart1.xml"
_PRINTING: Final = re.compile(rb"<c:printSettings>.*?</c:printSettings>", re.DOTALL)
_SAID: Final = (
    (rb"(<c:lang [^>]*/>)", rb'\1<c:roundedCorners val="0"/>'),
    (rb"(<c:plotVisOnly [^>]*/>)", rb'\1<c:dispBlanksAs val="gap"/>'),
    (rb"(</c:scaling>)", rb'\1<c:delete val="0"/>'),
    (rb"(</c:tx><c:layout/>)", rb'\1<c:overlay val="0"/>'),
    (rb"(<c:legendPos [^>]*/><c:layout/>)", rb'\1<c:overlay val="0"/>'),
    (
        rb'<c:showVal val="1"/>',
        (
            b'<c:showLegendKey val="0"/><c:showVal val="1"/><c:showCatName val="0"/>'
            b'<c:showSerName val="0"/><c:showPercent val="0"/><c:showBubbleSize val="0"/>'
        ),
    ),
)
"""What Excel takes for granted where it is not said, and Word takes the other way round."""
_WORKBOOK: Final = b'<c:externalData r:id="rId1"><c:autoUpdate val="0"/></c:externalData>'


@dataclass(frozen=True, slots=True)
class Series:
    """A row of values under one name, in the order of the chart's categories."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Values by category. ``is_across`` lets the bars lie, for categories with long names."""

    title: str
    categories: tuple[str | int, ...]
    series: tuple[Series, ...]
    unit: str = ""
    is_across: bool = False

    @property
    def description(self) -> str:
        """What the chart shows, for whoever cannot see it."""
        said = "；".join(
            f"{one.name} " + "、".join(
                f"{name} {_plain(value)}"
                for name, value in zip(self.categories, one.values, strict=True)
            )
            for one in self.series
        )
        return f"{self.title}：{said}"[:1_000]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cells of a chart are: categories go down from ``row``, a series a column."""

    sheet: str
    row: int
    column: int


def write_cells(sheet: Any, chart: Chart, place: Place) -> None:
    """Write the cells that a chart is drawn over: a head, and a row a category."""
    head = [f"{chart.title}（{chart.unit}）", *(series.name for series in chart.series)]
    for number, text in enumerate(head):
        sheet.write_string(place.row, place.column + number, text)
    for down, category in enumerate(chart.categories, start=place.row + 1):
        write = sheet.write_number if isinstance(category, int) else sheet.write_string
        write(down, place.column, category)
        for number, series in enumerate(chart.series, start=place.column + 1):
            value = series.values[down - place.row - 1]
            if value is not None:
                sheet.write_number(down, number, value)


def drawn(workbook: Any, chart: Chart, place: Place) -> Any:
    """A chart over its cells, to be inserted somewhere.

    It brings its values along, since a workbook that is written row by row has none at hand.
    """
    found = workbook.add_chart({"type": "bar" if chart.is_across else "column"})
    first, last = place.row + 1, place.row + len(chart.categories)
    for number, series in enumerate(chart.series, start=1):
        column = place.column + number
        found.add_series({
            "name": [place.sheet, place.row, column], "name_data": [series.name],
            "categories": [place.sheet, first, place.column, last, place.column],
            "categories_data": list(chart.categories),
            "values": [place.sheet, first, column, last, column],
            "values_data": list(series.values),
            "fill": {"color": COLOURS[number - 1]}, "gap": 60, "overlap": 0,
            "data_labels": {"value": True, "font": {"size": 8}} if number == 1 else {},
        })
    small = {"name": FONT, "size": 9}
    found.set_title({"name": chart.title, "name_font": {"name": FONT, "size": 11}})
    found.set_legend({"position": "bottom", "font": small})
    plain = {"num_font": small, "major_tick_mark": "none", "minor_tick_mark": "none"}
    categories = plain | {"reverse": chart.is_across}
    values = plain | {
        "name": chart.unit, "name_font": small, "min": 0,
        "major_gridlines": {"visible": True, "line": {"color": "#E0E0E0"}},
    }
    if chart.is_across:  # the library then means by x and y what is seen
        found.set_y_axis(categories)
        found.set_x_axis(values | {"label_position": "high"})
    else:
        found.set_x_axis(categories)
        found.set_y_axis(values)
    return found


def embedded(chart: Chart) -> tuple[bytes, bytes]:
    """A chart for a Word file: the drawing, and the workbook whose cells it is over."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"constant_memory": True}) as workbook:
        sheet, place = workbook.add_worksheet(DATA_SHEET), Place(DATA_SHEET, 0, 0)
        write_cells(sheet, chart, place)
        sheet.insert_chart(0, len(chart.series) + 2, drawn(workbook, chart, place))
    with zipfile.ZipFile(content) as parts:
        drawing = parts.read(_DRAWING)
    for pattern, said in _SAID:
        drawing = re.sub(pattern, said, drawing)
    return _PRINTING.sub(_WORKBOOK, drawing), content.getvalue()


def _plain(value: Value) -> str:
    return "—" if value is None else str(value)
