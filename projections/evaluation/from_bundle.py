"""What does a reviewer's bundle come to, with nothing but the file?

Its events are replayed as those of the ledger are, by the definitions and thresholds that
the bundle brings, whatever this machine has. What the bundle says was verified before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from domain.bundle import DEFINITIONS, BadBundle, Bundle
from domain.kernel import Refused
from projections.evaluation.replaying import Replayed, replay
from projections.indicators import IndicatorSet, counting_by, parsed_set
from projections.integrity import Thresholds
from projections.moments import KnownAt, bounded, refuse_ahead


class BundleWithoutCycle(
    Refused, code="bundle_without_cycle", title="这个导出包不能复算评估",
    detail="{file} 不是为评估导出的，缺少口径等内容；请对方用 taizhang bundle … --cycle 重新导出。",
):
    """A bundle of some days' events: what came before them, and the definitions, it has not."""


@contextmanager
def replayed_bundle(bundle: Bundle, until: KnownAt | None = None) -> Iterator[Replayed]:
    """The events of a bundle, replayed; within, everything counts by the bundle's definitions.

    :raises BundleWithoutCycle: where it was not written for an evaluation.
    :raises BadBundle: where its definitions cannot be read.
    """
    head_of(bundle)
    rows = (event.row for event in bundle.events())
    with counting_by(_sets(bundle)), replay(rows, bundle.manifest.station, until) as replayed:
        yield replayed


def known_in(bundle: Bundle, known_at: KnownAt | None) -> KnownAt:
    """The moment that is asked for, or that of the checkpoint.

    As known at the position of the checkpoint the station itself has the very same sheet,
    with the same code.

    :raises KnownAtAhead: for a position after the checkpoint.
    :raises BundleWithoutCycle: where it was not written for an evaluation.
    """
    refuse_ahead(known_at, head_of(bundle))
    return bounded(known_at, head_of(bundle))


def head_of(bundle: Bundle) -> int:
    """How far the whole log had come.

    :raises BundleWithoutCycle: where it was not written for an evaluation.
    """
    if bundle.manifest.cycle is None or bundle.manifest.position is None:
        raise BundleWithoutCycle(file=bundle.name)
    return bundle.manifest.position


def thresholds_in(bundle: Bundle) -> Thresholds:
    """From when on the station took something for odd.

    :raises BadBundle: where it does not say so, or as another program would.
    """
    content = bundle.thresholds()
    if content is None:
        raise BadBundle(file=bundle.name, problem="缺少核查标准 thresholds.json")
    with _of_this_program(bundle, "核查标准 thresholds.json"):
        return msgspec.json.decode(content, type=Thresholds)


def _sets(bundle: Bundle) -> dict[str, IndicatorSet]:
    found: dict[str, IndicatorSet] = {}
    for code, content in bundle.definitions().items():
        with _of_this_program(bundle, f"口径 {DEFINITIONS}/{code}.json "):
            found[code] = parsed_set(content)
    return found


@contextmanager
def _of_this_program(bundle: Bundle, what: str) -> Iterator[None]:
    """Say of what is signed, and still cannot be read, that another program wrote it."""
    try:
        yield
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        problem = f"{what}不是本程序能读的，可能由另一版台账写出（{error}）"
        raise BadBundle(file=bundle.name, problem=problem) from error
