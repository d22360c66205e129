"""What does an event say, field by field, in people's words?

Labels instead of names and codes, dates, minutes, money and quantities in people's form.
Personal texts stay as they are stored: whoever may read them opens them afterwards, and
only then can two statements be compared (the same text sealed twice differs).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final

import msgspec

from domain.code_lists import label_of
from domain.field_labels import OCCURRED, derived_code_list, field_label
from domain.fields import CODE_LIST, ENTRY_MARK, Quantity, marks_of
from domain.kernel import STATION_TIME, Event, Occurrence, Precision, Statement
from domain.vocabulary import UNSTATED, Labelled

PRECISIONS: Final = {
    Precision.DAY: "当日", Precision.RANGE: "时间段", Precision.MONTH: "当月",
    Precision.ABOUT: "大约",
}


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a statement says: where (``members.0.name``), as what, and which texts."""

    path: str
    label: str
    texts: tuple[str, ...]

    @property
    def text(self) -> str:
        """What people read; nothing where nothing was stated."""
        return "、".join(self.texts)


def described(statement: Statement) -> list[Said]:
    """Everything that a statement says, its day first; what it leaves unsaid is left out."""
    return [*_occurred(statement.occurred), *said_of(statement.event)]


def _occurred(occurred: Occurrence) -> Iterator[Said]:
    for name in ("on", "at", "until", "precision"):
        value = getattr(occurred, name)
        if value is not None and (name, value) != ("precision", Precision.DAY):
            yield Said(f"occurred_{name}", OCCURRED[name], (_plain(value, name),))


def said_of(value: msgspec.Struct, path: str = "", label: str = "") -> Iterator[Said]:
    """What an event or a value inside it says, leaf by leaf."""
    struct: Any = type(value)
    for name in struct.__struct_fields__:
        found = getattr(value, name)
        if found is None or found == () or isinstance(found, Statement):
            continue
        here = f"{path}.{name}" if path else name
        titled = f"{label} · {field_label(struct, name)}" if label else field_label(struct, name)
        yield from _said(found, here, titled, struct, name)


def _said(found: Any, path: str, label: str, struct: Any, name: str) -> Iterator[Said]:
    if isinstance(found, Quantity):
        yield Said(path, label, (quantity(found),))
    elif isinstance(found, msgspec.Struct):
        yield from said_of(found, path, label)
    elif isinstance(found, tuple) and isinstance(found[0], msgspec.Struct):
        for index, item in enumerate(found):
            yield from said_of(item, f"{path}.{index}", f"{label} {index + 1}")
    else:
        items = found if isinstance(found, tuple) else (found,)
        yield Said(path, label, tuple(_leaf(item, struct, name) for item in items))


def _leaf(value: object, struct: Any, name: str) -> str:
    """A single value in people's form."""
    marks = marks_of(struct)[name]
    code_list = marks.get(CODE_LIST) or derived_code_list(struct, name)
    if code_list and isinstance(value, str) and not isinstance(value, Labelled):
        return label_of(code_list, value)
    if ENTRY_MARK in marks:
        return f"第 {value} 条"
    return _plain(value, name)


def _plain(value: object, name: str) -> str:  # noqa: PLR0911 - one arm a type
    match value:
        case Precision():
            return PRECISIONS[value]
        case Labelled():
            return value.label or value.value
        case bool():
            return "是" if value else "否"
        case int() if name.endswith("_fen"):
            return f"{value // 100:,}.{value % 100:02} 元"
        case int() if name.endswith("minutes"):
            return f"{value} 分钟"
        case int() if name == "byte_count":
            return size(value)
        case datetime():
            return f"{value.astimezone(STATION_TIME):%Y-%m-%d %H:%M}"
        case date():
            return value.isoformat()
        case time():
            return f"{value:%H:%M}"
        case _:
            return str(value)


def size(byte_count: int) -> str:
    """How large a file is, as people say it: 350 KB, 1.2 MB."""
    if byte_count < 1_000_000:
        return f"{max(round(byte_count / 1000), 1)} KB"
    return f"{byte_count / 1_000_000:.1f} MB"


def quantity(stated: Quantity) -> str:
    """A quantity as people say it: 近70, or 未填报 and never 0."""
    if stated.value is None:
        return UNSTATED
    mark = stated.approximation
    return f"{stated.value}余" if mark.value == "over" else f"{mark.label}{stated.value}"


# ---- before → after ----


@dataclass(frozen=True, slots=True)
class Statements:
    """What an event of record keeping says was stated before, and after; or states anew."""

    before: Statement | None
    after: Statement | None


def statements_in(event: Event, occurred: Occurrence) -> Statements:
    """What was stated before an event and is stated after it."""
    held = {
        name: value
        for name in event.__struct_fields__
        if isinstance(value := getattr(event, name), Statement)
    }
    if not held:
        return Statements(None, Statement(event, occurred))
    before = held.get("before") or held.get("voided")
    return Statements(before, held.get("after") or held.get("reinstated"))


def differences(
    before: Mapping[str, Said], after: Mapping[str, Said]
) -> Iterator[tuple[str, Said | None, Said | None]]:
    """What differs between two descriptions by path, once their texts are opened."""
    for path in dict.fromkeys((*before, *after)):
        one, other = before.get(path), after.get(path)
        if one is None or other is None or one.texts != other.texts:
            yield path, one, other


def shortened(text: str, most: int) -> str:
    """A text, or its first characters where it has more than ``most``."""
    return text if len(text) <= most else f"{text[:most]}…"
