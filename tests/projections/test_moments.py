"""Is what was known at a moment what the present was then, and what is said of it the same?

The strongest test: for random work and a random moment, every query about the moment
answers what the present query answers over a ledger that holds nothing later.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from desk import STATION, Desk, a_station, a_vault
from eventsourcing.persistence import StoredEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from domain.activity import ActivityHeld
from domain.fields import Quantity
from domain.household import (
    HOUSEHOLD,
    AssistanceAssigned,
    AssistanceEnded,
    CaseFileOpened,
    HouseholdInfoUpdated,
    HouseholdMoved,
)
from domain.kernel import KIND_OF_TOPIC, Refused, StreamKind
from domain.ledger import Ledger, NewEntry
from domain.merging import (
    HouseholdMergeProposed,
    MergeApproved,
    MergeEnded,
    PersonMergeProposed,
)
from domain.record_keeping import EntryVoided, RecordKeeping
from domain.referral import ReferralAccepted, ReferralCompleted, ReferralMade
from domain.station import StationRevised
from domain.station_month import ReflectionWritten
from domain.supervision import SupervisionCancelled, SupervisionReceived, SupervisionScheduled
from domain.survey import NeedMet, NeedsAssessed, NeedStated
from domain.training import TrainingReceived
from domain.visit import VISIT, VisitRecorded
from domain.volunteer import (
    VOLUNTEER,
    VolunteerRegistered,
    VolunteerServiceConfirmed,
    VolunteerServiceRecorded,
)
from projections import looking_back, standing
from projections.engine import ReadModels
from projections.figures import Period, evidence, figures
from projections.indicators import indicator_set
from projections.late_entries import late_records, lateness
from projections.looking_back import (
    STATUS,
    Page,
    households_then,
    records_then,
    referrals_then,
    staff_growth_then,
    status_then,
    timeline_then,
    volunteer_hours_then,
)
from projections.moments import KnownAt, Moment
from projections.monthly_report import report_then
from projections.store import generations

HOUSEHOLDS = ("h0", "h1", "h2")
VOLUNTEERS = ("vol0", "vol1", "vol2")
START = datetime(2024, 9, 1, 1, 0, tzinfo=UTC)
FIRST, LAST = date(2024, 7, 1), date(2024, 12, 31)
NOVEMBER = Period.of_month("2024-11")
LISTED = ("visit", "household", "referral", "needs_assessment", "volunteer", "supervision")


class Work:
    """Random work of a station, hour by hour; the rules may refuse what is attempted."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk, self.chance, self.now = desk, random.Random(seed), START
        self.done: list[tuple[str, str]] = []
        self.voided: list[tuple[StreamKind[Any], str, int]] = []

    def run(self, steps: int) -> None:
        desk = self.desk
        for name in HOUSEHOLDS:
            desk.household(name, f"{name}-a", f"{name}-b", day="2024-08-10", now=START)
        for name in VOLUNTEERS:
            desk.record(name, VolunteerRegistered(name=f"测试{name}"), "2024-08-20", now=START)
        for step in range(steps):
            self.now += timedelta(hours=self.chance.randint(1, 40))
            with contextlib.suppress(Refused):
                self.chance.choice(self.attempts(step))()

    def day(self) -> str:
        """A day not long ago, or one long past."""
        days = self.chance.choice((0, 1, 3, 8, 20, 45))
        return f"{(self.now - timedelta(days=days)).date()}"

    def record(self, subject: str, event: Any, **context: Any) -> None:
        self.desk.record(subject, event, self.day(), now=self.now, **context)
        self.done.append((KIND_OF_TOPIC[event.topic].name, subject))

    def visit(self) -> VisitRecorded:
        household = self.chance.choice((*HOUSEHOLDS, None))
        persons = (f"{household}-a",) if household and self.chance.random() < 0.3 else ()
        return VisitRecorded(
            mode="home", purpose="routine", persons_met=self.chance.randint(1, 4),
            household=household, persons=persons,
        )

    def referral(self) -> ReferralMade:
        household = self.chance.choice(HOUSEHOLDS)
        return ReferralMade(household=household, to_agency="医院", need="medical", basis="consent")

    def propose(self, merged: str, survivor: str) -> None:
        """A merge of two households, or of a person of each."""
        if self.chance.random() < 0.6:
            self.record("households", HouseholdMergeProposed(
                merged=merged, survivor=survivor, reason="重复建档"))
        else:
            self.record("persons", PersonMergeProposed(
                merged=f"{merged}-a", merged_household=merged, survivor=f"{survivor}-a",
                survivor_household=survivor, reason="同一人"))

    def decide(self, event: Any) -> None:
        """Somebody else's decision on a merge."""
        self.record(self.chance.choice(("households", "persons")), event, actor="lead-1")

    def void(self, kind: StreamKind[Any], subject: str, entry: int) -> None:
        self.desk.void(kind, subject, entry, now=self.now)
        self.voided.append((kind, subject, entry))

    def reinstate(self) -> None:
        """What was voided once, of whatever kind."""
        kind, subject, entry = self.chance.choice(self.voided or [(VISIT, "none", 1)])
        self.desk.reinstate(kind, subject, entry, now=self.now)

    def some(self, kind: str) -> str:
        """The subject of an earlier record of a kind."""
        return self.chance.choice([s for k, s in self.done if k == kind] or ["none"])

    def attempts(self, step: int) -> list[Callable[[], object]]:
        chance, desk, now = self.chance, self.desk, {"now": self.now}
        home, volunteer = chance.choice(HOUSEHOLDS), chance.choice(VOLUNTEERS)
        entry = chance.randint(1, 5)
        planned = self.now.date() + timedelta(days=5)
        older = {"imported_at": self.now, "now": self.now}
        return [
            *[lambda: self.record(f"v{step}", self.visit())] * 4,
            lambda: self.record(f"old{step}", self.visit(), imported_at=self.now),
            lambda: desk.correct(self.some("visit"), 1, self.visit(), self.day(), **now),
            lambda: desk.correct(self.some("visit"), 1, self.visit(), self.day(), **now),
            lambda: self.void(VISIT, self.some("visit"), 1),
            self.reinstate,
            lambda: self.record(home, HouseholdInfoUpdated(fields=("care",), phone="13800000000")),
            lambda: self.record(home, CaseFileOpened(file_number=f"D{step}")),
            lambda: self.record(home, AssistanceAssigned(unit="u", category="dibao", covered=(f"{home}-a",))),
            lambda: self.record(home, AssistanceEnded(unit="u", reason="voluntary")),
            lambda: self.record(home, HouseholdMoved(community="西路社区")),
            lambda: self.void(HOUSEHOLD, home, entry),
            self.reinstate,
            lambda: self.record(f"r{step}", self.referral()),
            lambda: self.record(self.some("referral"), ReferralAccepted()),
            lambda: self.record(self.some("referral"), ReferralCompleted(outcome="好转")),
            lambda: desk.correct(self.some("referral"), 1, self.referral(), self.day(), **now),
            lambda: self.record(f"n{step}", NeedsAssessed(household=home, needs=(NeedStated(need="care"),))),
            lambda: self.record(self.some("needs_assessment"), NeedMet(need="care")),
            lambda: self.record(volunteer, VolunteerServiceRecorded(title="探访", minutes=60)),
            lambda: self.record(volunteer, VolunteerServiceConfirmed(entry=entry)),
            lambda: self.void(VOLUNTEER, volunteer, entry),
            lambda: self.record(f"s{step}", SupervisionReceived(supervisor="督导甲", kind="peer", mode="online")),
            lambda: self.record(f"p{step}", SupervisionScheduled(
                supervisor="督导乙", kind="individual", mode="on_site", planned_on=planned)),
            lambda: self.record(self.some("supervision"), SupervisionCancelled(because="改期")),
            lambda: self.record(f"t{step}", TrainingReceived(title="培训", mode="online")),
            lambda: self.record(f"a{step}", ActivityHeld(
                title="活动", kind="festival", role="host", attendance=Quantity(value=9))),
            *[lambda: self.propose(home, chance.choice(HOUSEHOLDS))] * 2,
            *[lambda: self.decide(MergeApproved(entry=chance.randint(1, 6)))] * 3,
            lambda: self.decide(MergeEnded(entry=chance.randint(1, 6), reason="是两户")),
            lambda: self.record("2024-11", ReflectionWritten(text=f"反思{step}")),
            lambda: desk.record(STATION, StationRevised(**{
                name: getattr(a_station(introduction=f"简介{step}"), name)
                for name in StationRevised.__struct_fields__}), self.day(), role="administrator", **older),
        ]


def pages(ask: Callable[[Any], list[Any]], key: Callable[[Any], Any], limit: int) -> list[Any]:
    """Every row of a list, page by page."""
    rows: list[Any] = []
    after = None
    while True:
        found = ask(after)
        rows += found
        if len(found) < limit:
            return rows
        after = key(found[-1])


def answers(read_models: ReadModels, ledger: Ledger, moment: Moment) -> dict[str, Any]:
    """What every query answers about a moment."""
    return dict(_answers(read_models, ledger, moment))


def _answers(
    read_models: ReadModels, ledger: Ledger, moment: Moment
) -> Iterator[tuple[str, Any]]:
    with standing.standing(read_models, ledger, moment, *STATUS) as then:
        for name in HOUSEHOLDS:
            yield f"status {name}", status_then(then, STATION, name)
    for sort in ("household", "info_confirmed_on", "community", "last_contact_on"):
        with standing.standing(read_models, ledger, moment, *STATUS) as then:
            yield f"households by {sort}", pages(
                lambda after, then=then, sort=sort: households_then(  # type: ignore[misc]
                    then, STATION, sort=sort, is_descending=True, after=after, limit=2),
                lambda row, sort=sort: (getattr(row, sort), row.household), 2,  # type: ignore[misc]
            )
    day = lambda row: (row.occurred_on, row.position)  # noqa: E731
    subjects = [f"household:{h}" for h in HOUSEHOLDS]
    subjects += [f"person:{h}-a" for h in HOUSEHOLDS] + ["community:东路社区", "volunteer:vol1"]
    for newest in (True, False):
        for subject in subjects:
            def timeline(after: Any, subject: str = subject, *, newest: bool = newest) -> Any:
                page = Page(after=after, limit=4, is_newest_first=newest)
                with standing.standing(read_models, ledger, moment, "timeline") as then:
                    return timeline_then(then, STATION, subject, page)
            yield f"timeline {subject} {newest}", pages(timeline, day, 4)
        for kind in LISTED:
            def listed(after: Any, kind: str = kind, *, newest: bool = newest) -> Any:
                page = Page(date(2024, 9, 10), date(2024, 11, 20), after, 3, newest)
                with standing.standing(read_models, ledger, moment, "timeline") as then:
                    return records_then(then, STATION, kind, page)
            yield f"records {kind} {newest}", pages(listed, day, 3)
    with standing.standing(read_models, ledger, moment, "timeline") as then:
        yield "visits to h1", records_then(
            then, STATION, "visit", Page(limit=500), subject="household:h1", status=None)
    with standing.standing(read_models, ledger, moment, "referrals") as then:
        yield "referrals", referrals_then(then, STATION)
        yield "open referrals of h1", referrals_then(then, STATION, household="h1", status="made")
    with standing.standing(read_models, ledger, moment, "volunteer_hours") as then:
        yield "hours", pages(
            lambda after: volunteer_hours_then(
                then, STATION, first=FIRST, last=LAST, after=after, limit=2),
            lambda row: row.volunteer, 2,
        )
    with standing.standing(read_models, ledger, moment, "staff_growth") as then:
        yield "growth", staff_growth_then(then, STATION, first=FIRST, last=LAST)
    yield from _sums(read_models, ledger, moment)


def _sums(read_models: ReadModels, ledger: Ledger, moment: Moment) -> Iterator[tuple[str, Any]]:
    with standing.summed(read_models, moment) as then:
        when: dict[str, Any] = {"as_of": then.as_of, "known_at": then.known_at}
        for code in ("lixia-2024", "casework-2024"):
            chosen = indicator_set(code)
            for month in ("2024-10", "2024-11"):
                period = Period.of_month(month)
                asked = (then.connection, STATION, chosen, period)
                yield f"figures {code} {month}", figures(*asked, **when)
                late = lateness(*asked, **when)
                yield f"late {code} {month}", late
                for row in chosen.indicators:
                    behind = evidence(then.connection, STATION, row, period, **when)
                    yield f"evidence {row.code} {month}", behind
        found = report_then(
            then, ledger, STATION, "2024-11", moment, opened=ledger.vault.opened_stream
        )
        yield "report", (found.profile, found.figures, found.late, found.sections)


@contextlib.contextmanager
def cut_off(ledger: Ledger, keep: Callable[[Any], bool], folder: Path) -> Iterator[
    tuple[Ledger, ReadModels]
]:
    """A ledger that contains only some events of another, at the same positions."""
    database = f"sqlite:///{folder}/{random.Random().random()}.sqlite3"
    with Ledger(database, a_vault()) as other:
        kept = [n for n in ledger.notifications(0, 100_000) if keep(n)]
        other.store.insert_events([
            StoredEvent(n.originator_id, n.originator_version, n.topic, n.state) for n in kept
        ])
        read_models = ReadModels(database.replace(".sqlite3", "-read.sqlite3"))
        read_models.advance(other)
        yield other, read_models
        read_models.close()


def equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Each answer is the other's."""
    assert one.keys() == other.keys()
    for question, answer in one.items():
        assert answer == other[question], question


@pytest.fixture(params=[100, 5])
def portions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams brought all at once, and a few at a time."""
    monkeypatch.setattr(looking_back, "PORTION", request.param)


@pytest.mark.usefixtures("portions")
def test_what_was_known_at_a_position_is_what_the_present_was_then(
    desk: Desk, ledger: Ledger, read_models: ReadModels, tmp_path: Path
) -> None:
    Work(desk, seed=5).run(220)
    read_models.advance(ledger)
    head = ledger.head()
    for position in (0, head // 5, head // 2, head - 20, head):
        with cut_off(ledger, lambda n, p=position: n.id <= p, tmp_path) as (other, present):  # type: ignore[misc]
            if position:
                equal(
                    answers(read_models, ledger, Moment(known_at=position)),
                    answers(present, other, Moment()),
                )
            else:
                assert answers(read_models, ledger, Moment(known_at=0))["growth"] == []


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), share=st.floats(0.1, 1))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_so_for_any_work_and_position(
    seed: int, share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    with Ledger(f"sqlite:///{folder}/ledger.sqlite3", a_vault()) as ledger:
        desk = Desk(ledger)
        desk.record(STATION, a_station(), "2024-01-01", role="administrator", now=START)
        Work(desk, seed).run(120)
        read_models = ReadModels(f"sqlite:///{folder}/read.sqlite3")
        read_models.advance(ledger)
        position = max(1, int(ledger.head() * share))
        with cut_off(ledger, lambda n: n.id <= position, folder) as (other, present):
            known = answers(read_models, ledger, Moment(known_at=position))
            equal(known, answers(present, other, Moment()))
            day = date(2024, 10, 15)
            equal(
                answers(read_models, ledger, Moment(day, position)),
                answers(present, other, Moment(day)),
            )
        read_models.close()


def test_an_instant_knows_what_was_recorded_by_then(
    desk: Desk, ledger: Ledger, read_models: ReadModels
) -> None:
    Work(desk, seed=8).run(150)
    read_models.advance(ledger)
    events = list(ledger.recorded())[1:]  # the station itself is registered later, by its clock
    middle = events[len(events) // 2]
    instant = middle.envelope.recorded_at
    last = max(e.position for e in events if e.envelope.recorded_at <= instant)
    known: tuple[KnownAt, ...] = (instant, last, (instant, ledger.head()))
    first, *others = [answers(read_models, ledger, Moment(known_at=k)) for k in known]
    for other in others:
        equal(first, other)


def test_a_record_imported_later_is_known_from_when_it_was_recorded_not_imported(
    desk: Desk, ledger: Ledger, read_models: ReadModels
) -> None:
    # given a question about an instant, answered at a position
    instant = datetime(2024, 11, 20, tzinfo=UTC)
    desk.household("h1", now=START)
    visit = VisitRecorded(mode="home", purpose="routine", persons_met=1, household="h1")
    desk.record("v1", visit, "2024-11-05", now=datetime(2024, 11, 6, tzinfo=UTC))
    before = ledger.head()
    # when an older record is imported
    desk.record(
        "v2", visit, "2024-11-07", now=datetime(2024, 11, 8, tzinfo=UTC),
        imported_at=datetime(2025, 1, 1, tzinfo=UTC),
    )
    read_models.advance(ledger)

    def visits(known_at: KnownAt) -> list[tuple[str, bool]]:
        moment = Moment(known_at=known_at)
        with standing.standing(read_models, ledger, moment, "timeline") as then:
            rows = timeline_then(then, STATION, "household:h1", Page(limit=9))
        return [(row.id, row.is_imported) for row in rows if row.kind == "visit"]

    # and a correction whose time is before that of what it corrects
    corrected = VisitRecorded(mode="phone", purpose="routine", persons_met=1, household="h1")
    desk.record("v3", visit, "2024-11-07", now=datetime(2024, 11, 25, tzinfo=UTC))
    desk.correct("v3", 1, corrected, "2024-11-07", now=datetime(2024, 11, 19, tzinfo=UTC))
    read_models.advance(ledger)
    # then the instant knows it, and the instant in the log of before does not
    assert visits(instant) == [("v2", True), ("v1", False)]
    assert visits((instant, before)) == visits(before) == [("v1", False)]


def test_as_of_a_day_is_as_if_everything_later_were_void(
    desk: Desk, ledger: Ledger, read_models: ReadModels, tmp_path: Path
) -> None:
    Work(desk, seed=21).run(200)
    read_models.advance(ledger)
    for day in (date(2024, 9, 1), date(2024, 10, 5), date(2024, 11, 11)):
        with cut_off(ledger, lambda _n: True, tmp_path) as (other, present):
            void_after(other, day)
            present.advance(other)
            found = answers(read_models, ledger, Moment(as_of=day))
            expected = answers(present, other, Moment())
            for question in found:
                if not question.startswith(("evidence", "report", "late", "figures")):
                    assert comparable(found[question]) == comparable(expected[question]), question
            # figures are cut by the day that a posting is effective on
            with standing.summed(read_models, Moment(as_of=day)) as then:
                own = figures(then.connection, STATION, indicator_set("lixia-2024"), NOVEMBER, as_of=day)
            whole = expected["figures lixia-2024 2024-11"]
            stocks = {"dibao_households", "dibao_persons", "edge_households", "edge_persons"}
            for mine, theirs in zip(own, whole, strict=True):
                if mine.indicator.code not in stocks:
                    assert mine.value == theirs.value, mine.indicator.code


def void_after(ledger: Ledger, day: date) -> None:
    """Void all that occurred after a day, and what is left of streams that had not begun."""
    names = dict.fromkeys(e.stream for e in ledger.recorded())
    context = Desk(ledger).context().envelope()
    for name in names:
        station, kind, subject = name.split("/")
        stream = ledger.stream(station, kind, subject)
        assert stream is not None
        if kind == "station":
            continue
        later = [e for e in stream.active() if e.statement.occurred.on > day]
        entries = [
            NewEntry(name, stream.version + n, e.statement.occurred, context, EntryVoided(
                entry=e.version, voided=e.statement, reason="以后"))
            for n, e in enumerate(later, start=1)
        ]
        if entries:
            ledger.append(entries, [])


def comparable(answer: Any) -> Any:
    """An answer without what a void leaves behind: the version, and the voided row itself."""
    if isinstance(answer, list):
        rows = [row for row in answer if getattr(row, "status", "active") != "voided"]
        return [comparable(row) for row in rows]
    if hasattr(answer, "household") and hasattr(answer.household, "version"):
        return comparable(answer.household), answer.members, answer.needs
    if hasattr(answer, "version"):
        return {n: getattr(answer, n) for n in type(answer).__dataclass_fields__ if n != "version"}
    return answer


def test_a_visit_that_was_moved_to_another_household_was_on_the_first_one_s_timeline(
    desk: Desk, ledger: Ledger, read_models: ReadModels
) -> None:
    for name in ("a", "b"):
        desk.household(name)
    visit = VisitRecorded(mode="home", purpose="routine", persons_met=1, household="a")
    before = desk.record("v1", visit, "2024-11-05").position
    moved = VisitRecorded(mode="home", purpose="routine", persons_met=1, household="b")
    desk.correct("v1", 1, moved, "2024-11-06")
    read_models.advance(ledger)

    def visits(household: str, known_at: int | None) -> list[str]:
        moment = Moment(known_at=known_at)
        with standing.standing(read_models, ledger, moment, "timeline") as then:
            rows = timeline_then(then, STATION, f"household:{household}", Page())
        return [f"{row.occurred_on}" for row in rows if row.kind == "visit"]

    def met(household: str, known_at: int | None) -> date | None:
        with standing.standing(read_models, ledger, Moment(known_at=known_at), *STATUS) as then:
            status = status_then(then, STATION, household)
        assert status is not None
        return status.household.last_contact_on

    assert (visits("a", before), visits("b", before)) == (["2024-11-05"], [])
    assert (visits("a", None), visits("b", None)) == ([], ["2024-11-06"])
    assert (met("a", before), met("b", before)) == (date(2024, 11, 5), None)
    assert (met("a", None), met("b", None)) == (None, date(2024, 11, 6))


def test_a_replica_answers_about_a_moment_too(
    desk: Desk, ledger: Ledger, read_models: ReadModels, read_url: str
) -> None:
    Work(desk, seed=3).run(60)
    read_models.advance(ledger)
    replica = ReadModels(read_url, is_replica=True)
    for moment in (Moment(), Moment(date(2024, 10, 1), ledger.head() // 2)):
        equal(answers(replica, ledger, moment), answers(read_models, ledger, moment))
    replica.close()


def test_where_read_models_have_not_come_equally_far_the_least_of_them_is_answered(
    desk: Desk, ledger: Ledger, read_models: ReadModels
) -> None:
    # given read models of which one has stopped halfway
    Work(desk, seed=4).run(90)
    read_models.advance(ledger)
    behind = ledger.head()
    expected = answers(read_models, ledger, Moment())
    desk.household("h9", day="2024-09-01")
    merges = ledger.stream(STATION, "merge", "households")
    survivor = merges.state.survivor_of("h1") if merges else "h1"
    desk.record("v-new", VisitRecorded(
        mode="home", purpose="routine", persons_met=3, household=survivor), "2024-11-28")
    read_models.advance(ledger)
    with read_models.engine.begin() as connection:
        connection.execute(
            update(generations).where(generations.c.projection.in_(["contacts", "monthly_counts"]))
            .values(position=behind)
        )
    # then the present is what the slowest has taken in, and says so
    with standing.standing(read_models, ledger, Moment(), *STATUS) as then:
        assert then.position == behind
        assert status_then(then, STATION, "h1") == expected["status h1"]
        assert status_then(then, STATION, "h9") is None
    with standing.summed(read_models, Moment()) as summed:
        assert summed.position == behind
        asked = (summed.connection, STATION, indicator_set("lixia-2024"), NOVEMBER)
        found = figures(*asked, known_at=summed.known_at)
    assert found == expected["figures lixia-2024 2024-11"]


# ---- late entries ----


@pytest.mark.parametrize(
    ("recorded_at", "days", "late"),
    [
        (datetime(2024, 11, 30, 15, 59, tzinfo=UTC), 22, False),
        (datetime(2024, 11, 30, 16, 30, tzinfo=UTC), 23, True),  # December at the station
        (datetime(2024, 12, 3, 2, 0, tzinfo=UTC), 25, True),
    ],
)
def test_a_late_entry_lands_in_the_month_it_is_about_and_is_marked(
    desk: Desk, read_models: ReadModels, recorded_at: datetime, days: int,
    late: bool,  # noqa: FBT001 - what a case expects
) -> None:
    ledger = desk.ledger
    visit = VisitRecorded(mode="home", purpose="routine", persons_met=2)
    desk.record("v1", visit, "2024-11-08", now=recorded_at)
    desk.record("v2", visit, "2024-11-08", now=datetime(2024, 11, 9, tzinfo=UTC))
    # a correction in December makes nothing late that was recorded in time
    corrected = VisitRecorded(mode="home", purpose="routine", persons_met=3)
    desk.correct("v2", 1, corrected, "2024-11-09", now=datetime(2024, 12, 9, tzinfo=UTC))
    read_models.advance(ledger)
    chosen = indicator_set("lixia-2024")
    with standing.summed(read_models, Moment()) as then:
        asked = (then.connection, STATION, chosen, NOVEMBER)
        row = next(f for f in figures(*asked) if f.indicator.code == "person_visits")
        behind = evidence(then.connection, STATION, row.indicator, NOVEMBER)
        counts = lateness(*asked)["person_visits"]
    assert row.value == 5
    assert (counts.late, counts.imported) == (int(late), 0)
    assert {(e.stream[-2:], e.is_late) for e in behind} == {("v1", late), ("v2", False)}
    with standing.standing(read_models, ledger, Moment(), "timeline") as then:
        rows = {r.id: r for r in records_then(then, STATION, "visit", Page())}
    assert (rows["v1"].is_late, rows["v1"].days_late) == (late, days)
    assert not rows["v2"].is_late


def test_late_behind_a_remainder_is_what_is_late_in_the_total_and_in_no_listed_part(
    desk: Desk, read_models: ReadModels
) -> None:
    later = datetime(2024, 12, 9, tzinfo=UTC)
    for name in ("h1", "h2", "h3"):
        desk.household(name)
        assigned = AssistanceAssigned(unit="u", category="dibao", covered=(f"{name}-1",))
        if name == "h2":
            desk.record(name, assigned, "2024-09-01")
        when = datetime(2024, 11, 9, tzinfo=UTC) if name == "h3" else later
        desk.record(name, HouseholdInfoUpdated(fields=("care",)), "2024-11-08", now=when)
    read_models.advance(desk.ledger)
    chosen = indicator_set("lixia-2024")
    rest = next(row for row in chosen.indicators if row.code == "other_households")
    with standing.summed(read_models, Moment()) as then:
        asked = (then.connection, STATION, chosen, NOVEMBER)
        counts = lateness(*asked)
        named = late_records(then.connection, STATION, rest, chosen, NOVEMBER)
    late = {code: counts[code].late for code in ("households_updated", rest.code)}
    assert late == {"households_updated": 2, rest.code: 1}
    assert [(r.stream, r.days_late) for r in named] == [(f"{STATION}/household/h1", 31)]


def test_record_keeping_events_are_those_that_this_file_s_work_makes(
    desk: Desk, ledger: Ledger
) -> None:
    Work(desk, seed=5).run(320)
    topics = {type(e.event).__name__ for e in ledger.recorded()}
    assert {kind.__name__ for kind in RecordKeeping.__args__} <= topics
    assert {"HouseholdMoved", "ReferralCompleted", "SupervisionCancelled", "NeedMet"} <= topics
