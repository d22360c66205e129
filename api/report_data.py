"""How are figures and reports given to programs? The same for the API and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from projections.area_reports import AreaReport
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


def plain_number(value: int | Decimal | None) -> int | float | None:
    """A number as JSON has it; null where it was not stated."""
    return float(value) if isinstance(value, Decimal) else value


def figure_data(figure: Figure, late: Mapping[str, Lateness]) -> dict[str, Any]:
    """A figure as the API and the command line give it; ``value`` is null when unstated."""
    behind = late.get(figure.indicator.code, Lateness())
    return summed_data(figure) | {
        "late_entries": behind.late, "imported_entries": behind.imported,
    }


def summed_data(figure: Figure) -> dict[str, Any]:
    """A figure alone, as sums over stations are given."""
    indicator = figure.indicator
    return {
        "code": indicator.code, "label": indicator.label, "label_en": indicator.label_en,
        "value": plain_number(figure.value),
        "unit": indicator.unit.label, "display": figure.display,
        "kind": kind_of(indicator),
        "approximation": figure.approximation.value, "unstated": figure.unstated,
        "part_of": indicator.part_of, "is_fact": indicator.is_fact,
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


def area_data(found: AreaReport) -> dict[str, Any]:
    """The report of an area as plain data: the sums, what is not in them, the stations."""
    return {
        "scope": found.scope.value, "area": found.area, "period": found.asked.name,
        "title": found.title, "notes": found.notes,
        "indicators": [summed_data(figure) for figure in found.summed],
        "apart": [
            {"station": one.station, "indicators": [summed_data(f) for f in one.figures]}
            for one in found.apart
        ],
        "stations": [
            {
                "station": one.station, "name": one.name,
                "indicator_set": one.indicator_set.code,
                "indicator_set_version": one.indicator_set.version,
                "figures": {f.indicator.code: f.display for f in one.figures},
            }
            for one in found.stations
        ],
    }
