"""Does the supervisor restart what dies, and stop what does not want to?"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from stage import until

from workers import supervisor as supervisor_module
from workers.supervisor import Program, Supervisor

pytestmark = pytest.mark.slow

SLEEPS = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPS
WITH_CHILD = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); " + SLEEPS


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor({"TAIZHANG_TEST": "1"}, tmp_path)
    yield supervisor
    supervisor.stop()


def start(supervisor: Supervisor, name: str, code: str, *arguments: str, stage: int = 1) -> int:
    """Start a program; answers its process once it is up."""
    supervisor.start(Program(name, [sys.executable, "-c", code, *arguments], stage=stage))
    log = supervisor.log_folder / f"{name}.log"
    until(lambda: "up" in log.read_text(), f"{name} is up")
    return supervisor.pids()[name]


def test_a_process_that_dies_is_started_again_and_the_others_go_on(supervisor: Supervisor) -> None:
    one, other = start(supervisor, "one", SLEEPS), start(supervisor, "other", SLEEPS)
    os.kill(one, signal.SIGKILL)
    assert supervisor.wait_until(lambda: supervisor.pids()["one"] != one, 20)
    assert psutil.pid_exists(supervisor.pids()["one"])
    assert supervisor.pids()["other"] == other


def test_a_process_that_cannot_start_is_tried_again_more_and_more_slowly(
    supervisor: Supervisor,
) -> None:
    supervisor.start(Program("broken", [sys.executable, "-c", "raise SystemExit(9)"]))
    broken = supervisor.kept["broken"]
    assert supervisor.wait_until(lambda: broken.restarts >= 2, 20)
    assert broken.pause > supervisor_module.FIRST_PAUSE_SECONDS


def test_stopping_leaves_neither_children_nor_the_stubborn(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "GRACE_SECONDS", 0.5)
    pids = [
        start(supervisor, "stubborn", STUBBORN),
        start(supervisor, "parent", WITH_CHILD, STUBBORN),
    ]
    child = psutil.Process(pids[1]).children()[0]
    supervisor.stop()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "it is gone")


def test_a_request_to_stop_ends_the_watch(supervisor: Supervisor) -> None:
    start(supervisor, "one", SLEEPS)
    with supervisor.signals():
        os.kill(os.getpid(), signal.SIGTERM)
        supervisor.watch()
    assert supervisor.is_stopping


def test_a_log_is_bounded(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "LARGEST_LOG_BYTES", 10_000)
    start(supervisor, "talker", "import time\nwhile True: print('up ' * 500, flush=True); time.sleep(.01)")
    log = supervisor.log_folder / "talker.log"
    older = supervisor.log_folder / "talker.log.1"
    assert supervisor.wait_until(older.exists, 20)
    assert supervisor.wait_until(lambda: log.stat().st_size < 10_000, 20)
