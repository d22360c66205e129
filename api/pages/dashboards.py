"""How does the station do over the months, and where and by whom? 看板: charts of the figures.

Each chart is drawn by script from the table beneath it, so that the page says the same
without script, to a screen reader and on paper. The numbers are the reports' own
(``projections/trends.py``), and each leads to the records that make it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import render_template, request, url_for

from api.identity import READ_FIGURES, action, today
from api.language import titled, translated
from api.moments import summed_at
from api.pages.asking import asked_choice
from api.pages.views import asked_moment, asked_times, pages
from api.queries import one_station
from api.services import services
from domain.indicators import Aggregation, Indicator
from projections.explaining import row_of
from projections.figures import Figure, Period
from projections.indicator_checks import aggregation_of
from projections.indicator_versions import station_set
from projections.indicators import IndicatorSet, indicator_set_codes
from projections.measures import MEASURES, Kind
from projections.monthly_report import station_profile
from projections.standing import Summed
from projections.stations import months_on_record
from projections.trends import MonthOfFigures, months_until, parts, trend

SPANS: Final = (6, 12, 24, 36)
"""How many months a dashboard may show."""
USUAL_SPAN: Final = 12
VOLUNTEERING: Final = "volunteer.minutes"
PARTS_SHOWN: Final = {"community": ("按社区", "社区"), "staff": ("按登记人", "登记人")}
OF_MONTHS: Final = {"trend": "各月走势", "stock": "各月末在册", "hours": "志愿服务时长"}
TITLES: Final = (
    *OF_MONTHS.values(), *(text for said in PARTS_SHOWN.values() for text in said),
    "补录与导入的记录", "月份", "补录", "导入",
)
"""What the charts and their columns are called; a test asks for the English of each."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A number of a chart: as it is printed, as it is drawn, and where it leads."""

    text: str
    value: float | None
    href: str

    @property
    def is_plain(self) -> bool:
        """Whether what is printed is the very number that is drawn."""
        return self.value is not None and self.text == f"{self.value:.0f}"


@dataclass(frozen=True, slots=True)
class Chart:
    """Rows of numbers under column heads.

    Drawn as ``bar``, ``stacked`` bars, bars that are ``lying`` (names are long), or a ``line``.
    """

    name: str
    title: str
    shape: str
    head: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(cell.value for _name, cells in self.rows for cell in cells)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address asks: the indicator and its set, and the months."""

    station: str
    own_set: str
    chosen: IndicatorSet
    row: Indicator
    months: Sequence[Period]

    @property
    def counts_once(self) -> bool:
        """Whether what is counted counts once only, however often it was met."""
        return aggregation_of(self.row) is Aggregation.DISTINCT or self.row.without is not None

    @property
    def span(self) -> Period:
        """All the months as one period."""
        return Period(self.months[0].first, self.months[-1].last)


@pages.route("/dashboards")
@action(READ_FIGURES)
def dashboards_page() -> str:
    """Trends, stocks, communities, workers, volunteer hours and late entries of a span."""
    moment, station = asked_moment(), one_station()
    own_set = station_profile(services().ledger, station).indicator_set
    with summed_at(moment) as then:
        asked = _asked(then, station, own_set)
        charts = list(_charts(then, asked))
        offered = [_set(then, station, code, asked.span) for code in _sets(own_set)]
    return render_template(
        "pages/dashboards.html", charts=charts, asked=asked, offered=offered, spans=SPANS,
        position=then.position, **asked_times(),
    )


def _asked(then: Summed, station: str, own_set: str) -> _Asked:
    """The question of the address.

    :raises BadMonth: where its last month is none.
    :raises UnknownIndicator: where it names none, in a set that there is.
    """
    count = asked_choice("months", SPANS, USUAL_SPAN)
    last = Period.of_month(request.args.get("to") or _newest(then, station))
    if then.as_of is not None and then.as_of < last.first:
        last = Period.of_month(f"{then.as_of:%Y-%m}")
    months = months_until(last, count)
    set_code, _, code = request.args.get("indicator", "").partition("/")
    chosen = _set(then, station, set_code or own_set, last)
    row = row_of(chosen, code) if code else chosen.indicators[0]
    return _Asked(station, own_set, chosen, row, months)


def _newest(then: Summed, station: str) -> str:
    """The newest month of which anything is on record; without any this one."""
    months = months_on_record(then.connection, station)
    return months[0] if months else f"{today():%Y-%m}"


def _sets(own_set: str) -> list[str]:
    """The station's own set first, then the others."""
    return [own_set, *(code for code in indicator_set_codes() if code != own_set)]


def _set(then: Summed, station: str, code: str, period: Period) -> IndicatorSet:
    return station_set(then.connection, station, code, period, known_at=then.known_at)


# ---- the charts ----


def _charts(then: Summed, asked: _Asked) -> Iterator[Chart]:
    """Every chart of the page, in order."""
    months = _trend(then, asked, asked.chosen.code, [asked.row])
    is_stock = _is_stock(asked.row)
    yield _of_months(
        "trend", "line" if is_stock else "bar", asked.chosen.code, [asked.row], months
    )
    for by in PARTS_SHOWN:
        yield _of_parts(then, asked, by)
    yield _late(asked, months)
    own = _set(then, asked.station, asked.own_set, asked.months[-1])
    if stocks := [row for row in own.indicators if row.measure and _is_stock(row)]:
        found = _trend(then, asked, own.code, stocks)
        yield _of_months("stock", "line", own.code, stocks, found)
    for code, row in _volunteering(then, asked):
        found = _trend(then, asked, code, [row])
        yield _of_months("hours", "bar", code, [row], found)


def _is_stock(row: Indicator) -> bool:
    return row.measure is not None and MEASURES[row.measure].kind is Kind.STOCK


def _volunteering(then: Summed, asked: _Asked) -> list[tuple[str, Indicator]]:
    """The indicator of volunteer hours, of the first set that has had one all the time."""
    found = (
        (code, row)
        for month in (asked.months[0], asked.months[-1])
        for code in _sets(asked.own_set)
        for row in _set(then, asked.station, code, month).indicators
        if row.measure == VOLUNTEERING
    )
    return [one for one in [next(found, None)] if one is not None]


def _trend(
    then: Summed, asked: _Asked, set_code: str, rows: Sequence[Indicator]
) -> list[MonthOfFigures]:
    return list(trend(then, asked.station, set_code, [row.code for row in rows], asked.months))


def _of_months(
    name: str, shape: str, set_code: str, rows: Sequence[Indicator],
    months: Sequence[MonthOfFigures],
) -> Chart:
    """Some indicators month by month; one that had no definition then has no number."""
    found = [
        (month.name, [_cell(month.figures.get(row.code), month.name, set_code) for row in rows])
        for month in months
    ]
    columns = [_with_unit(row) for row in rows]
    return Chart(name, OF_MONTHS[name], shape, "月份", columns, found)


def _of_parts(then: Summed, asked: _Asked, by: str) -> Chart:
    """The chosen indicator over all the months, split by community or by who stated it."""
    span = asked.span
    name = f"{asked.months[0].first:%Y-%m}..{asked.months[-1].first:%Y-%m}"
    whole = _set(then, asked.station, asked.chosen.code, span)
    split = parts(then, asked.station, whole, asked.row.code, span, by=by)
    rows = [
        (value or translated("未写明"), [_cell(figure, name, whole.code, **{by: value})])
        for value, figure in split
    ]
    title, head = PARTS_SHOWN[by]
    return Chart(by, title, "lying", head, [_with_unit(asked.row)], rows)


def _with_unit(row: Indicator) -> str:
    return titled(row) + translated("（%(what)s）") % {"what": translated(row.unit.label)}


def _late(asked: _Asked, months: Sequence[MonthOfFigures]) -> Chart:
    """How many of the records behind the chosen indicator were late entries, or imported."""
    code, link = asked.row.code, _linking(asked.chosen.code)
    rows = []
    for month in months:
        late = month.late.get(code)
        counts = (late.late, late.imported) if late else (0, 0)
        href = link(month.name, code)
        rows.append((month.name, [Cell(str(count), count, href) for count in counts]))
    columns = [translated("补录"), translated("导入")]
    return Chart("late", "补录与导入的记录", "stacked", "月份", columns, rows)


def _cell(figure: Figure | None, period: str, set_code: str, **within: str) -> Cell:
    if figure is None:
        return Cell("—", None, "")
    value = None if figure.value is None else float(figure.value)
    return Cell(figure.display, value, _linking(set_code)(period, figure.indicator.code, **within))


def _linking(set_code: str) -> Callable[..., str]:
    """Where a figure of a set leads, at the same moment."""

    def link(period: str, code: str, **within: str) -> str:
        said: dict[str, Any] = {k: v for k, v in asked_times().items() if v} | within
        return url_for("pages.explanation_page", month=period, code=code, set=set_code, **said)

    return link
