"""A network that is cut where a test says: before a request, on its way, after the commit."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Cut(Enum):
    """Where on its way a request is lost."""

    BEFORE = "the request never reaches the service"
    AFTER = "the service has committed, its answer never comes back"
    HALFWAY = "the answer breaks off within its body"
    PORTAL = "somebody else answers, as a hotel's sign-in page does"


@dataclass
class Cutting:
    """In front of the application: loses requests that record, as often as it is told."""

    app: Wsgi
    cuts: list[Cut] = field(default_factory=list)
    lost: list[Cut] = field(default_factory=list)
    is_down: bool = False
    """No request of any kind arrives: also none of a service worker."""

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Serve a request, or lose it."""
        if self.is_down:
            return _hung_up(environ, start)
        is_recording = environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"].startswith("/record/")
        if not (is_recording and self.cuts):
            return self.app(environ, start)
        cut = self.cuts.pop(0)
        self.lost.append(cut)
        if cut is Cut.PORTAL:
            start("200 OK", [("Content-Type", "text/html")])
            return [b"<h1>Please buy our wifi</h1>"]
        if cut is not Cut.BEFORE:
            list(self.app(environ, lambda *_said: lambda _chunk: None))
        if cut is Cut.HALFWAY:
            start("201 CREATED", [("Content-Type", "application/json"), ("Content-Length", "500")])
            return [b'{"position": 1,']
        return _hung_up(environ, start)


def _hung_up(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    start("500 CUT", [])
    return []
