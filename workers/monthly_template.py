"""Which Word template does the monthly report fill?

The template is the station's own: it is written once into the data folder, and from
then on may be edited in WPS or Word. What stands in ``{{ }}`` and ``{% %}`` is filled
in; everything else (fonts, order, headings) is the station's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt

BODY_FONT = "仿宋"
HEADING_FONT = "黑体"
WIDTHS_CM = (9.0, 3.8, 2.6)


def write_template(path: Path) -> None:
    """Write the template that every station starts from."""
    document = begin_document()
    title = document.add_paragraph("{{ report.title }}", style="Title")
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    document.add_paragraph("站点简介", style="Heading 1")
    body_paragraph(document, "{%p for text in introduction %}")
    body_paragraph(document, "{{ text }}")
    body_paragraph(document, "{%p endfor %}")
    body_paragraph(document, "{%p for section in report.sections %}")
    document.add_paragraph("{{ section.number }}、{{ section.title }}", style="Heading 1")
    body_paragraph(document, "{%p if loop.first %}")
    body_paragraph(document, "{{ summary }}")
    _figures(document)
    body_paragraph(document, "{%p endif %}")
    _parts(document)
    body_paragraph(document, "{%p endfor %}")
    foot = body_paragraph(document, "{{ imprint }}")
    foot.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    path.parent.mkdir(parents=True, exist_ok=True)
    document.save(str(path))


def begin_document() -> Any:
    """An empty document with the page and the fonts of official papers."""
    document = Document()
    _page(document)
    _style(document.styles["Normal"], BODY_FONT, 14)
    document.styles["Normal"].paragraph_format.line_spacing = Pt(26)
    for name, size in (("Title", 18), ("Heading 1", 16), ("Heading 2", 14)):
        _style(document.styles[name], HEADING_FONT, size)
    return document


def _page(document: Any) -> None:
    page = document.sections[0]
    page.page_width, page.page_height = Cm(21), Cm(29.7)
    page.left_margin = page.right_margin = Cm(2.8)
    page.top_margin = page.bottom_margin = Cm(2.6)


def _style(style: Any, font: str, size: int) -> None:
    """Set the font for Chinese text too: Word keeps it in an attribute of its own."""
    style.font.name, style.font.size = font, Pt(size)
    style.font.color.rgb = None
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for attribute in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
        fonts.attrib.pop(qn(attribute), None)
    fonts.set(qn("w:eastAsia"), font)
    for border in style.element.findall(f".//{qn('w:pBdr')}"):
        border.getparent().remove(border)


def body_paragraph(document: Any, text: str) -> Any:
    """A paragraph of the text, its first line set in by two characters."""
    paragraph = document.add_paragraph(text)
    paragraph.paragraph_format.first_line_indent = Pt(28)
    paragraph.paragraph_format.space_after = Pt(4)
    return paragraph


def _figures(document: Any) -> None:
    """The table of figures; docxtpl repeats the row between the two control rows."""
    table = document.add_table(rows=4, cols=3, style="Table Grid")
    table.autofit = False
    for column, width in zip(table.columns, WIDTHS_CM, strict=True):
        column.width = Cm(width)
    texts = (
        ("指标", "数量", "单位"),
        ("{%tr for row in rows %}", "", ""),
        ("{{ row.label }}", "{{ row.display }}", "{{ row.unit }}"),
        ("{%tr endfor %}", "", ""),
    )
    for cells, row in zip(texts, table.rows, strict=True):
        write_row(row, cells, WIDTHS_CM)
    say_of_row(table.rows[0], "w:tblHeader")  # the head stands on every page


def say_of_row(row: Any, name: str) -> None:
    """Something of a row that python-docx has no name for."""
    said = OxmlElement(name)
    said.set(qn("w:val"), "true")
    row._tr.get_or_add_trPr().append(said)  # noqa: SLF001 - no other way to it


def write_row(row: Any, texts: Sequence[str], widths_cm: Sequence[float]) -> None:
    """Write the texts of a table's row into its cells."""
    for text, cell, width in zip(texts, row.cells, widths_cm, strict=True):
        cell.text, cell.width = text, Cm(width)
        for paragraph in cell.paragraphs:
            paragraph.paragraph_format.line_spacing = Pt(20)
            for run in paragraph.runs:
                run.font.size = Pt(12)


def _parts(document: Any) -> None:
    body_paragraph(document, "{%p if section.is_empty %}")
    body_paragraph(document, "（{{ unstated }}）")
    body_paragraph(document, "{%p endif %}")
    body_paragraph(document, "{%p for part in section.parts if not part.is_empty %}")
    body_paragraph(document, "{%p if part.title %}")
    document.add_paragraph("（{{ numerals[loop.index0] }}）{{ part.title }}", style="Heading 2")
    body_paragraph(document, "{%p endif %}")
    for group in ("facts", "narrative"):
        body_paragraph(document, f"{{%p for text in part.{group} %}}")
        numbered = "{{ loop.index }}." if group == "facts" else ""
        is_plan = "{% if section.number == '七' %}{{ loop.index }}.{% endif %}"
        body_paragraph(document, (numbered or is_plan) + "{{ text }}")
        body_paragraph(document, "{%p endfor %}")
    body_paragraph(document, "{%p endfor %}")
