"""What do the routes work with? Composed once, by ``api/app.py``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from flask import current_app
from sqlalchemy import Connection, Engine

from api.access_log import AccessLog
from api.accounts.provider import Provider
from api.live import Newsroom
from api.name_index import NameIndex
from domain.ledger import Ledger
from projections.engine import ReadModels
from projections.store import writing
from workers.queues import Wakeups
from workers.runtime import Runtime
from workers.settings import Settings

EXTENSION = "taizhang"


@dataclass(frozen=True, slots=True)
class Services:
    """The ledger, the read models, the queues, tokens and access log of one web process.

    ``tokens`` is where accounts, sessions and tokens are kept. ``replica`` is set where
    queries are sent to a read replica of the read models, ``provider`` where one may sign in
    with a provider of identities.
    """

    settings: Settings
    runtime: Runtime
    wakeups: Wakeups
    tokens: Engine
    access_log: AccessLog
    replica: ReadModels | None = None
    provider: Provider | None = None
    newsroom: Newsroom = field(init=False)
    names: NameIndex = field(init=False)

    def __post_init__(self) -> None:
        """Nobody listens yet, and no names are held."""
        object.__setattr__(self, "newsroom", Newsroom(self.ledger, self._reached))
        names = NameIndex(lambda: self.read_models, self.runtime.keyring)
        object.__setattr__(self, "names", names)

    def _reached(self) -> int:
        """How far the read models have come that are there now."""
        return self.read_models.position()

    @property
    def ledger(self) -> Ledger:
        """The event log."""
        return self.runtime.ledger

    @property
    def read_models(self) -> ReadModels:
        """The read models that queries read: a replica's where one is set."""
        return self.replica or self.runtime.read_models

    @property
    def own_read_models(self) -> ReadModels:
        """The read models that the workers write; opened anew where their file was replaced."""
        return self.runtime.read_models

    @contextmanager
    def accounts_written(self) -> Iterator[Connection]:
        """A transaction in which accounts or sessions are changed."""
        with writing(self.tokens) as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.newsroom.is_closed = True
        self.names.close()
        self.wakeups.close()
        if self.replica:
            self.replica.close()
        self.runtime.close()
        self.tokens.dispose()
        self.access_log.close()


def services() -> Services:
    """The services of the running application."""
    return cast("Services", current_app.extensions[EXTENSION])
