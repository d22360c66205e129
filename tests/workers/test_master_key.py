"""Is the master key replaced whole, wherever the machine stops in between?"""

from __future__ import annotations

import base64
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stage import ROOT, environment

from domain.vault import DataKey
from workers.keyring import BadMasterKeyError, MasterKeyReplaced
from workers.master_key import open_keyring, rotate, successor_of
from workers.settings import BadSettingError, Settings, settings_for

PERSON = "s/person/p1"
KILLED = """
import os, signal, sys
from workers.master_key import rotate
from workers.settings import Settings
rotate(Settings.from_environment(), after_step=lambda step: step == sys.argv[1] and os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = settings_for(tmp_path / "home")
    settings.prepare_home()
    return settings


def key_of(settings: Settings) -> DataKey:
    keyring = open_keyring(settings)
    try:
        return keyring.to_seal([PERSON])[PERSON]
    finally:
        keyring.close()


def file_of(settings: Settings) -> Path:
    assert settings.master_key_file is not None
    return settings.master_key_file


def test_a_new_key_takes_the_old_one_s_place(settings: Settings) -> None:
    made, old = key_of(settings), file_of(settings).read_bytes()
    assert rotate(settings).keys == 1
    assert file_of(settings).read_bytes() != old
    assert file_of(settings).stat().st_mode & 0o777 == 0o600
    assert not successor_of(file_of(settings)).exists()
    assert key_of(settings) == made
    file_of(settings).write_bytes(old)
    with pytest.raises(BadMasterKeyError):
        open_keyring(settings)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["written", "wrapped"])
def test_a_rotation_that_was_killed_loses_nothing(settings: Settings, step: str) -> None:
    made, old = key_of(settings), file_of(settings).read_bytes()
    died = subprocess.run(
        [sys.executable, "-c", KILLED, step], cwd=ROOT, env=environment(settings), check=False
    )
    assert died.returncode == -signal.SIGKILL
    assert successor_of(file_of(settings)).exists()
    assert key_of(settings) == made
    is_new = step == "wrapped"
    assert (file_of(settings).read_bytes() != old) == is_new
    assert rotate(settings).keys == 1
    assert key_of(settings) == made
    assert not successor_of(file_of(settings)).exists()


def test_a_running_process_takes_up_the_new_key(settings: Settings) -> None:
    running = open_keyring(settings)
    made = running.to_seal([PERSON])
    rotate(settings)
    time.sleep(0.15)
    assert running.to_seal([PERSON]) == made
    other = running.to_seal(["s/person/p2"])
    rotate(settings)
    time.sleep(0.15)
    assert running.to_seal(["s/person/p2"]) == other
    running.close()


def test_a_key_in_the_environment_needs_its_successor_there(tmp_path: Path) -> None:
    old, new = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
    settings = settings_for(tmp_path, master_key_text=old)
    settings.prepare_home()
    made = key_of(settings)
    running = open_keyring(settings)
    with pytest.raises(BadSettingError, match="TAIZHANG_NEW_MASTER_KEY"):
        rotate(settings)
    both = settings_for(tmp_path, master_key_text=old, new_master_key_text=new)
    assert rotate(both).keys == 1
    assert rotate(both).keys == 0
    assert key_of(both) == key_of(settings_for(tmp_path, master_key_text=new)) == made
    time.sleep(0.15)
    with pytest.raises(MasterKeyReplaced):
        running.to_seal([PERSON])
    with pytest.raises(BadMasterKeyError):
        open_keyring(settings)
    assert not any(tmp_path.glob("master.key*"))
    running.close()


def test_a_lost_master_key_is_not_made_anew(settings: Settings) -> None:
    key_of(settings)
    file_of(settings).unlink()
    with pytest.raises(BadSettingError, match="找不到主密钥"):
        open_keyring(settings)


def test_a_keyring_on_a_server_is_given_its_key(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, keys_database_url="postgresql://nowhere/keys")
    with pytest.raises(BadSettingError, match="openssl rand"):
        settings.master_key()
