"""What does a reviewer's bundle come to? ``taizhang evaluate BUNDLE``: offline, by file and key.

It reads no settings, opens no database but one in memory, and looks for nothing beside the
bundle. What cannot be verified is not evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import click

from api.cli.common import REFUSED, CommandFailedError, print_json
from api.cli.imports import progress_bar
from api.cli.score_sheets import Files, print_beside, print_sheet, write_files
from api.cli.verify import plain, say_faults, verifier_of
from api.cli.what_if import definitions_in, refuse_unfit_at
from api.evaluation_data import beside_data, sheet_data
from domain.bundle import Bundle, opened_bundle
from domain.signed_note import Verifier
from domain.verdict import Verdict
from projections.evaluation.beside import Beside, beside
from projections.evaluation.evaluating import Question, evaluated
from projections.evaluation.from_bundle import (
    known_in,
    replayed_bundle,
    thresholds_in,
)
from projections.evaluation.replaying import Replayed
from projections.evaluation.score_sheet import ScoreSheet
from projections.moments import KnownAt
from workers.score_sheet_tables import Proof


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a bundle, and what is to be made of the answer."""

    cycle: str | None = None
    as_of: date | None = None
    known_at: KnownAt | None = None
    what_if: Path | None = None
    other_known_at: KnownAt | None = None
    files: Files | None = None
    is_json: bool = False

    @property
    def is_beside(self) -> bool:
        """Whether two sheets are asked for."""
        return self.what_if is not None or self.other_known_at is not None


def evaluate_bundle(file: Path, key_text: str | None, asked: Asked) -> None:
    """Verify a bundle, evaluate it, and print the sheet.

    :raises CommandFailedError: where anything of it is not as it was signed.
    """
    if key_text is None:
        raise click.UsageError("复算导出包须用 --key 给出公钥（向台账所在单位索取，不取自包内）")
    with verified(file, verifier_of(key_text), is_json=asked.is_json) as (bundle, proof):
        if asked.is_beside:
            _print_beside(counted_beside(bundle, asked), asked)
            return
        sheet = score(bundle, asked)
    if asked.files is not None:
        write_files(asked.files, sheet, proof)
    if asked.is_json:
        print_json(sheet_data(sheet) | {"verified": proof.verdict})
    else:
        click.echo(proof.verdict)
        print_sheet(sheet)


@contextmanager
def verified(
    file: Path, verifier: Verifier, *, is_json: bool = False
) -> Iterator[tuple[Bundle, Proof]]:
    """A bundle in which nothing was changed, and what was verified of it.

    :raises CommandFailedError: where something was; its places are printed before.
    """
    with opened_bundle(file, verifier) as bundle:
        with progress_bar("核对") as progress:
            verdict = bundle.verified(progress)
        if not verdict.is_ok:
            _say_faults(verdict, is_json=is_json)
            raise CommandFailedError(
                f"{file.name} 与签署的不符（{verdict.fault_count} 处），不予复算", REFUSED
            )
        said = f"核对通过：{verdict.events} 条记录及口径均与签署的一致，没有改动、增减或换序。"
        yield bundle, Proof(said, bundle.checkpoint, verifier)


def score(bundle: Bundle, asked: Asked) -> ScoreSheet:
    """The score sheet of a bundle that was verified."""
    question = _question(bundle, asked)
    with replayed_bundle(bundle, question.known_at) as replayed:
        return evaluated(replayed, question, thresholds_in(bundle))


def counted_beside(bundle: Bundle, asked: Asked) -> Beside:
    """The score sheet of a bundle, beside the same by other definitions or known otherwise."""
    definitions = definitions_in(asked.what_if) if asked.what_if else ()
    own = _question(bundle, asked)
    other_known_at = asked.other_known_at
    known_at = known_in(bundle, asked.known_at if other_known_at is None else other_known_at)
    other = replace(own, known_at=known_at, definitions=definitions)

    @contextmanager
    def opened(until: KnownAt | None) -> Iterator[Replayed]:
        with replayed_bundle(bundle, until) as replayed:
            if until == known_at:
                refuse_unfit_at(
                    replayed.connection, replayed, replayed.station, own.cycle, definitions
                )
            yield replayed

    return beside(opened, own, other, thresholds_in(bundle))


def _question(bundle: Bundle, asked: Asked) -> Question:
    known_at = known_in(bundle, asked.known_at)
    cycle = asked.cycle or bundle.manifest.cycle
    assert cycle is not None
    return Question(cycle, asked.as_of, known_at)


def _print_beside(found: Beside, asked: Asked) -> None:
    if asked.is_json:
        print_json(beside_data(found))
    else:
        print_beside(found)


def _say_faults(verdict: Verdict, *, is_json: bool) -> None:
    if is_json:
        print_json({"ok": False} | plain(verdict))
    else:
        say_faults(verdict)
