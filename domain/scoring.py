"""How far is a target reached, and how many points does that give? Pure arithmetic.

Completion is actual over target for *at least* targets (走访不少于 360 人次), and target
over actual, at most 1, for *at most* targets (超过 90 天未联系的不多于 10 户). A rule turns
completion into a share of the indicator's weight:

- proportional 按比例: completion itself, up to a cap (100 % unless the rule says more);
- steps 分档: the share of the highest step that completion reaches, else nothing;
- all_or_nothing 达标得分: everything at 100 %, else nothing.

Points are rounded half up to two places, as a score sheet is added up by hand.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Annotated, Final, assert_never

from msgspec import Meta

from domain.kernel import Value
from domain.vocabulary import Labelled

Percent = Annotated[int, Meta(ge=0, le=300)]


class Direction(Labelled):
    """On which side of the target the actual should be."""

    AT_LEAST = "at_least", "不少于"
    AT_MOST = "at_most", "不多于"


class Scoring(Labelled):
    """How completion becomes points."""

    PROPORTIONAL = "proportional", "按比例"
    STEPS = "steps", "分档"
    ALL_OR_NOTHING = "all_or_nothing", "达标得分"


class Step(Value):
    """From this completion on, so much of the weight is given; both in percent."""

    from_percent: Percent
    gives_percent: Percent


class ScoringRule(Value):
    """A rule; ``cap_percent`` bounds a proportional one, ``steps`` belong to 分档."""

    kind: Scoring = Scoring.PROPORTIONAL
    cap_percent: Percent = 100
    steps: Annotated[tuple[Step, ...], Meta(max_length=20)] = ()


ALL: Final = Fraction(1)
_HUNDREDTH: Final = Decimal("0.01")


def completion(actual: Fraction, target: Fraction, direction: Direction) -> Fraction:
    """How far a target is reached: 1 is wholly; never negative.

    A target of 0 is reached by any actual (at least), and missed by any above 0 (at most).
    """
    match direction:
        case Direction.AT_LEAST:
            return max(actual / target, Fraction(0)) if target > 0 else ALL
        case Direction.AT_MOST:
            return ALL if actual <= target else max(target / actual, Fraction(0))
        case _:
            assert_never(direction)


def share(rule: ScoringRule, completed: Fraction) -> Fraction:
    """Which share of the weight a completion gives."""
    match rule.kind:
        case Scoring.PROPORTIONAL:
            return min(completed, Fraction(rule.cap_percent, 100))
        case Scoring.STEPS:
            reached = [s for s in rule.steps if completed >= Fraction(s.from_percent, 100)]
            best = max((s.gives_percent for s in reached), default=0)
            return Fraction(best, 100)
        case Scoring.ALL_OR_NOTHING:
            return ALL if completed >= ALL else Fraction(0)
        case _:
            assert_never(rule.kind)


def points(rule: ScoringRule, weight: int, completed: Fraction) -> Decimal:
    """The points that a completion gives, of an indicator that weighs so much."""
    return rounded(share(rule, completed) * weight)


def decimal_said(value: Decimal) -> str:
    """Points or a share as they are printed everywhere: 5, 13.90, 107.69; as figures are."""
    return f"{value:.0f}" if value == value.to_integral_value() else f"{value:.2f}"


def rounded(value: Fraction) -> Decimal:
    """A value to two places, half up."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(_HUNDREDTH, ROUND_HALF_UP)
