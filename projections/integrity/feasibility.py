"""Can it have happened so? Too much for a day, two places at once, the same words again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise

from domain.kernel import STATION_TIME, stream_kind, stream_subject
from projections.integrity.terms import Observed, Records, Signal, SignalKind, groups
from projections.integrity.thresholds import Thresholds


def _by_worker(records: Records) -> Iterator[tuple[tuple[str, date], list[Observed]]]:
    found: dict[tuple[str, date], list[Observed]] = {}
    for record in records:
        for worker in record.workers if record.is_day_known else ():
            found.setdefault((worker, record.occurred_on), []).append(record)
    yield from sorted(found.items())


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
    for (who, day), mine in groups(served, lambda r: (stream_subject(r.stream), r.occurred_on)):
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


def same_text(records: Records, limits: Thresholds) -> Iterator[Signal]:
    """The same longer text in several records."""
    said: dict[str, dict[str, Observed]] = {}
    for record in records:
        for text in record.texts:
            plain = re.sub(r"[\s\W]+", "", text)
            if len(plain) >= limits.same_text_characters:
                said.setdefault(plain, {})[record.stream] = record
    for plain, found in said.items():
        if len(found) >= limits.same_text_records:
            mine = sorted(found.values(), key=lambda r: r.recorded_at)
            actors = "、".join(dict.fromkeys(r.actor for r in mine))
            text = f"{len(mine)} 条记录的文字完全相同（{len(plain)} 字），由{actors}录入。"
            day = mine[-1].entered.date()
            yield Signal(SignalKind.SAME_TEXT, day, actors, text, tuple(mine))
