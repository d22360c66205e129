"""Which codes may be used on a day, and what do people read for them?

The lists are dated data: one JSON file a list, each row with ``code``, ``label``,
``label_en`` and optionally ``valid_from`` / ``valid_until`` (inclusive days) and
``source``. A bureau's new category is a new row.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.resources import files

import msgspec

from domain.kernel import Refused, Value


class Code(Value):
    """One row of a code list."""

    code: str
    label: str
    label_en: str
    valid_from: date | None = None
    valid_until: date | None = None
    source: str | None = None

    def is_valid_on(self, day: date) -> bool:
        """Whether the code existed on a day."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day <= self.valid_until
        )


class UnknownCode(
    Refused, code="unknown_code", title="代码不在代码表中",
    detail="“{got}”不在代码表 {code_list} 中，可用：{choices}。",
):
    """A code that its list does not have."""


class CodeNotValidOnDate(
    Refused, code="code_not_valid_on_date", title="代码在当日尚未启用或已停用",
    detail="“{label}”({got})在 {on} 不可用，有效期为 {valid_from} 至 {valid_until}。",
):
    """A code outside its dates: 刚性支出困难 exists since 2024-10-24."""


@cache
def code_list(name: str) -> dict[str, Code]:
    """A code list by name: code → row."""
    text = files(__name__).joinpath(f"{name}.json").read_bytes()
    return {row.code: row for row in msgspec.json.decode(text, type=list[Code])}


def code_list_names() -> list[str]:
    """The names of all code lists."""
    names = (file.name for file in files(__name__).iterdir())
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def check_code(name: str, got: str, on: date) -> None:
    """Refuse a code that its list does not have, or did not have on that day."""
    row = code_list(name).get(got)
    if row is None:
        choices = "、".join(f"{c.code}({c.label})" for c in code_list(name).values())
        raise UnknownCode(got=got, code_list=name, choices=choices)
    if not row.is_valid_on(on):
        raise CodeNotValidOnDate(
            got=got, label=row.label, on=on,
            valid_from=row.valid_from or "不限", valid_until=row.valid_until or "不限",
        )


def label_of(name: str, code: str) -> str:
    """What people read for a code; a code unknown to the list reads as itself."""
    row = code_list(name).get(code)
    return row.label if row else code
