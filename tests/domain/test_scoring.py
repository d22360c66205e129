"""How many points does a completion give?"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.scoring import Direction, Scoring, ScoringRule, Step, completion, points, share

PROPORTIONAL = ScoringRule()
WITH_BONUS = ScoringRule(cap_percent=120)
ALL_OR_NOTHING = ScoringRule(kind=Scoring.ALL_OR_NOTHING)
STEPS = ScoringRule(
    kind=Scoring.STEPS,
    steps=(Step(from_percent=60, gives_percent=50), Step(from_percent=100, gives_percent=100)),
)


@pytest.mark.parametrize(
    ("actual", "target", "direction", "expected"),
    [
        (278, 300, Direction.AT_LEAST, Fraction(278, 300)),
        (330, 300, Direction.AT_LEAST, Fraction(11, 10)),
        (0, 0, Direction.AT_LEAST, Fraction(1)), (-1, 5, Direction.AT_LEAST, Fraction(0)),
        (60, 60, Direction.AT_MOST, Fraction(1)), (10, 60, Direction.AT_MOST, Fraction(1)),
        (80, 60, Direction.AT_MOST, Fraction(3, 4)), (1, 0, Direction.AT_MOST, Fraction(0)),
        (0, 0, Direction.AT_MOST, Fraction(1)),
    ],
)
def test_completion_is_on_the_side_of_the_target(
    actual: int, target: int, direction: Direction, expected: Fraction
) -> None:
    assert completion(Fraction(actual), Fraction(target), direction) == expected


@pytest.mark.parametrize(
    ("rule", "percent", "expected"),
    [
        (PROPORTIONAL, 50, "5.00"), (PROPORTIONAL, 130, "10.00"), (WITH_BONUS, 130, "12.00"),
        (ALL_OR_NOTHING, 99, "0.00"), (ALL_OR_NOTHING, 100, "10.00"),
        (STEPS, 59, "0.00"), (STEPS, 60, "5.00"), (STEPS, 99, "5.00"), (STEPS, 150, "10.00"),
    ],
)
def test_a_rule_turns_completion_into_points(
    rule: ScoringRule, percent: int, expected: str
) -> None:
    assert points(rule, 10, Fraction(percent, 100)) == Decimal(expected)


def test_points_are_rounded_half_up() -> None:
    assert points(PROPORTIONAL, 1, Fraction(1, 8)) == Decimal("0.13")


@given(
    rule=st.sampled_from([PROPORTIONAL, WITH_BONUS, ALL_OR_NOTHING, STEPS]),
    one=st.fractions(0, 3), other=st.fractions(0, 3),
)
def test_more_is_never_worth_less(rule: ScoringRule, one: Fraction, other: Fraction) -> None:
    less, more = sorted((one, other))
    assert share(rule, less) <= share(rule, more)
