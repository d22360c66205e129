"""Do the read models keep up, survive, and come out the same however they are made?"""

from __future__ import annotations

import contextlib
import pickle
import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from desk import STATION, Desk, a_station, a_vault
from eventsourcing.persistence import StoredEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, text, update
from sqlalchemy.exc import ProgrammingError

from domain.household import (
    HOUSEHOLD,
    AssistanceAssigned,
    AssistanceEnded,
    CaseFileOpened,
    HouseholdInfoUpdated,
    MemberAdded,
)
from domain.household import Member as HouseholdMember
from domain.kernel import Entry, Occurrence, Refused, Statement, Stream
from domain.ledger import Ledger
from domain.merging import HOUSEHOLDS, HouseholdMergeProposed, MergeApproved, MergeEnded
from domain.referral import ReferralAccepted, ReferralMade
from domain.supervision import SupervisionReceived
from domain.survey import NeedsAssessed, NeedStated
from domain.visit import VISIT, VisitRecorded
from domain.volunteer import (
    VOLUNTEER,
    VolunteerRegistered,
    VolunteerServiceConfirmed,
    VolunteerServiceRecorded,
)
from projections import kernel, pages, store
from projections.catalog import PARTS, PROJECTIONS
from projections.catching_up import CatchUp
from projections.engine import ProjectionFailedError, ReadModels, RebuildSupersededError
from projections.generation_tables import physical, serve
from projections.household_status import households
from projections.kernel import Batch
from projections.rebuilding import locked, new_generation, retire
from projections.store import generations, unindexed, writing
from projections.timeline import records

Tables = dict[str, list[tuple[Any, ...]]]


def contents(read_models: ReadModels) -> Tables:
    """Every row of every read model, sorted."""
    tables: Tables = {}
    with read_models.engine.connect() as connection:
        for projection in PROJECTIONS.values():
            for table in projection.tables:
                rows = connection.execute(table.select())
                tables[table.name] = sorted((tuple(row) for row in rows), key=repr)
    return tables


def a_busy_year(desk: Desk, seed: int, steps: int, prefix: str = "") -> None:
    """Random work at a station: records, corrections, voids and refused attempts."""
    chance = random.Random(seed)
    households = [f"{prefix}h{n}" for n in range(4)]
    for name in households:
        desk.household(name, f"{name}-a", f"{name}-b")
    desk.record(f"{prefix}vol", VolunteerRegistered(name="志愿者甲"), "2024-07-01")
    for step in range(steps):
        with contextlib.suppress(Refused):
            _some_work(desk, chance, chance.choice(households), prefix, step)


def _some_work(desk: Desk, chance: random.Random, name: str, prefix: str, step: int) -> None:
    """One attempt of a random kind; the rules may refuse it."""
    day = f"2024-{chance.randint(8, 11):02}-{chance.randint(1, 28):02}"
    earlier, volunteer = chance.randint(0, step), f"{prefix}vol"
    visit = VisitRecorded(
        mode="home", purpose="routine", persons_met=chance.randint(1, 4), household=name
    )
    covered = AssistanceAssigned(unit="u", category="dibao", covered=(f"{name}-a",))
    referral = ReferralMade(household=name, to_agency="医院", need="medical", basis="consent")
    assessed = NeedsAssessed(household=name, needs=(NeedStated(need="care"),))
    other, lead = f"{prefix}h{chance.randint(0, 3)}", {"actor": "lead-1"}
    proposed = HouseholdMergeProposed(merged=name, survivor=other, reason="重复建档")
    approved, ended = (kind(entry=1 + earlier % 9, **why) for kind, why in (
        (MergeApproved, {}), (MergeEnded, {"reason": "两户"})
    ))
    supervised = SupervisionReceived(supervisor="督导甲", kind="peer", mode="online")
    actions: list[Callable[[], object]] = [
        lambda: desk.record(f"{prefix}v{step}", visit, day),
        lambda: desk.record(name, HouseholdInfoUpdated(fields=("care",)), day),
        lambda: desk.record(name, CaseFileOpened(file_number=f"D{step}"), day),
        lambda: desk.record(name, covered, day),
        lambda: desk.record(name, AssistanceEnded(unit="u", reason="voluntary"), day),
        lambda: desk.void(VISIT, f"{prefix}v{earlier}", 1),
        lambda: desk.reinstate(VISIT, f"{prefix}v{earlier}", 1),
        lambda: desk.correct(f"{prefix}v{earlier}", 1, visit, day),
        lambda: desk.void(HOUSEHOLD, name, chance.randint(1, 6)),
        lambda: desk.record(volunteer, VolunteerServiceRecorded(title="探访", minutes=60), day),
        lambda: desk.record(volunteer, VolunteerServiceConfirmed(entry=chance.randint(2, 9)), day),
        lambda: desk.void(VOLUNTEER, volunteer, chance.randint(2, 9)),
        lambda: desk.record(f"{prefix}r{step}", referral, day),
        lambda: desk.record(f"{prefix}r{earlier}", ReferralAccepted(), day),
        lambda: desk.record(f"{prefix}n{step}", assessed, day),
        lambda: desk.record(f"{prefix}s{step}", supervised, day),
        lambda: desk.record(HOUSEHOLDS, proposed, day),
        lambda: desk.record(HOUSEHOLDS, approved, day, **lead),
        lambda: desk.record(HOUSEHOLDS, ended, day, **lead),
    ]
    chance.choice(actions)()


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches so small that streams are cut across them, and are folded some at a time."""
    monkeypatch.setattr(pages, "BATCH", 7)
    monkeypatch.setattr(kernel, "STREAMS", 2)


@pytest.fixture
def busy(desk: Desk) -> Desk:
    a_busy_year(desk, seed=11, steps=160)
    return desk


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("name", PROJECTIONS)
def test_rebuilt_equals_incremental_row_for_row(
    name: str, busy: Desk, read_models: ReadModels, ledger: Ledger
) -> None:
    read_models.advance(ledger)
    before = contents(read_models)
    rebuilt = read_models.rebuild(name, ledger)
    assert rebuilt.differing_rows == 0
    assert rebuilt.position == ledger.head()
    assert contents(read_models) == before
    assert busy.ledger is ledger


@pytest.mark.usefixtures("small_batches")
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 40), max_size=3))
def test_the_moments_at_which_it_advances_change_nothing(
    seed: int, cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cuts")
    with Ledger(f"sqlite:///{folder}/ledger.sqlite3", a_vault()) as ledger:
        desk = Desk(ledger)
        desk.record(STATION, a_station(), "2024-01-01")
        often, once = (ReadModels(f"sqlite:///{folder}/{n}.sqlite3") for n in ("often", "once"))
        for number, steps in enumerate([*cuts, 30]):
            a_busy_year(desk, seed + number, steps, f"{number}-")
            often.advance(ledger)
        once.advance(ledger)
        assert contents(often) == contents(once)
        often.close()
        once.close()


def test_advancing_again_changes_nothing(
    busy: Desk, read_models: ReadModels, ledger: Ledger
) -> None:
    read_models.advance(ledger)
    before = contents(read_models)
    read_models.advance(ledger)
    assert contents(read_models) == before
    assert {c.position for c in read_models.checkpoints()} == {ledger.head()}
    assert busy.ledger is ledger


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_deleted_database_comes_back_row_for_row(
    busy: Desk, tmp_path: Path, ledger: Ledger
) -> None:
    first = ReadModels(f"sqlite:///{tmp_path}/read.sqlite3")
    first.advance(ledger)
    before = contents(first)
    first.close()
    for path in tmp_path.glob("read.sqlite3*"):
        path.unlink()
    second = ReadModels(f"sqlite:///{tmp_path}/read.sqlite3")
    for name in second.names():
        second.rebuild(name, ledger)
    assert contents(second) == before
    second.close()
    assert busy.ledger is ledger


def test_two_processes_may_advance_at_once(
    busy: Desk, read_url: str, tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "BATCH", 5)
    both = [ReadModels(read_url), ReadModels(read_url)]
    threads = [threading.Thread(target=one.advance, args=(ledger,)) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = ReadModels(f"sqlite:///{tmp_path}/alone.sqlite3")
    alone.advance(ledger)
    assert contents(both[0]) == contents(alone)
    for one in (*both, alone):
        one.close()
    assert busy.ledger is ledger


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_whoever_fills_read_models_waits_for_another_that_indexes_them(
    desk: Desk, ledger: Ledger, read_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.01)
    read_models = ReadModels(read_url)
    desk.household("h1", "a1")
    done = threading.Event()
    with writing(read_models.engine):
        filling = threading.Thread(target=lambda: (read_models.advance(ledger), done.set()))
        filling.start()
        assert not done.wait(0.3)  # thirty times as long as SQLite itself would wait
    filling.join(30)
    assert done.is_set()
    assert {row.position for row in read_models.checkpoints()} == {ledger.head()}
    read_models.close()


def test_which_projections_failed_is_known_in_another_process_too() -> None:
    failure = ProjectionFailedError({"postings": ValueError("one"), "needs": ValueError("two")})
    again = pickle.loads(pickle.dumps(failure))  # noqa: S301 - our own bytes, as multiprocessing has them
    assert (str(again), set(again.failed)) == ("postings、needs", {"postings", "needs"})


def test_a_poison_event_is_parked_and_stops_nothing(
    desk: Desk, read_models: ReadModels, ledger: Ledger
) -> None:
    desk.household("h1")
    # given an event of a topic that this program does not know, amid the log
    _append_raw(ledger, f"{desk.station}/visit/strange", 1, "visit.teleported", b"{}")
    desk.record("v1", VisitRecorded(mode="home", purpose="routine", persons_met=2), "2024-11-05")
    # when the read models advance
    read_models.advance(ledger)
    # then all of them reach the head, with that event parked in each
    assert {c.position for c in read_models.checkpoints()} == {ledger.head()}
    assert {(row.projection, row.position) for row in read_models.parked()} == {
        (name, 3) for name in read_models.names()
    }
    assert "visit.teleported" in read_models.parked()[0].error
    assert len(contents(read_models)["postings"]) > 0
    # and trying again keeps it parked, without harm
    assert read_models.retry_parked("timeline", ledger) == 1


def test_a_parked_event_is_taken_in_after_the_fix(
    desk: Desk, read_models: ReadModels, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    desk.household("h1")
    # given a projection with a fault in its code
    faulty = type(PROJECTIONS["household_status"])
    rows = faulty.rows
    monkeypatch.setattr(faulty, "rows", _raise)
    read_models.advance(ledger)
    assert contents(read_models)["households"] == []
    # when the fault is mended, and what was parked is tried again
    monkeypatch.setattr(faulty, "rows", rows)
    desk.record("h1", MemberAdded(member=HouseholdMember(person="p9", name="新")), "2024-11-02")
    read_models.advance(ledger)
    assert read_models.retry_parked("household_status", ledger) == 0
    # then it equals one that never failed
    fresh = ReadModels(f"sqlite:///{tmp_path}/fresh.sqlite3")
    fresh.advance(ledger)
    assert contents(read_models) == contents(fresh)
    fresh.close()


def _raise(_self: object, _stream: object) -> Iterator[Any]:
    message = "a fault in the code"
    raise RuntimeError(message)


def _append_raw(ledger: Ledger, *fields: Any) -> None:
    """Append an event as another program would, past every rule."""
    ledger.store.insert_events([StoredEvent(*fields)])


def test_a_catch_up_never_ends_well_while_a_projection_failed(
    busy: Desk, read_models: ReadModels, ledger: Ledger
) -> None:
    # given one projection whose tables were destroyed behind the program's back
    generation = next(c.generation for c in read_models.checkpoints() if c.name == "timeline")
    with read_models.engine.begin() as connection:
        connection.execute(text('DROP VIEW "records"'))
        physical(PROJECTIONS["timeline"].tables[0], generation).drop(connection)
    # when the read models advance, then it is said, and the others are at the head
    with pytest.raises(ProjectionFailedError, match="timeline"):
        read_models.advance(ledger)
    positions = {c.name: c.position for c in read_models.checkpoints()}
    assert positions.pop("timeline") == 0
    assert set(positions.values()) == {ledger.head()}
    assert busy.ledger is ledger


@pytest.mark.usefixtures("small_batches")
def test_recording_goes_on_while_a_rebuild_runs(
    busy: Desk, read_models: ReadModels, ledger: Ledger
) -> None:
    read_models.advance(ledger)
    progress: list[tuple[int, int]] = []

    def meanwhile(position: int, head: int) -> None:
        if not progress:
            busy.record("late", VisitRecorded(mode="home", purpose="routine", persons_met=5), "2024-11-30")
            read_models.advance(ledger)  # the live tables keep up beside the rebuild
        progress.append((position, head))

    rebuilt = read_models.rebuild("monthly_counts", ledger, meanwhile)
    assert rebuilt.position == ledger.head()
    assert rebuilt.differing_rows == 0
    assert len(progress) > 2


@pytest.mark.usefixtures("small_batches")
def test_a_second_rebuild_takes_over_from_the_first(
    busy: Desk, read_models: ReadModels, ledger: Ledger
) -> None:
    read_models.advance(ledger)

    def overtaken(_position: int, _head: int) -> None:
        read_models.rebuild("postings", ledger)

    with pytest.raises(RebuildSupersededError):
        read_models.rebuild("postings", ledger, overtaken)
    assert {c.position for c in read_models.checkpoints()} == {ledger.head()}
    assert busy.ledger is ledger


class KilledError(RuntimeError):
    """Stands for the end of a worker in the middle of its work."""


@pytest.mark.usefixtures("small_batches")
def test_an_unfinished_rebuild_goes_on_where_it_stopped(
    busy: Desk, read_models: ReadModels, ledger: Ledger
) -> None:
    read_models.advance(ledger)
    before = contents(read_models)
    names = ("timeline", "monthly_counts")

    def killed(position: int, _head: int) -> None:
        if position > 20:
            raise KilledError

    with pytest.raises(KilledError):
        read_models.rebuild_together(names, ledger, "mine", killed)
    left = {r.name: r.position for r in read_models.rebuilds_under_way()}
    assert left.keys() == set(names)
    assert min(left.values()) > 20
    # when it is taken up again
    progress: list[int] = []
    results = read_models.rebuild_together(
        names, ledger, "mine", lambda position, _head: progress.append(position)
    )
    # then nothing is done twice, and nothing is missing
    assert min(progress) > min(left.values())
    assert [r.differing_rows for r in results] == [0, 0]
    assert contents(read_models) == before
    assert read_models.rebuilds_under_way() == []
    assert busy.ledger is ledger


@pytest.mark.usefixtures("small_batches")
def test_a_program_may_start_while_another_switches(
    busy: Desk, read_models: ReadModels, read_url: str
) -> None:
    """Given a switch under way, when another starts, then it serves what was switched to."""
    read_models.advance(busy.ledger)
    opened: list[ReadModels] = []
    with writing(read_models.engine) as connection:
        old = locked(connection, "postings")
        assert old is not None
        other = threading.Thread(target=lambda: opened.append(ReadModels(read_url)))
        other.start()
        other.join(0.5)  # it now waits for the row, or for SQLite's writer
        connection.execute(
            update(generations)
            .where(generations.c.projection == "postings")
            .values(generation=old.generation)  # as a switch does, after it has the row
        )
    other.join(30)
    [second] = opened
    assert second.position() == busy.ledger.head()
    second.close()


def test_whoever_waits_for_a_switch_finds_what_it_switched_to(
    busy: Desk, read_models: ReadModels
) -> None:
    """Given a rebuild that switches, when another waits for its row, then it finds the new one."""
    read_models.advance(busy.ledger)
    found: list[Any] = []

    def look() -> None:
        with writing(read_models.engine) as connection:
            found.append(locked(connection, "postings"))

    with writing(read_models.engine) as connection:
        old = locked(connection, "postings")
        assert old is not None
        postings = PROJECTIONS["postings"]
        new = new_generation(connection, postings, old.updated_at, is_serving=True)
        serve(connection, postings.tables, new)
        retire(connection, postings, old.generation)
        other = threading.Thread(target=look)
        other.start()
        other.join(0.5)
    other.join(30)
    assert [row.generation for row in found] == [new]


def test_a_rebuild_can_be_cancelled(
    busy: Desk, read_models: ReadModels, ledger: Ledger
) -> None:
    read_models.advance(ledger)
    before = contents(read_models)

    def cancel(_position: int, _head: int) -> None:
        assert read_models.cancel_rebuild("postings")

    with pytest.raises(RebuildSupersededError):
        read_models.rebuild("postings", ledger, cancel)
    assert read_models.rebuilds_under_way() == []
    assert not read_models.cancel_rebuild("postings")
    assert contents(read_models) == before
    assert busy.ledger is ledger


def test_a_rebuilt_table_has_all_its_indexes(
    busy: Desk, read_models: ReadModels, ledger: Ledger
) -> None:
    def indexes() -> dict[str, list[Any]]:
        found = inspect(read_models.engine)
        return {
            name.partition("__")[0]: sorted(i["column_names"] for i in found.get_indexes(name))
            for name in found.get_table_names() if "__g" in name
        }

    read_models.advance(ledger)
    before = indexes()
    read_models.rebuild_together(read_models.names(), ledger, "mine")
    assert indexes() == before
    assert before["records"]
    assert busy.ledger is ledger
    assert read_models.engine.dialect.name == "sqlite" or analysed(read_models) >= {"records"}


def analysed(read_models: ReadModels) -> set[str]:
    """The serving tables of which PostgreSQL knows what is in them."""
    with read_models.engine.connect() as connection:
        named = connection.exec_driver_sql("SELECT DISTINCT tablename FROM pg_stats").scalars()
        return {name.partition("__")[0] for name in named}


def index_names(read_models: ReadModels) -> dict[str, int]:
    """How many indexes each table of a read model has."""
    found = inspect(read_models.engine)
    return {
        name: len(found.get_indexes(name)) for name in found.get_table_names() if "__g" in name
    }


@pytest.mark.usefixtures("small_batches")
def test_tables_are_indexed_once_they_have_first_reached_the_head(
    busy: Desk, read_url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = ReadModels(read_url)
    with monkeypatch.context() as patched:
        patched.setattr(CatchUp, "_index", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            killed.advance(ledger)
    assert {c.position for c in killed.checkpoints()} == {ledger.head()}
    assert not any(index_names(killed).values())
    killed.close()
    other = ReadModels(read_url)
    other.advance(ledger)
    assert index_names(other)["records__g1"] == len(records.indexes)
    with other.engine.connect() as connection:
        assert connection.execute(unindexed.select()).all() == []
    other.close()
    assert busy.ledger is ledger


def _interrupt(_self: CatchUp, _name: str) -> None:
    raise KeyboardInterrupt


def test_whoever_knows_old_positions_finds_out_that_another_went_on(
    desk: Desk, read_url: str, ledger: Ledger
) -> None:
    one, other = ReadModels(read_url), ReadModels(read_url)
    desk.household("h1")
    known = one.advance(ledger)
    desk.household("h2")
    other.advance(ledger)
    desk.household("h3")
    reached = one.advance(ledger, known)
    assert set(reached.values()) == {ledger.head()} == {one.position()}
    with one.engine.connect() as connection:
        assert len(connection.execute(households.select()).all()) == 3
    one.close()
    other.close()


@pytest.mark.parametrize(("entries", "most_held"), [(1, 28), (20, 4)])
def test_open_streams_are_held_up_to_so_many_bytes_and_those_used_last(
    entries: int, most_held: int
) -> None:
    said = Statement(VolunteerRegistered(name="志愿者甲"), Occurrence(on=date(2024, 7, 1)))
    known = {
        n: Entry(version=n, statement=said, recorded_at=datetime(2024, 7, 1, tzinfo=UTC), actor="a")
        for n in range(1, entries + 1)
    }
    folds = kernel.Folds(most_bytes=100_000)
    for number in range(100):
        folds.keep(Stream(f"st/volunteer/{number}", entries, None, known))
    held = [n for n in range(100) if folds.at(f"st/volunteer/{n}", entries)]
    assert held == list(range(100 - most_held, 100))


def test_the_parts_of_a_rebuild_cover_every_projection_once() -> None:
    assert sorted(name for part in PARTS for name in part) == sorted(PROJECTIONS)


def test_a_replica_is_only_read(
    busy: Desk, read_models: ReadModels, ledger: Ledger, read_url: str, database: str
) -> None:
    read_models.advance(ledger)
    replica = ReadModels(read_url, is_replica=True)
    assert contents(replica) == contents(read_models)
    assert replica.wait_for(ledger.head(), 1)
    busy.record("late", VisitRecorded(mode="home", purpose="routine", persons_met=5), "2024-11-30")
    if database == "postgresql":
        with pytest.raises(ProjectionFailedError):
            replica.advance(ledger)
    replica.close()


def test_postgresql_keeps_what_it_prepared_and_finds_what_was_rebuilt_with_it(
    busy: Desk, read_models: ReadModels, ledger: Ledger, database: str
) -> None:
    if database != "postgresql":
        return
    prepared = text("SELECT count(*) FROM pg_prepared_statements WHERE statement ~ 'households'")
    read_models.advance(ledger)
    for _time in range(8):
        before = contents(read_models)
    with read_models.engine.connect() as connection:
        assert connection.execute(prepared).scalar_one() > 0
    busy.household("new", "somebody")
    read_models.rebuild_together(read_models.names(), ledger, "mine")
    after = contents(read_models)
    assert len(after["households"]) == len(before["households"]) + 1
    # and forgets it where something failed
    with pytest.raises(ProgrammingError), read_models.engine.connect() as connection:
        connection.execute(text("SELECT nothing FROM nowhere"))
    assert contents(read_models) == after


def test_a_new_version_of_a_projection_is_filled_anew(
    busy: Desk, read_models: ReadModels, ledger: Ledger, read_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_models.advance(ledger)
    before = contents(read_models)
    monkeypatch.setattr(type(PROJECTIONS["referrals"]), "version", 99)
    again = ReadModels(read_url)
    assert contents(again)["referrals"] == []
    again.advance(ledger)
    assert contents(again) == before
    again.close()
    assert busy.ledger is ledger


@pytest.mark.parametrize("name", ["postings", "monthly_counts"])
def test_partitions_in_any_order_give_the_same_sums(name: str, busy: Desk, ledger: Ledger) -> None:
    events = list(ledger.recorded())
    whole = PROJECTIONS[name].changes(Batch(events, lambda _streams: {}))
    random.Random(3).shuffle(events)
    halves = [
        PROJECTIONS[name].changes(Batch(part, lambda _streams: {}))
        for part in (events[:50], events[50:])
    ]
    merged: dict[Any, int] = {}
    for half in halves:
        for sums in half.added.values():
            for key, amount in sums.items():
                merged[key] = merged.get(key, 0) + amount
    assert merged == {key: n for sums in whole.added.values() for key, n in sums.items()}
    inserted = [row for half in halves for rows in half.inserted.values() for row in rows]
    expected = [row for rows in whole.inserted.values() for row in rows]
    assert sorted(inserted, key=repr) == sorted(expected, key=repr)
    assert busy.ledger is ledger
