"""Are figures what was recorded, as of a day and as known at a moment?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from desk import STATION, Desk, a_station

from domain.activity import ActivityHeld
from domain.fields import Quantity
from domain.household import (
    AssistanceAssigned,
    AssistanceChanged,
    AssistanceEnded,
    CaseFileClosed,
    CaseFileOpened,
    HouseholdInfoUpdated,
    HouseholdMoved,
)
from domain.indicators import BadIndicator, Indicator
from domain.ledger import Ledger
from domain.programme import CompetitionAwarded, CompetitionEntered
from domain.resource import ResourceDelivered, ResourceLinked
from domain.visit import VISIT, VisitRecorded
from domain.vocabulary import Approximation
from projections.engine import ReadModels
from projections.figures import Figure, Period, divided, evidence, figures
from projections.indicators import alone, check_indicators, indicator_set, indicator_set_codes

NOVEMBER = Period.of_month("2024-11")


class Book:
    """Asks the read models for November, brought up to date first."""

    def __init__(self, ledger: Ledger, read_models: ReadModels) -> None:
        self.ledger, self.read_models = ledger, read_models

    def figure(
        self, code: str, period: Period = NOVEMBER, name: str = "lixia-2024", **when: Any
    ) -> Figure:
        self.read_models.advance(self.ledger)
        with self.read_models.engine.connect() as connection:
            found = figures(connection, STATION, indicator_set(name), period, **when)
        return next(figure for figure in found if figure.indicator.code == code)

    def value(self, code: str, *args: Any, **kwargs: Any) -> Any:
        return self.figure(code, *args, **kwargs).value


@pytest.fixture
def book(ledger: Ledger, read_models: ReadModels) -> Book:
    return Book(ledger, read_models)


def visit(persons: int = 1, **changes: Any) -> VisitRecorded:
    outcome = "met" if persons else "not_met"
    return VisitRecorded(
        **{"mode": "home", "purpose": "routine", "outcome": outcome, "persons_met": persons}
        | changes
    )


def test_persons_met_are_summed_and_not_met_counts_none(desk: Desk, book: Book) -> None:
    desk.record("v1", visit(2), "2024-11-05")
    desk.record("v2", visit(3), "2024-11-30")
    desk.record("v3", visit(0), "2024-11-30")
    desk.record("v4", visit(9), "2024-12-01")
    assert book.value("person_visits") == 5


def test_a_closed_case_file_takes_away_what_its_opening_added(desk: Desk, book: Book) -> None:
    kept = msgspec.convert(A_ROW | {"unit": "file", "measure": "case_file.kept"}, Indicator)

    def stands(period: str) -> tuple[Any, set[str]]:
        book.read_models.advance(book.ledger)
        with book.read_models.engine.connect() as connection:
            month = Period.of_month(period)
            (found,) = figures(connection, STATION, alone(kept), month)
            behind = evidence(connection, STATION, kept, month)
        return found.value, {row.community for row in behind}

    desk.household("h1")
    desk.record("h1", CaseFileOpened(file_number="D-1"), "2024-10-08")
    desk.record("h1", HouseholdMoved(community="西路社区"), "2024-10-20")
    desk.record("h1", CaseFileClosed(reason="moved_away"), "2024-11-20")
    assert stands("2024-10") == (1, {""})
    assert stands("2024-11") == (0, {""})  # neither posts a community: it is no dimension of it
    with pytest.raises(BadIndicator, match="community"):
        check_indicators([msgspec.structs.replace(kept, filter={"community": "东路社区"})])


def test_a_household_updated_under_two_categories_is_in_both_parts(desk: Desk, book: Book) -> None:
    """The limit that docs/indicators.md states of a remainder of distinct counts."""
    for name in ("h1", "h2", "h3"):
        desk.household(name)
    for name in ("h1", "h2"):
        granted = AssistanceAssigned(unit="u", category="dibao", covered=(f"{name}-1",))
        desk.record(name, granted, "2024-08-01")
    for name in ("h1", "h2", "h3"):
        desk.record(name, HouseholdInfoUpdated(fields=("phone",)), "2024-11-04")
    rows = "households_updated", "households_updated_dibao", "households_updated_edge"
    assert [book.value(code) for code in (*rows, "other_households")] == [3, 2, 0, 1]
    changed = AssistanceChanged(unit="u", category="dibao_edge", covered=("h1-1",))
    desk.record("h1", changed, "2024-11-10")
    desk.record("h1", HouseholdInfoUpdated(fields=("care",)), "2024-11-14")
    assert [book.value(code) for code in (*rows, "other_households")] == [3, 2, 1, 0]


def test_a_household_updated_twice_and_given_a_file_counts_once(desk: Desk, book: Book) -> None:
    desk.household("h1")
    desk.record("h1", HouseholdInfoUpdated(fields=("phone",)), "2024-11-04")
    desk.record("h1", HouseholdInfoUpdated(fields=("care",)), "2024-11-14")
    desk.record("h1", CaseFileOpened(file_number="D-1"), "2024-11-20")
    assert book.value("households_updated") == 1
    assert book.value("case_files_opened") == 1


def test_stock_counts_units_and_covered_persons_at_month_end(desk: Desk, book: Book) -> None:
    desk.household("h1", "p1", "p2", "p3")
    desk.record("h1", AssistanceAssigned(unit="a", category="dibao", covered=("p1", "p2")), "2024-08-01")
    desk.record("h1", AssistanceAssigned(unit="b", category="dibao_edge", covered=("p3",)), "2024-11-30")
    desk.record("h1", AssistanceChanged(unit="a", category="dibao", covered=("p1",)), "2024-12-01")
    assert (book.value("dibao_households"), book.value("dibao_persons")) == (1, 2)
    assert (book.value("edge_households"), book.value("edge_persons")) == (1, 1)
    december = Period.of_month("2024-12")
    assert book.value("dibao_persons", december) == 1


def test_assistance_ended_retroactively_changes_the_month_but_not_what_was_known(
    desk: Desk, book: Book
) -> None:
    desk.household("h1", "p1")
    desk.record("h1", AssistanceAssigned(unit="a", category="dibao", covered=("p1",)), "2024-08-01")
    ended = AssistanceEnded(unit="a", reason="deceased")
    desk.record("h1", ended, "2024-11-10", now=datetime(2025, 1, 8, tzinfo=UTC))
    known = datetime(2024, 12, 6, tzinfo=UTC)
    assert book.value("dibao_households") == 0
    assert book.value("dibao_households", known_at=known) == 1


def test_a_voided_visit_leaves_and_a_reinstated_one_returns(desk: Desk, book: Book) -> None:
    desk.record("v1", visit(2), "2024-11-05")
    desk.void(VISIT, "v1", 1)
    assert book.value("person_visits") == 0
    desk.reinstate(VISIT, "v1", 1)
    assert book.value("person_visits") == 2


def test_a_visit_corrected_to_another_month_moves_there(desk: Desk, book: Book) -> None:
    desk.record("v1", visit(2), "2024-11-05")
    desk.correct("v1", 1, visit(3), "2024-10-05")
    assert book.value("person_visits") == 0
    assert book.value("person_visits", Period.of_month("2024-10")) == 3


def test_as_of_leaves_out_later_services(desk: Desk, book: Book) -> None:
    desk.record("v1", visit(2), "2024-11-05")
    desk.record("v2", visit(3), "2024-11-20")
    assert book.value("person_visits", as_of=date(2024, 11, 10)) == 2
    assert book.value("person_visits", as_of=date(2024, 10, 31)) == 0


def test_known_at_may_be_a_position(desk: Desk, book: Book) -> None:
    first = desk.record("v1", visit(2), "2024-11-05")
    desk.record("v2", visit(3), "2024-11-05")
    assert book.value("person_visits", known_at=first.position) == 2


def test_moving_takes_the_assistance_to_the_other_community(
    desk: Desk, book: Book, read_models: ReadModels
) -> None:
    desk.household("h1", "p1")
    desk.record("h1", AssistanceAssigned(unit="a", category="dibao", covered=("p1",)), "2024-08-01")
    desk.record("h1", HouseholdMoved(community="西路社区"), "2024-11-02")
    assert book.value("dibao_households") == 1
    west = Indicator(
        code="west", label="西", label_en="west", unit="household",
        measure="assistance.households", filter={"community": "西路社区"},
    )
    with read_models.engine.connect() as connection:
        rows = evidence(connection, STATION, west, NOVEMBER)
    assert [row.amount for row in rows] == [1]


def test_an_approximate_attendance_prints_as_it_was_stated(desk: Desk, book: Book) -> None:
    held = ActivityHeld(
        title="发布会", kind="brand_launch", role="assist",
        attendance=Quantity(value=70, approximation=Approximation.JUST_UNDER),
    )
    desk.record("a1", held, "2024-11-14")
    assert book.figure("brand_launch_attendance").display == "近70"
    assert book.value("brand_launches_assisted") == 1


def test_approximate_amounts_together_are_about(desk: Desk, book: Book) -> None:
    for name, quantity in (
        ("a1", Quantity(value=70, approximation=Approximation.JUST_UNDER)),
        ("a2", Quantity(value=30)),
        ("a3", Quantity()),
    ):
        held = ActivityHeld(title="会", kind="brand_launch", role="assist", attendance=quantity)
        desk.record(name, held, "2024-11-14")
    assert book.figure("brand_launch_attendance").display == "约100(另有1项未填报)"


def test_an_unstated_prize_is_not_zero(desk: Desk, book: Book) -> None:
    assert book.figure("competition_prize").display == "0"
    desk.record("c1", CompetitionEntered(title="大赛"), "2024-11-05")
    desk.record("c1", CompetitionAwarded(award="铜奖"), "2024-11-14")
    assert book.figure("competition_prize").display == "未填报"
    desk.correct("c1", 2, CompetitionAwarded(award="铜奖", prize_fen=123_456), "2024-11-14")
    assert book.figure("competition_prize").display == "1234.56"


def test_money_is_counted_in_fen_and_printed_in_yuan(desk: Desk, book: Book) -> None:
    desk.record("r1", ResourceLinked(title="米面", kind="goods", provider="商会"), "2024-11-02")
    for fen in (100_000, 50_000):
        desk.record("r1", ResourceDelivered(value_fen=fen), "2024-11-03")
    assert book.value("resources_value", name="casework-2024") == 1500


def test_the_parts_of_a_total_close(desk: Desk, book: Book) -> None:
    for n in range(5):
        desk.household(f"h{n}", f"p{n}")
    desk.record("h0", AssistanceAssigned(unit="a", category="dibao", covered=("p0",)), "2024-08-01")
    for n in range(5):
        desk.record(f"h{n}", HouseholdInfoUpdated(fields=("care",)), "2024-11-04")
    parts = ("households_updated_dibao", "households_updated_edge", "other_households")
    assert [book.value(code) for code in parts] == [1, 0, 4]
    assert book.value("households_updated") == 5


def test_evidence_adds_up_to_the_figure(desk: Desk, book: Book, read_models: ReadModels) -> None:
    desk.record("v1", visit(2), "2024-11-05")
    desk.record("v2", visit(4), "2024-11-06")
    desk.void(VISIT, "v2", 1)
    total = book.value("person_visits")
    indicator = book.figure("person_visits").indicator
    with read_models.engine.connect() as connection:
        rows = evidence(connection, STATION, indicator, NOVEMBER)
    assert sum(row.amount for row in rows) == total == 2
    assert {row.stream for row in rows} == {f"{STATION}/visit/v1", f"{STATION}/visit/v2"}


def test_two_stations_do_not_share_figures(desk: Desk, book: Book, ledger: Ledger) -> None:
    other = Desk(ledger, "other")
    other.record("other", a_station(), "2024-01-01")
    other.record("v1", visit(7), "2024-11-05")
    desk.record("v1", visit(2), "2024-11-05")
    assert book.value("person_visits") == 2


@pytest.mark.parametrize("code", indicator_set_codes())
@pytest.mark.usefixtures("desk")
def test_every_indicator_set_can_be_counted(code: str, book: Book) -> None:
    for row in indicator_set(code).indicators:
        assert book.value(row.code, name=code) in {0, None}


A_ROW = {"code": "x", "label": "甲", "label_en": "x", "unit": "times", "measure": "visit.held"}


@pytest.mark.parametrize(
    ("changes", "where", "problem"),
    [
        ({"measure": "no.such"}, "/measure", "没有名为“no.such”的计量"),
        ({"filter": {"colour": "red"}}, "/filter/colour", "没有“colour”这一维"),
        ({"filter": {"a/b": "red"}}, "/filter/a~1b", "没有“a/b”这一维"),
        ({"filter": {"mode": ["home", "x"]}}, "/filter/mode", "“x”不在代码表中"),
        ({"filter": {"audience": "volunteers"}}, "/filter/audience", "这一维"),
        ({"measure": None}, "/measure", "之一"),
        ({"remainder_of": "y"}, "/measure", "之一"),
        ({"measure": None, "remainder_of": "x"}, "/remainder_of", "循环引用：x → x"),
        ({"part_of": "later"}, "/part_of", "没有的指标“later”"),
        ({"unit": "household"}, "/unit", "单位“户”"),
        ({"divide_by": 60}, "/unit", "除以 60"),
        ({"aggregation": "distinct"}, "/aggregation", "不能按“distinct”汇总"),
        ({"measure": "case.open", "unit": "piece", "aggregation": "sum"}, "/aggregation", "存量"),
        ({"measure": "case.open", "unit": "piece", "over": "year"}, "/over", "期末数"),
        ({"plus": [{"measure": "case.open"}]}, "/plus/0/measure", "不能相加"),
        ({"plus": [{"measure": "nope"}]}, "/plus/0/measure", "没有名为“nope”的计量"),
        ({"without": {"measure": "visit.held", "days": 9}}, "/without", "存量"),
        ({"minus": ["x"]}, "/minus", "余数"),
    ],
)
def test_a_definition_that_cannot_be_counted_is_refused_with_its_place(
    changes: dict[str, Any], where: str, problem: str
) -> None:
    row = msgspec.convert(A_ROW | changes, Indicator)
    with pytest.raises(BadIndicator) as refused:
        check_indicators([row])
    assert refused.value.facts["where"] == f"/indicators/0{where}"
    assert problem in str(refused.value)


def test_a_remainder_that_goes_round_is_refused_at_its_place() -> None:
    rows = [
        msgspec.convert(
            A_ROW | {"code": code, "measure": None, "remainder_of": other}, Indicator
        )
        for code, other in (("a", "b"), ("b", "a"))
    ]
    with pytest.raises(BadIndicator, match="a → b → a"):
        check_indicators(rows)


def test_a_correction_of_an_assignment_takes_its_end_along(desk: Desk, book: Book) -> None:
    desk.household("h1", "p1")
    desk.record("h1", AssistanceAssigned(unit="a", category="dibao", covered=("p1",)), "2024-08-01")
    desk.record("h1", AssistanceEnded(unit="a", reason="deceased"), "2024-11-10")
    corrected = AssistanceAssigned(unit="a", category="dibao_edge", covered=("p1",))
    desk.correct("h1", 2, corrected, "2024-08-01")
    assert book.value("dibao_households") == book.value("edge_households") == 0
    october = Period.of_month("2024-10")
    assert book.value("edge_households", october) == 1


def test_what_a_visit_is_counted_by_is_what_was_true_on_its_day(desk: Desk, book: Book) -> None:
    # given a household on 低保 in November that left it in January
    desk.household("h1", "p1")
    desk.record("h1", AssistanceAssigned(unit="a", category="dibao", covered=("p1",)), "2024-08-01")
    desk.record("v1", visit(2, household="h1"), "2024-11-05")
    later = datetime(2025, 3, 1, tzinfo=UTC)
    desk.record("h1", AssistanceEnded(unit="a", reason="voluntary"), "2025-01-08", now=later)
    # when the November visit's note is corrected, and another is entered late
    desk.correct("v1", 1, visit(2, household="h1", note="改错字"), "2024-11-05", now=later)
    desk.record("v2", visit(1, household="h1"), "2024-11-06", now=later)
    desk.record("v3", visit(5, household="h1"), "2025-01-09", now=later)
    # then both count as visits to a household on 低保, and only they
    events = [desk.ledger.history(f"{STATION}/visit/{name}")[-1].event for name in ("v2", "v3")]
    assert [event.category for event in events] == ["dibao", None]
    assert desk.ledger.stream(STATION, "visit", "v1").state.category == "dibao"
    assert book.value("person_visits") == 3


def test_figures_are_rounded_half_up_as_points_are() -> None:
    assert (divided(501, 8), divided(-501, 8)) == (Decimal("62.63"), Decimal("-62.63"))
    assert (divided(500, 4), divided(5, 2)) == (125, Decimal("2.50"))
    assert str(divided(1, 2)) == "0.50"
