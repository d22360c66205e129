"""How is a list read a page at a time? By a cursor, with a ``Link`` to the next page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
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
READ: Final[dict[str, Callable[[str], Any]]] = {
    "day": date.fromisoformat,
    "instant": lambda text: datetime.fromisoformat(text).astimezone(UTC),
}
"""How a cursor's value is read that is no text."""


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
    query: dict[str, Any], value_type: type[str | date | datetime] = str,
    last_type: type[str | int] = str, *, may_lack: bool = False,
) -> tuple[Any, Any] | None:
    """Where the page before ended: a sort value and a tie-breaker, of the list's own types.

    A list that ``may_lack`` the value goes on among the rows that do.

    :raises BadCursor: where the cursor is not one that this list gave.
    """
    given = query.get("cursor")
    if given is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(str(given).encode() + b"==")
        kind, value, last = msgspec.json.decode(raw, type=tuple[str, Any, Any])
        value = READ[kind](value) if kind in READ else value
    except (
        binascii.Error, ValueError, TypeError, OverflowError, msgspec.DecodeError
    ) as error:
        raise BadCursor from error
    is_too_large = isinstance(last, int) and abs(last) > LARGEST_INTEGER
    is_of_type = type(value) is value_type or (value is None and may_lack)
    if not is_of_type or type(last) is not last_type or is_too_large:
        raise BadCursor
    return value, last


def make_cursor(key: tuple[Any, Any]) -> str:
    """The cursor after a row."""
    value, last = key
    kinds = ((datetime, "instant"), (date, "day"))
    kind = next((name for cls, name in kinds if isinstance(value, cls)), "text")
    raw = msgspec.json.encode((kind, value, last))
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def page_of(
    rows: Sequence[Row], limit: int, key: Callable[[Row], tuple[Any, Any]]
) -> tuple[Sequence[Row], str | None]:
    """At most ``limit`` rows (one more was read), and the cursor of the next page."""
    page = rows[:limit]
    return page, make_cursor(key(page[-1])) if len(rows) > limit else None


def next_url(cursor: str) -> str:
    """The address of the next page."""
    query = urlencode({**request.args.to_dict(), "cursor": cursor})
    return f"{request.path}?{query}"


def rows_answer(
    rows: Sequence[dict[str, Any]], cursor: str | None, question: dict[str, Any] | None = None
) -> Response:
    """A page of rows, with the link to the next.

    ``question`` is what the answer says of the moment that it is about.
    """
    answer = make_response({**(question or {}), "items": rows, "next_cursor": cursor})
    if cursor:
        answer.headers["Link"] = f'<{next_url(cursor)}>; rel="next"'
    return answer


def page_answer(
    rows: Sequence[Row], limit: int, shown: Callable[[Row], dict[str, Any]],
    key: Callable[[Row], tuple[Any, Any]], question: dict[str, Any] | None = None,
) -> Response:
    """The same for a list's own rows."""
    page, cursor = page_of(rows, limit, key)
    return rows_answer([shown(row) for row in page], cursor, question)
