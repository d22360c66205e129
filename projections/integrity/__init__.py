"""What looks as if it had not happened so? Signs for a reviewer, each with its records.

Pure functions over what was recorded. A sign is no proof and refuses nothing; the
thresholds are data, so that an ordinary month shows none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from projections.integrity.feasibility import density, overlap, same_text, volunteer_hours
from projections.integrity.terms import Detector, Observed, Records, Signal, SignalKind
from projections.integrity.thresholds import BadThresholds, Thresholds, thresholds_of
from projections.integrity.timing import burst, evaluation_eve, late, odd_hours

__all__ = [
    "BadThresholds", "Observed", "Signal", "SignalKind", "Thresholds", "odd", "thresholds_of",
]

DETECTORS: Final[dict[SignalKind, Detector]] = {
    SignalKind.LATE: late,
    SignalKind.EVALUATION_EVE: evaluation_eve,
    SignalKind.ODD_HOURS: odd_hours,
    SignalKind.BURST: burst,
    SignalKind.DENSITY: density,
    SignalKind.OVERLAP: overlap,
    SignalKind.VOLUNTEER_HOURS: volunteer_hours,
    SignalKind.SAME_TEXT: same_text,
}


def odd(
    records: Records, limits: Thresholds, kinds: Iterable[SignalKind] = tuple(SignalKind)
) -> list[Signal]:
    """Everything odd of some kinds, the newest day first."""
    found = [signal for kind in kinds for signal in DETECTORS[kind](records, limits)]
    return sorted(found, key=lambda s: (-s.on.toordinal(), s.kind.value, s.who, s.text))
