"""Do many writers at once lose, mix up or hide anything?"""

from __future__ import annotations

import gc
import itertools
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import pytest
from desk import STATION, Desk, a_vault
from eventsourcing.persistence import (
    DataError,
    IntegrityError,
    OperationalError,
    StoredEvent,
)
from stage import until

from domain.household import HouseholdInfoVerified
from domain.kernel import stream_id
from domain.ledger import GroupCommit, Ledger, OutcomeUnknown, Receipt, RequestKey
from domain.ledger.postgres_recorder import LedgerPostgresRecorder

WRITERS = 8


def events(stream: str, first: int, count: int) -> list[StoredEvent]:
    """Consecutive events of a stream."""
    return [StoredEvent(stream, first + n, "t", b"{}") for n in range(count)]


def test_conflicts_used_keys_and_bad_text_refuse_only_their_own_append(ledger: Ledger) -> None:
    store = ledger.store
    # PostgreSQL's texts cannot hold a zero byte either.
    bad = itertools.cycle("\0\ud800" if isinstance(store, LedgerPostgresRecorder) else "\ud800")
    store.insert_events(events("taken", 1, 1), request_keys=[(RequestKey("s", "used", "f"), 0)])

    def append(number: int) -> str:
        try:
            match number % 4:
                case 0:
                    key = RequestKey("s", f"key-{number}", "f")
                    store.insert_events(events(f"n{number}", 1, 2), request_keys=[(key, 1)])
                case 1:
                    store.insert_events([*events(f"n{number}", 1, 1), *events("taken", 1, 1)])
                case 2:
                    store.insert_events(events(f"n{number}{next(bad)}", 1, 1))
                case _:
                    used = [(RequestKey("s", "used", "g"), 0)]
                    store.insert_events(events(f"n{number}", 1, 1), request_keys=used)
        except (DataError, IntegrityError, UnicodeError):
            return "refused"
        return "stored"

    with ThreadPoolExecutor(WRITERS) as pool:
        outcomes = list(pool.map(append, range(120)))

    assert outcomes == ["stored", "refused", "refused", "refused"] * 30
    stored = [(n.originator_id, n.originator_version) for n in ledger.notifications(0)]
    wanted = [("taken", 1), *((f"n{n}", v) for n in range(0, 120, 4) for v in (1, 2))]
    assert sorted(stored) == sorted(wanted)
    answers = store.answered_among("s", [f"key-{n}" for n in range(120)])
    assert {key: a.version for key, a in answers.items()} == {
        f"key-{n}": 2 for n in range(0, 120, 4)
    }


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_appends_that_wait_are_committed_together(ledger: Ledger) -> None:
    commits: list[str] = []
    with ledger.store.datastore.get_connection(commit=True) as connection:
        connection._sqlite_conn.set_trace_callback(commits.append)

    barrier = threading.Barrier(WRITERS)

    def write(number: int) -> None:
        barrier.wait()
        for n in range(50):
            ledger.store.insert_events(events(f"w{number}-{n}", 1, 1))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))

    assert ledger.head() == WRITERS * 50
    assert commits.count("COMMIT") < WRITERS * 50


def test_an_answer_lost_after_the_commit_is_found_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.household("h1", "a")
    insert = desk.ledger.store.insert_events

    def lose_the_answer(stored: Sequence[StoredEvent], **options: object) -> None:
        insert(stored, **options)
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(desk.ledger.store, "insert_events", lose_the_answer)
    receipt = desk.record("h1", HouseholdInfoVerified(), "2024-11-05")

    history = desk.ledger.history(stream_id(STATION, "household", "h1"))
    assert [r.event.topic for r in history].count("household.info_verified") == 1
    assert (receipt.version, receipt.position) == (history[-1].version, history[-1].position)


def test_where_the_answer_is_lost_and_nothing_can_be_read_it_is_not_said_to_be_unsaved(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.household("h1", "a")
    insert, store = desk.ledger.store.insert_events, desk.ledger.store

    def gone(*_: object, **__: object) -> None:
        raise OperationalError("the connection is closed")

    def lose_all(stored: Sequence[StoredEvent], **options: object) -> None:
        insert(stored, **options)
        monkeypatch.setattr(store, "select_streams", gone)
        gone()

    with monkeypatch.context() as lost:
        lost.setattr(store, "insert_events", lose_all)
        with pytest.raises(OutcomeUnknown):
            desk.record("h1", HouseholdInfoVerified(), "2024-11-05", idempotency_key="k1")
    monkeypatch.undo()
    again = desk.record("h1", HouseholdInfoVerified(), "2024-11-05", idempotency_key="k1")

    assert again.is_repeated
    history = desk.ledger.history(stream_id(STATION, "household", "h1"))
    assert [r.event.topic for r in history].count("household.info_verified") == 1


def test_an_error_of_all_is_told_to_all_at_once_and_nothing_is_tried_again() -> None:
    """Where the database is locked each would otherwise wait for it in turn; where a commit
    failed that landed all the same, what was stored would be stored once more.
    """
    calls, begun, may_go_on = list[int](), threading.Event(), threading.Event()

    def write(group: Sequence[int]) -> list[int]:
        calls.append(len(group))
        if len(calls) == 1:
            begun.set()
            may_go_on.wait(10)
            return list(group)
        raise OperationalError("database is locked")

    together = GroupCommit[int, int](write, apart=(IntegrityError,))
    with ThreadPoolExecutor(WRITERS) as pool:
        first = pool.submit(together, 0)
        assert begun.wait(10)
        others = [pool.submit(together, n) for n in range(1, 4)]
        while len(together._waiting) < len(others):
            time.sleep(0.001)
        may_go_on.set()
        assert first.result() == 0
        errors = [type(other.exception()) for other in others]

    assert errors == [OperationalError] * 3
    assert calls == [1, 3]


WAITING = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event = 'advisory'"
)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_what_lands_after_its_connection_broke_is_not_said_to_be_unsaved(
    desk: Desk, ledger_url: str
) -> None:
    """The server goes on with an append that waits for its turn, whoever listens."""
    desk.household("h1", "a")

    def verify() -> Receipt:
        return desk.record("h1", HouseholdInfoVerified(), "2024-11-05", idempotency_key="k1")

    with psycopg.connect(ledger_url, autocommit=True) as other, ThreadPoolExecutor(1) as pool:
        turn = (LedgerPostgresRecorder.TURN,)
        other.execute("SELECT pg_advisory_lock(%s)", turn)
        lost = pool.submit(verify)
        until(lambda: other.execute(WAITING).fetchone(), "the append waits for its turn")
        cut(other.execute(WAITING).fetchall())
        assert isinstance(lost.exception(), OutcomeUnknown)
        other.execute("SELECT pg_advisory_unlock(%s)", turn)
        until(lambda: not other.execute(WAITING).fetchone(), "the append has its turn")
    again = verify()

    assert again.is_repeated
    history = desk.ledger.history(stream_id(STATION, "household", "h1"))
    assert [r.event.topic for r in history].count("household.info_verified") == 1


def cut(waiting: Sequence[tuple[int]]) -> None:
    """Break this process's connection to the one server process that waits."""
    [(pid,)] = waiting
    opened = [c for c in gc.get_objects() if type(c) is psycopg.Connection and not c.closed]
    [mine] = [c for c in opened if c.info.backend_pid == pid]
    with socket.socket(fileno=os.dup(mine.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_server_that_dropped_its_connections_is_met_by_new_ones(
    ledger: Ledger, ledger_url: str
) -> None:
    ledger.store.insert_events(events("a", 1, 1))
    with psycopg.connect(ledger_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    ledger.store.insert_events(events("a", 2, 1))
    assert ledger.head() == 2


@pytest.fixture
def writers(ledger: Ledger, ledger_url: str, database: str) -> Iterator[list[Ledger]]:
    """A ledger for each writer, as processes have on a server: the threads of one would go
    together. SQLite's writers are threads of one process.
    """
    with ExitStack() as opened:
        yield [
            opened.enter_context(Ledger(ledger_url, a_vault())) if database == "postgresql" else ledger
            for _ in range(WRITERS)
        ]


@pytest.mark.slow
def test_no_reader_at_the_tail_ever_misses_an_event(
    ledger: Ledger, writers: list[Ledger]
) -> None:
    total, chance = 200_000, random.Random(3)
    sizes = [chance.randint(1, 40) for _ in range(total // 20)]
    sizes.append(max(0, total - sum(sizes)))
    numbers = itertools.count()
    is_over = threading.Event()
    seen: list[int] = []

    def write(writer: int) -> None:
        while (n := next(numbers)) < len(sizes):
            if sizes[n]:
                writers[writer].store.insert_events(events(f"s{n}", 1, sizes[n]))

    def tail() -> None:
        after = 0
        while True:
            was_over = is_over.is_set()
            page = ledger.notifications(after)
            seen.extend(n.id for n in page)
            if page:
                after = page[-1].id
            elif was_over:
                return
            else:
                time.sleep(0.0005)

    reader = threading.Thread(target=tail)
    reader.start()
    _in_threads(write)
    is_over.set()
    reader.join()

    assert sum(sizes) >= total
    assert len(seen) == sum(sizes)
    assert seen == sorted(set(seen))
    assert seen[-1] == ledger.head()


def _in_threads(work: Callable[[int], None]) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(work, range(WRITERS)))
