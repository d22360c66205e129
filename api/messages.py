"""What do people read when a field is wrong? Set once, for every field there is.

Each message begins with a stable code; ``api/problems.py`` divides them.
"""

from __future__ import annotations

from typing import Final

from marshmallow import Schema, fields

from api.problems import MARK


def coded(code: str, text: str) -> str:
    """A message with its code."""
    return f"{code}{MARK}{text}"


UNKNOWN: Final = coded("unknown_field", "不认识的字段")
NOT_AN_OBJECT: Final = coded("wrong_type", "应为对象")

MESSAGES: Final[dict[type[fields.Field], dict[str, str]]] = {  # type: ignore[type-arg]
    fields.Field: {
        "required": coded("missing_field", "必填"),
        "null": coded("missing_field", "不能为空"),
        "validator_failed": coded("wrong_form", "写法不合要求"),
    },
    fields.String: {
        "invalid": coded("wrong_type", "应为文字"),
        "invalid_utf8": coded("wrong_form", "不是合格的 UTF-8 文字"),
    },
    fields.Integer: {"invalid": coded("wrong_type", "应为整数")},
    fields.Number: {
        "invalid": coded("wrong_type", "应为数字"),
        "too_large": coded("out_of_range", "数字过大"),
    },
    fields.Boolean: {"invalid": coded("wrong_type", "应为 true 或 false")},
    fields.Date: {
        "invalid": coded("impossible_date", "应为真实存在的日期，如 2024-11-05"),
        "format": coded("impossible_date", "应为真实存在的日期，如 2024-11-05"),
    },
    fields.DateTime: {
        "invalid": coded("impossible_date", "应为时刻，如 2024-11-05T09:30:00+08:00"),
        "invalid_awareness": coded("impossible_date", "须带时区，如 +08:00"),
        "format": coded("impossible_date", "应为时刻，如 2024-11-05T09:30:00+08:00"),
    },
    fields.Time: {
        "invalid": coded("impossible_date", "应为时间，如 09:30"),
        "format": coded("impossible_date", "应为时间，如 09:30"),
    },
    fields.List: {"invalid": coded("wrong_type", "应为列表")},
    fields.Nested: {"type": NOT_AN_OBJECT},
}


# A field takes its messages when it is made, so they are set as this module loads.
for _field, _messages in MESSAGES.items():
    _field.default_error_messages = _field.default_error_messages | _messages
Schema.error_messages = {"unknown": UNKNOWN, "type": NOT_AN_OBJECT}
