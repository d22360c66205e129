"""What does a published report say?

It is read from the log itself, so that a report shows as published the moment it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

import msgspec

from domain.kernel import Recorded, stream_id
from domain.ledger import Ledger
from domain.publication import (
    PublishedFigure,
    ReportNotPublished,
    ReportPublished,
    ReportRestated,
    RestatedFigure,
    Snapshot,
    TreeHead,
    short_code,
)
from projections.figures import Figure
from projections.histories import Histories
from projections.indicators import IndicatorSet
from projections.monthly_report import Part, Section


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication as it was recorded. Texts that may name persons are sealed in it.

    ``reason``, ``restates`` and ``differences`` are a restatement's; ``recorded_on`` is
    the position of the publication itself, ``snapshot.position`` what was known.
    """

    stream: str
    number: int
    code: str
    texts: str
    actor: str
    role: str
    published_at: datetime
    recorded_on: int
    snapshot: Snapshot
    sections: tuple[Section, ...]
    reason: str | None = None
    restates: str | None = None
    differences: tuple[RestatedFigure, ...] = ()
    acknowledged: tuple[str, ...] = ()

    @property
    def short_code(self) -> str:
        """The code as it is printed."""
        return short_code(self.code)

    @property
    def is_restatement(self) -> bool:
        """Whether it restates an earlier one."""
        return self.restates is not None

    @property
    def figures(self) -> tuple[PublishedFigure, ...]:
        """The figures as they were printed."""
        return self.snapshot.figures

    @property
    def checkpoint(self) -> TreeHead | None:
        """The checkpoint of the log that was the newest then."""
        return self.snapshot.checkpoint

    @property
    def period(self) -> str:
        """The period's name."""
        return self.snapshot.period

    @property
    def last_on(self) -> date:
        """The last day of the period."""
        return self.snapshot.last_on


def publications_for(ledger: Histories, station: str, period: str) -> list[Publication]:
    """The publications of a period, the first and each restatement, in their order."""
    return publications_in(ledger.history(stream_id(station, "report", period)))


def publications_in(history: Iterable[Recorded]) -> list[Publication]:
    """The publications that a period's own stream holds, in their order."""
    return [_publication(event) for event in history]


def publication(
    ledger: Ledger, station: str, period: str, number: int | None = None
) -> Publication:
    """A publication of a period: the first, second, …; the newest where none is named.

    :raises ReportNotPublished: where there is none such.
    """
    chain = publications_for(ledger, station, period)
    if not chain or (number is not None and not 1 <= number <= len(chain)):
        raise ReportNotPublished(period=period[:20])
    return chain[(number or len(chain)) - 1]


def _publication(event: Recorded) -> Publication:
    said, envelope = event.event, event.envelope
    assert isinstance(said, ReportPublished | ReportRestated)
    assert said.code is not None
    assert said.texts is not None
    found = Publication(
        event.stream, event.version, said.code, said.texts, envelope.actor, envelope.role,
        envelope.recorded_at, event.position, said.snapshot, sections_of(said.snapshot),
    )
    if isinstance(said, ReportRestated):
        return replace(
            found, reason=said.reason, restates=said.restates, differences=said.differences
        )
    return replace(found, acknowledged=said.acknowledged)


def sections_of(snapshot: Snapshot) -> tuple[Section, ...]:
    """The sections of a snapshot as reports have them."""
    return tuple(
        Section(
            section.number, section.title,
            tuple(Part(part.title, part.facts, part.narrative) for part in section.parts),
        )
        for section in snapshot.sections
    )


def printed(figure: Figure) -> PublishedFigure:
    """A figure as it is printed and kept."""
    row = figure.indicator
    return PublishedFigure(
        code=row.code, label=row.label, label_en=row.label_en, unit=row.unit,
        value=figure.value, display=figure.display, approximation=figure.approximation,
        unstated=figure.unstated, part_of=row.part_of, is_fact=row.is_fact,
    )


def indicators_of(snapshot: Snapshot) -> IndicatorSet:
    """The indicator set by which a snapshot was counted, with its definitions."""
    return msgspec.convert(snapshot.indicator_set, IndicatorSet)
