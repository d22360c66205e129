"""Is it said truthfully why something is not in a figure, whatever the figure is made of?"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from desk import STATION, Desk, a_station, on
from domain_spec import refused
from sqlalchemy.event import listen

from domain.activity import ActivityHeld
from domain.case import CaseAssessed, CaseIntaken
from domain.erasure import ErasureApproved, ErasureGround, ErasureProposed
from domain.fields import Quantity
from domain.household import (
    AssistanceAssigned,
    AssistanceChanged,
    HouseholdInfoUpdated,
    HouseholdRegistered,
    Member,
)
from domain.indicators import Aggregation, Indicator, PeriodRule, Without
from domain.kernel import UnknownRecord, stream_id
from domain.ledger import NewEntry
from domain.meeting import MeetingHeld
from domain.merging import MergeApproved, MergeEnded, PersonMergeProposed
from domain.visit import VisitRecorded
from domain.vocabulary import Unit
from domain.volunteer import VolunteerRegistered
from projections.engine import ReadModels
from projections.explaining import (
    Answer,
    Because,
    Explanation,
    OfOtherStation,
    Question,
    Verdict,
    about_record,
    about_subject,
    explained,
    tested,
    why_not,
)
from projections.indicators import IndicatorSet, alone, indicator_set
from projections.periods import Period

NOVEMBER = Period.of("2024-11")
LEAST_VARIABLES = 999
"""How many values a statement of SQLite holds where its makers' older limit is kept."""


class Asking:
    """Asks about definitions made up for the question."""

    def __init__(self, desk: Desk, read_models: ReadModels) -> None:
        self.desk, self.read_models = desk, read_models

    def why(
        self, row: Indicator, named: str, kind: str = "household", period: Period = NOVEMBER,
        of: IndicatorSet | None = None, **when: Any,
    ) -> Answer:
        self.read_models.advance(self.desk.ledger)
        with self.read_models.engine.connect() as connection:
            ask = Question(
                connection, self.desk.ledger, STATION, of or alone(row), row, period, **when
            )
            if kind == "record":
                return why_not(ask, about_record(ask, named))
            return why_not(ask, about_subject(ask, kind, named))

    def explained(self, row: Indicator, period: Period = NOVEMBER) -> Explanation:
        self.read_models.advance(self.desk.ledger)
        with self.read_models.engine.connect() as connection:
            ask = Question(connection, self.desk.ledger, STATION, alone(row), row, period)
            return explained(ask)


def row(measure: str, **more: Any) -> Indicator:
    return Indicator(
        **{"code": "x", "label": "x", "label_en": "x", "unit": Unit.TIMES, "measure": measure} | more
    )


@pytest.fixture
def asking(desk: Desk, read_models: ReadModels) -> Asking:
    for name in ("h1", "h2"):
        desk.household(name)
    return Asking(desk, read_models)


def visit(household: str = "h1", **more: Any) -> VisitRecorded:
    said = {"mode": "home", "purpose": "routine", "persons_met": 1, "household": household}
    return VisitRecorded(**said | more)


def told(answer: Answer) -> list[Because]:
    return [reason.because for reason in answer.reasons]


def test_the_condition_that_fails_is_named_with_what_is_wanted(asking: Asking, desk: Desk) -> None:
    desk.record("v1", visit(), "2024-11-05")
    held = ActivityHeld(
        kind="festival", role="assist", title="联欢", attendance=Quantity(value=20)
    )
    desk.record("a1", held, "2024-11-06")
    wanted = row("visit.held", filter={"mode": ("phone", "online"), "staff": "worker-9"})
    found = asking.why(wanted, "v1", "record")
    assert [(r.dimension, r.got, r.wanted) for r in found.reasons] == [
        ("mode", "home", ("phone", "online")), ("staff", "worker-1", ("worker-9",)),
    ]
    assert "“入户”" in found.reasons[0].said
    assert "“电话、线上”" in found.reasons[0].said
    role = asking.why(row("activity.held", filter={"role": "host"}), "a1", "record")
    assert [(r.dimension, r.got) for r in role.reasons] == [("role", "assist")]
    assert asking.why(wanted, "h2").reasons[0].because is Because.NO_RECORD


def test_nobody_met_counts_nothing_and_a_corrected_name_counts_elsewhere(
    asking: Asking, desk: Desk
) -> None:
    desk.record("v1", visit(persons_met=0, outcome="not_met"), "2024-11-05")
    desk.record("v2", visit(), "2024-11-06")
    before = desk.ledger.head()
    desk.correct("v2", 1, visit("h2"), "2024-11-06")
    persons = row("visit.persons", unit=Unit.PERSON_TIMES)
    assert told(asking.why(persons, "v1", "record")) == [Because.POSTS_NOTHING]
    assert asking.why(persons, "h2").amount == 1
    assert asking.why(persons, "h2", known_at=before).verdict is Verdict.NOT_COUNTED
    assert asking.why(persons, "h1", known_at=before).amount == 1
    gone = asking.why(persons, "h1")
    assert (gone.verdict, gone.reasons[0].because) == (Verdict.NOT_COUNTED, Because.NAMES_ANOTHER)


def test_a_stock_says_what_took_it_away_and_as_of_when(asking: Asking, desk: Desk) -> None:
    desk.record(
        "h1", AssistanceAssigned(unit="u", category="dibao", covered=("h1-1",)), "2024-09-01"
    )
    desk.record(
        "h1", AssistanceChanged(unit="u", category="dibao_edge", covered=("h1-1",)), "2024-11-10"
    )
    dibao = row("assistance.persons", unit=Unit.PERSON, filter={"category": "dibao"})
    gone = asking.why(dibao, "h1")
    assert (gone.verdict, gone.reasons[0].because) == (Verdict.NOT_COUNTED, Because.ENDED)
    assert str(gone.reasons[0].on) == "2024-11-10"
    # so are the records themselves: what was assigned is gone, what was changed to stands
    assigned = asking.why(dibao, "household/h1/2", "record")
    assert (assigned.verdict, assigned.reasons[0].because) == (Verdict.NOT_COUNTED, Because.ENDED)
    assert asking.why(dibao, "household/h1/3", "record").amount == -1
    on_the_ninth = Period.of("2024-11-01..2024-11-09")
    assert asking.why(dibao, "h1-1", "person", period=on_the_ninth).amount == 1
    edge = replace_filter(dibao, "dibao_edge")
    assert asking.why(edge, "h1").amount == 1
    mean = row(
        "assistance.persons", unit=Unit.PERSON, filter={"category": "dibao"},
        aggregation=Aggregation.MONTHLY_MEAN,
    )
    autumn = Period.of("2024-09..2024-11")
    assert [a.amount for _m, _s, a in asking.why(mean, "h1", period=autumn).parts] == [1, 1, 0]
    assert [f.value for _m, f in asking.explained(mean, autumn).months] == [1, 1, 0]


def replace_filter(dibao: Indicator, category: str) -> Indicator:
    return row(str(dibao.measure), unit=dibao.unit, filter={"category": category})


def test_an_absence_is_ended_by_a_contact_that_is_named(asking: Asking, desk: Desk) -> None:
    absent = row(
        "household.kept", unit=Unit.HOUSEHOLD,
        without=Without(measure="contact.households", days=30),
    )
    assert asking.why(absent, "h1").verdict is Verdict.COUNTED
    desk.record("v1", visit(), "2024-11-05")
    met = asking.why(absent, "h1")
    assert (met.verdict, told(met)) == (Verdict.NOT_COUNTED, [Because.IN_CONTACT])
    assert met.reasons[0].record == (f"{STATION}/visit/v1", 1)
    assert told(asking.why(absent, "v1", "record")) == [Because.IN_CONTACT]
    assert asking.why(absent, "h2").verdict is Verdict.COUNTED


def test_a_duration_is_in_its_average_also_where_it_took_no_day(
    asking: Asking, desk: Desk
) -> None:
    stages = row("case.stage_days", unit=Unit.DAY)
    assert asking.why(stages, "h1").verdict is Verdict.NOT_COUNTED
    taken = CaseIntaken(household="h1", worker="周", problem="独居")
    desk.record("c1", taken, "2024-11-05")
    desk.record("c1", CaseAssessed(), "2024-11-05")
    desk.record("c2", CaseIntaken(household="h2", worker="周", problem="独居"), "2024-11-05")
    desk.record("c2", CaseAssessed(), "2024-11-11")
    quick, slow = asking.why(stages, "h1"), asking.why(stages, "h2")
    assert (quick.verdict, quick.amount, len(quick.lines)) == (Verdict.COUNTED, 0, 1)
    assert (slow.verdict, slow.amount) == (Verdict.COUNTED, 6)
    found = asking.explained(stages)
    assert (found.days, found.timed, found.figure.value) == (6, 2, 3)


def test_what_is_not_told_of_is_said_to_be_left_out_and_nothing_is_answered_by_halves(
    asking: Asking, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    persons = row("visit.persons", unit=Unit.PERSON_TIMES)
    for day in (1, 2, 3):
        desk.record(f"early-{day}", visit(), f"2024-10-0{day}")
    assert (len(asking.why(persons, "h1").reasons), asking.why(persons, "h1").is_cut) == (3, False)
    desk.record("early-4", visit(), "2024-10-04")
    assert (len(asking.why(persons, "h1").reasons), asking.why(persons, "h1").is_cut) == (3, True)
    monkeypatch.setattr(tested, "MOST_POSTINGS", 3)
    with refused("too_many_postings") as refusal:
        asking.why(persons, "h1")
    assert "涉及 4 条分录" in str(refusal.value)
    assert told(asking.why(persons, "visit/early-4/1", "record")) == [Because.OUTSIDE_PERIOD]


def test_an_absence_counts_everybody_whom_somebody_s_records_name(
    asking: Asking, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[why_not.__module__], "MOST_REASONS", 1)
    desk.household("h3", "p1", "p2")
    absent = row(
        "visit.distinct_persons", unit=Unit.PERSON, over=PeriodRule.EVER,
        without=Without(measure="visit.distinct_persons", days=30),
    )
    desk.record("v1", visit("h3", persons_met=2, persons=("p1", "p2")), "2024-09-05")
    found = asking.why(absent, "h3")
    assert (found.amount, len(found.parts), found.is_cut) == (2, 1, True)


def test_since_new_year_counts_what_a_month_does_not(asking: Asking, desk: Desk) -> None:
    desk.record("h1", HouseholdInfoUpdated(fields=("care",)), "2024-08-05")
    updated = row("household.updated", unit=Unit.HOUSEHOLD)
    assert told(asking.why(updated, "h1")) == [Because.OUTSIDE_PERIOD]
    year = row("household.updated", unit=Unit.HOUSEHOLD, over=PeriodRule.YEAR)
    assert asking.why(year, "h1").verdict is Verdict.COUNTED


def test_of_hundreds_of_stations_it_is_asked_in_portions_that_a_statement_holds(
    asking: Asking,
) -> None:
    said, envelope = on("2024-01-01"), asking.desk.context().envelope()
    codes = [f"s{number:03}" for number in range(600)]
    named = [(stream_id(code, "station", code), a_station()) for code in codes]
    named.append((stream_id("s599", "meeting", "m9"), MeetingHeld(title="站务例会", kind="work")))
    asking.desk.ledger.append([NewEntry(name, 1, said, envelope, fact) for name, fact in named], [])
    asking.read_models.advance(asking.desk.ledger)
    bound = list[int]()

    def count(*call: Any) -> None:
        bound.append(len(call[3]))

    with asking.read_models.engine.connect() as connection:
        listen(connection, "before_cursor_execute", count)
        asked = row("person_visits")
        ask = Question(connection, asking.desk.ledger, STATION, alone(asked), asked, NOVEMBER)
        with pytest.raises(OfOtherStation, match="s599"):
            about_record(ask, "m9", sees_all=True)
        with pytest.raises(UnknownRecord):
            about_subject(ask, "household", "nobody", sees_all=True)
    assert 0 < max(bound) < LEAST_VARIABLES


def erase(desk: Desk, name: str, at: datetime, **whom: str) -> None:
    proposed = ErasureProposed(ground=ErasureGround.REQUEST, **whom)
    desk.record(name, proposed, "2024-12-03", role="lead", now=at)
    desk.record(name, ErasureApproved(), "2024-12-03", actor="b", role="reviewer", now=at)


def test_of_who_was_erased_nothing_is_told_by_another_name(asking: Asking, desk: Desk) -> None:
    def day(number: int) -> datetime:
        return datetime(2025, 1, number, tzinfo=UTC)

    desk.household("ha", "p1")
    desk.household("hb", "p2", "p3")
    desk.record("v1", visit("ha", persons=("p1",)), "2024-11-05")
    desk.record("v2", visit("hb", persons=("p2",)), "2024-11-06")
    merge = PersonMergeProposed(
        merged="p1", merged_household="ha", survivor="p2", survivor_household="hb", reason="同一人"
    )
    entry = desk.record("persons", merge, "2024-12-02", now=day(1)).version
    reviewer: dict[str, Any] = {"actor": "lead-1", "role": "reviewer"}
    desk.record("persons", MergeApproved(entry=entry), "2024-12-02", now=day(2), **reviewer)
    erase(desk, "e1", day(3), household="hb", person="p2")
    persons = row("visit.distinct_persons", unit=Unit.PERSON)
    for who, when in (("p2", None), ("p1", None), ("p1", day(1))):
        with refused("told_of_nobody"):
            asking.why(persons, who, "person", known_at=when)
    ended = MergeEnded(entry=entry, reason="弄错了")
    desk.record("persons", ended, "2024-12-04", now=day(4), **reviewer)
    with refused("told_of_nobody"):
        asking.why(persons, "p1", "person")
    assert asking.why(persons, "p3", "person").verdict is Verdict.NOT_COUNTED
    desk.record("w1", VolunteerRegistered(name="测试丙", phone="13700000000"), "2024-07-01")
    volunteers = row("volunteer.registered", unit=Unit.PERSON)
    assert asking.why(volunteers, "volunteer/w1", "record").verdict is Verdict.COUNTED
    erase(desk, "e2", day(5), volunteer="w1")
    for kind, who in (("volunteer", "w1"), ("record", "volunteer/w1"), ("record", "w1")):
        with refused("told_of_nobody"):
            asking.why(volunteers, who, kind)


def test_an_id_answers_for_no_other_household_that_has_it_as_its_file_number(
    asking: Asking, desk: Desk
) -> None:
    head = Member(person="q", name="测试丁", relation="head")
    filed = HouseholdRegistered(community="东路社区", members=(head,), file_number="0012")
    desk.record("filed", filed, "2024-07-01")
    desk.record("filed", HouseholdInfoUpdated(fields=("care",)), "2024-11-04")
    updated = row("household.updated", unit=Unit.HOUSEHOLD)
    assert asking.why(updated, "0012").about.id == "filed"
    desk.household("0012")
    with refused("ambiguous_household") as refusal:
        asking.why(updated, "0012")
    assert "filed" in str(refusal.value)
    own = asking.why(updated, "household/0012")
    assert (own.about.id, own.amount) == ("0012", 0)
    assert asking.why(updated, "filed").amount == 1


def test_what_records_add_adds_up_to_the_figure(asking: Asking, desk: Desk) -> None:
    # of a remainder, by the records of one household: the first that counts it adds 1
    for day in (4, 5, 6):
        desk.record("h1", HouseholdInfoUpdated(fields=("care",)), f"2024-11-0{day}")
    chosen = indicator_set("lixia-2024")
    for code in ("households_updated", "other_households"):
        found = chosen.row(code)
        assert found is not None
        told_of = [
            asking.why(found, f"household/h1/{entry}", "record", of=chosen) for entry in (2, 3, 4)
        ]
        assert [(a.verdict.value, a.amount) for a in told_of] == [
            ("counted", 1), ("counted_already", 0), ("counted_already", 0),
        ]
    # of a mean of months, the mean of what was there
    kept = row("household.kept", unit=Unit.HOUSEHOLD, aggregation=Aggregation.MONTHLY_MEAN)
    assert asking.explained(kept, Period.of("2024-06..2024-09")).figure.value == Decimal("1.5")
    assert asking.why(kept, "h1", period=Period.of("2024-06..2024-09")).amount == Fraction(3, 4)
    # of households, each once, by whomever the visits name
    for day in (4, 5, 6):
        met = visit(persons_met=3, persons=("h1-1",))
        desk.record(f"v{day}", met, f"2024-11-0{day}")
    for measure in ("visit.distinct_households", "contact.households"):
        assert asking.why(row(measure, unit=Unit.HOUSEHOLD), "h1-1", "person").amount == 1
    times = row("visit.persons", aggregation=Aggregation.COUNT)
    assert asking.explained(times).figure.value == asking.why(times, "h1").amount == 3
