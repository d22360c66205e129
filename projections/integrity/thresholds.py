"""From when on does something look odd? Data, with what a station says otherwise."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec

from domain.kernel import Refused, Value


class Thresholds(Value):
    """From when on something looks odd; the file of that name says what each is by default."""

    late_days: int
    not_late_topics: tuple[str, ...]
    """Beginnings of topics whose day is one of effect and may long be past."""
    evaluation_topics: tuple[str, ...]
    eve_days: int
    eve_late_days: int
    eve_records: int
    night_from_hour: int
    night_until_hour: int
    night_records: int
    burst_minutes: int
    burst_records: int
    burst_days: int
    same_text_characters: int
    same_text_records: int
    most_visits_a_day: int
    most_minutes_a_day: int
    most_volunteer_minutes_a_day: int


class BadThresholds(
    Refused, code="bad_thresholds", status=500, title="核查标准的文件不正确",
    detail="{file} 不正确：{problem}。应为 JSON，只写要改的项。",
):
    """The station's own thresholds cannot be read."""


def thresholds_of(own: Path) -> Thresholds:
    """The thresholds, with what a station's own file says otherwise.

    :raises BadThresholds: where that file is not one.
    """
    try:
        said = msgspec.json.decode(own.read_bytes(), type=dict) if own.exists() else {}
        return msgspec.convert(_default() | said, Thresholds)
    except msgspec.MsgspecError as error:
        raise BadThresholds(file=own.name, problem=error) from error


@cache
def _default() -> dict[str, object]:
    text = files("projections.integrity").joinpath("thresholds.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, object])
