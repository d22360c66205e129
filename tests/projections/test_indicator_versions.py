"""Does a figure use the definition that is valid for its period, as it was known?"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from desk import STATION, Desk
from domain_examples import ENVELOPE, EXAMPLES, OCCURRED

from domain.code_lists import code_list
from domain.indicators import (
    INDICATOR,
    Aggregation,
    BadIndicator,
    Counted,
    Indicator,
    IndicatorDefined,
    IndicatorRevised,
    PeriodRule,
)
from domain.kernel import Recorded
from domain.ledger import Ledger
from domain.training import TrainingDelivered, TrainingReceived
from domain.visit import VISIT, VisitRecorded
from domain.vocabulary import Unit
from projections.engine import ReadModels
from projections.figures import Period, figures
from projections.indicator_checks import codes_of
from projections.indicator_versions import (
    UnknownIndicatorVersion,
    station_set,
    versions,
)
from projections.periods import BadPeriod
from projections.postings import posted

SET = "lixia-2024"
NOVEMBER, DECEMBER = Period.of("2024-11"), Period.of("2024-12")
LATER = datetime(2025, 3, 1, tzinfo=UTC)
TRAININGS = Indicator(
    code="trainings_received", label="培训", label_en="Trainings", unit=Unit.TIMES,
    measure="training.delivered", plus=(Counted(measure="training.received"),),
)


class Counting:
    """Asks for a figure by the definitions of the station."""

    def __init__(self, ledger: Ledger, read_models: ReadModels) -> None:
        self.ledger, self.read_models = ledger, read_models

    def value(
        self, code: str, period: Period = NOVEMBER, *, known_at: Any = None,
        version: int | None = None, definitions: tuple[Indicator, ...] = (),
    ) -> Any:
        self.read_models.advance(self.ledger)
        with self.read_models.engine.connect() as connection:
            chosen = station_set(
                connection, STATION, SET, period, known_at=known_at, version=version
            )
            found = figures(
                connection, STATION, chosen, period, known_at=known_at, definitions=definitions
            )
        return next(f.value for f in found if f.indicator.code == code)

    def versions(self, **when: Any) -> list[tuple[int, date]]:
        self.read_models.advance(self.ledger)
        with self.read_models.engine.connect() as connection:
            return [(v.version, v.valid_from) for v in versions(connection, STATION, SET, **when)]


@pytest.fixture
def counting(desk: Desk, ledger: Ledger, read_models: ReadModels) -> Counting:
    delivered = TrainingDelivered(title="急救", audience="volunteers")
    desk.record("t1", delivered, "2024-11-12")
    desk.record("t2", TrainingReceived(title="个案"), "2024-11-28")
    desk.record("t3", TrainingReceived(title="个案"), "2024-12-03")
    desk.record("t4", delivered, "2024-12-04")
    return Counting(ledger, read_models)


def defined(valid_from: date, until: date | None = None) -> IndicatorDefined:
    return IndicatorDefined(
        indicator_set=SET, indicator=TRAININGS, valid_from=valid_from, valid_until=until
    )


def define(desk: Desk, event: Any, day: str = "2024-11-05", **context: Any) -> Any:
    return desk.record("trainings_received", event, day, **context)


def test_what_if_trainings_were_delivered_and_received_together(counting: Counting) -> None:
    head = counting.ledger.head()
    assert counting.value("trainings_received", definitions=(TRAININGS,)) == 2
    assert counting.value("trainings_received") == 1
    assert counting.ledger.head() == head


def test_a_revised_rule_counts_from_its_day_on(counting: Counting, desk: Desk) -> None:
    define(desk, defined(date(2024, 12, 1)))
    assert counting.value("trainings_received", NOVEMBER) == 1
    assert counting.value("trainings_received", DECEMBER) == 2
    assert counting.versions() == [(1, date(2024, 1, 1)), (2, date(2024, 12, 1))]


def test_a_period_over_two_rules_counts_each_day_by_its_own(counting: Counting, desk: Desk) -> None:
    define(desk, defined(date(2024, 12, 1)))
    assert counting.value("trainings_received", Period.of("2024-Q4")) == 1 + 2
    assert counting.value("trainings_received", Period.of("2024-11-20..2024-12-03")) == 1 + 1


def test_a_rule_may_begin_within_a_month(counting: Counting, desk: Desk) -> None:
    define(desk, defined(date(2024, 12, 4)))
    assert counting.value("trainings_received", DECEMBER) == 2
    define(
        desk,
        IndicatorRevised(indicator=TRAININGS, valid_from=date(2024, 12, 5), because="再调整"),
    )
    assert counting.value("trainings_received", DECEMBER) == 2


def test_an_old_report_keeps_the_rules_known_then(counting: Counting, desk: Desk) -> None:
    define(desk, defined(date(2024, 11, 1)), now=LATER)
    assert counting.value("trainings_received") == 2
    assert counting.value("trainings_received", known_at=datetime(2025, 1, 1, tzinfo=UTC)) == 1
    assert counting.versions(known_at=datetime(2025, 1, 1, tzinfo=UTC)) == [(1, date(2024, 1, 1))]


def test_a_version_may_be_asked_for(counting: Counting, desk: Desk) -> None:
    define(desk, defined(date(2024, 12, 1)))
    assert counting.value("trainings_received", NOVEMBER, version=2) == 2
    assert counting.value("trainings_received", DECEMBER, version=1) == 1
    with pytest.raises(UnknownIndicatorVersion, match="第 9 版口径，可用：1、2"):
        counting.value("trainings_received", version=9)


def test_a_definition_ends_on_its_last_day_and_the_file_counts_again(
    counting: Counting, desk: Desk
) -> None:
    define(desk, defined(date(2024, 11, 1), date(2024, 11, 30)))
    assert counting.value("trainings_received", NOVEMBER) == 2
    assert counting.value("trainings_received", DECEMBER) == 1


def test_a_voided_definition_counts_no_longer_and_a_corrected_one_from_its_right_day(
    counting: Counting, desk: Desk
) -> None:
    define(desk, defined(date(2024, 11, 1)))
    desk.correct("trainings_received", 1, defined(date(2024, 12, 1)), "2024-11-05")
    assert counting.value("trainings_received") == 1
    assert counting.value("trainings_received", DECEMBER) == 2
    desk.void(INDICATOR, "trainings_received", 1)
    assert counting.value("trainings_received", DECEMBER) == 1
    desk.reinstate(INDICATOR, "trainings_received", 1)
    assert counting.value("trainings_received", DECEMBER) == 2


@pytest.mark.parametrize(
    ("event", "where"),
    [
        (defined(date(2025, 1, 1), date(2024, 12, 1)), "/valid_until"),
        (
            IndicatorDefined(
                indicator_set=SET, valid_from=date(2025, 1, 1),
                indicator=Indicator(
                    code="trainings_received", label="x", label_en="x", unit=Unit.TIMES,
                    measure="no.such",
                ),
            ),
            "/indicator/measure",
        ),
        (
            IndicatorDefined(
                indicator_set=SET, valid_from=date(2025, 1, 1),
                indicator=Indicator(
                    code="other", label="x", label_en="x", unit=Unit.TIMES,
                    measure="training.received",
                ),
            ),
            "/indicator/code",
        ),
        (
            IndicatorDefined(
                indicator_set=SET, valid_from=date(2025, 1, 1),
                indicator=Indicator(
                    code="trainings_received", label="x", label_en="x", unit=Unit.SESSION,
                    measure="case.sessions",
                ),
            ),
            "/indicator/unit",
        ),
    ],
    ids=["validity", "measure", "code", "unit"],
)
def test_a_definition_that_cannot_be_counted_is_not_recorded(
    desk: Desk, event: IndicatorDefined, where: str
) -> None:
    with pytest.raises(BadIndicator) as refused:
        define(desk, event)
    assert refused.value.facts["where"] == where


@pytest.mark.parametrize(
    ("first", "until", "is_refused"),
    [
        (date(2024, 12, 1), None, True), (date(2024, 12, 31), None, True),
        (date(2025, 1, 1), None, False), (date(2024, 11, 1), date(2024, 11, 30), False),
        (date(2024, 11, 1), date(2024, 12, 1), True),
    ],
)
def test_two_rules_are_never_valid_on_one_day(
    desk: Desk, first: date, until: date | None, *, is_refused: bool
) -> None:
    define(desk, defined(date(2024, 12, 1), date(2024, 12, 31)))
    revised = IndicatorRevised(
        indicator=TRAININGS, valid_from=first, valid_until=until, because="调整"
    )
    if is_refused:
        with pytest.raises(BadIndicator, match="重叠"):
            define(desk, revised)
    else:
        define(desk, revised)


# ---- who stated it, and for what ----


def visit(persons: int) -> VisitRecorded:
    return VisitRecorded(mode="home", purpose="routine", persons_met=persons)


def filtered(**wanted: str) -> tuple[Indicator, ...]:
    return (
        Indicator(
            code="x", label="x", label_en="x", unit=Unit.PERSON_TIMES, measure="visit.persons",
            filter=wanted,
        ),
    )


def test_what_another_corrects_or_voids_stays_with_who_stated_it(
    counting: Counting, desk: Desk
) -> None:
    said = {"actor": "周", "project_cycle": "2024-2025", "programmes": ("银龄", "救助")}
    desk.record("v1", visit(2), "2024-11-05", **said)
    desk.record("v2", visit(4), "2024-11-06", **said)
    desk.record("v3", visit(9), "2024-11-07", actor="吴")
    desk.correct("v1", 1, visit(3), "2024-11-05", actor="站长")
    desk.void(VISIT, "v2", 1, actor="站长")
    for wanted in ({"staff": "周"}, {"project": "2024-2025"}, {"programme": "救助"}):
        assert counting.value("x", definitions=filtered(**wanted)) == 3
    assert counting.value("x", definitions=filtered(staff="站长")) == 0
    assert counting.value("x", definitions=filtered(programme="助")) == 0


def test_a_count_is_of_postings_and_follows_corrections(counting: Counting, desk: Desk) -> None:
    for name in ("v1", "v2"):
        desk.record(name, visit(5), "2024-11-05")
    desk.correct("v1", 1, visit(7), "2024-11-05")
    desk.void(VISIT, "v2", 1)
    row = Indicator(
        code="x", label="x", label_en="x", unit=Unit.TIMES, measure="visit.persons",
        aggregation=Aggregation.COUNT,
    )
    assert counting.value("x", definitions=(row,)) == 1


def test_a_figure_may_run_since_new_year_or_ever(counting: Counting, desk: Desk) -> None:
    for day in ("2023-12-31", "2024-01-01", "2024-11-05", "2024-12-01"):
        desk.record(f"v{day}", visit(1), day)
    for over, expected in zip(PeriodRule, (1, 2, 3), strict=True):
        row = Indicator(
            code="x", label="x", label_en="x", unit=Unit.PERSON_TIMES, measure="visit.persons",
            over=over,
        )
        assert counting.value("x", definitions=(row,)) == expected


def test_a_stock_may_be_averaged_over_the_ends_of_months(counting: Counting, desk: Desk) -> None:
    row = Indicator(
        code="x", label="x", label_en="x", unit=Unit.HOUSEHOLD, measure="household.kept",
        aggregation=Aggregation.MONTHLY_MEAN,
    )
    desk.household("h1", day="2024-10-31")
    desk.household("h2", day="2024-11-01")
    desk.household("h3", day="2024-12-01")
    assert counting.value("x", Period.of("2024-10..2024-12"), definitions=(row,)) == 2
    assert counting.value("x", Period.of("2024-11..2024-12"), definitions=(row,)) == Decimal("2.5")
    assert counting.value("x", Period.of("2024-09"), definitions=(row,)) == 0


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2024-Q4", date(2024, 10, 1), date(2024, 12, 31)),
        ("2025-H1", date(2025, 1, 1), date(2025, 6, 30)),
        ("2024", date(2024, 1, 1), date(2024, 12, 31)),
        ("2024-07..2025-06", date(2024, 7, 1), date(2025, 6, 30)),
        ("2024-Q3..2025-H1", date(2024, 7, 1), date(2025, 6, 30)),
        ("2024-11-05..2024-11-05", date(2024, 11, 5), date(2024, 11, 5)),
    ],
)
def test_a_period_is_written_as_month_quarter_half_year_year_or_span(
    text: str, first: date, last: date
) -> None:
    assert Period.of(text) == Period(first, last)


@pytest.mark.parametrize(
    "text",
    ["", "..", "2024-13", "2024-Q5", "2025..2024", "2024-11..", "2024-02-30", "0000", "1999..2024"],
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(BadPeriod):
        Period.of(text)


def test_every_dimension_that_an_event_posts_is_declared_by_its_measure() -> None:
    for event in EXAMPLES:
        entry = Recorded(
            position=1, stream=f"{STATION}/x/x1", version=1, occurred=OCCURRED,
            envelope=ENVELOPE, event=event,
        )
        for measure, posting, _on, _amount, _entry in posted(entry):
            for name in ("community", "category", "kind", "role", "mode", "audience"):
                value = getattr(posting, name)
                if value:
                    codes = codes_of(measure.by[name])
                    assert not codes or value in codes, (measure.code, name, value)
            assert bool(posting.entity) == bool(measure.entities), measure.code
    assert code_list("visit_modes")
