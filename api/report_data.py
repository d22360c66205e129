"""How are figures and reports given to programs? The same for the API and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from projections.figures import Figure
from projections.indicator_checks import kind_of
from projections.late_entries import Lateness
from projections.moments import known_at_text
from projections.monthly_report import MonthlyReport

AS_OF_HELP: Final = "截至（服务日期）：不计此日以后发生的；省略则不限"
KNOWN_AT_HELP: Final = (
    "当时所知：时刻（RFC 3339）、日期（本站日历该日结束时）或台账位置；"
    "时刻或日期后可加 @台账位置，例如 2024-12-05@1234；省略则为现在"
)
"""How the two times of a question are written, in the API's documentation and in ``--help``."""


def question_of(found: MonthlyReport) -> dict[str, Any]:
    """Which question an answer belongs to."""
    return {
        "station": found.station, "month": found.month, "as_of": found.as_of.isoformat(),
        "known_at": known_at_text(found.known_at), "position": found.position,
        "indicator_set": found.indicator_set.code,
        "indicator_set_version": found.indicator_set.version,
    }


def figure_data(figure: Figure, late: Mapping[str, Lateness]) -> dict[str, Any]:
    """A figure as the API and the command line give it; ``value`` is null when unstated."""
    indicator, value = figure.indicator, figure.value
    behind = late.get(indicator.code, Lateness())
    return {
        "code": indicator.code, "label": indicator.label, "label_en": indicator.label_en,
        "value": float(value) if isinstance(value, Decimal) else value,
        "unit": indicator.unit.label, "display": figure.display,
        "kind": kind_of(indicator),
        "approximation": figure.approximation.value, "unstated": figure.unstated,
        "part_of": indicator.part_of, "is_fact": indicator.is_fact,
        "late_entries": behind.late, "imported_entries": behind.imported,
    }


def as_data(found: MonthlyReport) -> dict[str, Any]:
    """The whole report as plain data."""
    return question_of(found) | {
        "title": found.title,
        "introduction": found.profile.introduction,
        "indicators": [figure_data(figure, found.late) for figure in found.figures],
        "sections": [
            {
                "number": section.number, "title": section.title,
                "parts": [
                    {
                        "title": part.title, "facts": list(part.facts),
                        "narrative": list(part.narrative),
                    }
                    for part in section.parts
                ],
            }
            for section in found.sections
        ],
    }
