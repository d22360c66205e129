"""What do the fault tests start from? A machine with a ledger, read models and a Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stage import Machine, a_machine

from domain.ledger import Ledger
from projections.engine import ReadModels
from workers.runtime import opened_ledger


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with a_machine(tmp_path / "home") as machine:
        yield machine


@pytest.fixture
def ledger(machine: Machine) -> Iterator[Ledger]:
    with opened_ledger(machine.settings) as ledger:
        yield ledger


@pytest.fixture
def read_models(machine: Machine) -> Iterator[ReadModels]:
    read_models = ReadModels(machine.settings.read_database_url)
    yield read_models
    read_models.close()
