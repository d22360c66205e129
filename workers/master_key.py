"""Which master key wraps the keyring, and how is it replaced?

A key in a file is replaced in three steps, each of which may be the last before a crash:
the new key is written beside the old one, the keyring is wrapped anew in one
transaction, the new file takes the old one's name. Whoever opens the keyring tries both.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from workers.keyring import Keyring
from workers.settings import (
    MASTER_KEY_BYTES,
    BadSettingError,
    Settings,
    read_master_key,
    write_key,
)


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did; ``file`` holds the new key, unless the environment does."""

    keys: int
    file: Path | None


def successor_of(file: Path) -> Path:
    """Where the next master key is while it takes the place of the present one."""
    return file.with_name(f"{file.name}.new")


def known_keys(settings: Settings) -> tuple[bytes, ...]:
    """Every master key that may be the present one, as they are now."""
    if settings.master_key_text:
        return (settings.master_key(), *settings.new_master_key())
    file = settings.master_key_file
    assert file is not None
    found = []
    for each in (successor_of(file), file):  # in this order: the first may become the second
        with suppress(FileNotFoundError):
            found.append(read_master_key(each))
    return tuple(found)


def open_keyring(settings: Settings) -> Keyring:
    """The keyring of an installation; a rotation that was cut off is brought to its end.

    :raises BadSettingError: where the master key is missing or is no key.
    :raises BadMasterKeyError: where it is not this keyring's.
    """
    master = settings.master_key()
    keyring = Keyring(settings.keys_database_url, master, lambda: known_keys(settings))
    if not settings.master_key_text and keyring.master != master:
        with _locked(settings) as file:
            _take_over(file, keyring.master)
    return keyring


def rotate(
    settings: Settings, *, after_step: Callable[[str], None] = lambda _step: None
) -> Rotated:
    """Replace the master key by a new one; answers how many keys were wrapped anew.

    ``after_step`` is called after each step, with its name.

    :raises BadSettingError: where the key is in the environment and its successor is not.
    """
    keyring = open_keyring(settings)
    try:
        if settings.master_key_text:
            return _rotate_in_environment(settings, keyring)
        new = secrets.token_bytes(MASTER_KEY_BYTES)
        with _locked(settings) as file:
            successor_of(file).unlink(missing_ok=True)  # of a rotation that never wrapped a key
            write_key(successor_of(file), new)
            after_step("written")
            count = keyring.rewrap(new)
            after_step("wrapped")
            _take_over(file, new)
        return Rotated(count, file)
    finally:
        keyring.close()


def _rotate_in_environment(settings: Settings, keyring: Keyring) -> Rotated:
    new = settings.new_master_key()
    if not new:
        raise BadSettingError(
            "TAIZHANG_NEW_MASTER_KEY：主密钥在环境变量 TAIZHANG_MASTER_KEY 中，"
            "请把新的主密钥放在 TAIZHANG_NEW_MASTER_KEY 中再运行"
        )
    if keyring.master == new[0]:
        return Rotated(0, None)
    return Rotated(keyring.rewrap(new[0]), None)


@contextmanager
def _locked(settings: Settings) -> Iterator[Path]:
    """Be the only one who replaces the master key; gives its file."""
    file = settings.master_key_file
    assert file is not None
    try:
        lock = file.with_name(f"{file.name}.lock").open("a", encoding="ascii")
    except OSError as error:
        raise BadSettingError(
            f"TAIZHANG_MASTER_KEY_FILE：{file.parent} 不可写，不能在此更换主密钥（{error}）"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield file


def _take_over(file: Path, master: bytes) -> None:
    """Let a new key's file take the old one's name, and be sure that the disk knows."""
    try:
        if read_master_key(successor_of(file)) != master:
            return  # it is of a later rotation, which is not this far
    except FileNotFoundError:
        return  # another process was faster
    successor_of(file).replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
