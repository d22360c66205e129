"""How does a monthly report become a Word file?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.shared import Pt
from docxtpl import DocxTemplate
from jinja2.sandbox import SandboxedEnvironment

from domain.kernel import STATION_TIME
from domain.vocabulary import UNSTATED
from projections.figures import Figure
from projections.moments import instant_of
from projections.monthly_report import NUMERALS, MonthlyReport
from workers.monthly_template import write_template
from workers.whole_files import whole

TEMPLATE_NAME = "monthly-report.docx"


class BadTemplateError(ValueError):
    """The station's own template cannot be filled; says what is wrong with it."""


def write_docx(report: MonthlyReport, target: Path, templates: Path) -> None:
    """Fill the station's template (made on first use in ``templates``) and save the file.

    The file appears whole or not at all.

    :raises BadTemplateError: where the template was edited into something unusable.
    """
    fill_template(own_template(templates), fillings(report), target)


def own_template(templates: Path) -> Path:
    """The station's template, made on first use."""
    template = templates / TEMPLATE_NAME
    if not template.exists():
        write_template(template)
    return template


def fill_template(
    template: Path, filled: dict[str, Any], target: Path, footer: str | None = None
) -> None:
    """Fill a template and save the file, with a line in the footer of each page.

    The file appears whole or not at all.

    :raises BadTemplateError: where the template was edited into something unusable.
    """
    document = DocxTemplate(str(template))
    fill_document(document, filled)
    if footer is not None:
        stamp(document.docx, footer)
    save_whole(document, target)


def fill_document(document: DocxTemplate, filled: dict[str, Any]) -> None:
    """Fill an open template.

    :raises BadTemplateError: where the template was edited into something unusable.
    """
    try:
        # A template is a document that people exchange: it runs in a sandbox.
        document.render(filled, SandboxedEnvironment(autoescape=True), autoescape=True)
    except Exception as error:
        raise BadTemplateError(f"{document.template_file}: {error}") from error


def save_whole(document: Any, target: Path) -> None:
    """Save a document under its name once all of it is written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole(target) as part:
        document.save(part)


def stamp(document: Any, text: str) -> None:
    """Print a line in the footer of every page, whatever the template's footers are."""
    for number, section in enumerate(document.sections):
        footers = [section.footer]
        if section.different_first_page_header_footer:
            footers.append(section.first_page_footer)
        if document.settings.odd_and_even_pages_header_footer:
            footers.append(section.even_page_footer)
        for footer in footers:
            if number == 0 or not footer.is_linked_to_previous:
                _print_in(footer, text)


def _print_in(footer: Any, text: str) -> None:
    first = footer.paragraphs[0] if footer.paragraphs else footer.add_paragraph()
    paragraph = footer.add_paragraph() if first.text else first
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    paragraph.add_run(text).font.size = Pt(9)


def fillings(report: MonthlyReport) -> dict[str, Any]:
    """What the template may print."""
    return {
        "report": report,
        "introduction": [t for t in report.profile.introduction.splitlines() if t.strip()]
        or [UNSTATED],
        "summary": summary(report),
        "rows": [row(figure) for figure in report.figures],
        "numerals": NUMERALS,
        "unstated": UNSTATED,
        "imprint": imprint(report),
    }


def row(figure: Figure) -> dict[str, str]:
    """A figure as a row of the report's table; a part of another is set in (其中)."""
    indicator = figure.indicator
    indent = "　　" if indicator.part_of else ""
    return {
        "code": indicator.code, "label": indent + indicator.label,
        "display": figure.display, "unit": indicator.unit.label,
    }


def summary(report: MonthlyReport) -> str:
    """The month's figures in one sentence."""
    shown = [f for f in report.figures if not f.indicator.is_fact]
    said = "，".join(
        f"{f.indicator.label}{f.display}{f.indicator.unit.label if f.value is not None else ''}"
        for f in shown
    )
    on = report.as_of
    return f"截至{on.year}年{on.month}月{on.day}日，{report.profile.short_name}：{said}。"


def imprint(report: MonthlyReport) -> str:
    """Which question the report answers, printed at its foot."""
    instant = instant_of(report.known_at)
    if instant is not None:
        moment = f"{instant.astimezone(STATION_TIME):%Y-%m-%d %H:%M} 时所知"
    elif report.known_at is not None:
        moment = "当时所知"
    else:
        moment = "现在所知"
    version = report.indicator_set
    moment = f"{moment}（台账至第 {report.position} 条）"
    return f"截至 {report.as_of}，{moment}；口径 {version.code} 第 {version.version} 版"
