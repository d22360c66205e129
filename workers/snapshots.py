"""What is frozen of a report when it is published?"""

from __future__ import annotations

from domain.catalog import to_builtins
from domain.publication import (
    PublishedFigure,
    PublishedPart,
    PublishedSection,
    Snapshot,
    TreeHead,
)
from projections.figures import Figure
from projections.monthly_report import MonthlyReport
from workers.reports import imprint, summary


def snapshot_of(
    report: MonthlyReport, *, template: str | None, checkpoint: TreeHead | None
) -> Snapshot:
    """The snapshot of a report that was made as known at a position of the log."""
    assert isinstance(report.known_at, int)
    return Snapshot(
        station=report.station, period=report.month, first_on=report.period.first,
        last_on=report.period.last, position=report.known_at, title=report.title,
        summary=summary(report), imprint=imprint(report),
        profile=to_builtins(report.profile), indicator_set=to_builtins(report.indicator_set),
        figures=tuple(_figure(figure) for figure in report.figures),
        sections=tuple(
            PublishedSection(
                number=section.number, title=section.title,
                parts=tuple(
                    PublishedPart(title=part.title, facts=part.facts, narrative=part.narrative)
                    for part in section.parts
                ),
            )
            for section in report.sections
        ),
        template=template, checkpoint=checkpoint,
    )


def _figure(figure: Figure) -> PublishedFigure:
    row = figure.indicator
    return PublishedFigure(
        code=row.code, label=row.label, label_en=row.label_en, unit=row.unit,
        value=figure.value, display=figure.display, approximation=figure.approximation,
        unstated=figure.unstated, part_of=row.part_of, is_fact=row.is_fact,
    )
