"""What do the jobs of a worker process work on? One ledger and one set of read models."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from domain.checkpoint import signer_of
from domain.ledger import Ledger
from domain.publication import TreeHead
from domain.vault import Vault
from projections.engine import ReadModels
from projections.record_index import RecordIndex
from workers.master_key import open_keyring
from workers.sealing import Sealer
from workers.seals import Seals
from workers.settings import Settings


class Runtime:
    """The ledger and read models of one process, opened once."""

    def __init__(self, settings: Settings) -> None:
        """Open the ledger and the read models."""
        self.settings = settings
        self.keyring = open_keyring(settings)
        self.ledger = Ledger(
            settings.database_url, Vault(self.keyring), RecordIndex(lambda: self.read_models)
        )
        self.seals = Seals(settings.database_url)
        self._read_models = ReadModels(settings.read_database_url)
        self._file = _file_identity(settings.read_database_url)
        self._lock = threading.Lock()

    @property
    def read_models(self) -> ReadModels:
        """The read models; opened again where their SQLite file was deleted or replaced.

        A connection would otherwise go on writing into a file that has no name.
        """
        with self._lock:
            if _file_identity(self.settings.read_database_url) != self._file:
                self._read_models.close()
                self._read_models = ReadModels(self.settings.read_database_url)
                self._file = _file_identity(self.settings.read_database_url)
            return self._read_models

    @property
    def sealer(self) -> Sealer:
        """Who seals the ledger; asks for the key when it is needed."""
        return sealer_of(self.ledger, self.seals, self.settings)

    def newest_checkpoint(self) -> TreeHead | None:
        """The newest checkpoint of the log; ``None`` before the first."""
        sealed = self.seals.newest()
        if sealed is None:
            return None
        return TreeHead(size=sealed.size, root=sealed.note.splitlines()[2])

    def close(self) -> None:
        """Close every connection."""
        self._read_models.close()
        self.seals.close()
        self.ledger.close()
        self.keyring.close()


def sealer_of(ledger: Ledger, seals: Seals, settings: Settings) -> Sealer:
    """Who seals a ledger with an installation's key."""
    return Sealer(
        ledger, seals, lambda: signer_of(settings.sealing_key()), settings.noted_file
    )


@contextmanager
def opened_ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger of an installation, for a command that needs nothing else."""
    keyring = open_keyring(settings)
    try:
        with Ledger(settings.database_url, Vault(keyring)) as ledger:
            yield ledger
    finally:
        keyring.close()


def _file_identity(database_url: str) -> tuple[int, int] | None:
    """The device and inode of a SQLite file; ``None`` for a server or a missing file."""
    url = urlsplit(database_url)
    if not url.scheme.startswith("sqlite"):
        return None
    try:
        about = Path(unquote(url.path[1:])).stat()
    except FileNotFoundError:
        return None
    return about.st_dev, about.st_ino


_running: list[Runtime] = []


def start(settings: Settings) -> Runtime:
    """Open what this process's jobs work on."""
    _running[:] = [Runtime(settings)]
    return _running[0]


def current() -> Runtime:
    """What this process's jobs work on; RQ gives a job no other way to its surroundings."""
    assert _running, "workers.runtime.start comes first"
    return _running[0]
