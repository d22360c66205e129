"""Which rows are known at a moment? Those that were recorded by then, by instant or position."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Final, assert_never

from sqlalchemy import ColumnElement, FromClause, bindparam, or_

from projections.moments import KnownAt, instant_of, position_of


class KnownBy(Enum):
    """Which columns ``known_at`` is counted by.

    Names and not the columns themselves: Python 3.11.2 takes no empty tuple for a value.
    """

    NOW = "now"
    INSTANT = "instant"
    POSITION = "position"
    BOTH = "both"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns' names."""
        return _COLUMNS[self]

    @classmethod
    def of(cls, known_at: KnownAt | None) -> KnownBy:
        """The columns of a moment of knowing."""
        match known_at:
            case None:
                return cls.NOW
            case datetime():
                return cls.INSTANT
            case int():
                return cls.POSITION
            case tuple():
                return cls.BOTH
            case _:
                assert_never(known_at)

    def conditions(self, source: FromClause) -> list[ColumnElement[bool]]:
        """The conditions on a table's rows; :func:`bounds` are the values to go with them."""
        return [source.c[column] <= bindparam(column) for column in self.columns]


_COLUMNS: Final = {
    KnownBy.NOW: (), KnownBy.INSTANT: ("recorded_at",), KnownBy.POSITION: ("position",),
    KnownBy.BOTH: ("recorded_at", "position"),
}


def bounds(known_at: KnownAt | None) -> dict[str, object]:
    """The values with which :meth:`KnownBy.conditions` compares."""
    return {"recorded_at": instant_of(known_at), "position": position_of(known_at)}


def unknown_until(source: FromClause, since: KnownAt) -> ColumnElement[bool]:
    """The condition on rows that were not known yet at a moment."""
    named = (("recorded_at", instant_of(since)), ("position", position_of(since)))
    return or_(*(source.c[name] > bound for name, bound in named if bound is not None))
