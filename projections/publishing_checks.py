"""What should the lead look at before a report is published?

Each item is derived from what is on record, says where it is mended, and either blocks
the publication or warns. What nobody recorded at all cannot be known here: a scheduled
supervision without its outcome can, a visit that was never written down cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from domain.describing import shortened
from domain.ledger import Ledger
from domain.station_month import PlanItemStatus
from domain.vocabulary import UNSTATED, Labelled
from projections.figures import Figure, Period
from projections.monthly_report import PLAN_SECTION, MonthlyReport, Opener, Section
from projections.plans import Planned, carried_to, plan_items
from projections.report_periods import month_before, report_period
from projections.staff_growth import staff_growth_list
from projections.timeline import RecordRow, records_of_kind
from projections.volunteer_hours import volunteer_services

MOST_RECORDS: Final = 5_000
"""How many records of a kind are looked through in a period."""
MOST_ITEMS: Final = 20
"""How many single records one kind of finding names."""


class Severity(Labelled):
    """Whether a report can be published in spite of it."""

    BLOCKS = "blocks", "须先处理"
    WARNS = "warns", "请确认"


class Place(NamedTuple):
    """Where something is mended: ``record`` (kind, id), ``figure`` (code), ``section``
    (month, number), …
    """

    what: str
    kind: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to look at. ``code`` is the same until it is mended."""

    code: str
    severity: Severity
    title: str
    detail: str
    place: Place


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known beside the report itself when it is checked."""

    today: date
    behind: int
    parked: int
    """Events of the station that a read model could not take in."""


def checklist(
    connection: Connection, ledger: Ledger, report: MonthlyReport, around: Surroundings,
    *, opened: Opener,
) -> list[Item]:
    """Everything to look at before publishing, what blocks first."""
    found = [
        *_ledger(report, around), *_sums(report.figures), *_unstated(report.figures),
        *_texts(report), *_plans(ledger, report, opened), *_scheduled(connection, report),
        *_attendance(connection, report), *_hours(connection, report),
        *_duplicates(connection, report),
    ]
    return sorted(found, key=lambda item: item.severity is not Severity.BLOCKS)


def _warns(code: str, title: str, detail: str, place: Place) -> Item:
    return Item(code, Severity.WARNS, title, detail, place)


def _ledger(report: MonthlyReport, around: Surroundings) -> Iterator[Item]:
    """What makes the figures themselves unreliable."""
    if around.today <= report.period.last:
        yield Item(
            "period_not_ended", Severity.BLOCKS, "这段时间还没有结束",
            f"到 {report.period.last} 才结束，今天是 {around.today}。", Place("month"),
        )
    if around.behind:
        yield Item(
            "figures_behind", Severity.BLOCKS, "数字还没有计入全部记录",
            f"还有 {around.behind} 条记录没有计入，通常几秒钟就好；请稍后再看。",
            Place("operations"),
        )
    if around.parked:
        yield Item(
            "events_parked", Severity.BLOCKS, "有记录无法计入",
            f"本站有 {around.parked} 条记录因故障搁置，数字可能不全，请管理员处理。",
            Place("operations"),
        )


# ---- figures ----


def _sums(figures: Iterable[Figure]) -> Iterator[Item]:
    """Parts that are more than their total: the sum that the report prints does not close."""
    known = {figure.indicator.code: figure for figure in figures}
    for code, figure in known.items():
        value, row = figure.value, figure.indicator
        if row.remainder_of is not None and value is not None and value < 0:
            total = known[row.remainder_of]
            yield _warns(
                f"negative_remainder.{code}", "各分项之和大于总数",
                f"“{total.indicator.label}”{total.display}，减去各分项后余 {value}，"
                "同一户可能计入了两个分项。", Place("figure", id=row.remainder_of),
            )
        whole = known.get(row.part_of or "")
        if whole is not None and _is_more(value, whole.value):
            yield _warns(
                f"part_exceeds_total.{code}", "分项大于总数",
                f"“{row.label}”{figure.display}，大于“{whole.indicator.label}”{whole.display}。",
                Place("figure", id=code),
            )


def _is_more(part: int | Decimal | None, whole: int | Decimal | None) -> bool:
    return part is not None and whole is not None and part > whole


def _unstated(figures: Iterable[Figure]) -> Iterator[Item]:
    for figure in figures:
        if figure.value is None or figure.unstated:
            row = figure.indicator
            yield _warns(
                f"unstated.{row.code}", "有未填报的数字",
                f"“{row.label}”将印为“{figure.display}”。", Place("figure", id=row.code),
            )


# ---- texts and plans ----


def _texts(report: MonthlyReport) -> Iterator[Item]:
    """Sections and parts of which nothing is on record, and months without a reflection."""
    for section in report.sections:
        for number, part in enumerate(section.parts, start=1):
            if part.is_empty and not _has_figures(report, section):
                name = f"{section.title}·{part.title}" if part.title else section.title
                yield _warns(
                    f"section_empty.{_number(report, section)}.{number}", "有一节没有内容",
                    f"“{name}”没有记录，也没有正文。", _place(report, section),
                )
            elif not part.facts and part.narrative == (UNSTATED,):
                yield _warns(
                    f"text_missing.{_number(report, section)}", "有一节没有填写",
                    f"“{section.title}”将印为“{UNSTATED}”。", _place(report, section),
                )


def _place(report: MonthlyReport, section: Section) -> Place:
    return Place("section", id=str(_number(report, section)))


def _has_figures(report: MonthlyReport, section: Section) -> bool:
    """The first section prints the table of figures, with or without words of the lead."""
    return section is report.sections[0]


def _number(report: MonthlyReport, section: Section) -> int:
    return report.sections.index(section) + 1


def _plans(ledger: Ledger, report: MonthlyReport, opened: Opener) -> Iterator[Item]:
    """What was planned for the period's months or put off to them, and has no outcome yet."""
    for month in report_period(report.month).months:
        sealed = ledger.stream(report.station, "month", month_before(month))
        for one in plan_items(opened(sealed)) if sealed else ():
            if one.status is PlanItemStatus.PLANNED:
                said = f"{one.planned_in} 为下月计划的“{_cut(one.text)}”没有登记完成或顺延。"
                yield _open_plan(one, said)
        for one in carried_to(ledger, report.station, month, opened):
            said = (
                f"{one.planned_in} 为下月计划的“{_cut(one.text)}”顺延至 {month}，"
                "没有登记完成或再顺延。"
            )
            yield _open_plan(one, said)


def _open_plan(one: Planned, said: str) -> Item:
    return _warns(
        f"plan_item_open.{one.planned_in}.{one.item}", "有计划没有结果", said,
        Place("section", one.planned_in, str(PLAN_SECTION)),
    )


def _cut(text: str) -> str:
    return shortened(text, 30)


# ---- records that usually come late ----


def _scheduled(connection: Connection, report: MonthlyReport) -> Iterator[Item]:
    days = report.period
    rows = staff_growth_list(
        connection, report.station, first=days.first, last=days.last, sort="supervision",
        status="scheduled", limit=MOST_ITEMS,
    )
    for row in rows:
        yield _warns(
            f"supervision_not_held.{row.id}", "约定的督导没有结果",
            f"约定 {row.occurred_on} 的督导（{row.title}）没有登记接受或取消。",
            Place("record", "supervision", row.id),
        )


def _attendance(connection: Connection, report: MonthlyReport) -> Iterator[Item]:
    for kind in ("activity", "training_delivered"):
        missing = [
            row for row in _of_kind(connection, report.station, kind, report.period)
            if (row.data.get("attendance") or {}).get("value") is None
        ]
        for row in missing[:MOST_ITEMS]:
            yield _warns(
                f"attendance_missing.{kind}.{row.id}", "没有填报参与人数",
                f"{row.occurred_on} 的“{_cut(row.data['title'])}”没有填报参与人数。",
                Place("record", kind, row.id),
            )


def _hours(connection: Connection, report: MonthlyReport) -> Iterator[Item]:
    service, days = volunteer_services.c, report.period
    query = select(func.count(), func.coalesce(func.sum(service.minutes), 0)).where(
        service.station == report.station, service.is_confirmed.is_(False),
        service.occurred_on.between(days.first, days.last),
    )
    count, minutes = connection.execute(query).one()
    if count:
        yield _warns(
            "volunteer_hours_unconfirmed", "有志愿服务没有确认",
            f"{count} 次志愿服务共 {minutes} 分钟没有确认，没有计入志愿服务时长。",
            Place("volunteers"),
        )


def _duplicates(connection: Connection, report: MonthlyReport) -> Iterator[Item]:
    """Visits of one household on one day in one mode by one worker."""
    groups: dict[tuple[str, date, str], list[RecordRow]] = {}
    for row in _of_kind(connection, report.station, "visit", report.period):
        if row.data.get("household"):
            key = (row.data["household"], row.occurred_on, row.data["mode"])
            groups.setdefault(key, []).append(row)
    pairs = [
        (one, other)
        for rows in groups.values()
        for one, other in combinations(rows, 2)
        if set(one.data["workers"]) & set(other.data["workers"])
    ]
    for one, other in pairs[:MOST_ITEMS]:
        yield _warns(
            f"possible_duplicate.{one.id}.{other.id}", "可能重复登记",
            f"{one.occurred_on} 同一户、同一社工、同一方式有两条走访。",
            Place("record", "visit", other.id),
        )


def _of_kind(
    connection: Connection, station: str, kind: str, days: Period
) -> list[RecordRow]:
    return records_of_kind(
        connection, station, kind, first=days.first, last=days.last, limit=MOST_RECORDS,
        is_newest_first=False,
    )
