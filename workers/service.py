"""How does the whole service run on one machine, from one command?"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

import structlog
from redis.exceptions import RedisError

from workers import embedded
from workers.queues import ADVANCE, LONG, SEAL
from workers.runtime import Runtime
from workers.settings import Settings
from workers.supervisor import Program, Supervisor

READY_SECONDS: Final = 60.0
REDIS_SECONDS: Final = 15.0
NEXT_PORTS: Final = 50
"""How many ports after a taken one are tried."""
BACKLOG: Final = 256

log = structlog.get_logger(__name__)


class AlreadyRunningError(RuntimeError):
    """Another service uses the same home folder."""


class NotReadyError(RuntimeError):
    """The service did not come up; says which part and where its log is."""


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """What runs, for whoever started it. ``port_taken`` is the port that was asked for."""

    address: str
    home: str
    database: str
    redis_url: str
    redis_source: str
    redis_version: str
    python_version: str
    processes: Mapping[str, int]
    pid: int
    port_taken: int | None = None


def run_service(settings: Settings, announce: Callable[[ServiceInfo], None]) -> None:
    """Run everything until told to stop; ``announce`` is called once, when it is ready.

    :raises AlreadyRunningError: where the home folder is in use.
    :raises NotReadyError: where a part does not come up.
    """
    settings.prepare_home()
    with home_locked(settings), _listening(settings) as listener:
        port = listener.getsockname()[1]
        port_taken = settings.port if settings.port not in {0, port} else None
        settings = replace(settings, port=port)
        Runtime(settings).close()  # creates what is missing once, before many ask for it
        server = embedded.choose(settings)
        if server.socket is not None:
            embedded.prepare_folder(server.socket)
        supervisor = Supervisor(_environment(settings, server), settings.log_folder)
        with supervisor.signals():
            try:
                _start(supervisor, settings, server, listener)
                if not supervisor.is_stopping:
                    info = _info(supervisor, settings, server, port_taken)
                    _note(settings).write_text(json.dumps(asdict(info)), encoding="utf-8")
                    announce(info)
                supervisor.watch()
            finally:
                supervisor.stop()
                _note(settings).unlink(missing_ok=True)
                if server.socket is not None:
                    embedded.remove_socket(server.socket)


def running(settings: Settings) -> ServiceInfo | None:
    """The service that uses the home folder now, or ``None``."""
    try:
        info = ServiceInfo(**json.loads(_note(settings).read_text(encoding="utf-8")))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return None
    return info if _is_locked(settings) else None


def running_redis_url(settings: Settings) -> str | None:
    """The Redis of the settings, or the one that the service of this home has chosen."""
    if settings.redis_url:
        return settings.redis_url
    service = running(settings)
    return service.redis_url if service else None


def _environment(settings: Settings, server: embedded.RedisServer) -> dict[str, str]:
    """What the children find: the same settings, with the Redis that was chosen.

    They import this program and not what happens to lie in the current folder (``-P``).
    """
    program = str(Path(__file__).resolve().parents[1])
    return replace(settings, redis_url=server.url).environment() | {"PYTHONPATH": program}


def _start(
    supervisor: Supervisor, settings: Settings, server: embedded.RedisServer,
    listener: socket.socket,
) -> None:
    """Start every process in order, waiting for Redis and for the web."""
    if server.program is not None:
        command = _command("redis", "--socket", str(server.socket))
        supervisor.start(Program("redis", command, stage=0))
    elif not supervisor.wait_until(lambda: _answers(server.url), REDIS_SECONDS):
        raise NotReadyError(f"REDIS_URL 所指的 Redis 没有应答：{_without_password(server.url)}")
    _await(supervisor, "redis", lambda: _answers(server.url), REDIS_SECONDS, settings)
    for number in range(1, settings.workers + 1):
        command = _command("worker", "--queue", ADVANCE, "--queue", SEAL)
        supervisor.start(Program(f"worker-{number}", command))
    # Sealing takes a while: whoever is idle does it, and figures do not wait for it.
    command = _command("worker", "--queue", SEAL, "--queue", LONG)
    supervisor.start(Program("worker-long", command))
    supervisor.start(Program("scheduler", _command("scheduler")))
    web = _command("web", "--fd", str(listener.fileno()))
    supervisor.start(Program("web", web, stage=2, pass_fds=(listener.fileno(),)))
    _await(supervisor, "web", lambda: _is_healthy(_address(settings)), READY_SECONDS, settings)


def _command(*arguments: str) -> list[str]:
    """The command line of a process of ours, which ends when this one does."""
    name, *rest = arguments
    parent = str(os.getpid())
    return [sys.executable, "-P", "-m", "api.cli", "run", name, "--parent", parent, *rest]


def _await(
    supervisor: Supervisor, name: str, is_up: Callable[[], bool], seconds: float,
    settings: Settings,
) -> None:
    if not supervisor.wait_until(is_up, seconds) and not supervisor.is_stopping:
        raise NotReadyError(f"{name} 没有启动成功，详见 {settings.log_folder / name}.log")


def _answers(url: str) -> bool:
    connection = embedded.connect(url, timeout_seconds=1)
    try:
        return bool(connection.ping())
    except RedisError:
        return False
    finally:
        connection.close()


def _is_healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _address(settings: Settings) -> str:
    """Where a browser on this machine finds the service."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared only
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _info(
    supervisor: Supervisor, settings: Settings, server: embedded.RedisServer,
    port_taken: int | None,
) -> ServiceInfo:
    connection = embedded.connect(server.url, timeout_seconds=1)
    version = embedded.server_name(connection)
    connection.close()
    return ServiceInfo(
        address=_address(settings), home=str(settings.home),
        database="PostgreSQL" if settings.database_url.startswith("postgres") else "SQLite",
        redis_url=_without_password(server.url), redis_source=server.source,
        redis_version=version, python_version=platform.python_version(),
        processes=supervisor.pids(), pid=os.getpid(), port_taken=port_taken,
    )


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


# ---- one service a home folder ----


def _note(settings: Settings) -> Path:
    return settings.run_folder / "service.json"


@contextmanager
def home_locked(settings: Settings) -> Iterator[None]:
    """Hold the home folder; the kernel lets go when this process ends, however it ends."""
    with (settings.run_folder / "service.lock").open("a+", encoding="utf-8") as lock:
        if not _takes(lock, fcntl.LOCK_EX, attempts=5):
            lock.seek(0)
            raise AlreadyRunningError(
                f"{settings.home} 已有服务在运行（进程 {lock.read().strip() or '?'}）；"
                "请先停止它，或用 TAIZHANG_HOME 指定另一个目录"
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _is_locked(settings: Settings) -> bool:
    with suppress(FileNotFoundError), (settings.run_folder / "service.lock").open("rb") as lock:
        return not _takes(lock, fcntl.LOCK_SH, attempts=1)
    return False


def _takes(lock: IO[Any], kind: int, attempts: int) -> bool:
    """Take a lock; more than one attempt, since looking at the lock holds it for an instant."""
    for attempt in range(attempts):
        with suppress(BlockingIOError):
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
            return True
        time.sleep(0.05 if attempt < attempts - 1 else 0)
    return False


# ---- the port ----


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """Listen on the port, or on the next free one.

    The supervisor holds the socket, so that a restart of the web refuses nobody.
    """
    last = min(settings.port + NEXT_PORTS, 65535) if settings.port else 0
    for port in range(settings.port, last + 1):
        try:
            listener = _bound_socket(settings.host, port)
        except OSError as error:
            if port == last or isinstance(error, PermissionError | socket.gaierror):
                raise NotReadyError(f"无法监听 {settings.host}:{port}：{error}") from error
            continue
        with listener:
            yield listener
            return


def _bound_socket(host: str, port: int) -> socket.socket:
    family, kind, protocol, _name, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
