"""How far is what goes on in steps, such as a case or a group: a row each, and lists of them?

A projection says what each step changes in its row. Its table has the columns ``stream``,
``station``, ``is_open`` (1 or 0), ``opened_on``, and one named like the kind of its streams.
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import date
from typing import Any, ClassVar, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, select, tuple_

from domain.kernel import Stream, stream_id, stream_station, stream_subject
from projections.kernel import FoldProjection, Rows

R = TypeVar("R")


class StepwiseProjection(FoldProjection):
    """One row a stream, as its steps leave it."""

    tables: ClassVar[Any]

    @abstractmethod
    def step(self, event: Any, on: date, row: dict[str, Any]) -> dict[str, Any]:
        """What a step of a day changes in the row."""

    def rows(self, stream: Stream[Any]) -> Rows:
        """The row; none where what began the stream was voided."""
        row: dict[str, Any] = {}
        for entry in stream.active():
            row |= self.step(entry.statement.event, entry.statement.occurred.on, row)
        if row:
            (table,), (kind,) = self.tables, self.kinds
            yield table, row | {
                "stream": stream.id, "station": stream_station(stream.id),
                kind: stream_subject(stream.id),
            }

    @classmethod
    def newest(
        cls, connection: Connection, row: type[R], station: str, *conditions: ColumnElement[bool],
        is_open: bool | None, after: tuple[date, str] | None, limit: int,
    ) -> list[R]:
        """The rows of a station, those opened last first, a page at a time."""
        own = cls.tables[0].c
        query = cls._rows_of(row).where(own.station == station, *conditions)
        place = own.opened_on, own[cls.kinds[0]]
        if is_open is not None:
            query = query.where(own.is_open == int(is_open))
        if after is not None:
            query = query.where(tuple_(*place) < tuple_(*after))
        query = query.order_by(*(column.desc() for column in place)).limit(limit)
        return [row(**one._mapping) for one in connection.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name

    @classmethod
    def one(cls, connection: Connection, row: type[R], station: str, subject: str) -> R | None:
        """The row of one of a station's."""
        own = cls.tables[0].c
        query = cls._rows_of(row).where(
            own.station == station, own.stream == stream_id(station, cls.kinds[0], subject)
        )
        found = connection.execute(query).first()
        return row(**found._mapping) if found is not None else None  # noqa: SLF001 - as above

    @classmethod
    def _rows_of(cls, row: type[Any]) -> Select[Any]:
        return select(*(cls.tables[0].c[name] for name in row.__dataclass_fields__))
