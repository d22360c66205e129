"""How is every query of a request confined to its caller's stations? Where data is read.

A route cannot forget it: each statement that a web process sends to the read models, and
each stream that it reads of the log, passes here, whatever route, page or function sends
it. A statement over a table that has a station must name a station, or a stream, of the
caller's; so must one before anybody is known to call. What names none is an error of
ours, and shows nothing. It is the second lock: what a caller may do is ``api/policy.py``'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

from flask import g, has_request_context
from sqlalchemy import Connection, Engine, event

from api.access_log import access_subjects, accesses
from api.callers import EVERYWHERE, Scope
from api.problems import OtherStation
from domain.kernel import stream_station
from domain.ledger import Ledger
from projections.catalog import PROJECTIONS

NOWHERE: Final = Scope(frozenset())
"""What may be seen before it is known who calls."""
CONFINED: Final = frozenset(
    table.name
    for table in (
        accesses, access_subjects,
        *(table for projection in PROJECTIONS.values() for table in projection.tables),
    )
    if "station" in table.c
)
"""The tables whose rows belong to stations."""
_CONFINED: Final = re.compile(rf"\b(?:{'|'.join(sorted(CONFINED))})\b")


class UnconfinedError(AssertionError):
    """A statement that reads stations' rows and names no station: an error of ours."""


def install() -> None:
    """Let every statement of this process pass here; outside of requests all may."""
    if not event.contains(Engine, "before_cursor_execute", _check_statement):
        event.listen(Engine, "before_cursor_execute", _check_statement)


def confine(ledger: Ledger) -> None:
    """Let every stream that is read of a ledger pass here, too."""
    ledger.admit = _check_streams


def scope_of_request() -> Scope:
    """The stations whose data this request may be sent."""
    found: Scope = g.get("scope", NOWHERE)
    return found


@contextmanager
def unconfined() -> Iterator[None]:
    """Read across stations: to find which those of a district are, or for a sum of all."""
    before = scope_of_request()
    g.scope = EVERYWHERE
    try:
        yield
    finally:
        g.scope = before


def _is_confined() -> bool:
    return has_request_context() and scope_of_request().stations is not None


# ---- the log ----


def _check_streams(streams: Iterable[str]) -> None:
    """Refuse streams of other stations.

    :raises OtherStation: for the first of them.
    """
    if _is_confined():
        for stream in streams:
            _check_station(stream_station(stream))


def _check_station(station: str) -> None:
    scope = scope_of_request()
    if not scope.admits(station):
        raise OtherStation(own=str(scope), got=station[:64])


# ---- the read models ----


def _check_statement(
    _connection: Connection, _cursor: Any, statement: str, _parameters: Any, context: Any,
    _many: bool,  # noqa: FBT001 - SQLAlchemy's signature
) -> None:
    if not _is_confined() or not _reads_stations(statement):
        return
    named = False
    for parameters in context.compiled_parameters or []:
        for name, value in parameters.items():
            for station in _stations_named(name, value):
                named = True
                _check_station(station)
    if not named:
        raise UnconfinedError(statement)


def _stations_named(name: str, value: object) -> Iterator[str]:
    """The stations that a parameter names: by itself, or by a stream of theirs."""
    values = value if isinstance(value, list | tuple | set | frozenset) else [value]
    if name.startswith("station"):
        yield from (str(one) for one in values)
    elif name.startswith(("stream", "subject_stream")):
        yield from (stream_station(str(one)) for one in values)


@lru_cache(maxsize=1_000)
def _reads_stations(statement: str) -> bool:
    """Whether a statement reads rows that belong to stations; what only adds any, does not."""
    is_question = statement.lstrip().startswith(("SELECT", "WITH"))
    is_adding = "INSERT INTO" in statement
    return is_question and not is_adding and _CONFINED.search(statement) is not None
