"""What is frozen of a report when it is published?"""

from __future__ import annotations

from domain.catalog import to_builtins
from domain.publication import (
    PublishedPart,
    PublishedSection,
    Snapshot,
    TreeHead,
)
from projections.monthly_report import MonthlyReport
from projections.published_reports import printed
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
        figures=tuple(map(printed, report.figures)),
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
