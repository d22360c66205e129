"""What do the workers' tests start from? A machine with a real Redis-protocol server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from stage import Machine, a_machine, working_off

from workers import runtime
from workers.embedded import connect
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


@pytest.fixture
def redis(machine: Machine) -> Iterator[Redis]:
    """The machine's Redis itself."""
    connection = connect(machine.redis.server.url)
    yield connection
    connection.close()


@pytest.fixture
def work(redis: Redis) -> Iterator[Callable[..., None]]:
    """Do what waits in a queue, in this process, with the service's own worker."""
    with working_off(redis) as work:
        yield work
