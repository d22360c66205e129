"""Does the service keep its processes running, and leave none behind, whatever ends it?"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from stage import ROOT, Service, a_service, environment, processes_of, start_service, until

from workers.settings import Settings, settings_for

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path / "the home 台账", port=0)


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    with a_service(settings) as service:
        yield service


def status(settings: Settings) -> dict[str, object]:
    """What ``taizhang status --json`` says."""
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "status", "--json"], cwd=ROOT, check=True,
        env=environment(settings), capture_output=True, text=True,
    )
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_asked_to_stop_it_leaves_no_process(service: Service, number: signal.Signals) -> None:
    assert len(processes_of(service.home)) > len(service.info["processes"])
    assert service.end(number) == 0
    assert processes_of(service.home) == []


def test_killed_it_leaves_no_process(service: Service) -> None:
    service.end(signal.SIGKILL)
    until(lambda: not processes_of(service.home), "every process has ended")


@pytest.mark.parametrize("name", ["worker-1", "scheduler", "redis", "web"])
def test_a_killed_process_is_started_again(
    service: Service, settings: Settings, name: str
) -> None:
    before = {process.pid for process in processes_of(service.home)}
    killed = service.info["processes"][name]
    os.kill(killed, signal.SIGKILL)

    def is_back() -> bool:
        children = psutil.Process(service.process.pid).children()
        return any(child.pid not in before for child in children)

    until(is_back, f"{name} is back")
    until(lambda: status(settings)["queues"]["server"], "Redis answers")
    # and the others went on (the scheduler ends with Redis, and is started again too)
    others = {
        pid for n, pid in service.info["processes"].items() if n not in {name, "scheduler"}
    }
    assert others <= {process.pid for process in processes_of(service.home)}
    assert service.end(signal.SIGTERM) == 0
    assert processes_of(service.home) == []


def test_status_says_what_runs(service: Service, settings: Settings) -> None:
    found = status(settings)
    assert found["service"]["address"] == service.info["address"]
    assert found["queues"]["server"] == service.info["redis_version"]
    assert found["head"] == 0
    until(lambda: len(status(settings)["queues"]["workers"]) == 2, "both workers have reported")


def test_a_second_service_in_the_same_home_is_refused(
    service: Service, settings: Settings
) -> None:
    with start_service(settings) as second:
        _out, err = second.communicate(timeout=30)
    assert second.returncode == 1
    assert "已有服务在运行" in err
    assert str(service.process.pid) in err
    assert service.process.poll() is None


def test_a_taken_port_is_named_and_the_next_one_used(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with a_service(settings, "--port", str(port)) as service:
            assert service.info["port_taken"] == port
            assert not service.info["address"].endswith(f":{port}")
            assert service.end(signal.SIGTERM) == 0
