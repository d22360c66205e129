"""How is a rule tested without a database? Given what was stated, when a command, then …

The log of these tests is a list; deciding and folding are the domain's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from desk import NOW, STATION, a_station, on

from domain.kernel import (
    KIND_OF_TOPIC,
    Context,
    Event,
    Recorded,
    Reference,
    Refused,
    Related,
    Statement,
    Stream,
    StreamKind,
    stream_id,
)
from domain.record_keeping import Command, Correct, Record, Reinstate, Void, decide, fold

CONTEXT = Context(
    now=NOW, actor="worker-1", role="social_worker", station=STATION, request_id="r1"
)
DAY = "2024-11-05"


def said(event: Event, day: str = DAY, until: str | None = None) -> Statement:
    """The statement that something happened on a day."""
    return Statement(event, on(day, until))


def record(event: Event, day: str = DAY) -> Record:
    """The command to record that something happened on a day."""
    return Record(statement=said(event, day))


def correct(entry: int, event: Event, day: str = DAY) -> Correct:
    """The command to correct an entry."""
    return Correct(entry=entry, statement=said(event, day), reason="填错了")


def void(entry: int) -> Void:
    """The command to void an entry."""
    return Void(entry=entry, reason="重复登记")


def reinstate(entry: int) -> Reinstate:
    """The command to reinstate an entry."""
    return Reinstate(entry=entry, reason="误作废")


@dataclass(frozen=True)
class Given:
    """A stream as earlier commands left it, and the streams it may refer to."""

    subject: str = "s1"
    related: Mapping[str, Given] = field(default_factory=dict)
    context: Context = CONTEXT
    kind: StreamKind[Any] | None = None
    log: tuple[Recorded, ...] = ()
    named_by: tuple[Reference, ...] = ()

    @property
    def stream(self) -> Stream[Any] | None:
        """The stream, folded from its log; ``None`` before its first entry."""
        return fold(self.kind, None, self.log) if self.kind else None

    @property
    def state(self) -> Any:
        """What the stream says now."""
        assert self.stream
        return self.stream.state

    def when(self, command: Command | Event) -> tuple[Statement, ...]:
        """The statements to which a command leads; raises what refuses it."""
        if isinstance(command, Event):
            command = record(command)
        kind = self.kind
        if isinstance(command, Record):
            kind = KIND_OF_TOPIC[command.statement.event.topic]
        assert kind
        streams = {
            stream_id(STATION, given.kind.name, subject): given.stream
            for subject, given in self.related.items()
            if given.kind and given.stream
        }
        related = Related(self.context, streams, self.subject, self.named_by)
        return decide(kind, command, self.stream, related)

    def after(self, *commands: Command | Event | Statement) -> Given:
        """What is given once further commands were accepted."""
        given = self
        for command in commands:
            if isinstance(command, Statement):
                given = given._appended(Record(statement=command))
            else:
                given = given._appended(record(command) if isinstance(command, Event) else command)
        return given

    def _appended(self, command: Command) -> Given:
        decided = self.when(command)
        kind = self.kind or KIND_OF_TOPIC[decided[0].event.topic]
        version = len(self.log)
        new = tuple(
            Recorded(
                position=version + n, stream=stream_id(STATION, kind.name, self.subject),
                version=version + n, occurred=statement.occurred,
                envelope=self.context.envelope(), event=statement.event,
            )
            for n, statement in enumerate(decided, start=1)
        )
        return replace(self, kind=kind, log=self.log + new)

    def event(self, command: Command | Event) -> Any:
        """The one event to which a command leads."""
        (statement,) = self.when(command)
        return statement.event


def given(
    *statements: Command | Event | Statement, subject: str = "s1",
    related: Mapping[str, Given] | None = None, context: Context = CONTEXT,
) -> Given:
    """A stream of which these statements were accepted, at a station with two communities."""
    station = {} if related is not None and STATION in related else {STATION: _STATION}
    return Given(subject, station | dict(related or {}), context).after(*statements)


_STATION = Given(STATION).after(said(a_station(), "2024-01-01"))


@contextmanager
def refused(code: str) -> Iterator[pytest.ExceptionInfo[Refused]]:
    """Expect a refusal with this code, and with no gaps in what it says."""
    with pytest.raises(Refused) as caught:
        yield caught
    assert caught.value.code == code
    assert str(caught.value)
