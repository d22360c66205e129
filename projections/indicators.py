"""Which figures does a station report? Indicator sets are data, not code.

A set is a JSON file of indicators. Each names a measure and the filter it counts by,
or a remainder of other indicators, so that the parts of a sum close. A station with
other rows has another file, or defines rows of its own (``indicator_versions.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from domain.indicators import CHECKS, Fault, Indicator, refuse_faults
from domain.kernel import Refused, Value
from projections.indicator_checks import aggregation_of, faults_of, set_faults


class IndicatorSet(Value):
    """A report's rows, in their order, with version (口径) and dates.

    ``earlier`` holds the versions that were valid before this one, oldest first: a
    period that several touch is counted on each day by the version of that day.
    """

    code: str
    label: str
    label_en: str
    version: int
    valid_from: date
    indicators: tuple[Indicator, ...]
    valid_until: date | None = None
    earlier: tuple[IndicatorSet, ...] = ()

    def __hash__(self) -> int:
        """By its name: the filters of its rows have no hash."""
        return hash((self.code, self.version, self.valid_from))

    def row(self, code: str) -> Indicator | None:
        """The row of a code."""
        return next((row for row in self.indicators if row.code == code), None)

    def defining(self, definitions: Iterable[Indicator]) -> IndicatorSet:
        """The set with other definitions in the place of its own, new rows at its end."""
        given = {row.code: row for row in definitions}
        rows = [given.pop(row.code, row) for row in self.indicators]
        return msgspec.structs.replace(self, indicators=(*rows, *given.values()))

    def always_defining(self, definitions: Sequence[Indicator]) -> IndicatorSet:
        """The same, and so in its earlier versions, as if it had always been so: what if?"""
        earlier = tuple(version.defining(definitions) for version in self.earlier)
        return msgspec.structs.replace(self.defining(definitions), earlier=earlier)


def alone(row: Indicator) -> IndicatorSet:
    """A set of nothing but a row, as if it had always been so."""
    return IndicatorSet(
        code="", label="", label_en="", version=1, valid_from=date.min, indicators=(row,)
    )


class UnknownIndicatorSet(
    Refused, code="unknown_indicator_set", status=404, title="没有这套指标",
    detail="没有名为“{got}”的指标集，可用：{choices}。",
):
    """No file of that name."""


FOLDER: Final = files(__package__).joinpath("indicator_sets")


def indicator_set_codes() -> list[str]:
    """The codes of all indicator sets."""
    names = (file.name for file in FOLDER.iterdir())
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


_GIVEN: ContextVar[Mapping[str, IndicatorSet] | None] = ContextVar("given_sets", default=None)


@contextmanager
def counting_by(sets: Mapping[str, IndicatorSet]) -> Iterator[None]:
    """Count by these sets within, and not by the files of this program: those of a bundle."""
    before = _GIVEN.set(sets)
    try:
        yield
    finally:
        _GIVEN.reset(before)


def indicator_set(code: str) -> IndicatorSet:
    """An indicator set by its code, as its file has it.

    :raises UnknownIndicatorSet: where there is no such set.
    :raises BadIndicator: where its file holds what cannot be counted.
    """
    given = _GIVEN.get()
    if given is None:
        return _set_of_file(code)
    if code not in given:
        raise UnknownIndicatorSet(got=code[:80], choices="、".join(given))
    return given[code]


@cache
def _set_of_file(code: str) -> IndicatorSet:
    return parsed_set(indicator_set_file(code))


def indicator_set_file(code: str) -> bytes:
    """The file of an indicator set, byte for byte.

    :raises UnknownIndicatorSet: where there is no such set.
    """
    if code not in indicator_set_codes():
        raise UnknownIndicatorSet(got=code[:80], choices="、".join(indicator_set_codes()))
    return FOLDER.joinpath(f"{code}.json").read_bytes()


def parsed_set(content: bytes) -> IndicatorSet:
    """The indicator set that a file holds.

    :raises BadIndicator: where it holds what cannot be counted.
    """
    found = msgspec.json.decode(content, type=IndicatorSet)
    check_indicators(found.indicators)
    return found


def check_indicators(indicators: Sequence[Indicator], within: str = "/indicators") -> None:
    """Refuse a definition that cannot be counted, naming its place.

    :raises BadIndicator: for the first such definition.
    """
    for number, row in enumerate(indicators):
        refuse_faults(faults_of(row), f"{within}/{number}")
    refuse_faults(set_faults(indicators), within)


def _of_its_set(row: Indicator, set_code: str | None) -> Iterator[Fault]:
    """What is wrong with a definition for the set that it is meant for."""
    if set_code not in indicator_set_codes():
        return
    before = indicator_set(set_code).row(row.code)
    if before is not None and before.unit is not row.unit:
        yield Fault(
            "/unit",
            f"不能把单位由“{before.unit.label}”改为“{row.unit.label}”，请另设指标",
        )
    if before is not None and before.measure and aggregation_of(before) is not aggregation_of(row):
        yield Fault("/aggregation", "不能改变指标的汇总方式，请另设指标")


CHECKS.append(_of_its_set)
