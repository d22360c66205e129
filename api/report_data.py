"""How are figures and reports given to programs? The same for the API and the command line."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from domain.kernel import STATION_TIME
from projections.figures import Figure, KnownAt
from projections.monthly_report import MonthlyReport

LONGEST_POSITION: Final = 18
"""Digits of the largest position that both databases can compare with."""


def parse_known_at(text: str) -> KnownAt:
    """A position (``1234``), a day (known at its end) or an RFC 3339 instant.

    :raises ValueError: for anything else.
    """
    if text.isdigit():
        if len(text) > LONGEST_POSITION:
            raise ValueError(text)
        return int(text)
    if len(text) == len("2024-12-05"):
        instant = datetime.combine(date.fromisoformat(text), time.max, STATION_TIME)
    else:
        instant = datetime.fromisoformat(text)
    instant = instant if instant.tzinfo else instant.replace(tzinfo=STATION_TIME)
    if not date.min.year < instant.year < date.max.year:
        raise ValueError(text)
    return instant


def question_of(found: MonthlyReport) -> dict[str, Any]:
    """Which question an answer belongs to."""
    return {
        "station": found.station, "month": found.month, "as_of": found.as_of.isoformat(),
        "known_at": found.known_at.isoformat()
        if isinstance(found.known_at, datetime)
        else found.known_at,
        "indicator_set": found.indicator_set.code,
        "indicator_set_version": found.indicator_set.version,
    }


def figure_data(figure: Figure) -> dict[str, Any]:
    """A figure as the API and the command line give it; ``value`` is null when unstated."""
    indicator, value = figure.indicator, figure.value
    return {
        "code": indicator.code, "label": indicator.label, "label_en": indicator.label_en,
        "value": float(value) if isinstance(value, Decimal) else value,
        "unit": indicator.unit.label, "display": figure.display,
        "kind": indicator.kind.value if indicator.kind else "remainder",
        "approximation": figure.approximation.value, "unstated": figure.unstated,
        "part_of": indicator.part_of, "is_fact": indicator.is_fact,
    }


def as_data(found: MonthlyReport) -> dict[str, Any]:
    """The whole report as plain data."""
    return question_of(found) | {
        "title": found.title,
        "introduction": found.profile.introduction,
        "indicators": [figure_data(figure) for figure in found.figures],
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
