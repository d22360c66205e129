"""Do the ledger's recorders keep every promise of the library's own?

The promises are the library's test classes, run on the recorders as the ledger builds
them: originator ids are text, positions are contiguous and do not interleave.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from desk import a_vault
from eventsourcing.tests import persistence

from domain.ledger import BadDatabaseUrlError, Ledger
from domain.ledger.recorders import Recorder, library_settings


class OnOneDatabase(persistence.RecorderTestCase):
    """Builds recorders as the ledger does, and closes them."""

    __test__ = False
    url: str
    ledgers: ExitStack

    @pytest.fixture(autouse=True)
    def _ledgers(self) -> Iterator[None]:
        before = set(threading.enumerate())
        with ExitStack() as self.ledgers:
            yield
            # The library's test tells its reading threads to stop, but does not wait.
            for thread in set(threading.enumerate()) - before:
                if thread.name.startswith("Thread-"):
                    thread.join(10)

    def new_originator_id(self) -> str:
        return str(uuid.uuid4())  # noqa: TID251 - the library's tests want new ids

    def create_recorder(self) -> Recorder:
        return self.ledgers.enter_context(Ledger(self.url, a_vault())).store


class OnSQLite(OnOneDatabase):
    """In a file of its own."""

    __test__ = False

    @pytest.fixture(autouse=True)
    def _database(self, tmp_path: Path) -> None:
        self.url = f"sqlite:///{tmp_path}/ledger.sqlite3"


class OnPostgres(OnOneDatabase):
    """In a database of its own."""

    __test__ = False

    @pytest.fixture(autouse=True)
    def _database(self, postgres_url: str) -> None:
        self.url = postgres_url


@pytest.mark.slow
class TestSQLiteRecorder(OnSQLite, persistence.ApplicationRecorderTestCase[Recorder]):
    __test__ = True


@pytest.mark.slow
class TestPostgresRecorder(OnPostgres, persistence.ApplicationRecorderTestCase[Recorder]):
    __test__ = True


@pytest.mark.slow
class TestSQLitePositions(OnSQLite, persistence.NonInterleavingNotificationIDsBaseCase):
    __test__ = True


@pytest.mark.slow
class TestPostgresPositions(OnPostgres, persistence.NonInterleavingNotificationIDsBaseCase):
    __test__ = True


# ---- which database ----


def test_a_path_may_hold_spaces_and_chinese() -> None:
    settings = library_settings("sqlite:////var/lib/%E5%8F%B0%20%E8%B4%A6/l.sqlite3")
    assert settings["SQLITE_DBNAME"] == "file:/var/lib/台 账/l.sqlite3"


def test_a_ledger_opens_in_a_folder_with_spaces_and_chinese(tmp_path: Path) -> None:
    folder = tmp_path / "台 账"
    folder.mkdir()
    with Ledger(f"sqlite:///{folder}/l.sqlite3", a_vault()) as ledger:
        assert ledger.head() == 0
    assert (folder / "l.sqlite3").exists()


def test_a_server_is_named_by_host_or_by_the_folder_of_its_socket() -> None:
    by_host = library_settings("postgresql://me:p%40ss@db:6543/taizhang")
    assert by_host["POSTGRES_HOST"] == "db"
    assert by_host["POSTGRES_PORT"] == "6543"
    assert by_host["POSTGRES_PASSWORD"] == "p@ss"
    by_socket = library_settings("postgresql:///taizhang?host=/run/postgresql")
    assert by_socket["POSTGRES_HOST"] == "/run/postgresql"
    assert library_settings("postgresql:///taizhang")["POSTGRES_HOST"] == "127.0.0.1"


@pytest.mark.parametrize("url", ["mysql://db/taizhang", "", "ledger.sqlite3"])
def test_any_other_database_is_refused(url: str) -> None:
    with pytest.raises(BadDatabaseUrlError):
        library_settings(url)
