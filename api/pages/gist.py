"""What does a record say in a line, as a social worker would write it?

Derived from the event, as its form is: codes by their labels, numbers with what they count,
durations and money in words. Nothing personal, no id, and nothing that was left empty or
that is as usual.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from flask import url_for
from msgspec import inspect

from api.language import translated
from api.pages.views import Labels
from domain.field_labels import derived_code_list, field_label
from domain.fields import (
    CODE_LIST,
    COMMUNITY,
    DERIVED,
    ENTRY_MARK,
    OF_RECORD,
    PERSON_MARK,
    PERSONAL,
    REFERS_TO,
    marks_of,
)
from domain.kernel import EVENTS, KINDS
from domain.vocabulary import Approximation, Labelled
from projections.timeline import RecordRow

MOST_SAID: Final = 5
"""So many things of a record its line says."""
ELSEWHERE: Final = frozenset({PERSONAL, ENTRY_MARK, OF_RECORD, REFERS_TO})
"""What is said elsewhere on the page, or to nobody."""
UNSAID: Final = frozenset({
    "workers", "worker", "recorder", "unit", "item", "digest", "file", "step", "byte_count",
    "indicator_set", "texts", "code", "acknowledged",
})
"""Who recorded stands beside the line; what the program goes by is said nowhere."""
IN_WORDS: Final = {
    "persons_met": "见到 %(count)s 人", "persons_surveyed": "调研 %(count)s 人",
    "attendance": "参加 %(count)s 人", "participants": "参加 %(count)s 人",
    "persons_served": "受益 %(count)s 人", "households_served": "受益 %(count)s 户",
    "planned_sessions": "计划 %(count)s 节", "members": "家庭 %(count)s 人",
    "covered": "保障 %(count)s 人", "to_agency": "转往 %(count)s", "to_month": "顺延至 %(count)s",
}
"""How a number, the length of a list, or a name is said with what it counts."""
HOURS: Final = "%(hours)s 小时"
MINUTES: Final = "%(minutes)s 分钟"
YUAN: Final = "%(amount)s 元"
ATTACHED: Final = "附于 %(record)s"
SAID_IN: Final = (*IN_WORDS.values(), HOURS, MINUTES, YUAN, ATTACHED)
COUNTED: Final = frozenset({"participants", "members", "covered"})
NAMED: Final = frozenset({"title", "theme", "name", "award"})
"""What something is called stands first."""
BARE: Final = NAMED | {"topics", "supervisor", "organiser", "scope", "approver", "label"}
"""Texts that need no word for what they are."""
TOLD: Final = frozenset({"minutes", "service_on", "need"})
"""What a decision filled in and a line says nevertheless."""


@dataclass(frozen=True, slots=True)
class Sayable:
    """A field that a line may say: its type, marks, and what it is usually."""

    name: str
    label: str
    type: inspect.Type
    marks: Mapping[str, Any]
    usual: object


def gist(row: RecordRow) -> str:
    """What a record says in a few words, without anything personal."""
    if row.kind == "evidence":
        return attached(row.data)
    said = (_said(one, row.data.get(one.name)) for one in _fields(EVENTS[row.topic]))
    return " · ".join([text for text in said if text][:MOST_SAID])


def attached(said: Mapping[str, Any]) -> str:
    """What a photo or paper is, and of what: 签到表 · JPEG 图片 · 附于 走访."""
    marks = {one.name: one for one in _fields(EVENTS["evidence.attached"])}
    what = [_said(marks[name], said.get(name)) for name in ("kind", "media_type")]
    kind = KINDS[str(said["record"]).partition("/")[0]]
    of = translated(ATTACHED) % {"record": translated(kind.label)}
    return " · ".join([*filter(None, what), of])


def record_of(row: RecordRow) -> str | None:
    """Where the record is read that a photo or paper belongs to."""
    kind, _, subject = str(row.data.get("record") or "").partition("/")
    is_one = row.kind == "evidence" and subject
    return url_for("pages.record_page", kind=kind, subject=subject) if is_one else None


def duration(minutes: int) -> str:
    """Minutes as people say them: 40 分钟, 2 小时, 1 小时 30 分钟."""
    hours, rest = divmod(minutes, 60)
    parts = [translated(HOURS) % {"hours": hours}] if hours else []
    parts += [translated(MINUTES) % {"minutes": rest}] if rest or not hours else []
    return " ".join(parts)


def yuan(fen: int) -> str:
    """Money as people say it: 500 元, 12.50 元."""
    whole, rest = divmod(fen, 100)
    said = f"{whole:,}.{rest:02}" if rest else f"{whole:,}"
    return translated(YUAN) % {"amount": said}


# ---- the fields of an event ----


@cache
def _fields(event: Any) -> tuple[Sayable, ...]:
    """The fields that a line may say, what something is called first."""
    found = inspect.type_info(event)
    assert isinstance(found, inspect.StructType)
    marks = marks_of(event)
    asked = [
        Sayable(
            one.name, field_label(event, one.name), _plain_type(one.type),
            marks[one.name] | _derived_list(event, one.name), one.default,
        )
        for one in found.fields if _is_said(one, marks[one.name])
    ]
    return tuple(sorted(asked, key=lambda one: one.name not in NAMED))


def _derived_list(event: Any, name: str) -> dict[str, str]:
    found = derived_code_list(event, name)
    return {CODE_LIST: found} if found else {}


def _is_said(one: inspect.Field, marks: Mapping[str, Any]) -> bool:
    is_counted = one.name in COUNTED
    is_hidden = ELSEWHERE & set(marks) or (PERSON_MARK in marks and not is_counted)
    is_found = DERIVED in marks and one.name not in TOLD
    is_where = COMMUNITY in marks and not one.required  # the page says where the household is
    return not (is_hidden or is_found or is_where or one.name in UNSAID)


def _plain_type(found: inspect.Type) -> inspect.Type:
    """A field's type without what is said of it, or what it may be besides."""
    match found:
        case inspect.Metadata():
            return _plain_type(found.type)
        case inspect.UnionType():
            kinds = (one for one in found.types if not isinstance(one, inspect.NoneType))
            return _plain_type(next(kinds))
        case inspect.VarTupleType():
            return _plain_type(found.item_type)
        case _:
            return found


# ---- in words ----


def _said(one: Sayable, value: Any) -> str:
    """What a field says; nothing where it is empty, or as usual."""
    if value in (None, "", [], {}, 0, False) or (isinstance(value, str) and value == one.usual):
        return ""
    if one.name in COUNTED:
        return translated(IN_WORDS[one.name]) % {"count": len(value)}
    if isinstance(value, dict):
        return _quantity(one, value)
    return "、".join(_texts(one, value if isinstance(value, list) else [value]))


def _texts(one: Sayable, values: list[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, dict):  # a value of its own: by the codes that it states
            yield from filter(None, (_said(part, value.get(part.name)) for part in _parts(one)))
        else:
            yield _text(one, value)


def _parts(one: Sayable) -> tuple[Sayable, ...]:
    """Of a value of its own: what it says in codes; one that says nothing so is left out."""
    parts = _fields(one.type.cls) if isinstance(one.type, inspect.StructType) else ()
    if not any(CODE_LIST in part.marks for part in parts):
        return ()
    return tuple(p for p in parts if CODE_LIST in p.marks or isinstance(p.type, inspect.EnumType))


def _text(one: Sayable, value: Any) -> str:
    if CODE_LIST in one.marks:
        return Labels(one.marks[CODE_LIST])[str(value)]
    match one.type:
        case inspect.BoolType():
            return translated(one.label)
        case inspect.EnumType() if issubclass(one.type.cls, Labelled):
            return translated(one.type.cls.of(value).label)
        case inspect.IntType():
            return _number(one, value)
        case _:
            return _words(one, str(value))


def _number(one: Sayable, value: int) -> str:
    if one.name.endswith("minutes"):
        return duration(value)
    if one.name.endswith("_fen"):
        return yuan(value)
    if one.name in IN_WORDS:
        return translated(IN_WORDS[one.name]) % {"count": value}
    return f"{translated(one.label)} {value}"


def _words(one: Sayable, value: str) -> str:
    """A text: by itself, or where it needs to be said what it is, after that."""
    if one.name in IN_WORDS:
        return translated(IN_WORDS[one.name]) % {"count": value}
    is_bare = one.name in BARE or COMMUNITY in one.marks
    return value if is_bare else f"{translated(one.label)} {value}"


def _quantity(one: Sayable, value: Mapping[str, Any]) -> str:
    """An amount as people state it: 参加 近70 人; one that nobody stated is not said."""
    if value.get("value") is None:
        return ""
    mark = Approximation.of(value.get("approximation") or Approximation.EXACT.value)
    count = f"{value['value']}余" if mark.value == "over" else f"{mark.label}{value['value']}"
    return translated(IN_WORDS.get(one.name, f"{one.label} %(count)s")) % {"count": count}
