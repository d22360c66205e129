"""What do the workers' tests start from? A machine with a real Redis-protocol server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stage import Machine, a_machine

from workers import runtime
from workers.queues import Wakeups
from workers.runtime import Runtime


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with a_machine(tmp_path / "home") as machine:
        yield machine


@pytest.fixture
def wakeups(machine: Machine) -> Iterator[Wakeups]:
    wakeups = Wakeups(machine.settings.redis_url)
    yield wakeups
    wakeups.close()


@pytest.fixture
def here(machine: Machine) -> Iterator[Runtime]:
    """What the jobs of this process work on."""
    here = runtime.start(machine.settings)
    yield here
    here.close()
