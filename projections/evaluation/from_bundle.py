"""What does a reviewer's bundle come to, with nothing but the file?

Its events are replayed as those of the ledger are, by the definitions and thresholds that
the bundle brings, whatever this machine has. What the bundle says was verified before.
"""

from __future__ import annotations

from datetime import date

import msgspec

from domain.bundle import BadBundle, Bundle
from domain.indicators import Indicator
from domain.kernel import Refused
from projections.evaluation.evaluating import Question, evaluated
from projections.evaluation.replaying import replay
from projections.evaluation.score_sheet import ScoreSheet
from projections.indicators import IndicatorSet, counting_by, parsed_set
from projections.integrity import Thresholds
from projections.moments import KnownAt, bounded, refuse_ahead


class BundleWithoutCycle(
    Refused, code="bundle_without_cycle", title="这个导出包不能复算评估",
    detail="{file} 不是为评估导出的，缺少口径等内容；请对方用 taizhang bundle … --cycle 重新导出。",
):
    """A bundle of some days' events: what came before them, and the definitions, it has not."""


def evaluated_bundle(
    bundle: Bundle, *, as_of: date | None = None, known_at: KnownAt | None = None,
    definitions: tuple[Indicator, ...] = (),
) -> ScoreSheet:
    """The score sheet of the cycle that a bundle was written for.

    Unless another moment is asked for it is as known at the bundle's checkpoint, and then
    the very sheet, with the same code, that the station has as known at that position.

    :raises KnownAtAhead: for a position after the checkpoint.
    :raises BundleWithoutCycle: where it was written for none.
    :raises BadBundle: where its definitions or thresholds cannot be read.
    """
    cycle, head = bundle.manifest.cycle, bundle.manifest.position
    if cycle is None or head is None:
        raise BundleWithoutCycle(file=bundle.name)
    refuse_ahead(known_at, head)
    known_at, limits = bounded(known_at, head), _thresholds(bundle)
    asked, station = Question(cycle, as_of, known_at, definitions), bundle.manifest.station
    rows = (event.row for event in bundle.events())
    with counting_by(_sets(bundle)), replay(rows, station, known_at) as replayed:
        return evaluated(replayed, asked, limits)


def _sets(bundle: Bundle) -> dict[str, IndicatorSet]:
    return {code: parsed_set(content) for code, content in bundle.definitions().items()}


def _thresholds(bundle: Bundle) -> Thresholds:
    content = bundle.thresholds()
    if content is None:
        raise BadBundle(file=bundle.name, problem="缺少核查标准 thresholds.json")
    return msgspec.json.decode(content, type=Thresholds)
