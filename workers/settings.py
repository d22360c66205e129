"""Which settings does the program run with? Read once, at the entry point, and frozen."""

from __future__ import annotations

import base64
import logging
import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from environs import Env, EnvError

DEFAULT_PORT: Final = 8000
MOST_WORKERS: Final = 64
MOST_PROXIES: Final = 5
LEVELS: Final = ("debug", "info", "warning", "error")
KEYRING_FILE: Final = "keys.sqlite3"
MASTER_KEY_FILE: Final = "master.key"
MASTER_KEY_BYTES: Final = 32
SEALING_KEY_FILE: Final = "sealing.key"
NOTED_FILE: Final = "checkpoint"
UNUSABLE: Final = frozenset("?#%")
"""Characters that a database's URL gives a meaning of its own."""


class BadSettingError(ValueError):
    """A setting has a value that the program cannot run with; says which and why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs from one installation to another."""

    home: Path
    database_url: str
    read_database_url: str
    redis_url: str | None = None
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    workers: int = 1
    log_level: str = "info"
    query_database_url: str | None = None
    """A read replica of the read models, which queries are sent to."""
    keys_database_url: str = ""
    """Where the data keys of personal fields are: apart from the ledger."""
    access_database_url: str = ""
    """Where it is kept who read personal data: reading never waits for the ledger's writer."""
    master_key_text: str = field(default="", repr=False)
    master_key_file: Path | None = None
    sealing_key_text: str = field(default="", repr=False)
    """The private key that signs checkpoints, where it is not in its file."""
    proxies: int = 0
    """How many proxies of ours stand before the web process: whose word on addresses counts."""
    oidc_issuer: str | None = None
    """Where one may sign in with a provider of identities, whose that is."""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", repr=False)
    oidc_label: str = "统一登录"
    new_master_key_text: str = field(default="", repr=False)
    """The successor of a master key that is in the environment, while it is replaced."""

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the environment.

        :raises BadSettingError: for a value that makes no sense.
        """
        env = Env()
        try:
            settings = _signing_in(env, settings_for(
                Path(env.str("TAIZHANG_HOME", "") or "./var"),
                database_url=_with_password(
                    env.str("DATABASE_URL", ""), env.str("DATABASE_PASSWORD_FILE", "")
                ),
                read_database_url=env.str("READ_DATABASE_URL", ""),
                query_database_url=env.str("QUERY_DATABASE_URL", "") or None,
                redis_url=env.str("REDIS_URL", "") or None,
                host=env.str("TAIZHANG_HOST", "") or "127.0.0.1",
                port=env.int("TAIZHANG_PORT", DEFAULT_PORT),
                workers=env.int("TAIZHANG_WORKERS", 1),
                log_level=env.str("TAIZHANG_LOG_LEVEL", "info").lower(),
                keys_database_url=_with_password(
                    env.str("KEYS_DATABASE_URL", ""), env.str("KEYS_DATABASE_PASSWORD_FILE", "")
                ),
                access_database_url=env.str("ACCESS_DATABASE_URL", ""),
                master_key_text=env.str("TAIZHANG_MASTER_KEY", ""),
                master_key_file=Path(env.str("TAIZHANG_MASTER_KEY_FILE", "")),
                sealing_key_text=env.str("TAIZHANG_SEALING_KEY", ""),
                new_master_key_text=env.str("TAIZHANG_NEW_MASTER_KEY", ""),
            ))
        except EnvError as error:
            raise BadSettingError(str(error)) from error
        return settings

    def __post_init__(self) -> None:
        """Refuse what cannot work, by the name under which it was set."""
        if UNUSABLE & set(str(self.home)):
            raise BadSettingError(f"TAIZHANG_HOME：目录名中不能有 ? # %（{self.home}）")
        if not 0 <= self.port <= 65535:
            raise BadSettingError(f"TAIZHANG_PORT：端口应在 0 到 65535 之间（{self.port}）")
        if not 1 <= self.workers <= MOST_WORKERS:
            wanted = f"应在 1 到 {MOST_WORKERS} 之间（{self.workers}）"
            raise BadSettingError(f"TAIZHANG_WORKERS：{wanted}")
        if not 0 <= self.proxies <= MOST_PROXIES:
            wanted = f"应在 0 到 {MOST_PROXIES} 之间（{self.proxies}）"
            raise BadSettingError(f"TAIZHANG_PROXIES：{wanted}")
        if self.oidc_issuer and not self.oidc_client_id:
            raise BadSettingError("TAIZHANG_OIDC_CLIENT_ID：设了 TAIZHANG_OIDC_ISSUER 就须写明")
        if self.log_level not in LEVELS:
            raise BadSettingError(f"TAIZHANG_LOG_LEVEL：应为 {' '.join(LEVELS)} 之一")

    @property
    def run_folder(self) -> Path:
        """Where sockets, the lock and the note about the running service are."""
        return self.home / "run"

    @property
    def log_folder(self) -> Path:
        """Where each process writes its log."""
        return self.home / "log"

    @property
    def logging_level(self) -> int:
        """The level as the standard library numbers it."""
        return logging.getLevelNamesMapping()[self.log_level.upper()]

    def master_key(self) -> bytes:
        """The key that wraps the data keys: from the environment, or from its file.

        The file is made at the first start, while there is no keyring that it could open.

        A keyring on a server is many processes' own: its key is given, and never made here.

        :raises BadSettingError: where there is a keyring and no key, or what is no key.
        """
        if self.master_key_text:
            return _as_key(self.master_key_text, "TAIZHANG_MASTER_KEY")
        file = self.master_key_file
        assert file is not None
        if not file.exists():
            is_server = not self.keys_database_url.startswith("sqlite:///")
            if is_server or Path(self.keys_database_url.removeprefix("sqlite:///")).exists():
                raise BadSettingError(
                    f"TAIZHANG_MASTER_KEY_FILE：找不到主密钥 {file}，没有它就读不出个人信息；"
                    "首次安装请先生成：openssl rand -base64 32"
                )
            with suppress(FileExistsError):  # another process was faster
                write_key(file, secrets.token_bytes(MASTER_KEY_BYTES))
        return read_master_key(file)

    def new_master_key(self) -> tuple[bytes, ...]:
        """The successor of a master key in the environment, where one is named.

        :raises BadSettingError: for what is no key.
        """
        text = self.new_master_key_text
        return (_as_key(text, "TAIZHANG_NEW_MASTER_KEY"),) if text else ()

    @property
    def thresholds_file(self) -> Path:
        """What this installation says otherwise of when something looks odd, if anything."""
        return self.home / "integrity.json"

    @property
    def noted_file(self) -> Path:
        """Where the newest checkpoint is noted, outside the database."""
        return self.home / NOTED_FILE

    @property
    def has_sealing_key(self) -> bool:
        """Whether there is a key that signs checkpoints already."""
        return bool(self.sealing_key_text) or (self.home / SEALING_KEY_FILE).exists()

    def sealing_key(self) -> bytes:
        """The private key that signs checkpoints: from the environment, or from its file.

        The file is made at the first start, while nothing was signed that it must verify.

        :raises BadSettingError: where something was signed and there is no key, or no key is.
        """
        if self.sealing_key_text:
            return _as_key(self.sealing_key_text, "TAIZHANG_SEALING_KEY", "签名密钥")
        file = self.home / SEALING_KEY_FILE
        if not file.exists():
            if self.noted_file.exists():
                raise BadSettingError(
                    f"TAIZHANG_SEALING_KEY：找不到签名密钥 {file}，已签署的检查点要靠它延续"
                )
            with suppress(FileExistsError):  # another process was faster
                write_key(file, secrets.token_bytes(MASTER_KEY_BYTES))
        text = file.read_text(encoding="ascii", errors="replace")
        return _as_key(text, str(file), "签名密钥")

    def prepare_home(self) -> None:
        """Create the folders, for this user alone: a ledger holds personal data."""
        for folder in (self.home, self.run_folder, self.log_folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def environment(self) -> dict[str, str]:
        """What a child process must find in its environment to run with these settings."""
        named = {
            "TAIZHANG_HOME": str(self.home),
            "DATABASE_URL": self.database_url,
            "READ_DATABASE_URL": self.read_database_url,
            "TAIZHANG_HOST": self.host,
            "TAIZHANG_PORT": str(self.port),
            "TAIZHANG_WORKERS": str(self.workers),
            "TAIZHANG_LOG_LEVEL": self.log_level,
            "KEYS_DATABASE_URL": self.keys_database_url,
            "ACCESS_DATABASE_URL": self.access_database_url,
            "TAIZHANG_MASTER_KEY_FILE": str(self.master_key_file),
        }
        optional = {
            "REDIS_URL": self.redis_url, "QUERY_DATABASE_URL": self.query_database_url,
            "TAIZHANG_MASTER_KEY": self.master_key_text,
            "TAIZHANG_SEALING_KEY": self.sealing_key_text,
            "TAIZHANG_NEW_MASTER_KEY": self.new_master_key_text,
            "TAIZHANG_PROXIES": str(self.proxies) if self.proxies else "",
            "TAIZHANG_OIDC_ISSUER": self.oidc_issuer,
            "TAIZHANG_OIDC_CLIENT_ID": self.oidc_client_id,
            "TAIZHANG_OIDC_CLIENT_SECRET": self.oidc_client_secret,
            "TAIZHANG_OIDC_LABEL": self.oidc_label if self.oidc_issuer else "",
        }
        return named | {name: value for name, value in optional.items() if value}


def _signing_in(env: Env, settings: Settings) -> Settings:
    """The settings with what the environment says of how people sign in."""
    return replace(
        settings,
        proxies=env.int("TAIZHANG_PROXIES") if env.str("TAIZHANG_PROXIES", "") else 0,
        oidc_issuer=env.str("TAIZHANG_OIDC_ISSUER", "") or None,
        oidc_client_id=env.str("TAIZHANG_OIDC_CLIENT_ID", ""),
        oidc_client_secret=env.str("TAIZHANG_OIDC_CLIENT_SECRET", ""),
        oidc_label=env.str("TAIZHANG_OIDC_LABEL", "") or "统一登录",
    )


def _as_key(text: str, where: str, called: str = "主密钥") -> bytes:
    """A key as it is written: 32 bytes in Base64.

    :raises BadSettingError: where it is none.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != MASTER_KEY_BYTES:
        raise BadSettingError(f"{where}：{called}应是 {MASTER_KEY_BYTES} 字节的 Base64")
    return key


def read_master_key(file: Path) -> bytes:
    """The master key in a file.

    :raises FileNotFoundError: where there is no such file.
    :raises BadSettingError: where it cannot be read or holds none.
    """
    try:
        text = file.read_text(encoding="ascii", errors="replace")
    except PermissionError as error:
        raise BadSettingError(f"TAIZHANG_MASTER_KEY_FILE：{error}") from error
    return _as_key(text, str(file))


def write_key(file: Path, key: bytes) -> None:
    """Write a key, whole and for this user alone.

    :raises FileExistsError: where there is one.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent) as target:  # for this user alone
        target.write(base64.b64encode(key) + b"\n")
        target.flush()
        os.fsync(target.fileno())
        os.link(target.name, file)


def _with_password(database_url: str, password_file: str) -> str:
    """A database's URL with the password from a file, as container secrets give it.

    :raises BadSettingError: where the file cannot be read.
    """
    if not password_file:
        return database_url
    try:
        password = Path(password_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadSettingError(f"DATABASE_PASSWORD_FILE：{error}") from error
    url = urlsplit(database_url)
    place = url.netloc.rpartition("@")[2]
    name = (url.username or "") + ":" + quote(password, safe="")
    return url._replace(netloc=f"{name}@{place}").geturl()


def settings_for(
    home: Path, *, database_url: str = "", read_database_url: str = "",
    redis_url: str | None = None, host: str = "127.0.0.1", port: int = DEFAULT_PORT,
    workers: int = 1, log_level: str = "info", query_database_url: str | None = None,
    keys_database_url: str = "", master_key_text: str = "", master_key_file: Path = Path(),
    sealing_key_text: str = "",
    new_master_key_text: str = "",
    access_database_url: str = "",
) -> Settings:
    """Settings with the databases that follow from the home folder.

    With SQLite the read models have a file of their own, so that recording does not
    wait for them; with PostgreSQL they share the ledger's database. So does the access log.
    """
    home = home.expanduser().resolve()
    ledger = database_url or f"sqlite:///{home}/ledger.sqlite3"
    is_file = ledger.startswith("sqlite")
    beside = f"sqlite:///{home}/read.sqlite3" if is_file else ledger
    access = f"sqlite:///{home}/access.sqlite3" if is_file else ledger
    return Settings(
        home=home, database_url=ledger, read_database_url=read_database_url or beside,
        redis_url=redis_url, host=host, port=port, workers=workers, log_level=log_level,
        query_database_url=query_database_url,
        keys_database_url=keys_database_url or f"sqlite:///{home}/{KEYRING_FILE}",
        access_database_url=access_database_url or access,
        master_key_text=master_key_text,
        master_key_file=home / MASTER_KEY_FILE if master_key_file == Path() else master_key_file,
        sealing_key_text=sealing_key_text,
        new_master_key_text=new_master_key_text,
    )
