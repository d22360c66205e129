"""How does a chart come into a Word file? As a part of its own, where the template names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from docx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.shared import Cm
from docxtpl import DocxTemplate

from workers.charts import Chart, embedded

DRAWING: Final = "http://schemas.openxmlformats.org/drawingml/2006"
INLINE: Final = (
    '<wp:inline xmlns:wp="{drawing}/wordprocessingDrawing" distT="0" distB="0" distL="0" '
    'distR="0"><wp:extent cx="{width}" cy="{height}"/><wp:effectExtent l="0" t="0" r="0" b="0"/>'
    '<wp:docPr id="1" name={name} descr={description}/><wp:cNvGraphicFramePr/>'
    '<a:graphic xmlns:a="{drawing}/main"><a:graphicData uri="{drawing}/chart">'
    '<c:chart xmlns:c="{drawing}/chart" r:id="{part}" xmlns:r="http://schemas.openxmlformats.org/'
    'officeDocument/2006/relationships"/></a:graphicData></a:graphic></wp:inline>'
)
"""A picture in the line (ECMA-376, 20.4.2.8) that shows a chart (21.2)."""


@dataclass(frozen=True, slots=True)
class InlineChart:
    """A chart in the text, as docxtpl has it with pictures: ``{{ chart }}`` puts it there."""

    template: DocxTemplate
    chart: Chart
    width_cm: float
    height_cm: float

    def __html__(self) -> str:
        """The chart's place in the text, with the chart put into the file."""
        said = INLINE.format(
            drawing=DRAWING, width=int(Cm(self.width_cm)), height=int(Cm(self.height_cm)),
            name=quoteattr(self.chart.title), description=quoteattr(self.chart.description),
            part=self._part(self.template.current_rendering_part),
        )
        return f"</w:t></w:r><w:r><w:drawing>{said}</w:drawing></w:r><w:r><w:t>"

    __str__ = __html__

    def _part(self, text: Any) -> str:
        """Put the chart and its workbook into the file; answers by which id the text names it."""
        drawing, workbook = embedded(self.chart)
        package = text.package
        name = package.next_partname("/word/charts/chart%d.xml")
        cells = PackURI(f"/word/embeddings/{name.filename.removesuffix('.xml')}.xlsx")
        part = Part(name, CONTENT_TYPE.DML_CHART, drawing, package)
        book = Part(cells, CONTENT_TYPE.SML_SHEET, workbook, package)
        assert part.relate_to(book, RELATIONSHIP_TYPE.PACKAGE) == "rId1"
        return str(text.relate_to(part, RELATIONSHIP_TYPE.CHART))
