"""How is a station's project cycle evaluated, and where is the score sheet kept?

The log says that an evaluation was run, by whom and with what result; the sheet itself is
a file of the home that the workers and the API share, byte for byte what the run's code is
the hash of. It can be made again at any time: the log up to the run's position gives the
same sheet, and so the same code, while this program, the thresholds and the indicator sets
that come as files are those of then. Where they are not, the other sheet is not shown as
the run's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from domain.evaluation import EVALUATION, EvaluationRun, HeadScore
from domain.kernel import Context, Occurrence, Refused, Statement, UnknownRecord
from domain.ledger import Instruction, Ledger
from domain.record_keeping import Record
from projections.engine import ReadModels
from projections.evaluation.beside import Beside, beside, compared_with_projections
from projections.evaluation.evaluating import Question, evaluated
from projections.evaluation.replaying import Replayed, replay
from projections.evaluation.score_sheet import FigureDifference, ScoreSheet
from projections.integrity import thresholds_of
from projections.moments import KnownAt, Moment, bounded, parse_known_at, position_of
from projections.standing import summed
from workers.kept_files import drop_oldest
from workers.settings import Settings
from workers.whole_files import whole

MOST_KEPT: Final = 2_000
"""How many sheets are kept at most, of all stations together."""
STEPS: Final = 3
"""Reading and scoring, comparing, recording: what progress is told in."""
Progress = Callable[[int, int], None]


class SheetChanged(
    Refused, code="sheet_changed", status=409, title="评分表与登记时不一致",
    detail="登记的评分表（{recorded}…）已不在本机，或不再可读，而现在从台账重算得到另一份（{now}…）："
    "核查标准、口径文件或程序版本已与登记时不同。登记的得分不变；要按现在的重算，请重新评估。",
):
    """A run whose sheet is gone, and whose replay by what is in force now is another."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What evaluating works with."""

    settings: Settings
    ledger: Ledger
    read_models: ReadModels


def evaluate(shop: Workshop, station: str, asked: Question) -> ScoreSheet:
    """The score sheet of a station, beside what the read models hold; nothing is recorded.

    :raises Refused: where there is no such station, cycle, or usable task book.
    """
    asked = replace(asked, known_at=bounded(asked.known_at, shop.ledger.head()))
    return _compared(shop, replayed_sheet(shop, station, asked), asked)


def looked_at(shop: Workshop, station: str, asked: Question) -> ScoreSheet:
    """The same for a page: beside the read models where they have come that far.

    A page writes nothing, so it does not bring them up; ``projected`` is ``None`` until then.

    :raises Refused: where there is no such station, cycle, or usable task book.
    """
    asked = replace(asked, known_at=bounded(asked.known_at, shop.ledger.head()))
    sheet = replayed_sheet(shop, station, asked)
    is_behind = shop.read_models.position() < sheet.position
    return sheet if is_behind else _compared(shop, sheet, asked)


def replayed_sheet(shop: Workshop, station: str, asked: Question) -> ScoreSheet:
    """The score sheet by the log alone, up to where it now is or the question says.

    :raises Refused: where there is no such station, cycle, or usable task book.
    """
    asked = replace(asked, known_at=bounded(asked.known_at, shop.ledger.head()))
    with _replayed(shop, station, asked.known_at) as replayed:
        return evaluated(replayed, asked, thresholds_of(shop.settings.thresholds_file))


def what_if(shop: Workshop, station: str, asked: Question, other: Question) -> Beside:
    """A cycle as one question has it, beside the same as another has it; nothing is kept.

    :raises Refused: where there is no such station, cycle, or usable task book.
    """
    head = shop.ledger.head()
    asked, other = (
        replace(each, known_at=bounded(each.known_at, head)) for each in (asked, other)
    )
    limits = thresholds_of(shop.settings.thresholds_file)
    return beside(lambda until: _replayed(shop, station, until), asked, other, limits)


@contextmanager
def _replayed(shop: Workshop, station: str, until: KnownAt | None) -> Iterator[Replayed]:
    """A station's log, read up to a moment that says its position."""
    rows = shop.ledger.station_rows(station, until=position_of(until) or 0)
    with replay(rows, station, until) as replayed:
        yield replayed


def _compared(shop: Workshop, sheet: ScoreSheet, asked: Question) -> ScoreSheet:
    """The sheet beside the read models, brought up to it where they are behind.

    Between its position and the log's head, as it then was, the station recorded nothing.
    """
    if shop.read_models.position() < sheet.position:
        shop.read_models.advance(shop.ledger)
    with summed(shop.read_models, Moment()) as then:
        head = asked.known_at
        is_present = isinstance(head, int) and sheet.position <= then.position <= head
        is_present = is_present and then.known_at is None
        then_asked = replace(asked, known_at=None) if is_present else asked
        return compared_with_projections(sheet, then.connection, then_asked)


def run_evaluation(
    shop: Workshop, identity: str, asked: Question, context: Context,
    progress: Progress = lambda _done, _total: None,
) -> EvaluationRun:
    """Evaluate, keep the sheet and record the run, once: run again, it is the same run.

    :raises Refused: where there is no such station, cycle, or usable task book.
    """
    station = context.station
    earlier = run_of(shop.ledger, station, identity)
    if earlier is not None:
        progress(STEPS, STEPS)
        return earlier
    asked = replace(asked, known_at=bounded(asked.known_at, shop.ledger.head()))
    progress(0, STEPS)
    sheet = replayed_sheet(shop, station, asked)
    progress(1, STEPS)
    sheet = _compared(shop, sheet, asked)
    progress(2, STEPS)
    keep(shop.settings, identity, sheet)
    instruction = Instruction(
        EVALUATION, identity,
        Record(statement=Statement(event_of(sheet), Occurrence.at_instant(context.now))),
        asked=identity.encode(),
    )
    receipt = shop.ledger.execute(instruction, context)
    progress(STEPS, STEPS)
    run = receipt.recorded.event
    assert isinstance(run, EvaluationRun)
    return run


def event_of(sheet: ScoreSheet) -> EvaluationRun:
    """What is recorded of a sheet."""
    said = sheet.known_at
    return EvaluationRun(
        cycle=sheet.cycle, as_of=sheet.as_of, position=sheet.position,
        known_at=None if said is None else str(said), task_book=sheet.task_book,
        indicator_set=sheet.indicator_set, indicator_version=sheet.indicator_version,
        heads=tuple(
            HeadScore(
                head=head.head, weight=head.weight, judged_weight=head.judged_weight,
                points=head.points,
            )
            for head in sheet.heads
        ),
        late=sheet.late, signals=sheet.signal_count, differing=len(sheet.projected or ()),
        changed=sheet.changed, code=sheet.code,
    )


def run_of(ledger: Ledger, station: str, identity: str) -> EvaluationRun | None:
    """A run of a station's, once it is recorded."""
    stream = ledger.stream(station, EVALUATION.name, identity)
    return None if stream is None else stream.state.event


def sheet_of(shop: Workshop, station: str, identity: str) -> ScoreSheet:
    """The sheet of a run: as it was kept, or replayed again where its file is gone.

    :raises UnknownRecord: where there is no such run.
    :raises SheetChanged: where its file is gone and the log now gives another.
    """
    run = run_of(shop.ledger, station, identity)
    if run is None:
        raise UnknownRecord(id=identity[:64], kind=EVALUATION.label)
    kept = _kept(_file(shop.settings, station, identity), run)
    if kept is not None:
        return kept
    known_at = parse_known_at(run.known_at) if run.known_at else run.position
    again = replayed_sheet(shop, station, Question(run.cycle, run.as_of, known_at))
    if again.code != run.code:
        raise SheetChanged(recorded=run.code[:12], now=again.code[:12])
    return again


def is_as_recorded(shop: Workshop, station: str, identity: str, sheet: ScoreSheet) -> bool:
    """Whether a sheet of now has all that the sheet of a run has: nothing it counts moved since.

    The log has grown since the run at least by the run itself, so where it was read to and
    when is not compared.
    """
    try:
        kept = sheet_of(shop, station, identity)
    except SheetChanged:
        return False
    then = replace(
        sheet, position=kept.position, events=kept.events, as_of=kept.as_of,
        known_at=kept.known_at, code_as_recorded=None,
    )
    return then.code == kept.code


# ---- the file ----


class _Kept(msgspec.Struct, frozen=True):
    """A file: the very bytes that the code is the hash of, and what was compared beside."""

    sheet: msgspec.Raw
    projected: tuple[FigureDifference, ...] | None


def keep(settings: Settings, identity: str, sheet: ScoreSheet) -> None:
    """Keep a sheet, whole or not at all; the oldest of many go, which can be replayed."""
    file = _file(settings, sheet.station, identity)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    drop_oldest(file.parent, MOST_KEPT - 1)
    with whole(file) as target:
        target.write(msgspec.json.encode(_Kept(msgspec.Raw(sheet.by_the_log()), sheet.projected)))


def _file(settings: Settings, station: str, identity: str) -> Path:
    named = hashlib.sha256(f"{station}/{identity}".encode()).hexdigest()
    return settings.home.absolute() / "evaluations" / f"{named}.json"


def _kept(file: Path, run: EvaluationRun) -> ScoreSheet | None:
    """A sheet as it was kept; ``None`` where its file is gone, altered, or not to be read."""
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
        if hashlib.sha256(kept.sheet).hexdigest() != run.code:
            return None
        if len(kept.projected or ()) != run.differing:
            return None
        sheet = msgspec.json.decode(kept.sheet, type=ScoreSheet)
    except (OSError, msgspec.DecodeError):
        return None
    return replace(sheet, projected=kept.projected, code_as_recorded=run.code)
