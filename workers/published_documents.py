"""How does a publication become a Word file, the same text every time?

Everything that is printed was frozen with the publication: the words, the figures as they
read, and (kept beside the others under its hash) the template that was filled. A file
rendered twice differs in its bytes, never in its text.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from domain.kernel import STATION_TIME
from domain.publication import PublishedFigure
from domain.vocabulary import UNSTATED, Role
from projections.monthly_report import NUMERALS, Section
from projections.published_reports import Publication
from workers.reports import fill_template, own_template

KEPT_TEMPLATES: Final = "published"


def keep_template(templates: Path) -> str:
    """Keep a copy of the station's template as it is now; answers its SHA-256.

    The copies are named by their hashes, so that a report that was published stays
    printable as it was, whatever becomes of the template.
    """
    content = own_template(templates).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    kept = templates / KEPT_TEMPLATES / f"{digest}.docx"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as part:
            part.write(content)
        Path(part.name).replace(kept)
    return digest


def template_of(published: Publication, templates: Path) -> Path:
    """The template that a publication filled; today's where no copy of it is left."""
    kept = templates / KEPT_TEMPLATES / f"{published.snapshot.template}.docx"
    return kept if kept.exists() else own_template(templates)


def published_by(published: Publication) -> str:
    """Who published it, when, and what was known: one line."""
    at = published.published_at.astimezone(STATION_TIME)
    role = Role.of(published.role).label
    return (
        f"由{published.actor}（{role}）于 {at:%Y-%m-%d %H:%M} 发布，"
        f"台账位置 {published.snapshot.position}"
    )


def footer_of(published: Publication, what: str) -> str:
    """The line in the footer: the printed code by which a file is found again."""
    return f"{what}　快照码 {published.short_code}　{published_by(published)}"


@dataclass(frozen=True, slots=True)
class Printed:
    """What a template names ``report``: its words as they were frozen."""

    title: str
    station: str
    month: str
    profile: Mapping[str, Any]
    as_of: date
    known_at: int
    figures: tuple[PublishedFigure, ...]
    sections: tuple[Section, ...]


def published_fillings(published: Publication) -> dict[str, Any]:
    """What the template may print of a publication (with its texts opened)."""
    snapshot = published.snapshot
    introduction = str(snapshot.profile.get("introduction", ""))
    return {
        "report": Printed(
            snapshot.title, snapshot.station, snapshot.period, snapshot.profile,
            snapshot.last_on, snapshot.position, snapshot.figures, published.sections,
        ),
        "introduction": [t for t in introduction.splitlines() if t.strip()] or [UNSTATED],
        "summary": snapshot.summary,
        "rows": [
            {
                "code": f.code, "label": ("　　" if f.part_of else "") + f.label,
                "display": f.display, "unit": f.unit.label,
            }
            for f in snapshot.figures
        ],
        "numerals": NUMERALS,
        "unstated": UNSTATED,
        "imprint": f"{snapshot.imprint}；快照码 {published.short_code}",
    }


def write_published(published: Publication, target: Path, templates: Path) -> None:
    """Write the Word file of a published report (with its texts opened).

    :raises BadTemplateError: where its template cannot be filled.
    """
    filled = published_fillings(published)
    what = "更正后的报告" if published.is_restatement else "已发布"
    fill_template(template_of(published, templates), filled, target, footer_of(published, what))
