"""Does the log lose, repeat, renumber or change anything?"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

import psycopg
import pytest
from desk import STATION, Desk, a_station, a_vault
from domain_spec import record, refused

from domain.household import HOUSEHOLD, HouseholdInfoVerified
from domain.kernel import Refused, stream_id
from domain.ledger import Busy, Ledger, Receipt, StoreUnavailable
from domain.ledger.postgres_recorder import STATION_ROWS
from domain.ledger.sqlite_recorder import POSITIONS
from domain.meeting import MEETING, MeetingHeld
from domain.record_keeping import EntryCorrected, EntryReinstated, EntryVoided

T = TypeVar("T")
A_MEETING = MeetingHeld(title="例会", kind="work")
THREADS = 8


def run_sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Speak to the database past the ledger; answers the rows of the last statement."""
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as raw:
            rows: list[tuple[Any, ...]] = []
            for statement in statements:
                rows = raw.execute(statement).fetchall()
                raw.commit()
            return rows
    with psycopg.connect(url, autocommit=True) as server:
        for statement in statements:
            cursor = server.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def at_once(work: Callable[[int], T]) -> list[T]:
    """Do some work in many threads that begin together."""
    barrier = Barrier(THREADS)

    def begin(number: int) -> T:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def positions(desk: Desk) -> list[int]:
    return [n.id for n in desk.ledger.notifications(0)]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ledger.sqlite3"


@pytest.fixture
def sqlite_desk(sqlite_url: str) -> Iterator[Desk]:
    """A station that keeps its ledger in a file."""
    with Ledger(sqlite_url, a_vault()) as ledger:
        desk = Desk(ledger)
        desk.record(STATION, a_station(), "2024-01-01", role="administrator")
        yield desk


# ---- what is recorded is read back ----


def test_a_receipt_names_what_was_recorded(desk: Desk) -> None:
    receipt = desk.household("h1")
    assert receipt.stream == stream_id(STATION, "household", "h1")
    assert (receipt.version, receipt.position) == (1, 2)
    assert desk.ledger.history(receipt.stream) == [receipt.recorded]
    assert desk.ledger.head() == 2


def test_the_whole_log_is_read_in_pages_and_from_any_position(desk: Desk) -> None:
    for n in range(5):
        desk.household(f"h{n}")
    every = list(desk.ledger.recorded())
    assert [item.position for item in every] == [1, 2, 3, 4, 5, 6]
    assert list(desk.ledger.recorded(after=4)) == every[4:]
    assert [n.id for n in desk.ledger.notifications(2, limit=2)] == [3, 4]


def test_a_ledger_opened_again_goes_on_where_it_was(desk: Desk, ledger_url: str) -> None:
    desk.household("h1")
    with Ledger(ledger_url, a_vault()) as again:
        assert again.head() == 2
        assert again.stream(STATION, "household", "h1") == desk.ledger.stream(
            STATION, "household", "h1"
        )
        assert Desk(again).record("h1", HouseholdInfoVerified(), "2024-11-05").version == 2


def test_another_program_sees_what_was_recorded_meanwhile(desk: Desk, ledger_url: str) -> None:
    desk.household("h1")
    with Ledger(ledger_url, a_vault()) as other:
        assert Desk(other).record("h1", HouseholdInfoVerified(), "2024-11-05").version == 2
    assert desk.record("h1", HouseholdInfoVerified(), "2024-11-06").version == 3


def test_a_log_is_shared_once_a_second_station_recorded(ledger: Ledger) -> None:
    found = [ledger.is_shared()]
    for station in ("st-2", "st"):  # of which one name begins the other
        Desk(ledger, station).record(station, a_station(), "2024-01-01", role="administrator")
        found.append(ledger.is_shared())
    assert found == [False, False, True]


def test_a_refusal_records_nothing(desk: Desk) -> None:
    with refused("unknown_community"):
        desk.household("h1", community="南路社区")
    assert desk.ledger.head() == 1
    assert desk.ledger.stream(STATION, "household", "h1") is None


def test_a_record_at_an_unknown_station_is_refused(ledger: Ledger) -> None:
    with refused("unknown_station"):
        Desk(ledger).household("h1")


def test_a_record_is_corrected_voided_and_reinstated_by_further_entries(desk: Desk) -> None:
    desk.record("m1", A_MEETING, "2024-11-05")
    desk.correct("m1", 1, MeetingHeld(title="周会", kind="work"), "2024-11-05")
    desk.void(MEETING, "m1", 1)
    receipt = desk.reinstate(MEETING, "m1", 1)
    history = desk.ledger.history(receipt.stream)
    assert [type(item.event) for item in history] == [
        MeetingHeld, EntryCorrected, EntryVoided, EntryReinstated,
    ]
    stream = desk.ledger.stream(STATION, "meeting", "m1")
    assert stream
    assert stream.state == MeetingHeld(title="周会", kind="work")


# ---- positions ----


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {log} SET topic = 'x' WHERE originator_version = 1",
        "DELETE FROM {log} WHERE originator_version = 1",
    ],
    ids=["update", "delete"],
)
def test_the_database_itself_refuses_to_change_an_event(
    desk: Desk, ledger_url: str, statement: str
) -> None:
    before = list(desk.ledger.recorded())
    with pytest.raises((sqlite3.IntegrityError, psycopg.Error), match="append-only"):
        run_sql(ledger_url, statement.format(log=desk.ledger.store.events_table_name))
    assert list(desk.ledger.recorded()) == before


def test_postgresql_refuses_to_empty_the_log(postgres_url: str) -> None:
    with Ledger(postgres_url, a_vault()) as ledger:
        Desk(ledger).record(STATION, a_station(), "2024-01-01")
        with pytest.raises(psycopg.Error, match="append-only"):
            run_sql(postgres_url, f"TRUNCATE {ledger.store.events_table_name}")
        assert ledger.head() == 1


def test_the_position_of_a_lost_event_is_not_used_again(
    sqlite_desk: Desk, sqlite_url: str
) -> None:
    lost = sqlite_desk.household("h1").position
    run_sql(
        sqlite_url, "DROP TRIGGER stored_events_no_delete",
        f"DELETE FROM stored_events WHERE position = {lost}",
    )
    assert sqlite_desk.household("h2").position == lost + 1


def test_vacuum_keeps_positions(sqlite_desk: Desk, sqlite_url: str) -> None:
    for n in range(4):
        sqlite_desk.household(f"h{n}")
    run_sql(
        sqlite_url, "DROP TRIGGER stored_events_no_delete",
        "DELETE FROM stored_events WHERE position = 2", "VACUUM",
    )
    assert positions(sqlite_desk) == [1, 3, 4, 5]
    assert sqlite_desk.household("h9").position == 6


def test_a_position_taken_by_a_refused_append_disturbs_nobody(desk: Desk) -> None:
    desk.household("h1", idempotency_key="k1")
    with refused("already_exists"):
        desk.household("h1")
    desk.household("h2")
    assert positions(desk) == sorted(set(positions(desk)))
    assert len(positions(desk)) == 3


def test_every_connection_reaches_the_disk_before_it_acknowledges(sqlite_desk: Desk) -> None:
    datastore: Any = sqlite_desk.ledger.store.datastore
    with contextlib.ExitStack() as stack:
        for _connection in range(3):
            cursor = stack.enter_context(datastore.get_connection(commit=False)).cursor()
            cursor.execute("PRAGMA synchronous")
            assert cursor.fetchone()[0] == 2  # FULL
            cursor.execute("PRAGMA journal_mode")
            assert cursor.fetchone()[0] == "wal"


# ---- the same request ----


def test_the_same_request_is_answered_with_the_first_receipt(desk: Desk) -> None:
    first = desk.household("h1", idempotency_key="k1")
    again = desk.household("h1", idempotency_key="k1")
    assert (first.is_repeated, again.is_repeated) == (False, True)
    assert (again.stream, again.version, again.position, again.recorded) == (
        first.stream, first.version, first.position, first.recorded,
    )
    assert desk.ledger.head() == 2


def test_a_repeated_request_is_answered_even_after_the_record_changed(desk: Desk) -> None:
    first = desk.household("h1", idempotency_key="k1")
    desk.record("h1", HouseholdInfoVerified(), "2024-11-05")
    again = desk.household("h1", idempotency_key="k1")
    assert again.recorded == first.recorded


def test_a_refused_request_may_be_put_right_under_its_key(desk: Desk) -> None:
    with refused("unknown_community"):
        desk.household("h1", community="南路社区", idempotency_key="k1")
    assert not desk.household("h1", idempotency_key="k1").is_repeated


def test_a_key_is_not_used_for_another_content(desk: Desk) -> None:
    desk.household("h1", idempotency_key="k1")
    with refused("idempotency_key_reused"):
        desk.household("h1", community="西路社区", idempotency_key="k1")
    with refused("idempotency_key_reused"):
        desk.void(HOUSEHOLD, "h1", 1, idempotency_key="k1")
    assert desk.ledger.head() == 2


def test_a_key_is_not_used_for_the_same_content_of_another_record(desk: Desk) -> None:
    desk.record("m1", A_MEETING, "2024-11-05", idempotency_key="k1")
    with refused("idempotency_key_reused"):
        desk.record("m2", A_MEETING, "2024-11-05", idempotency_key="k1")


def test_a_key_belongs_to_its_actor(desk: Desk) -> None:
    desk.household("h1", idempotency_key="k1")
    assert not desk.household("h2", idempotency_key="k1", actor="worker-2").is_repeated


def test_a_request_sent_by_many_threads_at_once_is_recorded_once(desk: Desk) -> None:
    receipts = at_once(lambda _n: desk.household("h1", idempotency_key="k1"))
    assert [r.is_repeated for r in receipts].count(False) == 1
    assert len({(r.stream, r.version, r.position) for r in receipts}) == 1
    assert desk.ledger.head() == 2


def test_a_repeatable_statement_sent_by_many_threads_at_once_is_recorded_once(
    desk: Desk
) -> None:
    desk.household("h1")
    receipts = at_once(
        lambda _n: desk.record(
            "h1", HouseholdInfoVerified(), "2024-11-05", idempotency_key="k1"
        )
    )
    assert [r.is_repeated for r in receipts].count(False) == 1
    assert desk.ledger.head() == 3


def test_a_request_that_names_a_version_and_is_sent_twice_at_once_is_recorded_once(
    desk: Desk
) -> None:
    desk.household("h1")
    receipts = at_once(lambda _n: verify(desk, 1, idempotency_key="k1"))
    assert [r.is_repeated for r in receipts].count(False) == 1
    assert desk.ledger.head() == 3


# ---- many writers ----


def patiently(write: Callable[[], Receipt], attempts: int = 50) -> Receipt:
    """Record as a client does that tries again when the answer is 503."""
    for _attempt in range(attempts):
        with contextlib.suppress(Busy, StoreUnavailable):
            return write()
    return write()


def test_many_threads_on_one_household_lose_nothing(desk: Desk) -> None:
    desk.household("h1")

    def work(number: int) -> list[Receipt]:
        return [
            patiently(lambda n=n: desk.record(  # type: ignore[misc]
                "h1", HouseholdInfoVerified(note=f"{number}-{n}"), "2024-11-05"
            ))
            for n in range(5)
        ]

    receipts = [receipt for mine in at_once(work) for receipt in mine]
    history = desk.ledger.history(stream_id(STATION, "household", "h1"))
    assert [item.version for item in history] == list(range(1, 5 * THREADS + 2))
    assert sorted(r.version for r in receipts) == list(range(2, 5 * THREADS + 2))
    assert {r.recorded for r in receipts} == set(history[1:])


def test_many_threads_on_many_households_lose_nothing(desk: Desk) -> None:
    receipts = at_once(lambda n: [desk.household(f"h{n}-{m}") for m in range(5)])
    assert len({r.position for mine in receipts for r in mine}) == 5 * THREADS
    assert len(positions(desk)) == 5 * THREADS + 1


def test_two_programs_on_one_household_lose_nothing(desk: Desk, ledger_url: str) -> None:
    desk.household("h1")
    with Ledger(ledger_url, a_vault()) as ledger:
        desks = (desk, Desk(ledger))
        at_once(
            lambda n: patiently(
                lambda: desks[n % 2].record("h1", HouseholdInfoVerified(), "2024-11-05")
            )
        )
    history = desk.ledger.history(stream_id(STATION, "household", "h1"))
    assert [item.version for item in history] == list(range(1, THREADS + 2))


# ---- what the sender saw ----


def verify(desk: Desk, expected_version: int, **context: Any) -> Receipt:
    command = record(HouseholdInfoVerified())
    return desk.execute(HOUSEHOLD, "h1", command, expected_version=expected_version, **context)


def test_the_version_that_the_sender_saw_is_still_the_newest_or_is_refused(desk: Desk) -> None:
    desk.household("h1")
    assert verify(desk, 1).version == 2
    for stale in (0, 1, 3):
        with refused("stale_version") as caught:
            verify(desk, stale)
        assert caught.value.facts["current"] == 2
        assert caught.value.status == 412
    assert desk.ledger.head() == 3


def test_of_many_senders_who_saw_one_version_only_one_is_accepted(desk: Desk) -> None:
    desk.household("h1")

    def work(_number: int) -> str:
        try:
            verify(desk, 1)
        except Refused as refusal:
            return refusal.code
        return "recorded"

    answers = at_once(work)
    assert answers.count("recorded") == 1
    assert set(answers) == {"recorded", "stale_version"}


# ---- a store that cannot take the write ----


def pragma(desk: Desk, statement: str) -> Any:
    """Set something on the connection that the ledger's pool hands out next."""
    datastore: Any = desk.ledger.store.datastore
    with datastore.get_connection(commit=True) as connection:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA {statement}")
        return cursor.fetchone()[0]


def test_a_locked_database_answers_503_and_recording_goes_on_afterwards(
    sqlite_desk: Desk, sqlite_url: str
) -> None:
    first = sqlite_desk.household("h1")
    pragma(sqlite_desk, "busy_timeout=50")
    with contextlib.closing(
        sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    ) as other:
        other.execute("BEGIN IMMEDIATE")
        with refused("store_unavailable") as caught:
            sqlite_desk.household("h2", idempotency_key="k2")
        assert caught.value.status == 503
        assert isinstance(caught.value, StoreUnavailable)
        assert sqlite_desk.ledger.history(first.stream) == [first.recorded]
        other.execute("ROLLBACK")
    assert not sqlite_desk.household("h2", idempotency_key="k2").is_repeated
    assert positions(sqlite_desk) == [1, 2, 3]


def test_a_full_disk_answers_503_and_loses_nothing_that_was_acknowledged(
    sqlite_desk: Desk, sqlite_url: str
) -> None:
    pragma(sqlite_desk, f"max_page_count={pragma(sqlite_desk, 'page_count') + 2}")
    acknowledged: list[Receipt] = []

    def fill() -> None:
        for n in itertools.count():
            receipt = sqlite_desk.household(f"h{n}", idempotency_key=f"k{n}")
            acknowledged.append(receipt)

    with refused("store_unavailable") as caught:
        fill()
    assert "磁盘已满" in str(caught.value)
    assert acknowledged
    with Ledger(sqlite_url, a_vault()) as again:
        assert list(again.recorded(after=1)) == [r.recorded for r in acknowledged]
    pragma(sqlite_desk, "max_page_count=1000000")
    n = len(acknowledged)
    retried = sqlite_desk.household(f"h{n}", idempotency_key=f"k{n}")
    assert (retried.position, retried.is_repeated) == (n + 2, False)
    assert run_sql(sqlite_url, "PRAGMA integrity_check") == [("ok",)]


def test_a_server_that_dropped_every_connection_takes_the_next_record(
    postgres_url: str,
) -> None:
    with Ledger(postgres_url, a_vault()) as ledger:
        desk = Desk(ledger)
        desk.record(STATION, a_station(), "2024-01-01")
        run_sql(
            postgres_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        patiently(lambda: desk.household("h1", idempotency_key="k1"), THREADS)
        assert positions(desk) == [1, 2]


# ---- one station's events ----


def two_stations(ledger: Ledger, meetings: int) -> tuple[Desk, Desk]:
    """Stations whose codes begin alike, which record in turn."""
    desks = Desk(ledger, "st"), Desk(ledger, "st0")
    for desk in desks:
        desk.record(desk.station, a_station(), "2024-01-01", role="administrator")
    for number in range(meetings):
        for desk in desks:
            desk.record(f"m{number}", A_MEETING, "2024-11-05")
    return desks


def test_a_station_s_events_are_read_in_the_order_of_the_log_and_nobody_else_s(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.ledger.postgres_recorder.PAGE", 3)
    monkeypatch.setattr("domain.ledger.sqlite_recorder.MOST_MARKS", 3)
    two_stations(ledger, 5)
    everything = ledger.rows(0)
    for station in ("st", "st0", "s"):
        own = [row for row in everything if row[1].startswith(f"{station}/")]
        assert list(ledger.station_rows(station)) == own
        assert list(ledger.station_rows(station, after=3, until=8)) == [
            row for row in own if 3 < row[0] <= 8
        ]


def test_a_station_s_events_are_found_by_an_index(
    ledger: Ledger, ledger_url: str, database: str
) -> None:
    two_stations(ledger, 200)
    table = ledger.store.events_table_name
    if database == "sqlite":
        question = f"EXPLAIN QUERY PLAN {POSITIONS.format(table=table)}"
        question = question.replace("?", "'st/'", 1).replace("?", "'st0'", 1)
        (plan,) = run_sql(ledger_url, question)
        assert "COVERING INDEX" in plan[-1]
        assert "originator_id>? AND originator_id<?" in plan[-1]
    else:
        question = STATION_ROWS.format(schema="public", table=table)
        for value in ("'st'", "0", "1000000", "5000"):
            question = question.replace("%s", value, 1)
        plan = run_sql(ledger_url, "SET enable_seqscan = off", f"EXPLAIN {question}")
        assert f"{table}_by_station" in str(plan)


def test_a_filled_log_of_an_earlier_layout_is_given_the_index(postgres_url: str) -> None:
    with Ledger(postgres_url, a_vault()) as ledger:
        two_stations(ledger, 3)
        table, before = ledger.store.events_table_name, ledger.rows(0)
    layout = f"COMMENT ON TABLE {table} IS 'taizhang ledger 1'"
    run_sql(postgres_url, f"DROP INDEX {table}_by_station", layout)
    with Ledger(postgres_url, a_vault()) as ledger:
        assert ledger.rows(0) == before
        assert len(list(ledger.station_rows("st"))) == 4
    found = run_sql(postgres_url, "SELECT indexname FROM pg_indexes")
    assert (f"{table}_by_station",) in found
