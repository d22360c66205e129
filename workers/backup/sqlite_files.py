"""How is a SQLite database copied while it is written to, and put in place?"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from itertools import zip_longest
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from workers.backup.archive import CHUNK_BYTES, Archive, BadBackupError, Database, Member, copied

KIND: Final = "sqlite"
BROUGHT_UP: Final = ("access_subjects",)
"""What only repeats other rows, and may be behind them (decision 0027)."""
_TABLES: Final = """
SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
"""


def path_of(url: str) -> Path:
    """The file of a SQLite database."""
    return Path(unquote(urlsplit(url).path[1:]))


def copy_out(name: str, url: str, archive: Archive, folder: Path) -> Database:
    """Put a database as it stands at one moment into a backup.

    SQLite's own backup copies all pages in one read transaction, which keeps no writer
    waiting. The copy lies in ``folder``, for this user alone, until it is in the backup.
    """
    with tempfile.TemporaryDirectory(dir=folder) as place:
        copy = Path(place) / "copy.sqlite3"
        with closing(sqlite3.connect(path_of(url))) as source, closing(
            sqlite3.connect(copy)
        ) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
            head = _head(target)
        member = f"{name}.sqlite3"
        with archive.member(member) as out, copy.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                out.write(chunk)
    return Database(name, KIND, head, (Member(member, out.digest),))


def _head(connection: sqlite3.Connection) -> int:
    is_ledger = "SELECT count(*) FROM sqlite_master WHERE name = 'stored_events'"
    [(count,)] = connection.execute(is_ledger)
    if not count:
        return 0
    [(head,)] = connection.execute("SELECT max(position) FROM stored_events")
    return head or 0


def is_empty(url: str) -> bool:
    """Whether there is no event where a ledger is to be restored."""
    if not path_of(url).exists():
        return True
    with closing(sqlite3.connect(path_of(url))) as connection:
        return _head(connection) == 0


def has_others(
    database: Database, url: str, but: Collection[str], bundle: zipfile.ZipFile
) -> bool:
    """Whether rows are there that the backup would replace, other than its own.

    Those of the tables ``but`` do not count. A file that cannot be read does. What is the
    same in both may have been opened meanwhile, so that rows are compared, not bytes.

    :raises BadBackupError: where the backup's database is damaged.
    """
    target, (member,) = path_of(url), database.members
    if not target.exists():
        return False
    with tempfile.TemporaryDirectory(dir=target.parent) as place:
        copy = Path(place) / "copy.sqlite3"
        try:
            with closing(sqlite3.connect(target)) as mine:
                names = [n for (n,) in mine.execute(_TABLES) if n not in but]
                one = 'SELECT 1 FROM "{}" LIMIT 1'
                if not any(mine.execute(one.format(n)).fetchone() for n in names):
                    return False
                with copy.open("wb") as file:
                    copied(bundle, member, file)
                with closing(sqlite3.connect(copy)) as theirs:
                    pairs = zip_longest(_stated(mine), _stated(theirs))
                    return any(here != there for here, there in pairs)
        except sqlite3.DatabaseError:
            return True


def _stated(connection: sqlite3.Connection) -> Iterator[str]:
    """All that a database says, without an index that opening it brings up."""
    rows = tuple(f'INSERT INTO "{name}"' for name in BROUGHT_UP)
    return (line for line in connection.iterdump() if not line.startswith(rows))


def remove(url: str) -> None:
    """Remove a database with its journals, which would be taken for the next one's."""
    for ending in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            Path(f"{path_of(url)}{ending}").unlink()


def copy_in(database: Database, url: str, bundle: zipfile.ZipFile) -> None:
    """Put a database of a backup in its place, whole or not at all.

    :raises BadBackupError: where it is damaged.
    """
    target, (member,) = path_of(url), database.members
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:  # made for this user alone
            copied(bundle, member, file)
            file.flush()
            os.fsync(file.fileno())
        _check(Path(name))
        remove(url)
        Path(name).replace(target)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _check(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        [(found,)] = connection.execute("PRAGMA integrity_check(1)")
    if found != "ok":
        raise BadBackupError(f"备份中的数据库已损坏：{found}")
