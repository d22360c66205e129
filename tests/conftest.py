"""What do tests start from? Real parts: a ledger and read models in a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import STATION, Desk, a_station

from domain.ledger import Ledger
from projections.engine import ReadModels


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    """Where the ledger of a test lives."""
    return f"sqlite:///{tmp_path}/ledger.sqlite3"


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """An empty ledger."""
    with Ledger(ledger_url) as ledger:
        yield ledger


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    """A station that keeps its ledger."""
    desk = Desk(ledger)
    desk.record(STATION, a_station(), "2024-01-01", role="administrator")
    return desk


@pytest.fixture
def read_models(tmp_path: Path) -> Iterator[ReadModels]:
    """Empty read models."""
    read_models = ReadModels(f"sqlite:///{tmp_path}/read.sqlite3")
    yield read_models
    read_models.close()
