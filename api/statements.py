"""Which statement do validated fields make, from a request's body or a page's form?"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from api.schemas import ENVELOPE, OCCURRENCE
from domain.kernel import Event, Occurrence, Precision, Refused, Statement
from domain.shapes import shape_said

T = TypeVar("T")


class OccurrenceMissing(
    Refused, code="occurrence_missing", title="缺少发生日期",
    detail="occurred_on（日期）和 occurred_at（时刻）须且只须填写一个。",
):
    """Exactly one of day and instant says when it occurred."""


class BadShape(
    Refused, code="wrong_form", title="内容不合要求",
    detail="内容不合要求：{where}。",
):
    """A body whose parts are right but do not make an event."""


def statement_of(event: type[Event], body: dict[str, Any]) -> Statement:
    """The statement that a validated body makes."""
    own = {
        name: value for name, value in body.items() if name not in {*OCCURRENCE, *ENVELOPE}
    }
    return Statement(struct_of(event, own), _occurrence(body))


def struct_of(struct: type[T], given: dict[str, Any]) -> T:
    """The value that validated fields make.

    :raises BadShape: where they do not.
    """
    try:
        return msgspec.convert(given, struct)
    except msgspec.ValidationError as error:
        raise BadShape(where=shape_said(error)) from error


def _occurrence(body: dict[str, Any]) -> Occurrence:
    on: Any = body.get("occurred_on")
    at: Any = body.get("occurred_at")
    if (on is None) == (at is None):
        raise OccurrenceMissing
    found = Occurrence.at_instant(at) if on is None else Occurrence(on=on)
    until = body.get("occurred_until")
    stated = body.get("precision") or (Precision.RANGE if until else Precision.DAY)
    return msgspec.structs.replace(found, until=until, precision=Precision(stated))
