"""What does a line of a history file say, in the program's own terms?

Ids in the file are the file's own: each becomes an id that follows from the station, the
source and the kind, so that a repeated or a later file of the same source means the same
household, person or volunteer.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from domain.catalog import event_class
from domain.fields import PERSON_MARK, REFERS_TO, rewritten
from domain.identity_number import refuse_identifying
from domain.kernel import (
    KIND_OF_TOPIC,
    STATION_TIME,
    Event,
    Occurrence,
    Precision,
    Refused,
    StreamKind,
    Value,
)
from domain.shapes import shape_said
from domain.vocabulary import Role

LINE_LIMIT: Final = 64 * 1024
"""Bytes of the longest line."""
NAMESPACE: Final = UUID("6b1f0a52-3d7e-4d0e-9a86-5f3c2d1e7a90")
KEPT_SUBJECTS: Final = ("station", "month", "indicator")
"""Kinds whose subjects mean the same everywhere: a station's code, a month."""
RECORD_KEEPING: Final = ("record.corrected", "record.voided", "record.reinstated")


class BadLine(
    Refused, code="bad_line", title="这一行无法识别",
    detail="这一行有问题：{problem}。",
):
    """Not JSON, not an object, or not of the documented form."""


class LineTooLong(
    Refused, code="line_too_long", title="这一行过长",
    detail="这一行有 {got} 字节，最长 {limit} 字节。",
):
    """A line beyond the bound."""


class UnknownTopic(
    Refused, code="unknown_topic", title="没有这种记录",
    detail="没有名为“{got}”的记录类型。",
):
    """A topic that no stream has."""


class RecordedInFuture(
    Refused, code="recorded_in_future", title="录入时间晚于现在",
    detail="录入时间 {got} 晚于现在（{now}）。",
):
    """What was recorded was recorded before the import."""


class UnknownKey(
    Refused, code="unknown_key", title="所指的行不存在",
    detail="文件和台账中都没有键为“{got}”的记录。",
):
    """A line refers to another line by a key that nobody has."""


class Days(Value):
    """When something occurred, as a line writes it: a day or an instant."""

    occurred_on: date | None = None
    occurred_at: datetime | None = None
    occurred_until: date | None = None
    precision: Precision = Precision.DAY

    def occurrence(self) -> Occurrence:
        """When it occurred; an instant names its day by itself.

        :raises BadLine: where neither or both of day and instant are given.
        """
        if (self.occurred_on is None) == (self.occurred_at is None):
            raise BadLine(problem="occurred_on 和 occurred_at 必须且只能填写一个")
        if self.occurred_at is not None and self.occurred_at.tzinfo is None:
            raise BadLine(problem="occurred_at 须带时区，如 2024-11-30T16:30:00+08:00")
        found = (
            Occurrence.at_instant(self.occurred_at)
            if self.occurred_at
            else Occurrence(on=self.occurred_on or date.min)
        )
        return msgspec.structs.replace(
            found, until=self.occurred_until, precision=self.precision
        )


DAY_FIELDS: Final = ("occurred_on", "occurred_at", "occurred_until", "precision")


def read_days(fields: dict[str, Any]) -> Days | None:
    """The day that a correction states, if it states one.

    :raises BadLine: where it is no day.
    """
    try:
        return msgspec.convert(fields, Days) if fields else None
    except msgspec.ValidationError as error:
        raise BadLine(problem=f"日期不合格：{shape_said(error)}") from error


class Line(Days, kw_only=True):
    """A line as it is written; see docs/history-format.md."""

    key: str
    topic: str
    recorded_at: datetime
    actor: str
    data: dict[str, Any]
    role: str = Role.SOCIAL_WORKER.value
    subject: str | None = None
    project_cycle: str | None = None
    programmes: tuple[str, ...] = ()


def read_line(raw: bytes, now: datetime) -> Line:
    """Read one line.

    :raises Refused: saying what is wrong with it.
    """
    size = len(raw.rstrip(b"\r\n"))
    if size > LINE_LIMIT:
        raise LineTooLong(got=size, limit=LINE_LIMIT)
    try:
        line = msgspec.json.decode(raw, type=Line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadLine(problem=shape_said(error)) from error
    _check_names(line)
    if line.role not in {role.value for role in Role}:
        raise BadLine(problem=f"没有角色“{line.role[:50]}”")
    if line.topic not in KIND_OF_TOPIC and line.topic not in RECORD_KEEPING:
        raise UnknownTopic(got=line.topic[:80])
    _check_instants(line, now)
    return line


def could_be_key(text: object) -> bool:
    """Whether a line may have this key: short and printable, so that every database keeps it."""
    return isinstance(text, str) and 0 < len(text) <= 200 and text.isprintable()


def _check_names(line: Line) -> None:
    """Keys, subjects and actors are short and printable: they become parts of names.

    A hash of an ID number would be found by trying them all.
    """
    for name in (line.key, line.subject or ""):
        refuse_identifying(name)
    if not 0 < len(line.key) <= 200 or not 0 < len(line.actor) <= 100:
        raise BadLine(problem="key 和 actor 不能为空，也不能过长")
    if not all(name.isprintable() for name in (line.key, line.actor, line.subject or "")):
        raise BadLine(problem="key、actor 和 subject 只能用可见字符")


def _check_instants(line: Line, now: datetime) -> None:
    """Both times have a zone and lie within the calendar; nothing was recorded later than now."""
    if line.recorded_at.tzinfo is None:
        raise BadLine(problem="recorded_at 须带时区，如 2024-11-05T18:00:00+08:00")
    try:
        line.recorded_at.astimezone(STATION_TIME)
        line.occurrence()
    except OverflowError as error:
        raise BadLine(problem="时刻超出了日历的范围") from error
    if line.recorded_at > now:
        raise RecordedInFuture(got=line.recorded_at, now=now)


def content(line: Line) -> bytes:
    """What a line says: the same for the same line, however it is spaced."""
    return msgspec.json.encode(line, order="sorted")


class Names:
    """Turns the file's ids into the program's own."""

    def __init__(self, station: str, source: str) -> None:
        """Ids follow from the station and the source's name."""
        self._prefix = f"{station}/{source}"

    def own(self, text: str, kind: str) -> str:
        """The own id of a file's id of some kind."""
        if kind in KEPT_SUBJECTS:
            return text
        refuse_identifying(text)
        return uuid5(NAMESPACE, f"{self._prefix}/{kind}/{text}").hex

    def subject(self, line: Line, kind: StreamKind[Any]) -> str:
        """The own id of the stream that a line is about."""
        return self.own(line.subject if line.subject is not None else line.key, kind.name)

    def event(self, topic: str, data: dict[str, Any]) -> Event:
        """The event of a line's data, with own ids.

        :raises BadLine: where the data is not of the topic's form.
        """
        try:
            event: Event = msgspec.convert(data, event_class(topic))
        except msgspec.ValidationError as error:
            raise BadLine(problem=f"data 不合格：{shape_said(error)}") from error
        event = rewritten(event, REFERS_TO, self.own)
        renamed: Event = rewritten(event, PERSON_MARK, lambda text, _m: self.own(text, "person"))
        return renamed
