"""Where does a page listen for news? ``/events``, confined to its caller's stations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from selectors import EVENT_READ, DefaultSelector
from socket import MSG_PEEK, socket
from typing import Any, Final

from flask import Blueprint, Flask, Response, g, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response as BaseResponse

from api.identity import (
    ANY_STATION,
    READ_CASES,
    READ_FIGURES,
    action,
    caller,
    may,
    station_of_request,
)
from api.live import Listener, TooManyListening, slept
from api.problems import NotAllowed, of_refusal
from api.services import Services, services
from domain.kernel import KINDS
from projections.timeline import record_subjects

events = Blueprint("events", __name__)

RETRY_AFTER_SECONDS: Final = "30"
MOST_DIGITS: Final = 18


@events.route("/events")
@action(READ_FIGURES)
def listen() -> BaseResponse:
    """That something was recorded and can be read: positions and kinds, nothing else."""
    found, who = services(), caller()
    station = station_of_request()
    subject = request.args.get("subject", "")
    if subject and not may(READ_CASES):
        raise NotAllowed(role=who.role.label, verb=READ_CASES)
    listener = Listener(
        found.newsroom, who.scope.admits if station == ANY_STATION else station.__eq__,
        frozenset(request.args.getlist("kind")) & KINDS.keys(),
        _concerning(found, station, subject) if subject else tuple, _watching(request.environ),
    )
    name, after = who.account or who.actor, _after(found)
    try:
        found.newsroom.enter(name)
    except TooManyListening as refusal:
        answer = of_refusal(refusal)
        answer.headers["Retry-After"] = RETRY_AFTER_SECONDS
        return answer
    stream = Response(listener.told(after), mimetype="text/event-stream")
    stream.call_on_close(lambda: found.newsroom.leave(name))
    stream.headers["X-Accel-Buffering"] = "no"
    return stream


def _watching(environ: Mapping[str, Any]) -> Callable[[float], bool]:
    """Waits on the connection itself, so that a page that was left gives its place back at once."""
    connection: socket | None = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if connection is None:
        return slept

    def is_there_after(seconds: float) -> bool:
        with DefaultSelector() as selector:
            selector.register(connection, EVENT_READ)
            if not selector.select(seconds):
                return True
        try:
            is_gone = connection.recv(1, MSG_PEEK) == b""
        except OSError:
            is_gone = True
        return not is_gone and slept(seconds)  # who sends more than he was asked for, waits

    return is_there_after


def _after(found: Services) -> int:
    """From where on: after the last event that was told, else as the page says, else now."""
    given = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    is_position = given.isascii() and given.isdigit() and len(given) <= MOST_DIGITS
    return int(given) if is_position else found.read_models.position()


def _concerning(
    found: Services, station: str, subject: str
) -> Callable[[Sequence[str]], Collection[str]]:
    """Which streams have anything on the timeline of a household or another subject."""

    def concerning(streams: Sequence[str]) -> Collection[str]:
        query = select(record_subjects.c.stream).where(
            record_subjects.c.station == station, record_subjects.c.subject == subject,
            record_subjects.c.stream.in_(streams),
        )
        with found.read_models.engine.connect() as connection:
            return set(connection.execute(query).scalars())

    return concerning


def follow(*kinds: str, subject: str = "") -> None:
    """Let the page that is made now be told of what is recorded after it.

    To be called before the page reads anything. A page about an earlier moment stays as it is.
    """
    if request.args.get("as_of") or request.args.get("known_at"):
        return
    asked: dict[str, Any] = {"after": services().read_models.position(), "kind": kinds or None}
    g.listens_at = url_for(
        "events.listen", station=station_of_request(), subject=subject or None, **asked
    )


def install(app: Flask) -> None:
    """Serve the events, and let templates ask where their page listens."""
    app.register_blueprint(events)
    app.jinja_env.globals["listens_at"] = lambda: g.get("listens_at")
