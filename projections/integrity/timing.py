"""Was it recorded when it could have been? Late, on the eve of a review, at night, in bursts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta

from projections.integrity.terms import Observed, Records, Signal, SignalKind, groups
from projections.integrity.thresholds import Thresholds


def _entered(record: Observed) -> tuple[str, date]:
    return record.actor, record.entered.date()


def late(records: Records, limits: Thresholds) -> Iterator[Signal]:
    """Services recorded long after they were given."""
    found = [
        r for r in records
        if r.days_late > limits.late_days and not r.topic.startswith(limits.not_late_topics)
    ]
    for (actor, day), mine in groups(found, _entered):
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
        for (actor, _evaluated_on), mine in groups(found, _on(evaluated_on)):
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
    for (actor, day), mine in groups(found, night):
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
    for (actor, day), mine in groups(found, _entered):
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
