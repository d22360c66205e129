"""How is a report published from the command line? ``taizhang publish``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from api.cli.common import (
    CommandFailedError,
    json_option,
    print_json,
    talk,
)
from api.cli.looking import looking
from api.cli.report import PERIOD_HELP
from api.identity import new_id
from api.publication_data import publication_summary
from domain.kernel import Context
from domain.vocabulary import Role
from projections.published_reports import publication
from workers.publishing import Press, Preview, preview, publish, restate
from workers.runtime import Runtime


@click.command("publish")
@click.option("--month", required=True, help=PERIOD_HELP)
@click.option("--station", help="社工站编号（只有一个站时可省略）。")
@click.option("--actor", required=True, help="发布人（站长），记入台账。")
@click.option("--yes", "is_acknowledged", is_flag=True, help="清单中的提示已看过，确认发布。")
@click.option("--restate", "reason", help="发布更正说明，写明缘由。")
@json_option
def publish_command(
    month: str, station: str | None, actor: str, *, is_acknowledged: bool, reason: str | None,
    as_json: bool,
) -> None:
    """发布月报（先列出核对清单），或用 --restate 发布更正说明。"""
    with looking("publish", station) as look:
        runtime, chosen = look.runtime, look.station
        press, context = press_of(runtime), lead_context(actor, chosen)
        if reason is not None:
            if not is_acknowledged:
                raise CommandFailedError(
                    f"请先看过 /months/{month}/differences 上的差别；确认发布更正说明请加 --yes"
                )
            receipt = restate(press, month, context, reason)
        else:
            found = preview(press, chosen, month, context.today, opened=look.reading.opened)
            look.log()
            _print_items(found)
            if found.warnings and not is_acknowledged:
                raise CommandFailedError("请先看过以上提示；确认发布请加 --yes")
            receipt = publish(press, month, context, found.warnings)
        published = publication(runtime.ledger, chosen, month, receipt.version)
        runtime.read_models.advance(runtime.ledger)
    if as_json:
        print_json(publication_summary(published))
    else:
        what = "更正说明" if reason is not None else f"《{published.snapshot.title}》"
        talk.print(f"已发布{what}，台账位置 {published.snapshot.position}")
        click.echo(published.short_code)


def press_of(runtime: Runtime) -> Press:
    """What publishing works with."""
    templates: Path = runtime.settings.home / "templates"
    return Press(runtime.ledger, runtime.read_models, templates, runtime.newest_checkpoint)


def lead_context(actor: str, station: str) -> Context:
    """Whoever sits at the machine acts as the lead, under the name that he gives."""
    now = datetime.now(UTC)  # noqa: TID251 - the command line is an edge
    return Context(
        now=now, actor=actor, role=Role.LEAD.value, station=station, request_id=new_id()
    )


def _print_items(found: Preview) -> None:
    for item in found.items:
        talk.print(f"{item.severity.label}　{item.title}：{item.detail}", markup=False)
