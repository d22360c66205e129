"""How much room do the log and the read models take, and how much is left?"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from sqlalchemy import Engine, text

from projections.catalog import PROJECTIONS
from workers.settings import Settings

BESIDE: Final = ("", "-wal", "-shm")
"""A SQLite database and what lies beside it while it is open."""
_TABLES: Final = sorted(table.name for p in PROJECTIONS.values() for table in p.tables)
READ_MODELS: Final = text(
    "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class "
    "WHERE relkind = 'r' AND relname ~ :names"
).bindparams(names=f"^({'|'.join(_TABLES)})__g[0-9]+$")
"""The tables of every generation, in whichever schema a role may make them."""
WHOLE: Final = text("SELECT pg_database_size(current_database())")


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes: of the log with accounts and seals, of the read models, and of the home's disk."""

    log_bytes: int
    read_model_bytes: int
    free_bytes: int
    disk_bytes: int


def storage_of(settings: Settings, ledger: Engine, read_models: Engine) -> Storage:
    """How an installation's room is used; the engines are of the two databases."""
    disk = shutil.disk_usage(settings.home)
    read = _bytes(settings.read_database_url, read_models, READ_MODELS)
    log = _bytes(settings.database_url, ledger, WHOLE)
    if settings.read_database_url == settings.database_url:
        log = max(log - read, 0)
    return Storage(log, read, disk.free, disk.total)


def _bytes(database_url: str, engine: Engine, asked: object) -> int:
    url = urlsplit(database_url)
    if not url.scheme.startswith("sqlite"):
        with engine.connect() as connection:
            return int(connection.execute(asked).scalar_one())  # type: ignore[call-overload]
    file = unquote(url.path[1:])
    found = (Path(f"{file}{ending}") for ending in BESIDE)
    return sum(part.stat().st_size for part in found if part.exists())
