"""What did the station publish for a period, frozen for ever, and how was it restated?

A publication is a snapshot: figures with the definitions that they were counted by,
the text as it was printed, and the position up to which the log was known. Nothing that
is recorded later changes it. A restatement is a further snapshot that names the figures
which have changed since, with the records that changed them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final, assert_never

import msgspec
from msgspec.structs import replace as with_fields

from domain.fields import PERSONAL, Derived, PublishedText, Reason, marked_values
from domain.kernel import (
    STATION_TIME,
    Entry,
    Event,
    Refused,
    Related,
    Statement,
    StreamKind,
    Value,
)
from domain.vocabulary import Approximation, Labelled, Unit

FORMAT: Final = "taizhang-report/1"
"""What a snapshot's code is a hash of; stands within it."""
MOST_TEXT: Final = 20_000
SHORT_CODE: Final = 12

# ---- values ----


class TreeHead(Value):
    """A checkpoint of the log: the number of its leaves, and the root over them in Base64."""

    size: int
    root: str


class PublishedFigure(Value):
    """A figure as it was printed; ``value`` is null where nobody stated it."""

    code: str
    label: str
    label_en: str
    unit: Unit
    value: int | Decimal | None
    display: str
    approximation: Approximation = Approximation.EXACT
    unstated: int = 0
    part_of: str | None = None
    is_fact: bool = False


class PublishedPart(Value):
    """A part of a section: facts from the ledger, and the lead's own paragraphs."""

    title: str | None = None
    facts: tuple[PublishedText, ...] = ()
    narrative: tuple[PublishedText, ...] = ()


class PublishedSection(Value):
    """A section of the report: ``number`` is the Chinese numeral."""

    number: str
    title: str
    parts: tuple[PublishedPart, ...] = ()


class Snapshot(Value):
    """All that a published report says, and what it was counted by.

    ``profile`` holds the station's particulars, ``indicator_set`` the whole set with its
    version, ``template`` the SHA-256 of the Word template that was filled.
    """

    station: str
    period: str
    first_on: date
    last_on: date
    position: int
    title: str
    summary: str
    imprint: str
    profile: dict[str, Any]
    indicator_set: dict[str, Any]
    figures: tuple[PublishedFigure, ...]
    sections: tuple[PublishedSection, ...]
    template: str | None = None
    checkpoint: TreeHead | None = None
    format: str = FORMAT


class Change(Labelled):
    """What happened to a record after the report was published."""

    LATE = "late", "补录"
    CORRECTED = "corrected", "更正"
    VOIDED = "voided", "作废"
    REINSTATED = "reinstated", "恢复"
    MERGED = "merged", "合并"
    UNMERGED = "unmerged", "拆分"


class ChangedRecord(Value):
    """A record that changed a figure, and by how much (in the figure's unit).

    Its reason stands in the log, at its position.
    """

    change: Change
    position: int
    stream: str
    entry: int
    effective_on: date
    amount: int | Decimal


class RestatedFigure(Value):
    """A figure that has changed since the publication, and by which records."""

    code: str
    label: str
    unit: Unit
    before: str
    after: str
    records: tuple[ChangedRecord, ...] = ()
    is_cut: bool = False
    """Whether there are more records than are named."""


# ---- the code ----


def canonical(value: object) -> bytes:
    """Canonical JSON: UTF-8, sorted keys, no spaces."""
    return msgspec.json.encode(value, order="sorted")


def texts_hash(snapshot: Snapshot) -> str:
    """SHA-256 (hex) over the canonical JSON of the sections as they were stated."""
    return hashlib.sha256(canonical(snapshot.sections)).hexdigest()


def snapshot_code(snapshot: Snapshot, texts: str) -> str:
    """The snapshot's code: SHA-256 (hex) over its canonical JSON, all fields of it.

    In the place of ``sections`` stands the hash of the sections (``texts``). They may name
    persons and are sealed in the log; so whoever holds no key, and whoever comes after a
    person was erased, still computes the code from the event as it is stored.
    """
    fields: dict[str, Any] = msgspec.json.decode(canonical(with_fields(snapshot, sections=())))
    return hashlib.sha256(canonical(fields | {"sections": texts})).hexdigest()


def short_code(code: str) -> str:
    """The code as it is printed: its first 12 hexadecimal digits, ``3F9A-12BC-77DE``."""
    first = code[:SHORT_CODE].upper()
    return "-".join(first[start : start + 4] for start in range(0, SHORT_CODE, 4))


# ---- events ----


class ReportPublished(Event, topic="report.published", label="发布报告"):
    """The lead published the report of a period."""

    snapshot: Snapshot
    acknowledged: tuple[str, ...] = ()
    """The codes of the warnings that the lead had seen."""
    texts: Annotated[str | None, Derived] = None
    code: Annotated[str | None, Derived] = None


class ReportRestated(Event, topic="report.restated", label="发布更正说明"):
    """The lead published what has changed since; the publication before stays as it is."""

    snapshot: Snapshot
    differences: tuple[RestatedFigure, ...]
    reason: Reason
    restates: Annotated[str | None, Derived] = None
    """The code of the publication before."""
    texts: Annotated[str | None, Derived] = None
    code: Annotated[str | None, Derived] = None


ReportEvent = ReportPublished | ReportRestated

# ---- refusals ----


class ReportAlreadyPublished(
    Refused, code="report_already_published", status=409, title="报告已经发布",
    detail="{period} 的报告已经发布（快照码 {code}），不能再次发布；有变动时请发布更正说明。",
):
    """A period is published once, and restated after that."""


class ReportNotPublished(
    Refused, code="report_not_published", status=404, title="报告尚未发布",
    detail="{period} 的报告尚未发布。",
):
    """Only what was published can be restated, or shown as published."""


class PeriodNotEnded(
    Refused, code="period_not_ended", title="这段时间还没有结束",
    detail="{period} 到 {last} 才结束（今天是 {today}），结束后才能发布报告。",
):
    """A period is published when it is over."""


class NothingToRestate(
    Refused, code="nothing_to_restate", status=409, title="没有需要更正的内容",
    detail="{period} 的报告发布以来，数字和正文都没有变化，无须发布更正说明。",
):
    """A restatement says what has changed."""


class TextTooLongToPublish(
    Refused, code="text_too_long_to_publish", title="有一段文字过长",
    detail="报告中有一段文字长 {got} 字，最长 {limit} 字，请先分段或缩短。",
):
    """A paragraph that the log does not take."""


# ---- state and decision ----


@dataclass(frozen=True, slots=True)
class Published:
    """The newest publication of a period; ``code`` is ``None`` before the first."""

    code: str | None = None
    texts: str | None = None
    position: int = 0
    figures: tuple[PublishedFigure, ...] = ()


def evolve(_state: Published, entry: Entry) -> Published:
    """What is published after one more publication."""
    event = entry.statement.event
    assert isinstance(event, ReportEvent)
    return Published(event.code, event.texts, event.snapshot.position, event.snapshot.figures)


def decide(statement: Statement, state: Published, related: Related) -> Event:
    """The publication to record, or a refusal."""
    event = statement.event
    assert isinstance(event, ReportEvent)
    snapshot, today = event.snapshot, related.context.now.astimezone(STATION_TIME).date()
    assert (snapshot.station, snapshot.period) == (related.context.station, related.subject)
    if today <= snapshot.last_on:
        raise PeriodNotEnded(period=snapshot.period, last=snapshot.last_on, today=today)
    for _path, _mark, text in marked_values(event, PERSONAL):
        if len(text) > MOST_TEXT:
            raise TextTooLongToPublish(got=len(text), limit=MOST_TEXT)
    texts = texts_hash(snapshot)
    code = snapshot_code(snapshot, texts)
    match event:
        case ReportPublished():
            if state.code is not None:
                raise ReportAlreadyPublished(period=snapshot.period, code=short_code(state.code))
            return with_fields(event, texts=texts, code=code)
        case ReportRestated():
            _check_restated(state, snapshot, texts)
            return with_fields(event, texts=texts, code=code, restates=state.code)
        case _:
            assert_never(event)


def _check_restated(state: Published, snapshot: Snapshot, texts: str) -> None:
    if state.code is None:
        raise ReportNotPublished(period=snapshot.period)
    assert snapshot.position >= state.position
    if (snapshot.figures, texts) == (state.figures, state.texts):
        raise NothingToRestate(period=snapshot.period)


REPORT = StreamKind(
    "report", "已发布的报告", Published(), evolve, decide, (ReportPublished, ReportRestated),
    also_opening=(ReportPublished,),  # a second one reaches the decision, which says why not
    is_final=True, is_stated=False,
)
