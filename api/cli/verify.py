"""Was anything altered? ``taizhang verify`` for the log and for a bundle; ``key`` for others."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from api.cli.common import (
    REFUSED,
    CommandFailedError,
    json_option,
    needs_ledger,
    print_json,
    read_settings,
    talk,
)
from api.cli.imports import progress_bar
from domain.bundle import Manifest, verify_bundle
from domain.checkpoint import Checkpoint, signer_of
from domain.signed_note import Verifier
from domain.verdict import Verdict
from workers import verdicts
from workers.evidence_verifying import FileVerification, files_alarm_of
from workers.runtime import opened_ledger
from workers.seals import Seals
from workers.settings import Settings
from workers.verifying import LogVerdict, alarm_of, verify_log

MOST_NOTE_BYTES: Final = 100_000

a_file: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command
@click.argument("bundle", required=False, type=a_file)
@click.option("--key", "key_text", metavar="公钥", help="公钥，或存有公钥的文件。")
@click.option(
    "--checkpoint", "notes", type=a_file, multiple=True, metavar="文件",
    help="以前在别处记下的检查点（可给多个）：只有它能说明整个数据库是否换成了旧的副本。",
)
@json_option
def verify(
    bundle: Path | None, key_text: str | None, notes: tuple[Path, ...], *, as_json: bool
) -> None:
    """核对台账是否被改动；给出 BUNDLE 时离线核对导出包。

    核对导出包只需要该文件和公钥（--key），不读取任何设置和数据库。
    """
    if bundle is not None:
        _verify_bundle(bundle, key_text, notes, as_json=as_json)
    else:
        _verify_log(key_text, notes, as_json=as_json)


@click.command
@json_option
def key(*, as_json: bool) -> None:
    """显示公钥：请把它交给评审等外人，供核对检查点和导出包。"""
    settings = read_settings()
    settings.prepare_home()
    verifier = signer_of(settings.sealing_key()).verifier
    if as_json:
        print_json({"key": verifier.vkey, "fingerprint": verifier.fingerprint})
    else:
        click.echo(verifier.vkey)
        talk.print(f"指纹 {verifier.fingerprint}")


# ---- the log ----


def _verify_log(key_text: str | None, notes: tuple[Path, ...], *, as_json: bool) -> None:
    settings = read_settings()
    needs_ledger(settings)
    verifier, files = verifier_of(key_text) if key_text else _own(settings), Verdict("evidence")
    verdict = verified(settings, verifier, files, notes)
    if key_text is None:
        _keep(settings, verdict, files)
    if as_json:
        is_ok = verdict.is_ok and files.is_ok
        print_json({"ok": is_ok} | plain(verdict) | {"files": plain(files)})
    else:
        _say_log(verdict)
        say_files(files)
    end(verdict, files)


def _keep(settings: Settings, verdict: LogVerdict, files: Verdict) -> None:
    """Let this count as the daily verification, where the home may be written to."""
    now = datetime.now(UTC)  # noqa: TID251 - the edge: the moment of the verification
    with suppress(OSError):
        for name, alarm in (
            (verdicts.VERIFICATION, alarm_of(verdict)), (verdicts.EVIDENCE, files_alarm_of(files)),
        ):
            verdicts.keep(settings.home, name, verdicts.Kept(now, alarm))


def verified(
    settings: Settings, verifier: Verifier, files: Verdict, notes: tuple[Path, ...] = ()
) -> LogVerdict:
    """Verify the log of an installation, also against the note in its home and those given.

    What is wrong with the files of evidence goes to ``files``.

    :raises BadNote: for a note that the key did not sign.
    """
    kept = [settings.noted_file] if settings.noted_file.exists() else []
    noted = [_noted(file, verifier) for file in (*notes, *kept)]
    with opened_ledger(settings) as ledger, progress_bar("核对") as progress:
        seals = Seals(settings.database_url)
        beside = FileVerification(settings, ledger.vault, files)
        try:
            return verify_log(ledger, seals, verifier, noted, progress, look=beside.look)
        finally:
            seals.close()


def _own(settings: Settings) -> Verifier:
    if not settings.has_sealing_key:
        raise CommandFailedError("这里没有签名密钥；请用 --key 给出公钥", REFUSED)
    return signer_of(settings.sealing_key()).verifier


def _say_log(verdict: LogVerdict) -> None:
    say_faults(verdict)
    unsealed = max(verdict.events - verdict.sealed, 0)
    click.echo(
        f"核对了 {verdict.events} 条记录、{verdict.checkpoints} 个检查点"
        f"和 {verdict.noted} 个数据库外记下的检查点；{unsealed} 条尚未存证。"
    )
    if verdict.is_ok and verdict.noted == 0:
        talk.print("没有数据库外的检查点可比：看不出整个数据库是否换成了旧的副本。")


def say_files(files: Verdict) -> None:
    """Print which files of evidence are missing or altered, and how many were looked at."""
    _list_faults(files)
    if files.faults:
        click.echo("佐证文件有缺失或改动：请从完好的备份中取回 evidence 文件夹里的这些文件。")
    click.echo(f"核对了 {files.events} 份佐证文件。")


# ---- a bundle ----


def _verify_bundle(
    bundle: Path, key_text: str | None, notes: tuple[Path, ...], *, as_json: bool
) -> None:
    if key_text is None or notes:
        raise click.UsageError("核对导出包须用 --key 给出公钥，且不用 --checkpoint")
    with progress_bar("核对") as progress:
        manifest, verdict = verify_bundle(bundle, verifier_of(key_text), progress)
    if as_json:
        print_json({"ok": verdict.is_ok, "station": manifest.station} | plain(verdict))
    else:
        _say_bundle(manifest, verdict)
    end(verdict)


def _say_bundle(manifest: Manifest, verdict: Verdict) -> None:
    say_faults(verdict)
    click.echo(
        f"社工站 {manifest.station}，{span_said(manifest)}，{verdict.events} 条，"
        f"取自 {manifest.origin} 有 {manifest.size} 条时的台账。"
    )


def span_said(manifest: Manifest) -> str:
    """Which days of service a bundle is about, in plain words."""
    match manifest.first, manifest.last:
        case None, None:
            return "全部日期的记录"
        case first, None:
            return f"服务日期在 {first} 及以后的记录"
        case None, last:
            return f"服务日期在 {last} 及以前的记录"
        case first, last:
            return f"服务日期在 {first} 至 {last} 的记录"


# ---- both ----


def verifier_of(text: str) -> Verifier:
    """The public key that was given, as it is or in a file."""
    file = Path(text)
    try:
        is_file = len(text) < 1_000 and file.is_file()
    except (OSError, ValueError):
        is_file = False
    return Verifier.parsed((_read(file) if is_file else text).strip())


def _noted(file: Path, verifier: Verifier) -> Checkpoint:
    return Checkpoint.opened(_read(file), verifier, str(file))


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.read(MOST_NOTE_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailedError(f"{file} 无法读取：{error}", REFUSED) from error


def plain(verdict: Verdict) -> dict[str, object]:
    """A verdict as JSON has it."""
    return {name: getattr(verdict, name) for name in verdict.__dataclass_fields__}


def say_faults(verdict: Verdict) -> None:
    """Print what is wrong, each with its position, and that it did not pass; or that it did."""
    _list_faults(verdict)
    click.echo("未通过：台账与签署过的不符。" if verdict.faults else "通过：没有发现改动。")


def _list_faults(verdict: Verdict) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for fault in verdict.faults:
        console.print(f"✗ {fault.detail}", markup=False)
    more = verdict.fault_count - len(verdict.faults)
    if more:
        console.print(f"  ……另有 {more} 处")


def end(*found: Verdict) -> None:
    """End the command; with the exit code of a refusal where anything is wrong.

    :raises CommandFailedError: where it is.
    """
    if count := sum(verdict.fault_count for verdict in found):
        raise CommandFailedError(f"核对未通过：{count} 处不符", REFUSED)
