"""What looks as if it had not happened so? Signs for a reviewer, each with its records.

Pure functions over what was recorded. A sign is no proof and refuses nothing; the
thresholds are data, so that an ordinary month shows none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from domain.kernel import KINDS, STATION_TIME, Refused, Value, stream_kind, stream_subject
from domain.vocabulary import Labelled


class SignalKind(Labelled):
    """What may look odd."""

    LATE = "late", "补录过晚"
    EVALUATION_EVE = "evaluation_eve", "评审前夜补录"
    ODD_HOURS = "odd_hours", "深夜集中录入"
    BURST = "burst", "短时间大量补录"
    DENSITY = "density", "一天服务量过大"
    OVERLAP = "overlap", "同一时间在两处"
    VOLUNTEER_HOURS = "volunteer_hours", "志愿服务时间重叠"
    SAME_TEXT = "same_text", "多条记录文字相同"


class Thresholds(Value):
    """From when on something looks odd; the file of that name says what each is by default."""

    late_days: int
    not_late_topics: tuple[str, ...]
    """Beginnings of topics whose day is one of effect and may long be past."""
    evaluation_topics: tuple[str, ...]
    eve_days: int
    eve_late_days: int
    eve_records: int
    night_from_hour: int
    night_until_hour: int
    night_records: int
    burst_minutes: int
    burst_records: int
    burst_days: int
    same_text_characters: int
    same_text_records: int
    most_visits_a_day: int
    most_minutes_a_day: int
    most_volunteer_minutes_a_day: int


class BadThresholds(
    Refused, code="bad_thresholds", status=500, title="核查标准的文件不正确",
    detail="{file} 不正确：{problem}。应为 JSON，只写要改的项。",
):
    """The station's own thresholds cannot be read."""


def thresholds_of(own: Path) -> Thresholds:
    """The thresholds, with what a station's own file says otherwise.

    :raises BadThresholds: where that file is not one.
    """
    try:
        said = msgspec.json.decode(own.read_bytes(), type=dict) if own.exists() else {}
        return msgspec.convert(_default() | said, Thresholds)
    except msgspec.MsgspecError as error:
        raise BadThresholds(file=own.name, problem=error) from error


@cache
def _default() -> dict[str, object]:
    text = files("projections").joinpath("integrity_thresholds.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, object])


@dataclass(frozen=True, slots=True)
class Observed:
    """A record as it stands, as far as its signs go. ``texts`` are stated notes."""

    stream: str
    entry: int
    position: int
    topic: str
    label: str
    actor: str
    recorded_at: datetime
    occurred_on: date
    last_day: date
    starts_at: datetime | None = None
    is_imported: bool = False
    is_day_known: bool = True
    minutes: int | None = None
    workers: tuple[str, ...] = ()
    place: str = ""
    activity: str | None = None
    texts: tuple[str, ...] = ()

    @property
    def entered(self) -> datetime:
        """When it was recorded, by the station's clock."""
        return self.recorded_at.astimezone(STATION_TIME)

    @property
    def days_late(self) -> int:
        """Days between the service and its recording."""
        return (self.entered.date() - self.last_day).days

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{KINDS[stream_kind(self.stream)].label} {stream_subject(self.stream)}"


@dataclass(frozen=True, slots=True)
class Signal:
    """Something odd: on which day, about whom, in words, with its records."""

    kind: SignalKind
    on: date
    who: str
    text: str
    records: tuple[Observed, ...]


Records = Sequence[Observed]
Detector = Callable[[Records, Thresholds], Iterator[Signal]]


def _groups(
    records: Iterable[Observed], key: Callable[[Observed], tuple[str, date]]
) -> Iterator[tuple[tuple[str, date], list[Observed]]]:
    """Records by somebody and a day, in order."""
    groups: dict[tuple[str, date], list[Observed]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    yield from sorted(groups.items())


def _entered(record: Observed) -> tuple[str, date]:
    return record.actor, record.entered.date()


# ---- when it was recorded ----


def late(records: Records, limits: Thresholds) -> Iterator[Signal]:
    """Services recorded long after they were given."""
    found = [
        r for r in records
        if r.days_late > limits.late_days and not r.topic.startswith(limits.not_late_topics)
    ]
    for (actor, day), mine in _groups(found, _entered):
        oldest = min(r.last_day for r in mine)
        text = (
            f"{actor}在 {day} 录入了 {len(mine)} 条 {limits.late_days} 天以前的服务，"
            f"最早的发生在 {oldest}（晚 {(day - oldest).days} 天）。"
        )
        yield Signal(SignalKind.LATE, day, actor, text, tuple(mine))


def evaluation_eve(records: Records, limits: Thresholds) -> Iterator[Signal]:
    """Older services that were entered just before an evaluation."""
    days = sorted({r.occurred_on for r in records if r.topic in limits.evaluation_topics})
    for evaluated_on in days:
        eve = evaluated_on - timedelta(days=limits.eve_days)
        found = [
            r for r in records
            if eve <= r.entered.date() <= evaluated_on and r.days_late >= limits.eve_late_days
            and not r.topic.startswith(limits.not_late_topics)
        ]
        for (actor, _evaluated_on), mine in _groups(found, _on(evaluated_on)):
            if len(mine) >= limits.eve_records:
                text = (
                    f"{evaluated_on} 评审，{actor}在此前 {limits.eve_days} 天内补录了 "
                    f"{len(mine)} 条至少 {limits.eve_late_days} 天以前的服务。"
                )
                yield Signal(SignalKind.EVALUATION_EVE, evaluated_on, actor, text, tuple(mine))


def _on(day: date) -> Callable[[Observed], tuple[str, date]]:
    return lambda record: (record.actor, day)


def odd_hours(records: Records, limits: Thresholds) -> Iterator[Signal]:
    """Several records entered at night; an older ledger's clock says nothing of it."""

    def is_night(record: Observed) -> bool:
        hour = record.entered.hour
        return hour >= limits.night_from_hour or hour < limits.night_until_hour

    def night(record: Observed) -> tuple[str, date]:
        shift = timedelta(hours=limits.night_until_hour)
        return record.actor, (record.entered - shift).date()

    found = (r for r in records if not r.is_imported and is_night(r))
    for (actor, day), mine in _groups(found, night):
        if len(mine) >= limits.night_records:
            text = (
                f"{actor}在 {day} 夜间（{limits.night_from_hour} 时至次日 "
                f"{limits.night_until_hour} 时）录入了 {len(mine)} 条记录。"
            )
            yield Signal(SignalKind.ODD_HOURS, day, actor, text, tuple(mine))


def burst(records: Records, limits: Thresholds) -> Iterator[Signal]:
    """Records of many days entered within minutes; an import is not typed."""
    window = timedelta(minutes=limits.burst_minutes)
    found = sorted((r for r in records if not r.is_imported), key=lambda r: r.recorded_at)
    for (actor, day), mine in _groups(found, _entered):
        for run in _runs(mine, window):
            days = {r.occurred_on for r in run}
            if len(run) >= limits.burst_records and len(days) >= limits.burst_days:
                text = (
                    f"{actor}在 {run[0].entered:%Y-%m-%d %H:%M} 起的 {limits.burst_minutes} 分钟内"
                    f"录入了 {len(run)} 条分属 {len(days)} 天的记录。"
                )
                yield Signal(SignalKind.BURST, day, actor, text, tuple(run))


def _runs(records: Records, window: timedelta) -> Iterator[list[Observed]]:
    """Records in order, cut where one is later than the first of its run by a window."""
    run: list[Observed] = []
    for record in records:
        if run and record.recorded_at - run[0].recorded_at > window:
            yield run
            run = []
        run.append(record)
    if run:
        yield run


# ---- whether it is possible ----


def _by_worker(records: Records) -> Iterator[tuple[tuple[str, date], list[Observed]]]:
    pairs = [(worker, r) for r in records if r.is_day_known for worker in r.workers]
    groups: dict[tuple[str, date], list[Observed]] = {}
    for worker, record in pairs:
        groups.setdefault((worker, record.occurred_on), []).append(record)
    yield from sorted(groups.items())


def density(records: Records, limits: Thresholds) -> Iterator[Signal]:
    """More visits or minutes in a day than one worker has."""
    for (worker, day), mine in _by_worker(records):
        visits = [r for r in mine if stream_kind(r.stream) == "visit"]
        minutes = sum(r.minutes or 0 for r in mine)
        if len(visits) > limits.most_visits_a_day or minutes > limits.most_minutes_a_day:
            text = (
                f"{worker}在 {day} 有 {len(visits)} 次走访，各项服务共 {minutes} 分钟"
                f"（一人一天以 {limits.most_visits_a_day} 次、"
                f"{limits.most_minutes_a_day} 分钟为限）。"
            )
            yield Signal(SignalKind.DENSITY, day, worker, text, tuple(mine))


def overlap(records: Records, limits: Thresholds) -> Iterator[Signal]:  # noqa: ARG001 - a detector
    """A worker in two places at once, where hour and minutes were stated."""
    for (worker, day), mine in _by_worker(records):
        for one, other in _overlapping(mine):
            if one.place != other.place:
                text = (
                    f"{worker}在 {day} 的两项服务时间重叠而地点不同："
                    f"{one.name}（{_span(one)}）和{other.name}（{_span(other)}）。"
                )
                yield Signal(SignalKind.OVERLAP, day, worker, text, (one, other))


def _overlapping(records: Records) -> Iterator[tuple[Observed, Observed]]:
    """Neighbours in time of which the second begins before the first has ended."""
    timed = sorted(
        (r for r in records if r.starts_at is not None and r.minutes), key=lambda r: r.starts_at  # type: ignore[arg-type,return-value]
    )
    for one, other in pairwise(timed):
        assert one.starts_at is not None
        assert other.starts_at is not None
        if other.starts_at < one.starts_at + timedelta(minutes=one.minutes or 0):
            yield one, other


def _span(record: Observed) -> str:
    assert record.starts_at is not None
    begins = record.starts_at.astimezone(STATION_TIME)
    return f"{begins:%H:%M} 至 {begins + timedelta(minutes=record.minutes or 0):%H:%M}"


def volunteer_hours(records: Records, limits: Thresholds) -> Iterator[Signal]:
    """A volunteer's hours that overlap, count an activity twice, or fill the day."""
    served = [r for r in records if r.topic == "volunteer.service_recorded" and r.is_day_known]
    for (who, day), mine in _groups(served, lambda r: (stream_subject(r.stream), r.occurred_on)):
        minutes = sum(r.minutes or 0 for r in mine)
        activities = [r.activity for r in mine if r.activity is not None]
        if any(True for _pair in _overlapping(mine)):
            because = "几项服务的时间重叠"
        elif len(activities) > len(set(activities)):
            because = "同一活动计了两次"
        elif minutes > limits.most_volunteer_minutes_a_day:
            because = f"共 {minutes} 分钟，超过 {limits.most_volunteer_minutes_a_day} 分钟"
        else:
            continue
        text = f"志愿者 {who} 在 {day} 的 {len(mine)} 条服务记录：{because}。"
        yield Signal(SignalKind.VOLUNTEER_HOURS, day, who, text, tuple(mine))


# ---- what it says ----


def same_text(records: Records, limits: Thresholds) -> Iterator[Signal]:
    """The same longer text in several records."""
    groups: dict[str, dict[str, Observed]] = {}
    for record in records:
        for text in record.texts:
            plain = re.sub(r"[\s\W]+", "", text)
            if len(plain) >= limits.same_text_characters:
                groups.setdefault(plain, {})[record.stream] = record
    for plain, found in groups.items():
        if len(found) >= limits.same_text_records:
            mine = sorted(found.values(), key=lambda r: r.recorded_at)
            actors = "、".join(dict.fromkeys(r.actor for r in mine))
            text = f"{len(mine)} 条记录的文字完全相同（{len(plain)} 字），由{actors}录入。"
            day = mine[-1].entered.date()
            yield Signal(SignalKind.SAME_TEXT, day, actors, text, tuple(mine))


DETECTORS: Final[dict[SignalKind, Detector]] = {
    SignalKind.LATE: late,
    SignalKind.EVALUATION_EVE: evaluation_eve,
    SignalKind.ODD_HOURS: odd_hours,
    SignalKind.BURST: burst,
    SignalKind.DENSITY: density,
    SignalKind.OVERLAP: overlap,
    SignalKind.VOLUNTEER_HOURS: volunteer_hours,
    SignalKind.SAME_TEXT: same_text,
}


def odd(
    records: Records, limits: Thresholds, kinds: Iterable[SignalKind] = tuple(SignalKind)
) -> list[Signal]:
    """Everything odd of some kinds, the newest day first."""
    found = [signal for kind in kinds for signal in DETECTORS[kind](records, limits)]
    return sorted(found, key=lambda s: (-s.on.toordinal(), s.kind.value, s.who, s.text))
