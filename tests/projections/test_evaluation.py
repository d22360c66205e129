"""Does a replay of the log score a cycle, say what was late and what has changed, and no more?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from desk import STATION, Desk, a_station
from domain_spec import refused

from domain.indicators import Aggregation, Counted, Indicator, IndicatorDefined, IndicatorRevised
from domain.ledger import Ledger, StoredRow
from domain.publication import canonical
from domain.station import StationRevised
from domain.task_book import (
    Head,
    TaskBookApproved,
    TaskBookDrafted,
    TaskBookSubmitted,
    TaskIndicator,
)
from domain.training import TrainingDelivered, TrainingReceived
from domain.visit import VISIT, VisitRecorded
from domain.vocabulary import Unit
from projections.engine import ReadModels
from projections.evaluation.beside import beside, compared_with_projections
from projections.evaluation.evaluating import Question, evaluated
from projections.evaluation.replaying import replay
from projections.evaluation.score_sheet import ScoreSheet, SheetRow
from projections.evaluations import EvaluationRow, evaluations_of
from projections.integrity import Thresholds, thresholds_of
from projections.monthly_report import unopened
from projections.task_progress import LaterDefinition
from workers import score_sheet_tables as tables
from workers.evaluating import event_of
from workers.publishing import Press, preview, publish

CYCLE = "2024-2025"
IN_TIME = datetime(2024, 11, 20, 2, tzinfo=UTC)
PUBLISHED_AT = datetime(2024, 12, 2, 2, tzinfo=UTC)
AFTER = datetime(2025, 1, 8, 2, tzinfo=UTC)
LIMITS: Thresholds = thresholds_of(Path("none"))


def target(code: str, weight: int, amount: int, head: Head = Head.SERVICE) -> TaskIndicator:
    return TaskIndicator(
        indicator=code, label=code, unit=Unit.PERSON_TIMES, target=amount, weight=weight,
        head=head,
    )


TARGETS = (
    target("person_visits", 60, 8), target("volunteer_trainings_delivered", 10, 2, Head.SOCIAL),
    target("accounts", 30, 1, Head.FINANCE),
)


class Cycle:
    """A station that keeps its ledger through a cycle, publishes November, and is evaluated."""

    def __init__(self, ledger: Ledger, read_models: ReadModels, folder: Path) -> None:
        self.ledger, self.read_models, self.desk = ledger, read_models, Desk(ledger)
        self.press = Press(ledger, read_models, folder, lambda: None)
        self.desk.record(STATION, a_station(), "2024-01-01", role="administrator")

    def promise(self, name: str = "b1", *, is_approved: bool = True, **more: Any) -> None:
        drafted = TaskBookDrafted(**{
            "title": "任务书", "cycle": CYCLE, "indicators": TARGETS,
            "first_on": date(2024, 7, 1), "last_on": date(2025, 6, 30),
        } | more)
        self.desk.record(name, drafted, "2024-07-02", now=IN_TIME, role="lead")
        self.desk.record(name, TaskBookSubmitted(), "2024-07-03", now=IN_TIME, role="lead")
        if is_approved:
            self.desk.record(
                name, TaskBookApproved(), "2024-07-05", now=IN_TIME, actor="局", role="reviewer"
            )

    def visit(self, name: str, persons: int, now: datetime = IN_TIME) -> None:
        event = VisitRecorded(mode="home", purpose="routine", persons_met=persons)
        self.desk.record(name, event, "2024-11-05", now=now)

    def train(self) -> None:
        delivered = TrainingDelivered(title="培训", audience="volunteers")
        self.desk.record("t1", delivered, "2024-11-06", now=IN_TIME)
        self.desk.record("t2", TrainingReceived(title="学习"), "2024-11-07", now=IN_TIME)

    def publish(self) -> None:
        self.read_models.advance(self.ledger)
        lead = self.desk.context(PUBLISHED_AT, actor="站长", role="lead")
        found = preview(self.press, STATION, "2024-11", lead.today, opened=unopened)
        publish(self.press, "2024-11", lead, found.warnings)

    def sheet(self, rows: Iterator[StoredRow] | None = None, **asked: Any) -> ScoreSheet:
        rows = rows or self.ledger.station_rows(STATION)
        with replay(rows, STATION, asked.get("known_at")) as replayed:
            return evaluated(replayed, Question(CYCLE, **asked), LIMITS)

    def sheet_of(self, name: str) -> ScoreSheet:
        with replay(self.ledger.station_rows(STATION), STATION) as replayed:
            return evaluated(replayed, Question(name), LIMITS)

    def compared(self, sheet: ScoreSheet, **asked: Any) -> ScoreSheet:
        self.read_models.advance(self.ledger)
        with self.read_models.engine.connect() as connection:
            return compared_with_projections(sheet, connection, Question(CYCLE, **asked))


@pytest.fixture
def cycle(ledger: Ledger, read_models: ReadModels, tmp_path: Path) -> Cycle:
    return Cycle(ledger, read_models, tmp_path)


def row(sheet: ScoreSheet, code: str) -> SheetRow:
    return next(row for row in sheet.rows if row.target.indicator == code)


# ---- the sheet ----


def test_a_cycle_is_scored_by_heads_and_what_no_event_tells_is_left_to_reviewers(
    cycle: Cycle,
) -> None:
    cycle.promise()
    cycle.visit("v1", 3)
    cycle.visit("v2", 3)
    cycle.train()
    sheet = cycle.sheet()
    assert [head.head for head in sheet.heads] == list(Head)
    assert {head.head.label: (head.points, head.weight - head.judged_weight, head.judged_weight)
            for head in sheet.heads if head.rows} == {
        "财务管理": (Decimal(0), 0, 30), "服务执行与产出": (Decimal("45.00"), 60, 0),
        "社会评价": (Decimal("5.00"), 10, 0),
    }
    assert row(sheet, "accounts").is_judged
    assert row(sheet, "accounts").points is None
    months = {month.month: month.actual for month in row(sheet, "person_visits").months}
    assert len(months) == 12
    assert {m: a.value for m, a in months.items() if a and a.value} == {"2024-11": 6}
    assert (sheet.points, sheet.weight, sheet.judged_weight) == (Decimal("50.00"), 100, 30)
    assert sheet.task_book == "b1"


def test_a_task_book_counts_once_it_is_approved(cycle: Cycle) -> None:
    cycle.promise(is_approved=False)
    cycle.visit("v1", 3)
    sheet = cycle.sheet()
    assert (sheet.task_book, sheet.rows, sheet.weight) == (None, [], 0)
    assert [len(month.figures) > 10 for month in sheet.months] == [True] * 12


def test_a_station_that_counts_by_another_set_later_rewrites_no_sheet(cycle: Cycle) -> None:
    # given a task book that names no set, and a station that later takes another one
    cycle.promise()
    cycle.visit("v1", 8)
    visit = VisitRecorded(mode="home", purpose="routine", persons_met=1)
    later = datetime(2025, 9, 3, tzinfo=UTC)
    cycle.desk.record("v2", visit, "2025-09-02", now=later)
    at, before = cycle.ledger.head(), cycle.sheet()
    other = StationRevised(**msgspec.structs.asdict(a_station(indicator_set="casework-2024")))
    cycle.desk.record(STATION, other, "2025-09-01", role="administrator", now=later)
    # then its targets stand as they were approved, now as known then
    for sheet in (cycle.sheet(), cycle.sheet(known_at=at), cycle.sheet(known_at=PUBLISHED_AT)):
        assert (sheet.indicator_set, sheet.heads) == (before.indicator_set, before.heads)
    assert before.points == Decimal("60.00")
    # and a cycle without a book goes by the station, as known at the moment
    assert cycle.sheet_of("2025-2026").indicator_set == "casework-2024"


def test_a_task_book_s_own_cycle_is_scored_by_its_name_and_days(cycle: Cycle) -> None:
    # given books of a calendar year and of two years
    year = {"first_on": date(2024, 1, 1), "last_on": date(2024, 12, 31)}
    cycle.promise("y", cycle="2024", **year)
    cycle.promise("t", cycle="2024-2026", last_on=date(2026, 6, 30))
    cycle.visit("v1", 8)
    # then each name has its days, months and points, and names the other book
    for name, book, other, months in (("2024", "y", "t", 12), ("2024-2026", "t", "y", 24)):
        sheet = cycle.sheet_of(name)
        assert (sheet.task_book, sheet.points, len(sheet.months)) == (book, Decimal("60.00"), months)
        assert [one.id for one in sheet.other_books] == [other]
    assert cycle.sheet_of("2024").last_on == date(2024, 12, 31)
    # and the year from July on is nobody's, which names both
    usual = cycle.sheet_of(CYCLE)
    assert (usual.task_book, [one.id for one in usual.other_books]) == (None, ["t", "y"])
    assert "《任务书》（周期 2024，2024-01-01 至 2024-12-31，编号 y）" in str(usual.other_books_said)


def test_of_two_approved_task_books_the_last_is_scored_and_the_other_named(cycle: Cycle) -> None:
    cycle.promise("b1")
    cycle.promise("b2", cycle="二四年度", indicators=TARGETS[:1])
    sheet = cycle.sheet()
    assert (sheet.task_book, [one.id for one in sheet.other_books]) == ("b2", ["b1"])
    cycle.promise("b3", first_on=date(2025, 7, 1), last_on=date(2026, 6, 30), cycle="2025-2026")
    again = cycle.sheet()
    assert (again.heads, again.other_books) == (sheet.heads, sheet.other_books)


def test_a_figure_without_a_value_is_left_to_reviewers_and_is_not_zero(cycle: Cycle) -> None:
    # given a target for how long cases take, and no case that was closed
    average = Indicator(
        code="case_days", label="x", label_en="x", unit=Unit.DAY, measure="case.days",
        aggregation=Aggregation.AVERAGE,
    )
    defined = IndicatorDefined(
        indicator_set="lixia-2024", indicator=average, valid_from=date(2024, 7, 1)
    )
    cycle.desk.record("case_days", defined, "2024-07-01", now=IN_TIME, role="lead")
    cycle.promise(indicators=(*TARGETS[:1], target("case_days", 20, 60)))
    cycle.visit("v1", 8)
    # then its weight is the reviewers', in the sums as in the row, which says why
    sheet = cycle.sheet()
    assert (sheet.points, sheet.weight, sheet.judged_weight) == (Decimal("60.00"), 80, 20)
    days = row(sheet, "case_days")
    assert days.actual is not None
    assert (days.actual.display, days.points, days.is_judged) == ("—", None, True)
    assert "由评审填写" in str(days.remark)
    assert [head.judged_weight for head in event_of(sheet).heads] == [0, 0, 20, 0, 0]
    assert [cells[9] for cells in tables.indicators(sheet)] == [Decimal("60.00"), "由评审填写"]


def test_a_target_defined_for_later_counts_at_mid_term_and_says_by_which_version(
    cycle: Cycle,
) -> None:
    # given an indicator that the station defines from the new year on, and again for the next cycle
    cycle.promise()
    cycle.visit("v1", 3)
    before = cycle.ledger.head()
    own = Indicator(
        code="accounts", label="x", label_en="x", unit=Unit.PERSON_TIMES, measure="visit.persons"
    )
    other = msgspec.structs.replace(own, plus=(Counted(measure="visit.persons"),))
    for event in (
        IndicatorDefined(indicator_set="lixia-2024", indicator=own, valid_from=date(2025, 1, 1)),
        IndicatorRevised(
            indicator_set="lixia-2024", indicator=other, valid_from=date(2025, 9, 1), because="下周期"
        ),
    ):
        cycle.desk.record("accounts", event, "2024-11-20", now=IN_TIME, role="lead")
    # then its row of December counts by it, and says so; in its own time there is nothing to say
    middle = row(cycle.sheet(as_of=date(2024, 12, 31)), "accounts")
    assert middle.actual is not None
    assert (middle.actual.value, middle.points) == (3, Decimal("30.00"))
    assert middle.counted_by == LaterDefinition(2, date(2025, 1, 1))
    final = row(cycle.sheet(), "accounts")
    assert (final.actual, final.points, final.counted_by) == (middle.actual, middle.points, None)
    # and as known before it was defined nothing lends a rule
    assert row(cycle.sheet(as_of=date(2024, 12, 31), known_at=before), "accounts").is_judged


def test_late_entries_and_changes_since_publication_are_named(cycle: Cycle) -> None:
    # given November with a visit, published
    cycle.promise()
    cycle.visit("v1", 3)
    cycle.publish()
    assert [report.is_same for report in cycle.sheet().reports] == [True]
    # when one is entered after the month had closed, and the first one is voided
    cycle.visit("v2", 2, now=AFTER)
    cycle.desk.void(VISIT, "v1", 1, now=AFTER)
    # then the sheet marks the one, and names both beside the published figure
    sheet = cycle.sheet()
    visits = row(sheet, "person_visits")
    assert (visits.late, [(e.stream.rpartition("/")[2], e.days_late) for e in visits.late_entries]) == (
        1, [("v2", 64)],
    )
    (report,) = sheet.reports
    assert report.unreproduced == ()
    (changed,) = [figure for figure in report.changed if figure.code == "person_visits"]
    assert (changed.before, changed.after) == ("3", "2")
    assert [(r.change.value, r.amount) for r in changed.records] == [("late", 2), ("voided", -3)]
    # where there are more records than are named, paper says so
    cut = replace(report, changed=(msgspec.structs.replace(changed, is_cut=True),))
    *named, said = tables.changes(replace(sheet, reports=(cut,)))
    assert (len(named), said[8]) == (2, "还有更多记录没有列出")
    assert sheet.changed == ("2024-11",)
    # and to who may read no record it tells how many there are
    counted = sheet.without_records()
    assert list(tables.late_entries(counted)) == [
        ("person_visits", None, None, None, "共 1 条，不逐条列出", None, None),
    ]
    assert "v2" not in repr((counted, *tables.changes(counted)))
    assert counted.code == sheet.code
    # and as known at its publication it was as published
    then = cycle.sheet(known_at=report.position)
    assert row(then, "person_visits").actual == replace_value(visits, 3)


def test_a_mid_term_sheet_says_nothing_of_reports_that_end_after_its_day(cycle: Cycle) -> None:
    cycle.promise()
    cycle.visit("v1", 3)
    cycle.publish()
    cycle.visit("v2", 2, now=AFTER)
    assert cycle.sheet(as_of=date(2024, 11, 30)).changed == ("2024-11",)
    middle = cycle.sheet(as_of=date(2024, 11, 29))
    assert (middle.reports, middle.changed, middle.unpublished) == ((), (), ())


def test_signs_are_of_the_cycle_and_not_of_what_came_after_it(cycle: Cycle) -> None:
    cycle.promise()
    cycle.visit("v1", 3, now=AFTER)  # of November, late
    visit = VisitRecorded(mode="home", purpose="routine", persons_met=1)
    next_year = datetime(2026, 1, 8, 2, tzinfo=UTC)
    cycle.desk.record("v2", visit, "2025-09-01", now=next_year)  # of the next cycle, late as well
    named = {record[0] for sign in cycle.sheet().signals for record in sign.records}
    assert {name for name in named if "/visit/" in name} == {f"{STATION}/visit/v1"}
    cycle.desk.record("v3", visit, "2025-06-02", now=next_year)
    assert f"{STATION}/visit/v3" in repr(cycle.sheet().signals)
    # nor, at mid-term, of what came after that day
    assert f"{STATION}/visit/v3" not in repr(cycle.sheet(as_of=date(2025, 1, 31)).signals)


def replace_value(visits: SheetRow, value: int) -> Any:
    assert visits.actual is not None
    return msgspec.structs.replace(visits.actual, value=value, display=str(value))


def test_replay_and_read_models_agree_and_where_they_do_not_it_is_said(
    cycle: Cycle, read_models: ReadModels
) -> None:
    cycle.promise()
    cycle.visit("v1", 3)
    cycle.train()
    sheet = cycle.sheet()
    assert cycle.compared(sheet).projected == ()
    at_position = cycle.sheet(known_at=sheet.position)
    assert cycle.compared(at_position, known_at=sheet.position).projected == ()
    assert replace(at_position, known_at=None) == sheet
    # when somebody meddles with the monthly sums
    with read_models.engine.begin() as connection:
        tables = connection.exec_driver_sql(
            "SELECT generation FROM projection_generations"
            " WHERE projection = 'monthly_counts' AND is_serving"
        ).scalar_one()
        connection.exec_driver_sql(
            f"UPDATE monthly_counts__g{tables} SET amount = amount + 1"
            " WHERE measure = 'visit.persons'"
        )
    found = cycle.compared(sheet).projected
    assert found is not None
    assert [(d.where, d.code, d.replayed, d.other) for d in found] == [
        ("2024-11", "person_visits", "3", "4"), ("2024-2025", "person_visits", "3", "4"),
    ]


def test_the_sheet_reads_back_as_it_was_and_its_code_is_of_the_log_alone(cycle: Cycle) -> None:
    cycle.promise()
    cycle.visit("v1", 3)
    sheet = cycle.sheet()
    compared = cycle.compared(sheet)
    assert msgspec.json.decode(canonical(compared), type=ScoreSheet) == compared
    assert compared.code == sheet.code == cycle.sheet().code
    cycle.visit("v2", 1)
    assert cycle.sheet().code != sheet.code


def test_runs_of_the_same_instant_are_listed_one_after_the_other(cycle: Cycle) -> None:
    cycle.promise()
    run = event_of(cycle.sheet())
    for name, now in (("e1", AFTER), ("e3", AFTER), ("e2", AFTER), ("e0", IN_TIME)):
        cycle.desk.record(name, run, f"{now:%Y-%m-%d}", now=now, role="reviewer")
    cycle.read_models.advance(cycle.ledger)
    listed: list[EvaluationRow] = []
    with cycle.read_models.engine.connect() as connection:
        while page := evaluations_of(
            connection, STATION, limit=1,
            after=(listed[-1].run_at, listed[-1].id) if listed else None,
        ):
            listed += page
    assert [row.id for row in listed] == ["e3", "e2", "e1", "e0"]


# ---- what if ----


def test_another_rule_or_moment_is_counted_beside_with_nothing_stored(cycle: Cycle) -> None:
    cycle.promise()
    cycle.train()
    cycle.visit("v1", 3)
    head = cycle.ledger.head()
    cycle.visit("v2", 2)
    before = list(cycle.ledger.rows(0))
    both = Indicator(
        code="volunteer_trainings_delivered", label="培训", label_en="Trainings",
        unit=Unit.TIMES, measure="training.delivered", plus=(Counted(measure="training.received"),),
    )
    found = beside(
        lambda until: replay(cycle.ledger.station_rows(STATION), STATION, until),
        Question(CYCLE), Question(CYCLE, known_at=head, definitions=(both,)), LIMITS,
    )
    # then each is the sheet that its question has by itself: nothing recorded later is in it
    assert found.sheet == cycle.sheet()
    assert found.other == cycle.sheet(known_at=head, definitions=(both,))
    figures = {(f.where, f.code): (f.replayed, f.other) for f in found.figures}
    assert figures == {
        ("2024-11", "volunteer_trainings_delivered"): ("1", "2"),
        ("2024-11", "person_visits"): ("5", "3"),
        (CYCLE, "volunteer_trainings_delivered"): ("1", "2"),
        (CYCLE, "person_visits"): ("5", "3"),
    }
    points = {r.code: (r.points, r.other_points) for r in found.rows}
    assert points["volunteer_trainings_delivered"] == (Decimal("5.00"), Decimal("10.00"))
    assert found.other.what_if == ("volunteer_trainings_delivered",)
    assert list(cycle.ledger.rows(0)) == before


# ---- what is replayed ----


def test_only_one_station_in_order_is_replayed(cycle: Cycle) -> None:
    cycle.promise()
    rows = list(cycle.ledger.station_rows(STATION))
    stranger = (rows[-1][0] + 1, "other/visit/v1", 1, rows[-1][3], rows[-1][4])
    for wrong in ([*rows, stranger], [*rows, rows[0]]):
        with refused("not_one_station"):
            cycle.sheet(iter(wrong))


def test_an_event_of_a_newer_program_is_named_and_in_no_figure(cycle: Cycle) -> None:
    cycle.promise()
    cycle.visit("v1", 3)
    rows = list(cycle.ledger.station_rows(STATION))
    odd = (rows[-1][0] + 1, f"{STATION}/dragon/d1", 1, "dragon.slain", b"{}")
    sheet = cycle.sheet(iter([*rows, odd]))
    assert [event.position for event in sheet.unread] == [odd[0]]
    assert row(sheet, "person_visits").actual == row(cycle.sheet(), "person_visits").actual


@pytest.mark.parametrize("name", ["2024", "2024-11", "2024-2026", "0000-0001", "x"])
def test_what_is_no_cycle_is_refused(cycle: Cycle, name: str) -> None:
    with refused("bad_cycle"), replay(cycle.ledger.station_rows(STATION), STATION) as replayed:
        evaluated(replayed, Question(name), LIMITS)
