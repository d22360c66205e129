"""How does a certificate of voluntary service (志愿服务记录证明) become a Word file?

The template is the station's own from the first use on and may be edited in WPS or Word:
what stands in ``{{ }}`` is filled in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from docx.enum.text import WD_ALIGN_PARAGRAPH

from workers.monthly_template import begin_document, body_paragraph
from workers.reports import fill_template

TEMPLATE_NAME: Final = "service-certificate.docx"
TITLE: Final = "志愿服务记录证明"
CLOSING: Final = "特此证明。"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says: confirmed minutes only."""

    number: str
    name: str
    station: str
    first: date
    last: date
    minutes: int
    issued_on: date
    position: int

    @property
    def duration(self) -> str:
        """The minutes as people say them."""
        return duration_said(self.minutes)

    @property
    def text(self) -> str:
        """What is certified, in a sentence."""
        return (
            f"兹证明{self.name}同志于{day_said(self.first)}至{day_said(self.last)}"
            f"在{self.station}参加志愿服务，经确认的服务时长共计{self.duration}。"
        )

    @property
    def foot(self) -> tuple[str, str, str]:
        """Who certifies, when, and what the certificate is found by."""
        return f"{self.station}（盖章）", day_said(self.issued_on), self.imprint

    @property
    def imprint(self) -> str:
        """By what it is found and checked in the ledger."""
        return f"证明编号 {self.number} · 台账第 {self.position} 条"


def duration_said(minutes: int) -> str:
    """Minutes as hours and minutes."""
    hours, rest = divmod(minutes, 60)
    return "".join(
        f"{number}{unit}" for number, unit in ((hours, "小时"), (rest, "分钟")) if number
    ) or "0分钟"


def day_said(day: date) -> str:
    """A day as official papers have it."""
    return f"{day.year}年{day.month}月{day.day}日"


def write_certificate(certificate: Certificate, target: Path, templates: Path) -> None:
    """Fill the station's template (made on first use in ``templates``) and save the file.

    :raises BadTemplateError: where the template was edited into something unusable.
    """
    template = templates / TEMPLATE_NAME
    if not template.exists():
        _write_template(template)
    fill_template(template, {
        "certificate": certificate, "text": certificate.text, "foot": certificate.foot,
    }, target)


def _write_template(path: Path) -> None:
    document = begin_document()
    title = document.add_paragraph(TITLE, style="Title")
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    body_paragraph(document, "{{ text }}")
    body_paragraph(document, CLOSING)
    for line in range(3):
        paragraph = body_paragraph(document, f"{{{{ foot[{line}] }}}}")
        paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    path.parent.mkdir(parents=True, exist_ok=True)
    document.save(str(path))
