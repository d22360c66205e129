"""What is looked at, and what is a sign that something did not happen as it is recorded?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from domain.kernel import KINDS, STATION_TIME, stream_kind, stream_subject
from domain.vocabulary import Labelled
from projections.integrity.thresholds import Thresholds


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


def groups(
    records: Iterable[Observed], key: Callable[[Observed], tuple[str, date]]
) -> Iterator[tuple[tuple[str, date], list[Observed]]]:
    """Records by somebody and a day, in order."""
    found: dict[tuple[str, date], list[Observed]] = {}
    for record in records:
        found.setdefault(key(record), []).append(record)
    yield from sorted(found.items())
