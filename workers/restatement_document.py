"""How does a restatement (更正说明) read as a Word file?

It is written from two publications and from the log, none of which ever changes: the
reasons of the records stand where they were recorded, and are gone where the person that
they are about was erased.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from docx.enum.text import WD_ALIGN_PARAGRAPH

from domain.kernel import KINDS, stream_kind
from domain.ledger import Ledger
from domain.publication import Change, RestatedFigure, short_code
from projections.published_reports import Publication, publications_for
from projections.report_differences import ChangedText, changed_texts, events_at, reason_at
from workers.monthly_template import begin_document, body_paragraph, write_row
from workers.published_documents import footer_of, published_by
from workers.reports import save_whole, stamp

WIDTHS_CM: Final = (7.2, 4.1, 4.1)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where publications are read; ``shown`` opens what is said in a stream of persons."""

    ledger: Ledger
    templates: Path
    shown: Callable[[Any, str], Any]

    def chain(self, station: str, period: str) -> list[Publication]:
        """The publications of a period in their order, with their texts opened."""
        found = publications_for(self.ledger, station, period)
        return [self.shown(one, one.stream) for one in found]

    def reasons(self, figures: Sequence[RestatedFigure]) -> dict[int, str | None]:
        """Why the records that changed figures were corrected or voided, by position."""
        places = {(row.stream, row.position) for f in figures for row in f.records}
        return {
            position: self.shown(reason_at(event), event.stream)
            for position, event in events_at(self.ledger, places).items()
        }


def write_restatement(
    chain: Sequence[Publication], number: int, sources: Sources, target: Path, *,
    tells_reasons: bool = True,
) -> None:
    """Write what the publication of a number says has changed since the one before it.

    A record's reason may speak of a person: ``tells_reasons`` is for those who read cases.
    """
    published, before = chain[number - 1], chain[number - 2]
    assert published.is_restatement
    document = begin_document()
    title = document.add_paragraph(f"{published.snapshot.title}更正说明", style="Title")
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    for text in _opening(published):
        body_paragraph(document, text)
    figures = published.differences
    _figures(document, figures, sources.reasons(figures) if tells_reasons else {})
    document.add_paragraph("二、正文的变动", style="Heading 1")
    for text in _text_changes(changed_texts(before.sections, published.sections)):
        body_paragraph(document, text)
    last = body_paragraph(document, published_by(published))
    last.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    stamp(document, footer_of(published, "更正说明"))
    save_whole(document, target)


def _opening(published: Publication) -> list[str]:
    assert published.restates is not None
    corrected = f"《{published.snapshot.title}》（快照码 {short_code(published.restates)}）"
    return [
        f"本说明更正已发布的{corrected}。原报告保持原样，以下为其发布后的变动。",
        f"更正缘由：{published.reason}",
    ]


def _figures(
    document: Any, figures: Sequence[RestatedFigure], reasons: Mapping[int, str | None]
) -> None:
    document.add_paragraph("一、数字的变动", style="Heading 1")
    if not figures:
        body_paragraph(document, "没有数字变动。")
        return
    table = document.add_table(rows=1 + len(figures), cols=3, style="Table Grid")
    table.autofit = False
    texts = [("指标", "原报告", "现为")]
    texts += [(f"{f.label}（{f.unit.label}）", f.before, f.after) for f in figures]
    for row, said in zip(table.rows, texts, strict=True):
        write_row(row, said, WIDTHS_CM)
    for figure in figures:
        for text in _because(figure, reasons):
            body_paragraph(document, text)


def _because(figure: RestatedFigure, reasons: Mapping[int, str | None]) -> list[str]:
    """The records that changed a figure, a line each."""
    lines = [f"“{figure.label}”由{figure.before}改为{figure.after}："]
    for number, record in enumerate(figure.records, start=1):
        is_merge = record.change in {Change.MERGED, Change.UNMERGED}  # says it all by itself
        kind = "" if is_merge else KINDS[stream_kind(record.stream)].label
        reason = reasons.get(record.position)
        why = f"，原因：{reason}" if reason else ""
        day = record.effective_on
        lines.append(
            f"{number}.{record.change.label}{kind}（{day.year}年{day.month}月{day.day}日，"
            f"台账位置 {record.position}），{'加' if record.amount > 0 else '减'} "
            f"{abs(record.amount)}{why}。"
        )
    if figure.is_cut:
        lines.append("其余记录见系统中的差异清单。")
    return lines


def _text_changes(texts: tuple[ChangedText, ...]) -> list[str]:
    if not texts:
        return ["没有正文变动。"]
    lines: list[str] = []
    for change in texts:
        name = f"{change.section}·{change.part}" if change.part else change.section
        lines += [f"“{name}”原为：", *(change.before or ("（无）",))]
        lines += ["现为：", *(change.after or ("（无）",))]
    return lines
