"""How is an installation backed up and restored? ``taizhang backup`` and ``restore``."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import click
import msgspec

from api.access_log import AccessLog
from api.accounts.signing_in import end_everything
from api.cli.common import (
    CommandFailedError,
    json_option,
    needs_ledger,
    print_json,
    read_settings,
    talk,
)
from api.cli.verify import end, plain, say_files, verified
from api.edge import now
from api.identity import tokens_engine
from domain.checkpoint import signer_of
from domain.verdict import Verdict
from workers import backup as backups
from workers.master_key import open_keyring
from workers.runtime import Runtime
from workers.service import home_locked
from workers.settings import Settings


@click.command
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def backup(file: Path, *, as_json: bool) -> None:
    """把台账、密钥库等备份成一个文件；服务不必停止，主密钥不在其中。"""
    settings = read_settings()
    needs_ledger(settings)
    if file.exists():
        raise CommandFailedError(f"{file} 已存在，备份不会覆盖它")
    try:
        with talk.status("正在备份…"):
            made = backups.backup(settings, file, now())
    except (OSError, sqlite3.Error) as error:
        because = getattr(error, "strerror", None) or error
        raise CommandFailedError(f"备份没有写成：{because}") from error
    if as_json:
        print_json(made)
    else:
        click.echo(f"已备份到 {made.file}：截至第 {made.head} 条，{made.bytes:,} 字节")
        talk.print("主密钥和签名密钥不在备份中，请分别另行保存（docs/backup.md）。")


@click.command
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--keep-keys", is_flag=True,
    help="台账丢失而密钥库、访问记录还在且比备份新时：保留它们，只恢复其余部分。",
)
@json_option
def restore(file: Path, *, keep_keys: bool, as_json: bool) -> None:
    """把备份恢复到一个空的安装中，并核对台账和佐证文件没有缺损。"""
    settings = read_settings()
    _need_master_key(settings)
    settings.prepare_home()
    try:
        with home_locked(settings), talk.status("正在恢复…"):
            found = backups.restore(
                settings, file, lambda: _prepare(settings), keep_keys=keep_keys,
                # refuses another installation's master key while it can be run again
                before_ledger=lambda: open_keyring(settings).close(),
            )
    except (backups.BadBackupError, backups.TargetNotEmptyError) as error:
        raise CommandFailedError(str(error)) from error
    _end_sessions(settings)
    files = _verify(settings)
    if as_json:
        print_json(msgspec.to_builtins(found) | {"files": files and plain(files)})
    else:
        _say(found, files)
    if files is not None:
        end(files)


def _say(found: backups.Restored, files: Verdict | None) -> None:
    """Print what was restored, and what of the files of evidence is not as it should be."""
    click.echo(f"已恢复：截至第 {found.head} 条（备份于 {found.made_at:%Y-%m-%d %H:%M %Z}）")
    if found.kept:
        kept = "、".join(backups.CALLED[name] for name in found.kept)
        talk.print(f"{kept}中原有的内容保留未动。")
    if files is not None:
        say_files(files)


def _end_sessions(settings: Settings) -> None:
    """Nobody is signed in to what was restored: who had been signed out since would be, too."""
    engine = tokens_engine(settings.database_url)
    end_everything(engine, now())
    engine.dispose()


def _verify(settings: Settings) -> Verdict | None:
    """The restored log must be what its checkpoints signed; answers what its files are.

    Without the key for the one neither is looked at.

    :raises CommandFailedError: where it is not; what was restored is left to be looked at.
    """
    if not settings.has_sealing_key:
        talk.print("没有签名密钥，未核对检查点和佐证文件；请运行 taizhang verify --key 公钥")
        return None
    files = Verdict("evidence")
    verdict = verified(settings, signer_of(settings.sealing_key()).verifier, files)
    if [fault.code for fault in verdict.faults] == ["nothing_sealed"]:
        talk.print("备份时台账还没有存证，没有检查点可以核对。")
    elif not verdict.is_ok:
        raise CommandFailedError(f"恢复的台账与检查点不符：{verdict.faults[0].detail}")
    return files


def _need_master_key(settings: Settings) -> None:
    """Refuse to begin without the key that opens the backup's personal fields."""
    file = settings.master_key_file
    if not settings.master_key_text and not (file and file.exists()):
        raise CommandFailedError(
            f"缺少主密钥：备份中没有它。请先把它放到 {file}（或设置 TAIZHANG_MASTER_KEY）"
        )


def _prepare(settings: Settings) -> None:
    """Create every table that is not there."""
    Runtime(settings).close()
    tokens_engine(settings.database_url).dispose()
    AccessLog(settings.access_database_url).close()
