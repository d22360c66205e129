"""Which databases are backed up, in which order, and where are they restored?"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from workers import verdicts
from workers.backup import plain_files, postgres_tables, sqlite_files
from workers.backup.archive import (
    FORMAT,
    BadBackupError,
    Database,
    Manifest,
    new_archive,
    opened_archive,
)
from workers.keyring_tables import generations
from workers.keyring_tables import settings as keyring_settings
from workers.settings import Settings

LEDGER: Final = "ledger"
KEYS: Final = "keys"
ACCESS: Final = "access"

MADE_BY_OPENING: Final = (keyring_settings.name, generations.name)
"""The tables in which a keyring that was opened, and in which nothing was kept, may have rows."""
CALLED: Final = {KEYS: "密钥库", ACCESS: "访问记录"}

Progress = Callable[[str], None]


class TargetNotEmptyError(RuntimeError):
    """A restore writes over no ledger, and over no keyring or access log that survived it."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made. ``head`` is the position of its newest event."""

    file: Path
    head: int
    made_at: datetime
    databases: tuple[str, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup that was taken in; ``kept`` are the databases that were left as they were."""

    head: int
    made_at: datetime
    databases: tuple[str, ...]
    kept: tuple[str, ...] = ()


def databases_of(settings: Settings) -> dict[str, str]:
    """The databases that hold what cannot be computed again, by name.

    The ledger comes first: whatever its copy is sealed with, the keyring copied after it
    has, unless a person was erased meanwhile.
    """
    named = {
        LEDGER: settings.database_url, KEYS: settings.keys_database_url,
        ACCESS: settings.access_database_url,
    }
    return {
        name: url for n, (name, url) in enumerate(named.items())
        if url not in list(named.values())[:n]
    }


def backup(
    settings: Settings, target: Path, now: datetime, progress: Progress = lambda _name: None
) -> Backup:
    """Copy everything into one file while the service goes on.

    :raises OSError: where the file cannot be written; nothing is left of it then.
    """
    found: list[Database] = []
    with new_archive(target) as archive:
        for name, url in databases_of(settings).items():
            progress(name)
            if _is_sqlite(url):
                found.append(sqlite_files.copy_out(name, url, archive, target.parent))
            else:
                found.append(postgres_tables.copy_out(name, _driver_url(url), archive))
        files = plain_files.copy_out(settings.home, archive)
        manifest = Manifest(FORMAT, now, version("taizhang"), tuple(found), files)
        archive.finish(manifest)
    names = tuple(database.name for database in found)
    verdicts.keep(settings.home, verdicts.BACKUP, verdicts.Kept(now))
    return Backup(target, manifest.head, now, names, target.stat().st_size)


def restore(
    settings: Settings, source: Path, prepare: Callable[[], None],
    progress: Progress = lambda _name: None, *, keep_keys: bool = False,
    before_ledger: Callable[[], None] = lambda: None,
) -> Restored:
    """Take a backup into an empty installation, whose service does not run.

    ``prepare`` makes the tables that PostgreSQL's rows go into; ``before_ledger`` may refuse
    what it finds in the keyring. The ledger comes last: a restore that was cut short, or
    refused there, leaves an empty one, and can be run again. With
    ``keep_keys`` a keyring and an access log that survived the ledger stay as they are.

    :raises BadBackupError: where the file is damaged, or of another kind of database.
    :raises TargetNotEmptyError: where there are events, keys or accesses already.
    """
    with opened_archive(source) as (bundle, manifest):
        urls = databases_of(settings)
        _check_target(manifest, urls)
        plain_files.check(manifest.files, bundle)
        kept = _survivors(manifest, urls, bundle)
        if kept and not keep_keys:
            raise TargetNotEmptyError(_said_of(kept))
        if not all(map(_is_sqlite, urls.values())):
            prepare()
        plain_files.copy_in(manifest.files, settings.home, bundle)
        taken = tuple(d for d in manifest.databases if d.name not in kept)
        for database in reversed(taken):
            progress(database.name)
            if database.name == LEDGER:
                before_ledger()
            url = urls[database.name]
            if _is_sqlite(url):
                sqlite_files.copy_in(database, url, bundle)
            else:
                postgres_tables.copy_in(database, _driver_url(url), bundle)
        if _is_sqlite(settings.read_database_url):
            sqlite_files.remove(settings.read_database_url)
    return Restored(
        manifest.head, manifest.made_at, tuple(database.name for database in taken), kept
    )


def _survivors(
    manifest: Manifest, urls: Mapping[str, str], bundle: zipfile.ZipFile
) -> tuple[str, ...]:
    """Which of keyring and access log hold anything that did not come from this backup."""

    def survives(database: Database) -> bool:
        url = urls[database.name]
        if _is_sqlite(url):
            return sqlite_files.has_others(database, url, MADE_BY_OPENING, bundle)
        return postgres_tables.has_others(database, _driver_url(url), MADE_BY_OPENING)

    return tuple(d.name for d in manifest.databases if d.name != LEDGER and survives(d))


def _said_of(kept: tuple[str, ...]) -> str:
    called = "和".join(CALLED[name] for name in kept)
    return (
        f"这里没有台账，却还有{called}，恢复不会覆盖：备份之后销毁的密钥会因此复原。"
        "如果它比备份新，请加 --keep-keys，只恢复台账；"
        "否则用 TAIZHANG_HOME（或各数据库的地址）指定空的位置"
    )


def _check_target(manifest: Manifest, urls: Mapping[str, str]) -> None:
    for database in manifest.databases:
        if database.name not in urls:
            raise BadBackupError(f"备份中有本安装没有的数据库 {database.name}")
        kind = sqlite_files.KIND if _is_sqlite(urls[database.name]) else postgres_tables.KIND
        if database.kind != kind:
            raise BadBackupError(
                f"备份中的 {database.name} 来自 {database.kind}，这里的设置却是 {kind}"
            )
    missing = set(urls) - {database.name for database in manifest.databases}
    if missing:
        raise BadBackupError(f"备份中缺少数据库 {'、'.join(sorted(missing))}")
    if not _is_empty(urls[LEDGER]):
        raise TargetNotEmptyError(
            "这里已有台账，恢复不会覆盖它；请用 TAIZHANG_HOME（或 DATABASE_URL）指定空的位置"
        )


def _is_empty(url: str) -> bool:
    if _is_sqlite(url):
        return sqlite_files.is_empty(url)
    return postgres_tables.is_empty(_driver_url(url))


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite:")


def _driver_url(url: str) -> str:
    """A PostgreSQL URL as its driver reads it."""
    return "postgresql://" + url.partition("://")[2]
