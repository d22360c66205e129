"""How is a table given as a file? CSV that Excel and WPS open without changing a cell."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from flask import Response, make_response

from domain.kernel import Refused

MOST_EXPORTED: Final = 20_000
"""Events or calls in one file: a program works out the whole file before it is sent."""
BOM: Final = "\ufeff"
_FORMULA: Final = re.compile(r"\s*[=+\-@]")
"""What a spreadsheet would run: never from a text that somebody typed."""
_NUMBER: Final = re.compile(r"0\d+|\d{11,}|\d+(?:\.\d+)?[eE]\d+")
"""Ids and phone numbers that a spreadsheet would turn into numbers, losing digits."""


class ExportTooLarge(
    Refused, code="export_too_large", title="一次导出太多",
    detail="符合条件的超过 {most} 条，请缩小日期范围后分次导出。",
):
    """More than one file may hold."""


def refuse_too_many(found: int) -> None:
    """Refuse what would not fit into one file.

    :raises ExportTooLarge: where there is more.
    """
    if found > MOST_EXPORTED:
        raise ExportTooLarge(most=MOST_EXPORTED)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as CSV with a byte-order mark, texts as texts."""
    target = io.StringIO(newline="")
    target.write(BOM)
    writer = csv.writer(target)
    writer.writerow(header)
    writer.writerows([cell(value) for value in row] for row in rows)
    return target.getvalue()


def cell(value: object) -> object:
    """A value as a cell; a text that a spreadsheet would calculate is marked as a text."""
    if not isinstance(value, str):
        return "" if value is None else value
    is_calculated = _FORMULA.match(value) or _NUMBER.fullmatch(value)
    return f"'{value}" if is_calculated else value


def attachment(content: str | bytes, name: str, content_type: str) -> Response:
    """A file to be saved."""
    answer = make_response(content)
    answer.headers["Content-Type"] = content_type
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
