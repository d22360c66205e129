"""What is wrong with the shape of a value, in words that people read?

msgspec says it in English; whoever passes it on says it by ``shape_said``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

KINDS: Final = {
    "str": "文字", "int": "整数", "float": "数字", "bool": "真或假", "array": "列表",
    "object": "对象", "null": "空", "date": "日期", "datetime": "时刻", "time": "时间",
}
"""What msgspec's types are called."""
_BOUNDS: Final[dict[str, str]] = {"<=": "不大于", ">=": "不小于", "<": "小于", ">": "大于"}
_PLACE: Final = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`\Z")
_STEP: Final = re.compile(r"\[\.\.\.\]|[.\[]([^.\[\]]+)\]?")
_SAID: Final[tuple[tuple[str, Callable[[re.Match[str]], str]], ...]] = (
    (r"Expected `([^`]+)`, got `([^`]+)`", lambda m: f"应为{_kinds(m[1])}，收到{_kinds(m[2])}"),
    (r"Expected `(str|array|object)` of length (<=|>=) (\d+)", lambda m: _length(*m.groups())),
    (r"Expected `(?:int|float)` (<=|>=|<|>) (\S+)", lambda m: f"应{_BOUNDS[m[1]]} {m[2]}"),
    (r"Expected `str` matching regex", lambda _m: "写法不合要求"),
    (r"Object missing required field `([^`]+)`", lambda m: f"缺少“{m[1]}”"),
    (r"Object contains unknown field `([^`]+)`", lambda m: f"不认识“{m[1]}”"),
    (r"Invalid enum value '?(.{0,60}?)'?\Z", lambda m: f"“{m[1]}”不在可选范围内"),
    (r"Invalid (?:RFC3339|ISO8601)", lambda _m: "日期或时刻的写法不正确"),
)


def shape_said(error: Exception) -> str:
    """The fault in a sentence, with a JSON pointer to where it is, for people."""
    if not isinstance(error, msgspec.ValidationError):
        return "不是合格的 JSON，请检查括号、引号和逗号"
    text, where = str(error), ""
    if place := _PLACE.search(text):
        text, where = text[: place.start()], _pointer(place["path"])
    found = ((say, re.match(form, text, re.DOTALL)) for form, say in _SAID)
    said = next((say(match) for say, match in found if match), "写法不合要求")
    return f"{where} 处{said}" if where else said


def _pointer(path: str) -> str:
    """``.plus[0].filter[...]`` as a JSON pointer; a key that is not told is left out."""
    return "".join(f"/{step}" for step in _STEP.findall(path) if step)


def _kinds(names: str) -> str:
    return "或".join(KINDS.get(name, "别的值") for name in names.split(" | "))


def _length(kind: str, bound: str, number: str) -> str:
    unit = "个字符" if kind == "str" else "项"
    return f"应{'最多' if bound == '<=' else '至少'}有 {number} {unit}"
