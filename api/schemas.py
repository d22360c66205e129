"""Which bodies does the API take? Derived from the events: a field is declared once.

The type of an event's field says what it takes; this module says the same in
marshmallow's words, for reading requests and for the OpenAPI document.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import Any, Final

import msgspec
from marshmallow import Schema, ValidationError, fields, validate
from msgspec import inspect

from api.messages import coded
from domain.code_lists import code_list
from domain.fields import (
    ANY_CHARACTER,
    CODE_LIST,
    COMMUNITY,
    DERIVED,
    PERSONAL,
    REFERS_TO,
    TEXT,
    TextLimits,
    marks_of,
)
from domain.kernel import Event, Precision

OCCURRENCE: Final = ("occurred_on", "occurred_at", "occurred_until", "precision")
ENVELOPE: Final = ("project_cycle", "programmes")


def _possible_instant(instant: datetime) -> None:
    """An instant that every zone's calendar has."""
    if not date.min.year < instant.year < date.max.year:
        raise ValidationError(coded("impossible_date", "年份超出日历范围"))


class OccurrenceSchema(Schema):
    """When it occurred: a day, or an instant from which the station's day follows."""

    occurred_on = fields.Date(metadata={"description": "发生日期（与 occurred_at 二选一）"})
    occurred_at = fields.AwareDateTime(
        validate=_possible_instant,
        metadata={"description": "发生时刻，带时区；日期按 Asia/Shanghai 计"}
    )
    occurred_until = fields.Date(metadata={"description": "时间段的最后一天"})
    precision = fields.String(
        validate=validate.OneOf(
            [p.value for p in Precision],
            error=coded("unknown_choice", "应为 day、range、month 或 about"),
        ),
        metadata={"description": "日期的精确程度"},
    )


class StatementSchema(OccurrenceSchema):
    """What every statement may say beside its event's own fields."""

    project_cycle = fields.String(
        validate=validate.Length(max=50, error=coded("text_too_long", "最长 50 个字符"))
    )
    programmes = fields.List(
        fields.String(
            validate=validate.Length(max=50, error=coded("text_too_long", "最长 50 个字符"))
        ),
        validate=validate.Length(max=20, error=coded("out_of_range", "最多 20 项")),
    )


@cache
def statement_schema(event: type[Event]) -> type[Schema]:
    """The body that states an event: its own fields beside the day."""
    return StatementSchema.from_dict(_own_fields(event), name=f"{event.__name__}Statement")


@cache
def correction_schema(event: type[Event]) -> type[Schema]:
    """The body that states an earlier entry anew, with the reason."""
    return OccurrenceSchema.from_dict(
        _own_fields(event) | {correction_reason(event): reason_field()},
        name=f"{event.__name__}Correction",
    )


def correction_reason(event: type[Event]) -> str:
    """Where a correction says why: an event with a reason of its own keeps that name for it."""
    return "correction_reason" if "reason" in event.__struct_fields__ else "reason"


def reason_field() -> fields.String:
    """Why a record is corrected, voided or reinstated."""
    return fields.String(
        required=True,
        validate=validate.Length(
            min=1, max=500, error=coded("wrong_form", "请写明原因，1 到 500 字")
        ),
        metadata={"description": "原因"},
    )


def _own_fields(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """A marshmallow field for each field that a person states."""
    found = inspect.type_info(struct)
    assert isinstance(found, inspect.StructType)
    marks = marks_of(struct)
    return {
        field.name: _field(field.type, marks[field.name], is_required=field.required)
        for field in found.fields
        if DERIVED not in marks[field.name]
    }


@cache
def struct_schema(struct: type[msgspec.Struct]) -> type[Schema]:
    """One schema a value, so that the document names it once."""
    return Schema.from_dict(_own_fields(struct), name=struct.__name__)


def _field(kind: inspect.Type, marks: dict[str, Any], *, is_required: bool) -> fields.Field[Any]:
    kind, is_nullable = _without_null(kind)
    field = _plain_field(kind, marks)
    field.required = is_required
    field.allow_none = is_nullable
    field.metadata = {**field.metadata, **_description(marks)}
    return field


def _without_null(kind: inspect.Type) -> tuple[inspect.Type, bool]:
    if isinstance(kind, inspect.Metadata):
        return _without_null(kind.type)
    if isinstance(kind, inspect.UnionType):
        rest = [t for t in kind.types if not isinstance(t, inspect.NoneType)]
        inner, _nullable = _without_null(rest[0])
        return inner, len(rest) < len(kind.types)
    return kind, False


def _plain_field(kind: inspect.Type, marks: dict[str, Any]) -> fields.Field[Any]:  # noqa: C901, PLR0911 - one arm a type
    match kind:
        case inspect.StrType() if TEXT in marks:
            return fields.String(validate=_stated_limits(marks[TEXT]))
        case inspect.StrType():
            return fields.String(validate=_text_limits(kind))
        case inspect.IntType():
            return fields.Integer(strict=True, validate=_number_limits(kind))
        case inspect.BoolType():
            return fields.Boolean(truthy={True}, falsy={False})
        case inspect.DateType():
            return fields.Date()
        case inspect.TimeType():
            return fields.Time()
        case inspect.EnumType():
            codes = [member.value for member in kind.cls]
            error = coded("unknown_choice", f"应为 {'、'.join(map(str, codes))} 之一")
            return fields.String(validate=validate.OneOf(codes, error=error))
        case inspect.DictType():
            return fields.Dict(keys=fields.String(), values=fields.Raw())
        case inspect.VarTupleType():
            inner = _field(kind.item_type, marks, is_required=True)
            return fields.List(inner, validate=_count_limits(kind))
        case inspect.StructType():
            return fields.Nested(struct_schema(kind.cls))
        case _:
            raise TypeError(kind)


def _stated_limits(text: TextLimits) -> list[Any]:
    """What may be typed into a field that, stored, holds a sealed text."""
    if text.characters == ANY_CHARACTER:
        as_typed = inspect.StrType(min_length=text.shortest, max_length=text.longest)
        unsealed = inspect.StrType(pattern=f"^{ANY_CHARACTER}*$")
        return [*_text_limits(as_typed), *_text_limits(unsealed)]
    return _text_limits(
        inspect.StrType(pattern=f"^{text.characters}{{{text.shortest},{text.longest}}}$")
    )


def _text_limits(kind: inspect.StrType) -> list[Any]:
    limits: list[Any] = []
    if kind.max_length is not None:
        error = coded("text_too_long", f"最长 {kind.max_length} 个字符")
        limits.append(validate.Length(max=kind.max_length, error=error))
    if kind.min_length:
        error = coded("text_too_short", f"至少 {kind.min_length} 个字符")
        limits.append(validate.Length(min=kind.min_length, error=error))
    if kind.pattern:
        error = coded("wrong_form", "写法不合要求")
        limits.append(validate.Regexp(kind.pattern.replace("$", r"\Z"), error=error))
    return limits


def _number_limits(kind: inspect.IntType) -> validate.Range:
    low = kind.ge if kind.ge is not None else kind.gt
    said = f"应{'大于' if kind.gt is not None else '不小于'} {low}，不大于 {kind.le}"
    return validate.Range(
        min=low, max=kind.le, min_inclusive=kind.gt is None, error=coded("out_of_range", said)
    )


def _count_limits(kind: inspect.VarTupleType) -> validate.Length:
    low, high = kind.min_length or 0, kind.max_length
    said = f"应有 {low} 到 {high} 项" if high else f"至少 {low} 项"
    return validate.Length(min=low, max=high, error=coded("out_of_range", said))


def _description(marks: dict[str, Any]) -> dict[str, str]:
    said = []
    if CODE_LIST in marks:
        rows = code_list(marks[CODE_LIST]).values()
        said.append("代码：" + "，".join(f"{row.code} {row.label}" for row in rows))
    if REFERS_TO in marks:
        said.append(f"引用 {marks[REFERS_TO]} 的编号")
    if COMMUNITY in marks:
        said.append("本站社区的名称或别名")
    if PERSONAL in marks:
        said.append("个人信息")
    return {"description": "；".join(said)} if said else {}
