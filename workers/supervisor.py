"""How are the processes of one machine started, watched, restarted and stopped?

Every process ends with its supervisor: told to on SIGINT, SIGTERM and SIGHUP, killed
with its children when it does not listen, and by the kernel when the supervisor itself
is killed (see `processes.die_with_parent`). Why it is our own: docs/decisions/0003.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

import structlog

TICK_SECONDS: Final = 0.1
GRACE_SECONDS: Final = 10.0
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 5.0
SETTLED_SECONDS: Final = 10.0
"""A process that ran this long is restarted at once, as if it had never failed."""
LARGEST_LOG_BYTES: Final = 5_000_000
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Program:
    """A process to keep running. Those of a later stage are stopped first."""

    name: str
    command: Sequence[str]
    stage: int = 1
    pass_fds: tuple[int, ...] = ()


@dataclass(slots=True)
class _Kept:
    program: Program
    popen: subprocess.Popen[bytes]
    started: float
    restarts: int = 0
    pause: float = FIRST_PAUSE_SECONDS
    due: float | None = None


@dataclass(slots=True)
class Supervisor:
    """Keeps programs running until it is told to stop."""

    environment: Mapping[str, str]
    log_folder: Path
    kept: dict[str, _Kept] = field(default_factory=dict)
    stops_asked: int = 0

    def start(self, program: Program) -> None:
        """Start a program and keep it running from now on."""
        self.kept[program.name] = _Kept(program, self._spawn(program), time.monotonic())

    def pids(self) -> dict[str, int]:
        """The processes by name."""
        return {name: kept.popen.pid for name, kept in self.kept.items()}

    @property
    def is_stopping(self) -> bool:
        """Whether somebody asked it to stop."""
        return self.stops_asked > 0

    def wait_until(self, is_done: Callable[[], bool], timeout_seconds: float) -> bool:
        """Watch until something is so; false when time runs out or it was told to stop."""
        until = time.monotonic() + timeout_seconds
        while not self.is_stopping and time.monotonic() < until:
            self._watch()
            if is_done():
                return True
            time.sleep(TICK_SECONDS)
        return False

    def watch(self) -> None:
        """Restart what dies, until somebody asks to stop."""
        while not self.is_stopping:
            self._watch()
            time.sleep(TICK_SECONDS)

    def _watch(self) -> None:
        now = time.monotonic()
        for kept in self.kept.values():
            _bound(self._log_path(kept.program))
            if kept.due is None and kept.popen.poll() is not None:
                self._plan_restart(kept, now)
            if kept.due is not None and kept.due <= now:
                kept.popen, kept.started, kept.due = self._spawn(kept.program), now, None
                kept.restarts += 1

    def _plan_restart(self, kept: _Kept, now: float) -> None:
        """Wait longer each time a process dies soon after its start."""
        _kill_group(kept.popen.pid)
        has_settled = now - kept.started >= SETTLED_SECONDS
        kept.pause = FIRST_PAUSE_SECONDS if has_settled else kept.pause
        kept.due = now + kept.pause
        log.warning(
            "process ended, starting it again", process=kept.program.name,
            exit_code=kept.popen.returncode, seconds=kept.pause, restarts=kept.restarts,
        )
        kept.pause = min(kept.pause * 2, LONGEST_PAUSE_SECONDS)

    def stop(self) -> None:
        """Stop everything, the latest stage first. A second request to stop kills."""
        for stage in sorted({kept.program.stage for kept in self.kept.values()}, reverse=True):
            self._stop_stage([k for k in self.kept.values() if k.program.stage == stage])
        self.kept.clear()

    def _stop_stage(self, stage: Sequence[_Kept]) -> None:
        asked_before = self.stops_asked
        for kept in stage:
            if kept.popen.poll() is None:
                kept.popen.terminate()
        until = time.monotonic() + GRACE_SECONDS
        while any(kept.popen.poll() is None for kept in stage):
            if time.monotonic() > until or self.stops_asked > max(asked_before, 1):
                break
            time.sleep(TICK_SECONDS / 4)
        for kept in stage:
            _kill_group(kept.popen.pid)
            kept.popen.wait()

    def _spawn(self, program: Program) -> subprocess.Popen[bytes]:
        """Start a process in a group of its own: Ctrl-C reaches it through its supervisor."""
        with self._log_path(program).open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own command lines, no shell
                program.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, **self.environment}, pass_fds=program.pass_fds, process_group=0,
            )

    def _log_path(self, program: Program) -> Path:
        return self.log_folder / f"{program.name}.log"

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Take SIGINT, SIGTERM and SIGHUP as requests to stop."""
        before = {number: signal.signal(number, self._ask_to_stop) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stops_asked += 1


def _kill_group(pid: int) -> None:
    """Kill what is left of a process's group: children that outlived it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _bound(path: Path) -> None:
    """Keep a log below its bound: the older half moves beside it.

    The file stays the same, since the process writes at its end; a line written in the
    instant between copying and emptying is lost.
    """
    if path.stat().st_size > LARGEST_LOG_BYTES:
        shutil.copyfile(path, path.with_suffix(".log.1"))
        os.truncate(path, 0)
