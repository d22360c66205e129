"""By whom is a call found? On SQLite that is entered after the call, by a thread of its own.

A call about fifty records is one row of the log and fifty places of its index. Whoever reads
waits for the row and not for the index, which says the same the other way round: it is
brought up to the log before anybody is answered from it (decision 0027).
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any, Final

import msgspec
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

from projections.direct import inside
from projections.store import writing

EVERYBODY: Final = "*"
"""The subject of a call about more than a row names."""
AT_ONCE: Final = 16
"""How many calls are entered in one transaction, which others wait for."""
QUIET_SECONDS: Final = 1.0
"""How long nobody has read before what waits is entered."""
MOST_WAITING: Final = 10_000
"""How many calls wait at most, however much is read."""
MOST_PAGES: Final = 8_000
"""Of how many pages SQLite's journal is when whoever commits must move them into the file
himself, and wait for the disk twice; the thread moves them sooner."""

_WAITING: Final = """
SELECT id, station, subjects, is_whole_station FROM access_log
WHERE id > (SELECT user_version FROM pragma_user_version) ORDER BY id LIMIT ?
"""
"""Up to which call the index goes is the number that SQLite keeps for an application."""
_ENTER: Final = "INSERT OR IGNORE INTO access_subjects VALUES (?, ?, ?)"
_WHOLE_BEFORE: Final = """
SELECT coalesce(max(id), 0) FROM access_log
WHERE (SELECT user_version FROM pragma_user_version) = 0
AND EXISTS (SELECT 1 FROM access_subjects)
"""


class AccessIndex:
    """The index of one access log in SQLite, and who keeps it up."""

    def __init__(self, engine: Engine) -> None:
        """Begin; the thread is started when something waits."""
        self.turn: Final = threading.Lock()
        """Held by whoever in this process writes: waiting for it is shorter than for SQLite's."""
        self._engine = engine
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _move_seldom)
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._added = self._entered = 0
        self._is_closed = False

    def added(self, calls: int) -> None:
        """Some calls were written down."""
        with self._change:
            self._added += calls
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._keep_up, daemon=True)
                self._thread.start()
            self._change.notify()

    def bring_up(self) -> None:
        """Enter every call that waits."""
        while self._enter_some() == AT_ONCE:
            pass

    def close(self) -> None:
        """Leave what waits to the next process, or to who asks."""
        with self._change:
            self._is_closed = True
            self._change.notify()
        if self._thread is not None:
            self._thread.join()

    def _keep_up(self) -> None:
        while self._is_time():
            with suppress(DBAPIError):  # whoever asks brings it up himself, and is told why not
                while self._enter_while_quiet():
                    pass
                self._checkpoint()

    @property
    def _waiting(self) -> int:
        """How many calls wait, as far as this process knows."""
        return self._added - self._entered

    def _is_time(self) -> bool:
        """Wait until something is to be entered and nobody reads; false where the log is closed."""
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._is_closed)
            while not self._is_closed and self._waiting < MOST_WAITING:
                if not self._change.wait(QUIET_SECONDS):
                    break
            return not self._is_closed

    def _enter_while_quiet(self) -> bool:
        """Enter some calls; answers whether to go on: others may, and nobody has read since."""
        added = self._added
        some = self._enter_some()
        self._entered = self._entered + some if some == AT_ONCE else added
        return some == AT_ONCE and (added == self._added or self._waiting >= MOST_WAITING)

    def _enter_some(self) -> int:
        """Enter the oldest calls that wait; answers how many they were."""
        with self.turn, writing(self._engine) as connection, inside(connection) as driver:
            calls = driver.execute(_WAITING, (AT_ONCE,)).fetchall()
            if calls:
                driver.executemany(_ENTER, sorted(
                    (station, subject, call) for call, station, said, is_whole in calls
                    for subject in ([EVERYBODY] if is_whole else msgspec.json.decode(said))
                ))
                driver.execute(f"PRAGMA user_version = {calls[-1][0]:d}")
        return len(calls)

    def _checkpoint(self) -> None:
        """Move the journal into the file here, where nobody waits for it."""
        options = {"isolation_level": "AUTOCOMMIT"}
        with self._engine.connect().execution_options(**options) as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")


def _move_seldom(connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA wal_autocheckpoint={MOST_PAGES}")


def take_over(engine: Engine) -> None:
    """Begin after the calls of a file whose index was written with each call."""
    with writing(engine) as connection, inside(connection) as driver:
        [last] = driver.execute(_WHOLE_BEFORE).fetchone()
        if last:
            driver.execute(f"PRAGMA user_version = {last:d}")
