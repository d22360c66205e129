"""How are publications, differences and checked files given to programs?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.answers import local_time
from api.report_data import plain_number
from domain.catalog import to_builtins
from domain.kernel import KINDS, stream_kind, stream_subject
from domain.publication import RestatedFigure
from projections.publications import PublishedRow
from projections.published_reports import Publication
from projections.report_differences import Differences
from workers.report_check import Checked


def publication_data(found: Publication, snapshot: dict[str, Any]) -> dict[str, Any]:
    """A publication; ``snapshot`` is what its code is a hash of, with its texts opened."""
    return publication_summary(found) | {
        "texts": found.texts, "reason": found.reason, "acknowledged": list(found.acknowledged),
        "differences": to_builtins(found.differences), "snapshot": snapshot,
    }


def publication_summary(found: Publication) -> dict[str, Any]:
    """Who published it, when, under which code, and up to which position."""
    return {
        "station": found.snapshot.station, "period": found.period, "number": found.number,
        "code": found.code, "short_code": found.short_code, "restates": found.restates,
        "published_at": local_time(found.published_at), "actor": found.actor,
        "role": found.role, "position": found.snapshot.position,
        "recorded_on": found.recorded_on, "checkpoint": to_builtins(found.checkpoint),
        "title": found.snapshot.title,
    }


def published_row(row: PublishedRow) -> dict[str, Any]:
    """A publication in a list."""
    return {
        "period": row.period, "number": row.number, "code": row.code,
        "short_code": row.short_code, "position": row.position,
        "published_at": local_time(row.published_at), "actor": row.actor,
    }


def differences_data(
    found: Differences, reasons: Mapping[int, str | None]
) -> dict[str, Any]:
    """What has changed since a publication, with the reasons of the records by position."""
    return {
        "period": found.publication.period, "number": found.publication.number,
        "code": found.publication.code, "published_position": found.publication.snapshot.position,
        "position": found.report.known_at,
        "figures": [_figure(figure, reasons) for figure in found.figures],
        "texts": [
            {
                "section": text.section, "part": text.part, "before": list(text.before),
                "after": list(text.after),
            }
            for text in found.texts
        ],
        "redefined": [
            {
                "code": row.code, "label": row.label, "published": row.published,
                "today": row.today,
            }
            for row in found.redefined
        ],
    }


def _figure(figure: RestatedFigure, reasons: Mapping[int, str | None]) -> dict[str, Any]:
    return {
        "code": figure.code, "label": figure.label, "unit": figure.unit.label,
        "published": figure.before, "today": figure.after, "is_cut": figure.is_cut,
        "records": [
            {
                "change": record.change.value, "change_label": record.change.label,
                "kind": stream_kind(record.stream),
                "kind_label": KINDS[stream_kind(record.stream)].label,
                "id": stream_subject(record.stream), "entry": record.entry,
                "position": record.position, "effective_on": record.effective_on.isoformat(),
                "amount": plain_number(record.amount), "reason": reasons.get(record.position),
            }
            for record in figure.records
        ],
    }


def checked_data(found: Checked) -> dict[str, Any]:
    """What a file was found to be."""
    return {
        "verdict": found.verdict.value, "verdict_label": found.verdict.label,
        "codes": list(found.codes),
        "publication": publication_summary(found.publication) if found.publication else None,
        "restated_by": publication_summary(found.newest) if found.newest else None,
        "differences": [
            {"paragraph": d.paragraph, "published": d.published, "given": d.given}
            for d in found.differing
        ],
    }
