"""Which reports were published, by whom and under which codes?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    Text,
    func,
    select,
)

from domain.kernel import Stream, stream_station, stream_subject
from domain.publication import short_code
from projections.columns import UtcDateTime
from projections.kernel import FoldProjection, Rows, metadata

publications: Final = Table(
    "publications",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("station", String(64), nullable=False),
    Column("period", String(64), nullable=False),
    Column("code", String(64), nullable=False),
    Column("short_code", String(16), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("published_at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Index("ix_publications_code", "short_code"),
    Index("ix_publications_station", "station", "period"),
)
"""``number`` counts a period's publications from 1; ``position`` is what was known."""


class Publications(FoldProjection):
    """One row a publication."""

    name = "publications"
    label = "已发布的报告"
    kinds = ("report",)
    tables = (publications,)

    def rows(self, stream: Stream[Any]) -> Rows:
        """The publications of a period, the first and each restatement."""
        for entry in stream.active():
            event: Any = entry.statement.event
            yield publications, {
                "stream": stream.id, "number": entry.version,
                "station": stream_station(stream.id), "period": stream_subject(stream.id),
                "code": event.code, "short_code": short_code(event.code),
                "position": event.snapshot.position, "published_at": entry.recorded_at,
                "actor": entry.actor,
            }


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A publication in a list."""

    station: str
    period: str
    number: int
    code: str
    short_code: str
    position: int
    published_at: datetime
    actor: str


def publications_of(connection: Connection, station: str, limit: int = 500) -> list[PublishedRow]:
    """A station's publications, the newest period first, each period's in their order."""
    query = _select().where(publications.c.station == station)
    order = (publications.c.period.desc(), publications.c.number)
    return _rows(connection, query.order_by(*order).limit(limit))


def newest_numbers(connection: Connection, station: str) -> dict[str, int]:
    """How often the report of each period of a station was published."""
    own = publications.c
    query = select(own.period, func.max(own.number).label("newest"))
    found = connection.execute(query.where(own.station == station).group_by(own.period))
    return {row.period: row.newest for row in found}


def publications_coded(
    connection: Connection, codes: list[str], stations: Collection[str] | None
) -> list[PublishedRow]:
    """The publications of printed codes, of some stations or (``None``) of any."""
    query = _select().where(publications.c.short_code.in_(codes))
    if stations is not None:
        query = query.where(publications.c.station.in_(stations))
    return _rows(connection, query.order_by(publications.c.published_at.desc()).limit(50))


def _select() -> Any:
    return select(*(publications.c[name] for name in PublishedRow.__dataclass_fields__))


def _rows(connection: Connection, query: Any) -> list[PublishedRow]:
    return [PublishedRow(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name
