"""How does a test change a log, or a bundle of it, behind the program's back?"""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from desk import STATION, Desk, on

from domain.kernel import stream_id
from domain.ledger import Ledger, NewEntry
from domain.visit import VisitRecorded

TABLES = ("taizhang_events", "log_tiles", "log_checkpoints")


@dataclass
class Log:
    """A ledger with visits, and what is done to it without asking, by the database's driver."""

    ledger: Ledger
    url: str
    count: int = 0

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    def append(self, count: int, station: str = STATION) -> None:
        """Visits at a station, appended at once."""
        envelope = Desk(self.ledger, station).context().envelope()
        first, self.count = self.count, self.count + count
        self.ledger.append([
            NewEntry(
                stream_id(station, "visit", f"v{n}"), 1, on(f"2024-11-{1 + n % 28:02}"), envelope,
                VisitRecorded(mode="home", purpose="routine", persons_met=1 + n % 3),
            )
            for n in range(first, first + count)
        ], [])

    def change(self, positions: str) -> None:
        """Say another mode of the visits at some positions: ``= 5``, ``IN (1, 2)``."""
        text = "CAST(state AS TEXT)" if self.is_sqlite else "convert_from(state, 'UTF8')"
        changed = f"replace({text}, '\"home\"', '\"none\"')"
        stored = f"CAST({changed} AS BLOB)" if self.is_sqlite else f"convert_to({changed}, 'UTF8')"
        self.set(f"state = {stored}", positions)

    def set(self, what: str, positions: str) -> None:
        """Set a column of the events at some positions."""
        self.tamper(f"UPDATE {self._events} SET {what} WHERE {self._position} {positions}")

    def remove(self, positions: str = "> 0") -> None:
        """Remove the events at some positions."""
        self.tamper(f"DELETE FROM {self._events} WHERE {self._position} {positions}")

    def move(self, *places: tuple[int, int]) -> None:
        """Give events other positions, one after the other."""
        for old, new in places:
            self.set(f"{self._position} = {new}", f"= {old}")

    def unseal(self, size: int) -> None:
        """Remove the checkpoints and tiles after a size."""
        self.tamper(
            f"DELETE FROM log_checkpoints WHERE size > {size}",
            f"DELETE FROM log_tiles WHERE number >= {size // 256}",
        )

    def set_tile(self, number: int, hashes: bytes, root: bytes) -> None:
        """Replace a tile of level 0."""
        blob = "x'{}'" if self.is_sqlite else "'\\x{}'"
        what = f"hashes = {blob.format(hashes.hex())}, root = {blob.format(root.hex())}"
        self.tamper(f"UPDATE log_tiles SET {what} WHERE level = 0 AND number = {number}")

    def tamper(self, *statements: str) -> None:
        """Take the triggers away, and execute statements that must find something."""
        if self.is_sqlite:
            self._tamper_sqlite(statements)
            return
        with psycopg.connect(self.url, autocommit=True) as connection:
            for table in TABLES:
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL".encode())
            for statement in statements:
                assert connection.execute(statement.encode()).rowcount > 0, statement

    def _tamper_sqlite(self, statements: Sequence[str]) -> None:
        connection = sqlite3.connect(self.url.removeprefix("sqlite:///"))
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, statement
        connection.commit()
        connection.close()

    @property
    def _events(self) -> str:
        return "stored_events" if self.is_sqlite else "taizhang_events"

    @property
    def _position(self) -> str:
        return "position" if self.is_sqlite else "notification_id"


# ---- a bundle ----


def members(file: Path) -> dict[str, bytes]:
    """What is in a zip file."""
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(file: Path, **changes: bytes | None) -> Path:
    """The same bundle with other members, zipped anew; ``None`` leaves one out."""
    found = members(file) | {name.replace("__", "."): said for name, said in changes.items()}
    target = file.with_name("changed.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in found.items():
            if content is not None:
                archive.writestr(name, content)
    return target
