"""How is a fact kept that is said once: a visit, a survey, a training?

Such a fact is a short stream of its own: the statement, and whatever corrects it.
"""

from __future__ import annotations

from collections.abc import Callable

from domain.kernel import Event, Related, Statement, StreamKind


def _as_stated(statement: Statement, _related: Related) -> Event:
    return statement.event


def single(
    name: str,
    event: type[Event],
    decide: Callable[[Statement, Related], Event] = _as_stated,
    *,
    label: str | None = None,
) -> StreamKind[Event | None]:
    """The kind of a stream that holds one fact; its state is the event as it stands."""
    return StreamKind(
        name,
        label or event.label,
        None,
        lambda _state, entry: entry.statement.event,
        lambda statement, _state, related: decide(statement, related),
        (event,),
    )
