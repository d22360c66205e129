"""How is the keyring doing, and how is its master key replaced? ``taizhang keys``."""

from __future__ import annotations

from dataclasses import dataclass

import click

from api.cli.common import json_option, needs_ledger, print_json, read_settings, talk
from domain.erasure import ErasureStatus
from projections.erasures import TO_CARRY_OUT, erasure_list
from workers.erasing import CHANGES, carry_out_all
from workers.master_key import rotate
from workers.runtime import Runtime
from workers.settings import Settings


@dataclass(frozen=True, slots=True)
class KeysStatus:
    """How many keys are in each state, and which erasures wait.

    ``proposed`` counts those that wait for a second person, ``left`` those that were
    decided and are not carried out.
    """

    keyring: str
    master_key: str
    active: int
    locked: int
    erased: int
    proposed: int
    left: int


@click.group
def keys() -> None:
    """个人信息的密钥：状态、更换主密钥、补做删除。"""


@keys.command("status")
@json_option
def status_command(*, as_json: bool) -> None:
    """显示密钥的数量，以及待核准、待执行的删除申请。"""
    settings = read_settings()
    needs_ledger(settings)
    found = look(settings)
    if as_json:
        print_json(found)
        return
    click.echo(f"密钥库    {found.keyring}\n主密钥    {found.master_key}")
    click.echo(f"密钥      可用 {found.active}，封存 {found.locked}，已销毁 {found.erased}")
    click.echo(f"删除申请  待核准 {found.proposed}，已决定而未执行 {found.left}")


def look(settings: Settings) -> KeysStatus:
    """The state of the keyring and of the erasures."""
    runtime = Runtime(settings)
    try:
        counts, done = runtime.keyring.counts(), runtime.keyring.carried_out()
        with runtime.read_models.engine.connect() as connection:
            rows = erasure_list(connection, None)
    finally:
        runtime.close()
    left = [
        row for row in rows
        if (status := ErasureStatus.of(row.status)) in TO_CARRY_OUT
        and (row.stream, CHANGES[status]) not in done
    ]
    proposed = sum(row.status == ErasureStatus.PROPOSED for row in rows)
    return KeysStatus(
        settings.keys_database_url.rpartition("@")[2],
        "TAIZHANG_MASTER_KEY" if settings.master_key_text else str(settings.master_key_file),
        counts["active"], counts["locked"], counts["erased"], proposed, len(left),
    )


@keys.command("rotate")
@json_option
def rotate_command(*, as_json: bool) -> None:
    """更换主密钥：生成新的主密钥，重新包裹所有密钥。

    运行中的服务会自动改用文件中的新主密钥；主密钥在环境变量中时，请把新的放在
    TAIZHANG_NEW_MASTER_KEY 中再运行，然后用新的主密钥重新启动服务。
    """
    settings = read_settings()
    needs_ledger(settings)
    found = rotate(settings)
    if as_json:
        print_json({"keys": found.keys, "file": found.file and str(found.file)})
        return
    talk.print(f"已用新的主密钥重新包裹 {found.keys} 把密钥。")
    if found.file is None:
        talk.print("请把 TAIZHANG_MASTER_KEY 改为新的主密钥，重新启动服务。")
    else:
        talk.print(f"新的主密钥在 {found.file}，旧的已删除。")
        talk.print("此前的备份仍要旧的主密钥才能恢复：请立即另做一次备份，并把新的主密钥另行保存。")


@keys.command("reconcile")
def reconcile_command() -> None:
    """恢复备份之后：按台账重新执行所有已核准的删除和封存。"""
    settings = read_settings()
    needs_ledger(settings)
    runtime = Runtime(settings)
    try:
        runtime.read_models.advance(runtime.ledger)
        count = carry_out_all(runtime)
    finally:
        runtime.close()
    talk.print(f"补做了 {count} 项。" if count else "没有需要补做的。")
