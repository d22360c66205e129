"""What do the routes work with? Composed once, by ``api/app.py``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import current_app
from sqlalchemy import Engine

from domain.ledger import Ledger
from projections.engine import ReadModels
from workers.queues import Wakeups
from workers.runtime import Runtime
from workers.settings import Settings

EXTENSION = "taizhang"


@dataclass(frozen=True, slots=True)
class Services:
    """The ledger, the read models, the queues and the tokens of one web process."""

    settings: Settings
    runtime: Runtime
    wakeups: Wakeups
    tokens: Engine

    @property
    def ledger(self) -> Ledger:
        """The event log."""
        return self.runtime.ledger

    @property
    def read_models(self) -> ReadModels:
        """The read models; opened anew where their file was replaced."""
        return self.runtime.read_models

    def close(self) -> None:
        """Close every connection."""
        self.wakeups.close()
        self.runtime.close()
        self.tokens.dispose()


def services() -> Services:
    """The services of the running application."""
    return cast("Services", current_app.extensions[EXTENSION])
