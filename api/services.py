"""What do the routes work with? Composed once, by ``api/app.py``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import current_app
from sqlalchemy import Engine

from api.access_log import AccessLog
from domain.ledger import Ledger
from projections.engine import ReadModels
from workers.queues import Wakeups
from workers.runtime import Runtime
from workers.settings import Settings

EXTENSION = "taizhang"


@dataclass(frozen=True, slots=True)
class Services:
    """The ledger, the read models, the queues, tokens and access log of one web process.

    ``replica`` is set where queries are sent to a read replica of the read models.
    """

    settings: Settings
    runtime: Runtime
    wakeups: Wakeups
    tokens: Engine
    access_log: AccessLog
    replica: ReadModels | None = None

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

    def close(self) -> None:
        """Close every connection."""
        self.wakeups.close()
        if self.replica:
            self.replica.close()
        self.runtime.close()
        self.tokens.dispose()
        self.access_log.close()


def services() -> Services:
    """The services of the running application."""
    return cast("Services", current_app.extensions[EXTENSION])
