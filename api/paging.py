"""How is a list read a page at a time? By a cursor, with a ``Link`` to the next page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec
from flask import Response, make_response, request
from marshmallow import RAISE, Schema, fields, validate

from api.messages import coded
from api.problems import BadCursor

MOST_ROWS: Final = 500
LARGEST_INTEGER: Final = 2**63 - 1
"""The largest that both databases can compare with."""
Row = TypeVar("Row")


class ReadSchema(Schema):
    """What every query may say: which station, and how fresh."""

    class Meta:
        """A mistyped filter is refused: ignored, it would answer something else."""

        unknown = RAISE

    station = fields.String(metadata={"description": "社工站；默认为令牌所属的站"})
    at_least = fields.Integer(metadata={"description": "至少计入到这个台账位置（最多等 5 秒）"})


class PageSchema(ReadSchema):
    """Which page of a list."""

    limit = fields.Integer(
        load_default=50,
        validate=validate.Range(
            1, MOST_ROWS, error=coded("out_of_range", f"应为 1 到 {MOST_ROWS}")
        ),
    )
    cursor = fields.String(metadata={"description": "上一页给出的翻页标记"})


def read_cursor(
    query: dict[str, Any], value_type: type[str | date] = str, last_type: type[str | int] = str
) -> tuple[Any, Any] | None:
    """Where the page before ended: a sort value and a tie-breaker, of the list's own types.

    :raises BadCursor: where the cursor is not one that this list gave.
    """
    given = query.get("cursor")
    if given is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(str(given).encode() + b"==")
        kind, value, last = msgspec.json.decode(raw, type=tuple[str, Any, Any])
        value = date.fromisoformat(value) if kind == "day" else value
    except (binascii.Error, ValueError, TypeError, msgspec.DecodeError) as error:
        raise BadCursor from error
    is_too_large = isinstance(last, int) and abs(last) > LARGEST_INTEGER
    if type(value) is not value_type or type(last) is not last_type or is_too_large:
        raise BadCursor
    return value, last


def make_cursor(key: tuple[Any, Any]) -> str:
    """The cursor after a row."""
    value, last = key
    is_day = isinstance(value, date)
    raw = msgspec.json.encode(("day" if is_day else "text", value, last))
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def page_answer(
    rows: Sequence[Row], limit: int, shown: Callable[[Row], dict[str, Any]],
    key: Callable[[Row], tuple[Any, Any]], question: dict[str, Any] | None = None,
) -> Response:
    """A page of at most ``limit`` rows (one more was read), with the link to the next.

    ``question`` is what the answer says of the moment that it is about.
    """
    page = rows[:limit]
    has_more = len(rows) > limit
    cursor = make_cursor(key(page[-1])) if has_more else None
    items = [shown(row) for row in page]
    answer = make_response({**(question or {}), "items": items, "next_cursor": cursor})
    if cursor:
        query = urlencode({**request.args.to_dict(), "cursor": cursor})
        answer.headers["Link"] = f'<{request.path}?{query}>; rel="next"'
    return answer
