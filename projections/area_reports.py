"""What do the stations of a district, or of a city, report together?

Each station counts by its own set. What all of them count by the same rule is added up,
as printed; the rest is listed by station. A household that two stations serve is counted
by both: distinct counts are per station, and the sum says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import msgspec
from sqlalchemy import Connection

from domain.indicators import Indicator
from domain.kernel import Refused
from domain.ledger import Ledger
from domain.station import StationEvent
from domain.vocabulary import Approximation, Labelled
from projections.figures import Figure, figures
from projections.indicator_versions import station_set
from projections.indicators import IndicatorSet
from projections.measures import MEASURES, Kind
from projections.moments import KnownAt
from projections.monthly_report import station_profile
from projections.report_periods import ReportPeriod, report_period
from projections.stations import station_codes

MOST_CHOICES: Final = 20
DISTINCT_NOTE: Final = "“户”“人”等不重复计数在各站内去重，各站之间相加，跨站的同一户会重复计入。"


class Scope(Labelled):
    """Whose report is asked for."""

    STATION = "station", "社工站"
    HUB = "hub", "区总站"
    CITY = "city", "全市"


class AreaUnknown(
    Refused, code="area_unknown", status=400, title="须指明区或市",
    detail="请用 area= 指明{scope}，可用：{choices}；收到“{got}”。",
):
    """An area that is not named while there are several, or that has no station."""


@dataclass(frozen=True, slots=True)
class StationFigures:
    """What one station counts, by its own set."""

    station: str
    name: str
    indicator_set: IndicatorSet
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class AreaReport:
    """The figures of an area's stations, and what they add up to."""

    scope: Scope
    area: str
    asked: ReportPeriod
    stations: tuple[StationFigures, ...]
    summed: tuple[Figure, ...]
    """The figures that all stations count by the same rule, in the first one's order."""

    @property
    def title(self) -> str:
        """The report's title."""
        return f"{self.area}社工站{self.asked.label}"

    @property
    def apart(self) -> list[StationFigures]:
        """Of each station, the figures that are not in the sum."""
        common = {figure.indicator.code for figure in self.summed}
        rest = [
            replace(
                one, figures=tuple(f for f in one.figures if f.indicator.code not in common)
            )
            for one in self.stations
        ]
        return [one for one in rest if one.figures]

    @property
    def notes(self) -> list[str]:
        """What a reader must know of the sums."""
        is_distinct = any(
            f.indicator.measure and MEASURES[f.indicator.measure].kind is Kind.DISTINCT
            for f in self.summed
        )
        return [DISTINCT_NOTE] if is_distinct else []


def area_report(
    connection: Connection, ledger: Ledger, scope: Scope, area: str | None, period: str, *,
    as_of: date | None = None, known_at: KnownAt | None = None,
    admits: Callable[[str], bool] = lambda _station: True,
) -> AreaReport:
    """The report of a district hub or a city: its stations', and their sums.

    ``admits`` says which stations may be seen: an area is, where all of its stations are.

    :raises BadReportPeriod: where ``period`` is none.
    :raises AreaUnknown: where no station is there, or the area must be named.
    """
    asked = report_period(period)
    profiles = {code: station_profile(ledger, code) for code in station_codes(connection)}
    beyond = {_area(scope, profile) for code, profile in profiles.items() if not admits(code)}
    seen = [profile for profile in profiles.values() if _area(scope, profile) not in beyond]
    chosen = _chosen(scope, area, seen)
    stations = tuple(
        _station(connection, code, profile, asked, as_of=as_of, known_at=known_at)
        for code, profile in profiles.items()
        if _area(scope, profile) == chosen
    )
    return AreaReport(scope, chosen, asked, stations, tuple(_summed(stations)))


def _station(
    connection: Connection, code: str, profile: StationEvent, asked: ReportPeriod, *,
    as_of: date | None, known_at: KnownAt | None,
) -> StationFigures:
    chosen = station_set(
        connection, code, profile.indicator_set, asked.period, known_at=known_at
    )
    found = figures(connection, code, chosen, asked.period, as_of=as_of, known_at=known_at)
    return StationFigures(code, profile.name, chosen, tuple(found))


def _area(scope: Scope, profile: StationEvent) -> str:
    return profile.city if scope is Scope.CITY else profile.district


def _chosen(scope: Scope, area: str | None, profiles: Sequence[StationEvent]) -> str:
    known = sorted({_area(scope, profile) for profile in profiles})
    if area is None and len(known) == 1:
        return known[0]
    if area not in known:
        choices = "、".join(known[:MOST_CHOICES]) or "（尚无社工站）"
        raise AreaUnknown(scope=scope.label, choices=choices, got=(area or "")[:50])
    return area


def _summed(stations: Sequence[StationFigures]) -> list[Figure]:
    """The figures of the same code and rule at every station, added up."""
    found: list[Figure] = []
    for figure in stations[0].figures:
        same = [
            other
            for one in stations
            for other in one.figures
            if other.indicator.code == figure.indicator.code
            and _rule(other.indicator) == _rule(figure.indicator)
        ]
        if len(same) == len(stations):
            found.append(_sum(figure.indicator, same))
    return found


def _rule(indicator: Indicator) -> Indicator:
    """What an indicator counts, whatever it is called and wherever it stands."""
    return msgspec.structs.replace(indicator, label="", label_en="", part_of=None)


def _sum(indicator: Indicator, same: Sequence[Figure]) -> Figure:
    """The sum of what the stations print; unstated only where nobody stated anything."""
    stated = [figure for figure in same if figure.value is not None]
    unstated = sum(figure.unstated for figure in same)
    if not stated:
        return Figure(indicator, None, unstated=unstated)
    meant = {figure.approximation for figure in stated if figure.value}
    return Figure(
        indicator, sum(figure.value for figure in stated if figure.value is not None),
        _approximation(meant, sum(bool(figure.value) for figure in stated)), unstated,
    )


def _approximation(meant: set[Approximation], parts: int) -> Approximation:
    """How a sum is meant: exact where all parts are, one part's own, else about."""
    if meant <= {Approximation.EXACT}:
        return Approximation.EXACT
    return next(iter(meant)) if parts == 1 else Approximation.ABOUT
