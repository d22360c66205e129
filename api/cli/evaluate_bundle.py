"""What does a reviewer's bundle come to? ``taizhang evaluate BUNDLE``: offline, by file and key.

It reads no settings, opens no database but one in memory, and looks for nothing beside the
bundle. What cannot be verified is not evaluated.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click

from api.cli.common import REFUSED, CommandFailedError, print_json
from api.cli.imports import progress_bar
from api.cli.verify import plain, say_faults, verifier_of
from domain.bundle import Bundle, opened_bundle
from domain.indicators import Indicator
from domain.signed_note import Verifier
from domain.verdict import Verdict
from projections.evaluation.from_bundle import evaluated_bundle
from projections.evaluation.score_sheet import ScoreSheet
from projections.moments import KnownAt
from workers.score_sheet_tables import Proof


@dataclass(frozen=True, slots=True)
class BundleQuestion:
    """What is asked of a bundle."""

    as_of: date | None = None
    known_at: KnownAt | None = None
    definitions: tuple[Indicator, ...] = ()


def evaluate_file(
    file: Path, key_text: str | None, asked: BundleQuestion, *, as_json: bool = False
) -> tuple[ScoreSheet, Proof]:
    """Verify a bundle and evaluate it; answers the sheet, and by what it can be trusted.

    :raises CommandFailedError: where anything of it is not as it was signed.
    """
    if key_text is None:
        raise click.UsageError("复算导出包须用 --key 给出公钥（向台账所在单位索取，不取自包内）")
    verifier = verifier_of(key_text)
    with ExitStack() as opened:
        bundle = opened.enter_context(opened_bundle(file, verifier))
        with progress_bar("核对") as progress:
            verdict = bundle.verified(progress)
        if not verdict.is_ok:
            _say_faults(verdict, as_json=as_json)
            raise CommandFailedError(
                f"{file.name} 与签署的不符（{verdict.fault_count} 处），不予复算", REFUSED
            )
        sheet = evaluated_bundle(
            bundle, as_of=asked.as_of, known_at=asked.known_at, definitions=asked.definitions
        )
        return sheet, _proof(bundle, verdict, verifier)


def _say_faults(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": False} | plain(verdict))
    else:
        say_faults(verdict)


def _proof(bundle: Bundle, verdict: Verdict, verifier: Verifier) -> Proof:
    said = f"通过：{verdict.events} 条记录、口径和证明均与签署的一致，没有改动、缺漏或增加"
    return Proof(said, bundle.checkpoint, verifier)
