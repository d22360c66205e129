"""Which streams name a household, a volunteer or another subject, as far as was projected?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from domain.ledger import Subject
from projections.engine import ReadModels
from projections.timeline import record_subjects, records

MOST_STREAMS: Final = 500


@dataclass(frozen=True, slots=True)
class RecordIndex:
    """Answers the ledger from the timeline (``domain/ledger/references.py``)."""

    read_models: Callable[[], ReadModels]

    def streams_naming(self, subject: Subject) -> tuple[Sequence[str], int]:
        """Streams that name a subject, those recorded first first, and up to which position.

        Voided records come after those that count, of which a few are enough.
        """
        return self._naming(subject, MOST_STREAMS)

    def streams_ever_naming(self, subject: Subject) -> tuple[Sequence[str], int]:
        """Every stream that names or ever named a subject, or that could not be read."""
        parked = [row.stream for row in self.read_models().parked()]
        named, position = self._naming(subject, None)
        return [*named, *parked], position

    def _naming(self, subject: Subject, most: int | None) -> tuple[Sequence[str], int]:
        found = self.read_models()
        position = found.position()
        named = select(records.c.stream).where(records.c.station == subject.station)
        if subject.kind == "station":
            named = named.where(records.c.kind != "station")
        else:
            named = named.join(
                record_subjects,
                (record_subjects.c.stream == records.c.stream)
                & (record_subjects.c.entry == records.c.entry),
            ).where(
                record_subjects.c.station == subject.station,
                record_subjects.c.subject == f"{subject.kind}:{subject.id}",
            )
        query = named.order_by(records.c.status, records.c.position).limit(most)
        with found.engine.connect() as connection:
            return connection.execute(query).scalars().all(), position
