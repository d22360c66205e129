"""Which figures does a station report? Indicator sets are data, not code.

A set is a JSON file of indicators. Each names a measure and the filter it counts by,
or a remainder of other indicators, so that the parts of a sum close. A station with
other rows has another file.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from domain.kernel import Refused, Value
from domain.vocabulary import Unit
from projections.measures import MEASURES, Kind
from projections.postings import DIMENSIONS


class Indicator(Value):
    """One row of a report.

    ``divide_by`` turns the measure's unit into the row's: fen into 元 (100), minutes
    into 小时 (60). ``part_of`` names the row that this one is a part of (其中).
    """

    code: str
    label: str
    label_en: str
    unit: Unit
    measure: str | None = None
    filter: dict[str, str | tuple[str, ...]] = msgspec.field(default_factory=dict)
    divide_by: int = 1
    part_of: str | None = None
    remainder_of: str | None = None
    minus: tuple[str, ...] = ()
    is_fact: bool = False
    """A fact beside the figures: printed as it was stated, not a figure of the set."""

    @property
    def kind(self) -> Kind | None:
        """How the postings add up; ``None`` for a remainder."""
        return MEASURES[self.measure].kind if self.measure else None


class IndicatorSet(Value):
    """A report's rows, in their order, with version (口径) and dates."""

    code: str
    label: str
    label_en: str
    version: int
    valid_from: date
    indicators: tuple[Indicator, ...]
    valid_until: date | None = None


class UnknownIndicatorSet(
    Refused, code="unknown_indicator_set", status=404, title="没有这套指标",
    detail="没有名为“{got}”的指标集，可用：{choices}。",
):
    """No file of that name."""


class BadIndicatorSetError(ValueError):
    """An indicator definition that cannot be counted; says where and why."""


FOLDER: Final = files(__package__).joinpath("indicator_sets")


def indicator_set_codes() -> list[str]:
    """The codes of all indicator sets."""
    names = (file.name for file in FOLDER.iterdir())
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


@cache
def indicator_set(code: str) -> IndicatorSet:
    """An indicator set by its code.

    :raises UnknownIndicatorSet: where there is no such set.
    """
    if code not in indicator_set_codes():
        raise UnknownIndicatorSet(got=code[:80], choices="、".join(indicator_set_codes()))
    found = msgspec.json.decode(FOLDER.joinpath(f"{code}.json").read_bytes(), type=IndicatorSet)
    check_indicators(found.indicators)
    return found


def check_indicators(indicators: Sequence[Indicator]) -> None:
    """Refuse a definition that cannot be counted, naming its place.

    :raises BadIndicatorSetError: for the first such definition.
    """
    seen: set[str] = set()
    for row in indicators:
        problem = _problem(row, seen)
        if problem:
            raise BadIndicatorSetError(f"{row.code}: {problem}")
        seen.add(row.code)


def _problem(row: Indicator, seen: set[str]) -> str | None:
    if row.code in seen:
        return "the code stands twice"
    if (row.measure is None) == (row.remainder_of is None):
        return "needs either a measure or remainder_of"
    if row.measure is not None and row.measure not in MEASURES:
        return f"unknown measure {row.measure}"
    if row.divide_by < 1:
        return "divide_by must be at least 1"
    unknown = set(row.filter) - set(DIMENSIONS)
    if unknown:
        return f"unknown filter {', '.join(sorted(unknown))}"
    referred = {*row.minus, *filter(None, (row.remainder_of, row.part_of))}
    missing = referred - seen
    return f"refers to {', '.join(sorted(missing))}, which must stand before" if missing else None
