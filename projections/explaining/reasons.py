"""In which words is it said that, and why, something is not in a figure?

A reason names the record, the event of the log that made it so, and, where a condition of
the definition was not met, what was wanted and what the record says. What somebody wrote
as a cause (of a void, a correction, a merge) stays sealed until whoever may read it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from domain.code_lists import label_of
from domain.describing import statements_in
from domain.kernel import EVENTS, STATION_TIME, Recorded, stream_kind, stream_subject
from domain.vocabulary import Labelled
from projections.counting import Term
from projections.explaining.tested import Tested
from projections.measures import MEASURES, CodeSource
from projections.report_differences import reason_at


class Because(Labelled):
    """Why something is not in a figure, or is in it only once."""

    VOIDED = "voided", "已作废"
    CORRECTED = "corrected", "已更正"
    NOT_KNOWN_YET = "not_known_yet", "那时还没有录入"
    OUTSIDE_PERIOD = "outside_period", "不在期间内"
    OTHER_VERSION = "other_version", "当日适用另一版口径"
    OTHER_VALUE = "other_value", "不合口径的条件"
    ENDED = "ended", "已由另一条记录减去"
    MERGED = "merged", "已合并"
    COUNTED_ALREADY = "counted_already", "已由另一条记录计入"
    IN_CONTACT = "in_contact", "期内有联系"
    NAMES_ANOTHER = "names_another", "已更正为另一对象"
    POSTS_NOTHING = "posts_nothing", "没有可计的数量"
    OTHER_MEASURE = "other_measure", "这类记录不计入此数"
    NO_RECORD = "no_record", "没有相应的记录"


DIMENSION_LABELS: Final = {
    "community": "社区", "category": "当日救助类别", "kind": "类别", "role": "承担角色",
    "mode": "方式", "audience": "对象", "staff": "登记人", "programme": "项目标签",
    "project": "项目周期",
}
OUTSIDE: Final = {"first", "last", "lately"}
VERSION: Final = {"since", "until"}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason. ``position`` is the event that made it so; ``cause`` is sealed in ``stream``.

    ``record`` is the record that the reason is about: its stream and entry.
    """

    because: Because
    said: str
    record: tuple[str, int] | None = None
    label: str = ""
    on: date | None = None
    position: int | None = None
    recorded_at: datetime | None = None
    actor: str | None = None
    cause: str | None = None
    dimension: str | None = None
    got: str | None = None
    wanted: tuple[str, ...] = ()

    @property
    def kind(self) -> str | None:
        """The kind of the record."""
        return stream_kind(self.record[0]) if self.record else None

    @property
    def id(self) -> str | None:
        """The id of the record."""
        return stream_subject(self.record[0]) if self.record else None


def instant_said(instant: datetime) -> str:
    """How an instant is named in a sentence."""
    return f"{instant.astimezone(STATION_TIME):%Y-%m-%d %H:%M}"


def of_event(
    because: Because, said: str, event: Recorded, record: tuple[str, int]
) -> Reason:
    """A reason that an event of the log made, with the day that the record was about."""
    envelope, held = event.envelope, statements_in(event.event, event.occurred)
    day = (held.before or held.after or event.statement).occurred.on
    return Reason(
        because, said, record, event.event.label, day, event.position,
        envelope.recorded_at, envelope.actor, reason_at(event),
    )


def of_condition(row: Tested, name: str, bounds: dict[str, object]) -> Reason:
    """Why a posting is not counted: the condition that it fails."""
    if name in OUTSIDE:
        return _told(Because.OUTSIDE_PERIOD, _outside_said(row, name, bounds), row)
    if name in VERSION:
        day = getattr(row.term, name)
        side = "之前" if name == "since" else "之后"
        named = f"{row.label}的日期 {row.effective_on}"
        said = f"{named} 在这版口径的有效期{side}（{day}）"
        return _told(Because.OTHER_VERSION, said, row)
    wanted = dict(row.term.filter)[name]
    got = row.values[name]
    source = MEASURES[row.term.measure].by.get(name, "")
    asked = "、".join(value_said(source, value) for value in wanted)
    label = DIMENSION_LABELS[name]
    said = (
        f"{row.label}的{label}是“{value_said(source, got)}”，"
        f"这个数要的是“{asked}”"
    )
    return _told(Because.OTHER_VALUE, said, row, dimension=name, got=got, wanted=wanted)


def _outside_said(row: Tested, name: str, bounds: dict[str, object]) -> str:
    named = f"{row.label}的日期 {row.effective_on}"
    if name == "last":
        return f"{named} 在所问的最后一天（{bounds['last']}）之后"
    first = bounds[row.term.first] if name == "first" and row.term.first else None
    day = f"（{first}）" if first else ""
    return f"{named} 在所问期间的第一天{day}之前"


def of_posting(because: Because, said: str, row: Tested) -> Reason:
    """A reason that a posting itself gives."""
    return _told(because, said, row)


def _told(because: Because, said: str, row: Tested, **more: object) -> Reason:
    return Reason(
        because, said, row.record, EVENTS[row.topic].label, row.effective_on,
        row.position, row.recorded_at, **more,  # type: ignore[arg-type]
    )


def value_said(source: CodeSource, value: str) -> str:
    """What people read for a dimension's value."""
    if not value:
        return "（无）"
    text = value.strip("\n").replace("\n", "、")
    if isinstance(source, str):
        return label_of(source, text) if source else text
    return next((member.label for member in source if member.value == text), text)


def term_said(term: Term) -> str:
    """What people read for what a definition counts: the measure, and what of it."""
    measure = MEASURES[term.measure]
    filters = [
        f"{DIMENSION_LABELS[name]}为"
        + "或".join(value_said(measure.by.get(name, ""), value) for value in values)
        for name, values in term.filter
    ]
    return "，".join([measure.label, *filters])
