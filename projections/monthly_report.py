"""What does the station report for a month or longer: figures, facts, and the lead's own text?

The figures are those of ``figures.py``. Dated facts are the statements behind the
month's postings, as they were known at the moment asked for. The narrative is the
lead's, versioned in the ledger and kept apart from both; a longer report has its months'
own, in their order. What was not stated prints 未填报.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, select

from domain.activity import ActivityHeld
from domain.code_lists import label_of
from domain.fields import Quantity
from domain.kernel import (
    KINDS,
    Entry,
    Event,
    Occurrence,
    Stream,
    UnknownStation,
    stream_id,
    stream_kind,
    stream_subject,
)
from domain.ledger import Ledger, by_stream, recorded_from
from domain.meeting import MeetingHeld
from domain.programme import (
    CompetitionAwarded,
    CompetitionEntered,
    ProjectReviewPresented,
)
from domain.record_keeping import fold
from domain.station import StationEvent
from domain.station_month import NarrativeWritten, PlanItemAdded, ReflectionWritten
from domain.supervision import SupervisionReceived
from domain.survey import CommunityNeedsSurveyHeld, SurveyHeld
from domain.task_book import (
    TaskBookApproved,
    TaskBookDrafted,
    TaskBookRevised,
    TaskBookSubmitted,
)
from domain.training import TrainingDelivered, TrainingReceived
from domain.vocabulary import UNSTATED, ReportSection
from projections.figures import Figure, Period, divided, figures
from projections.histories import Histories
from projections.indicator_versions import station_set
from projections.indicators import IndicatorSet
from projections.late_entries import Lateness, lateness
from projections.measures import POSTS
from projections.moments import KnownAt, Moment, bounded, known, position_of
from projections.postings import postings
from projections.report_periods import ReportPeriod, report_period
from projections.standing import Summed

REPORTED_KINDS: Final = (
    "survey", "community_survey", "activity", "training_delivered", "training_received",
    "supervision", "meeting", "competition", "task_book", "project_review",
)
NUMERALS: Final = "一二三四五六七八九十"

E = TypeVar("E", bound=Event)
Opener = Callable[[Stream[Any]], Stream[Any]]
"""How a report's texts are opened: by whoever reads them, so that the reading is known."""


def unopened(stream: Stream[Any]) -> Stream[Any]:
    """For whoever asks for figures only: the texts stay sealed."""
    return stream


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a section: facts from the ledger, and the lead's own paragraphs."""

    title: str | None = None
    facts: tuple[str, ...] = ()
    narrative: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded or written."""
        return not (self.facts or self.narrative)


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the report: ``number`` is the Chinese numeral."""

    number: str
    title: str
    parts: tuple[Part, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded or written."""
        return all(part.is_empty for part in self.parts)


@dataclass(frozen=True, slots=True)
class MonthlyReport:
    """A report. ``known_at`` and ``as_of`` are the question it answers.

    ``month`` is its period's name: ``2024-11``, or of a longer one ``2024-Q4``.
    ``position`` is up to where the log was read: asked again with it, the same is answered.
    ``late`` are the late entries behind each figure, by its code.
    """

    station: str
    profile: StationEvent
    month: str
    period: Period
    as_of: date
    known_at: KnownAt | None
    position: int
    indicator_set: IndicatorSet
    figures: tuple[Figure, ...]
    late: Mapping[str, Lateness]
    sections: tuple[Section, ...]

    @property
    def title(self) -> str:
        """The report's title."""
        return f"{self.profile.name}{report_period(self.month).label}"


@dataclass(frozen=True, slots=True)
class _Said:
    """The statements of a period, as known, and the station's narrative of each month."""

    months: tuple[str, ...]
    entries: list[tuple[str, Entry]] = field(default_factory=list)

    def of(self, *events: type[E]) -> Iterator[tuple[Occurrence, E]]:
        """The statements of some kinds, in the order in which they occurred."""
        found = [e for _stream, e in self.entries if isinstance(e.statement.event, events)]
        found.sort(key=lambda e: (e.statement.occurred.on, e.recorded_at, e.version))
        for entry in found:
            event: Any = entry.statement.event
            yield entry.statement.occurred, event

    def of_months(self, event: type[E]) -> Iterator[tuple[str, list[E]]]:
        """What was written about each month, month by month, in the order of writing."""
        for month in self.months:
            own = [entry for entry in self.entries if stream_subject(entry[0]) == month]
            texts = [said for _occurred, said in _Said(self.months, own).of(event)]
            if texts:
                yield month, texts


def monthly_report(
    connection: Connection,
    ledger: Ledger,
    station: str,
    month: str,
    *,
    opened: Opener,
    as_of: date | None = None,
    known_at: KnownAt | None = None,
    position: int | None = None,
    set_code: str | None = None,
    indicators: IndicatorSet | None = None,
    tells_late: bool = True,
) -> MonthlyReport:
    """The report of a station's month, or of a longer period (``report_periods.py``).

    ``opened`` opens the texts. ``position`` is how far the read models have come, where that
    is known. ``indicators``
    are the definitions to count by, ``set_code`` the set to take them from; without either
    they are the station's own. Who shows no late entries need not have them counted.

    :raises BadReportPeriod: where ``month`` is no period.
    :raises UnknownStation: where no such station keeps its ledger here.
    """
    named = report_period(month)
    period = named.period
    heard = bounded(known_at, ledger.head() if position is None else position)
    profile = station_profile(ledger, station, heard)
    chosen = indicators or station_set(
        connection, station, set_code or profile.indicator_set, period, known_at=known_at
    )
    asked: dict[str, Any] = {"as_of": as_of, "known_at": known_at}
    found = figures(connection, station, chosen, period, **asked)
    cut = period.until(as_of)
    said = _Said(named.months)
    streams = _streams(connection, ledger, station, named, period=cut, heard=heard)
    said.entries.extend(_entries(map(opened, streams), named, cut))
    values = {figure.indicator.code: figure for figure in found}
    late = lateness(connection, station, chosen, period, **asked) if tells_late else {}
    return MonthlyReport(
        station, profile, month, period, cut.last, known_at, position_of(heard) or 0, chosen,
        tuple(found), late, tuple(_sections(said, values)),
    )


def report_then(
    then: Summed, ledger: Ledger, station: str, month: str, moment: Moment,
    *, opened: Opener, set_code: str | None = None,
) -> MonthlyReport:
    """The report of a station's month at a moment, which it states as it was asked."""
    found = monthly_report(
        then.connection, ledger, station, month, as_of=then.as_of, known_at=then.known_at,
        position=then.position, set_code=set_code, opened=opened,
    )
    return replace(found, known_at=moment.known_at)


def station_profile(
    ledger: Histories, station: str, known_at: KnownAt | None = None
) -> StationEvent:
    """The station's particulars as they were known; before that, as they were first stated.

    :raises UnknownStation: where there is no such station.
    """
    history = ledger.history(stream_id(station, "station", station)) if known_at is not None else []
    stream = (
        fold(KINDS["station"], None, known(history, known_at) or history[:1])
        if history else ledger.stream(station, "station", station)
    )
    if stream is None or stream.state.profile is None:
        raise UnknownStation(id=station, kind="社工站")
    profile: StationEvent = stream.state.profile
    return profile


def _streams(
    connection: Connection, ledger: Ledger, station: str, asked: ReportPeriod, *,
    period: Period, heard: KnownAt,
) -> Iterator[Stream[Any]]:
    """The streams in which something was said of a period, as they were known."""
    query = (
        select(postings.c.stream)
        .where(postings.c.station == station)
        .where(postings.c.measure.in_(_reported_measures()))
        .where(postings.c.effective_on.between(period.first, period.last))
        .distinct()
    )
    named = connection.execute(query).scalars()
    streams = sorted(name for name in named if stream_kind(name) in REPORTED_KINDS)
    own = [stream_id(station, "month", month) for month in asked.months]
    for name, notifications in by_stream(_in_chunks(ledger, [*streams, *own])).items():
        events = known(map(recorded_from, notifications), heard)
        stream = fold(KINDS[stream_kind(name)], None, events)
        if stream is not None:
            yield stream


def _entries(
    streams: Iterable[Stream[Any]], asked: ReportPeriod, period: Period
) -> Iterator[tuple[str, Entry]]:
    """What was said of a period: all that was written about its months, and what occurred."""
    for stream in streams:
        is_own = stream_kind(stream.id) == "month" and stream_subject(stream.id) in asked.months
        for entry in stream.active():
            on = entry.statement.occurred.on
            if is_own or period.first <= on <= period.last:
                yield stream.id, entry


@cache
def _reported_measures() -> tuple[str, ...]:
    """What events of the reported kinds post to: by these the postings of a month are found."""
    topics = {event.topic for kind in REPORTED_KINDS for event in KINDS[kind].events}
    return tuple(sorted({m.code for topic in topics for m, _post in POSTS.get(topic, ())}))


def _in_chunks(ledger: Ledger, streams: list[str]) -> Iterable[Any]:
    for start in range(0, len(streams), 400):
        yield from ledger.notifications_of(streams[start : start + 400])


# ---- the seven sections ----

PLAN_SECTION: Final = 7
"""The number of the section that has the plan for the time after the period."""


def _sections(said: _Said, values: dict[str, Figure]) -> Iterator[Section]:
    parts = (
        ("数据统计", (Part(None, (), _narrative(said, ReportSection.STATISTICS)),)),
        ("重点服务", _key_services(said, values)),
        ("特色服务", _featured(said)),
        ("立项评审", (_project_review(said),)),
        ("社工站督导、培训及会议", (_growth(said),)),
        ("工作反思", (_reflections(said),)),
        ("下个月计划", (_plan(said),)),
    )
    for number, (title, section_parts) in zip(NUMERALS, parts, strict=False):
        yield Section(number, title, tuple(section_parts))


def _narrative(said: _Said, *sections: ReportSection) -> tuple[str, ...]:
    """The newest text of each section and title, in paragraphs, month by month."""
    found: list[str] = []
    for month, events in said.of_months(NarrativeWritten):
        newest = {(e.section, e.title or ""): e.text for e in events if e.section in sections}
        found += _of_month(said, month, newest.values())
    return tuple(found)


def _of_month(said: _Said, month: str, texts: Iterable[str | None]) -> list[str]:
    """A month's texts in paragraphs; a longer report says of which month they are."""
    found = list(_paragraphs(*texts))
    if found and len(said.months) > 1:
        found[0] = f"{int(month[5:])}月：{found[0]}"
    return found


def _paragraphs(*texts: str | None) -> Iterator[str]:
    for text in texts:
        yield from (line.strip() for line in (text or "").splitlines() if line.strip())


def _key_services(said: _Said, values: dict[str, Figure]) -> Iterator[Part]:
    updated, opened = (_printed(values, c) for c in ("households_updated", "case_files_opened"))
    sentence = f"更新困难群体服务信息{updated}，其中新建服务对象档案{opened}。"
    centre = [sentence] if "households_updated" in values else []
    yield Part(
        "个案管理中心建设", tuple(centre), _narrative(said, ReportSection.CASE_CENTRE)
    )
    communities = list(dict.fromkeys(e.community for _o, e in said.of(CommunityNeedsSurveyHeld)))
    survey = [f"在{'、'.join(communities)}共{len(communities)}个社区开展需求调研。"]
    yield Part(
        "社区需求调研", tuple(survey if communities else ()),
        _narrative(said, ReportSection.NEEDS_SURVEY),
    )
    surveys = tuple(
        f"{_days(occurred)}，{_at(event.community)}开展{label_of('survey_kinds', event.kind)}1次，"
        f"调研{_quantity(event.persons_surveyed, '人')}。"
        for occurred, event in said.of(SurveyHeld)
    )
    yield Part("调研工作", surveys, _narrative(said, ReportSection.ELDERLY_SURVEY))


def _featured(said: _Said) -> Iterator[Part]:
    held = tuple(
        f"{_days(occurred)}，{_role(event.role)}{event.title}"
        f"（{label_of('activity_kinds', event.kind)}"
        f"{'，' + event.venue if event.venue else ''}），参与{_quantity(event.attendance, '人')}。"
        for occurred, event in said.of(ActivityHeld)
    )
    trained = tuple(
        f"{_days(occurred)}，面向{label_of('audiences', event.audience)}开展培训"
        f"{_quoted(event.title)}，参与{_quantity(event.attendance, '人')}。"
        for occurred, event in said.of(TrainingDelivered)
    )
    yield Part("社区活动与培训", held + trained, _narrative(said, ReportSection.FEATURED))
    entered = tuple(
        f"{_days(occurred)}，参加{_quoted(event.title)}{_by(event.organiser)}。"
        for occurred, event in said.of(CompetitionEntered)
    )
    awarded = tuple(
        f"{_days(occurred)}，获得{event.award}，奖金{_yuan(event.prize_fen)}。"
        for occurred, event in said.of(CompetitionAwarded)
    )
    yield Part("参加大赛", entered + awarded, _narrative(said, ReportSection.COMPETITION))


def _project_review(said: _Said) -> Part:
    steps: dict[type[Event], str] = {
        TaskBookDrafted: "撰写任务书", TaskBookRevised: "修改任务书",
        TaskBookSubmitted: "提交任务书", TaskBookApproved: "任务书通过审定",
    }
    books = tuple(
        f"{_days(occurred)}，{steps[type(event)]}。" for occurred, event in said.of(*steps)
    )
    reviews = tuple(
        f"{_days(occurred)}，参加{event.title}{_by(event.organiser)}。"
        for occurred, event in said.of(ProjectReviewPresented)
    )
    return Part(None, books + reviews, _narrative(said, ReportSection.PROJECT_REVIEW))


def _growth(said: _Said) -> Part:
    facts: list[str] = []
    for occurred, event in said.of(SupervisionReceived, TrainingReceived, MeetingHeld):
        match event:
            case SupervisionReceived():
                kind = label_of("supervision_kinds", event.kind)
                mode = label_of("delivery_modes", event.mode)
                said_of_it = f"接受{event.supervisor}{mode}{kind}1次"
                facts.append(_fact(occurred, said_of_it, event.advice))
            case TrainingReceived():
                said_of_it = f"参加培训{_quoted(event.title)}{_by(event.organiser)}"
                facts.append(_fact(occurred, said_of_it, event.summary))
            case MeetingHeld():
                kind = label_of("meeting_kinds", event.kind)
                facts.append(_fact(occurred, f"参加{kind}{_quoted(event.title)}", event.summary))
    return Part(None, tuple(facts), _narrative(said, ReportSection.SUPERVISION))


def _fact(occurred: Occurrence, what: str, more: str | None) -> str:
    return f"{_days(occurred)}，{what}。{more or ''}"


def _reflections(said: _Said) -> Part:
    texts = [
        text
        for month, events in said.of_months(ReflectionWritten)
        for text in _of_month(said, month, (event.text for event in events))
    ]
    return Part(None, (), tuple(texts) or (UNSTATED,))


def _plan(said: _Said) -> Part:
    """What is planned for the time after the period: the last month's plan."""
    plans = [e.text for month, events in said.of_months(PlanItemAdded)
             if month == said.months[-1] for e in events]
    return Part(None, (), tuple(plans) or (UNSTATED,))


# ---- how facts are printed ----


def _printed(values: dict[str, Figure], code: str) -> str:
    figure = values.get(code)
    return f"{figure.display}{figure.indicator.unit.label}" if figure else UNSTATED


def _days(occurred: Occurrence) -> str:
    first = f"{occurred.on.month}月{occurred.on.day}日"
    if occurred.until is None or occurred.until == occurred.on:
        return first
    return f"{first}至{occurred.until.month}月{occurred.until.day}日"


def _quoted(title: str) -> str:
    """A title in quotation marks, unless it brings its own."""
    return title if title.startswith(("“", "《")) else f"“{title}”"


def _at(community: str | None) -> str:
    return f"在{community}" if community else ""


def _by(organiser: str | None) -> str:
    return f"（{organiser}主办）" if organiser else ""


def _role(role: str) -> str:
    return {"host": "主办", "co_host": "联合主办", "assist": "协助开展"}.get(role, "")


def _quantity(quantity: Quantity, unit: str) -> str:
    if quantity.value is None:
        return f"人数{UNSTATED}"
    return f"{quantity.approximation.label}{quantity.value}{unit}"


def _yuan(fen: int | None) -> str:
    """Money as the table of figures has it: 2000元, 1234.56元."""
    return UNSTATED if fen is None else f"{divided(fen, 100)}元"
