"""Which annual evaluations (年度评估) of the station were run, by whom, and with what result?

A run says which question was asked of the log, up to which position, and what it came to;
``code`` is the hash of the whole score sheet, which anybody can replay from the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Final

from msgspec import Meta

from domain.fields import LocalId, ShortText
from domain.kernel import Entry, Event, Related, Statement, StreamKind, Value
from domain.task_book import Head

Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
MOST_CHANGED: Final = 100


class HeadScore(Value):
    """What a head (考核维度) can give, what of it reviewers give, and what the events gave."""

    head: Head
    weight: int
    judged_weight: int
    points: Decimal


class EvaluationRun(Event, topic="evaluation.run", label="年度评估"):
    """A project cycle was evaluated by replaying the log.

    ``known_at`` is the moment of knowing as it was asked, ``position`` up to where the log
    was read; ``changed`` names published periods that read otherwise now, ``differing``
    counts figures that the read models had otherwise than the log.
    """

    cycle: ShortText
    as_of: date
    position: int
    indicator_set: LocalId
    indicator_version: int
    heads: tuple[HeadScore, ...]
    code: Hash
    known_at: ShortText | None = None
    task_book: LocalId | None = None
    late: int = 0
    signals: int = 0
    differing: int = 0
    changed: Annotated[tuple[ShortText, ...], Meta(max_length=MOST_CHANGED)] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """The run, once there is one."""

    event: EvaluationRun | None = None


def evolve(_state: Run, entry: Entry) -> Run:
    """The run that was recorded."""
    event = entry.statement.event
    assert isinstance(event, EvaluationRun)
    return Run(event)


def decide(statement: Statement, _state: Run, _related: Related) -> Event:
    """A run follows from the log itself: there is nothing to refuse."""
    return statement.event


EVALUATION = StreamKind(
    "evaluation", "年度评估", Run(), evolve, decide, (EvaluationRun,),
    is_final=True, is_stated=False,
)
