"""Is a person covered by an assistance unit that a figure counts?

Assistance is posted a unit at a time, with how many persons it covers. Who they are says the
newest statement about the unit; what ends or changes it names nobody who left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from domain.household import AssistanceAssigned, AssistanceChanged, HouseholdMoved
from domain.kernel import KINDS, Stream, stream_kind
from domain.record_keeping import fold
from projections.explaining.question import Question
from projections.explaining.tested import Tested, by_record, net
from projections.measures.assistance import assistance_households, assistance_persons
from projections.moments import as_of, known

MEASURES_OF_UNITS: Final = {assistance_households.code, assistance_persons.code}


def is_of_units(question: Question) -> bool:
    """Whether the figure counts assistance units, or whom they cover."""
    return question.row.measure in MEASURES_OF_UNITS


def covers(question: Question, persons: Sequence[str], rows: Sequence[Tested]) -> bool:
    """Whether a unit that the figure counts covers a person, by any of his or her ids."""
    streams = dict.fromkeys(row.stream for row in rows)
    return any(_covers(question, stream, set(persons), rows) for stream in streams)


def _covers(
    question: Question, name: str, persons: set[str], rows: Sequence[Tested]
) -> bool:
    stream = _as_it_stood(question, name)
    if stream is None:
        return False
    counted = [row for row in rows if row.is_counted and row.stream == name]
    adding = {
        entry for (_stream, entry), found in by_record(counted).items()
        if any(amount > 0 for amount in net(found).values())
    }
    newest: dict[str, int] = {}
    moved: set[int] = set()
    for entry in stream.active():
        said = entry.statement.event
        if isinstance(said, AssistanceAssigned | AssistanceChanged):
            newest[said.unit] = entry.version
        elif isinstance(said, HouseholdMoved):
            moved.add(entry.version)
    return any(
        persons.intersection(unit.covered) and adding.intersection({newest[code], *moved})
        for code, unit in stream.state.units.items()
    )


def _as_it_stood(question: Question, name: str) -> Stream[Any] | None:
    if stream_kind(name) != "household":
        return None
    history = known(question.history(name), question.known_at)
    stream = fold(KINDS["household"], None, history)
    return as_of(stream, question.cut.last) if stream else None
