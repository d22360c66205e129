"""Which evidence does a record have: photos, sign-in sheets, papers?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, String, Table, Text, select

from domain.evidence import EvidenceAttached
from domain.kernel import Stream, stream_station, stream_subject
from domain.vault import sealed_places
from projections.columns import UtcDateTime
from projections.kernel import FoldProjection, Rows, metadata

CHUNK: Final = 400
MOST_SHOWN: Final = 100
"""How many files a record's page shows."""

evidence: Final = Table(
    "evidence",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("evidence", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("media_type", String(64), nullable=False),
    Column("byte_count", BigInteger, nullable=False),
    Column("file", String(64), nullable=False),
    Column("file_key", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("caption", Text),
    Column("status", String(16), nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Index("ix_evidence_record", "station", "record", "recorded_at"),
    Index("ix_evidence_owner", "owner"),
)
"""``owner`` is whose key opens the file; ``file_key`` and ``caption`` are sealed."""


class EvidenceOfRecords(FoldProjection):
    """One row a file."""

    name = "evidence"
    label = "佐证材料"
    kinds = ("evidence",)
    tables = (evidence,)

    def rows(self, stream: Stream[Any]) -> Rows:
        """The file as it stands, also where it was voided."""
        for entry in stream.entries.values():
            event = entry.statement.event
            assert isinstance(event, EvidenceAttached)
            places = sealed_places(event.file_key)
            yield evidence, {
                "stream": stream.id, "station": stream_station(stream.id),
                "evidence": stream_subject(stream.id), "record": event.record,
                "step": event.step, "kind": event.kind.value,
                "media_type": event.media_type.value, "byte_count": event.byte_count,
                "file": event.file,
                "file_key": event.file_key, "owner": places[0][0] if places else "",
                "caption": event.caption, "status": "voided" if entry.is_voided else "active",
                "recorded_at": entry.recorded_at, "actor": entry.actor,
            }


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """A file as a record's page shows it."""

    stream: str
    evidence: str
    record: str
    step: int
    kind: str
    media_type: str
    byte_count: int
    file_key: str
    caption: str | None
    recorded_at: datetime
    actor: str


def evidence_of(
    connection: Connection, station: str, *, record: str = "", evidence_id: str = ""
) -> Sequence[EvidenceRow]:
    """The files of a record that count, in the order in which they were attached.

    Or one file by its id, also where it was voided.
    """
    query = select(*(evidence.c[n] for n in EvidenceRow.__dataclass_fields__))
    query = query.where(evidence.c.station == station)
    if evidence_id:
        query = query.where(evidence.c.evidence == evidence_id)
    else:
        query = query.where(evidence.c.record == record, evidence.c.status == "active")
    rows = connection.execute(
        query.order_by(evidence.c.recorded_at, evidence.c.stream).limit(MOST_SHOWN)
    )
    return [EvidenceRow(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


def streams_of_record(connection: Connection, station: str, record: str) -> Sequence[str]:
    """The evidence that a record has, or had."""
    is_of = (evidence.c.station == station) & (evidence.c.record == record)
    return connection.execute(select(evidence.c.stream).where(is_of)).scalars().all()


def files_of_owners(connection: Connection, owners: Collection[str]) -> list[str]:
    """The files that the keys of some owners open."""
    found: list[str] = []
    names = sorted(owners)
    for start in range(0, len(names), CHUNK):
        chunk = names[start : start + CHUNK]
        stations = {stream_station(owner) for owner in chunk}
        chosen = evidence.c.station.in_(stations) & evidence.c.owner.in_(chunk)
        found += connection.execute(select(evidence.c.file).where(chosen)).scalars()
    return found


def unknown_files(connection: Connection, files: Collection[str]) -> set[str]:
    """Those of some files that no evidence is known to consist of."""
    names, left = sorted(files), set(files)
    for start in range(0, len(names), CHUNK):
        is_one = evidence.c.file.in_(names[start : start + CHUNK])
        left.difference_update(connection.execute(select(evidence.c.file).where(is_one)).scalars())
    return left
