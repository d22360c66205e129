"""Which WSGI server serves the application best? The same routes on each, in turns."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final

from api.app import create_app
from api.cli.web import THREADS, serve_web
from bench.freshness import ROOT, Service, service
from bench.places import Servers
from bench.ratios import Ratio, in_turns, percentile
from bench.serving import CLIENTS, Client, await_port, free_port, prepared
from workers.settings import Settings

ROUTES: Final = ("/api/v1/reports/2024-11", "/api/v1/visits")
SMALLEST: Final = 0.9
"""Ours may be a tenth slower than the best: the difference of two runs of the same."""


def with_gunicorn(settings: Settings) -> None:
    """As the program serves itself."""
    serve_web(settings, None)


def with_waitress(settings: Settings) -> None:
    """Waitress, with as many threads."""
    import waitress  # noqa: PLC0415 - only where it is measured

    waitress.serve(
        create_app(settings), host=settings.host, port=settings.port, threads=THREADS,
        channel_timeout=120,
    )


def with_granian(settings: Settings) -> None:
    """Granian, with as many threads behind its own event loop."""
    from granian import Granian  # noqa: PLC0415 - only where it is measured
    from granian.constants import Interfaces  # noqa: PLC0415

    Granian(
        "bench.web_servers:application", address=settings.host, port=settings.port, workers=1,
        interface=Interfaces.WSGI, factory=True, blocking_threads=THREADS, log_enabled=False,
    ).serve()


def application() -> object:
    """The application, for a server that makes it in a process of its own."""
    return create_app(Settings.from_environment())


SERVERS: Final[dict[str, Callable[[Settings], None]]] = {
    "gunicorn": with_gunicorn, "waitress": with_waitress, "granian": with_granian,
}


@dataclass
class Served:
    """One server at work, and every delay that was measured with it, in seconds."""

    port: int
    clients: list[Client]
    delays: dict[str, list[float]] = field(default_factory=dict)

    def rate(self, url: str, count: int) -> float:
        """How many requests a second four clients get answered."""
        taken = self.delays.setdefault(url, [])

        def work(client: Client) -> None:
            for _ in range(count // CLIENTS):
                begun = time.perf_counter()
                assert client.ask("GET", url) == 200, url
                taken.append(time.perf_counter() - begun)

        begun = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(work, self.clients))
        return count / (time.perf_counter() - begun)


@contextmanager
def _served(name: str, running: Service, token: str) -> Iterator[Served]:
    port = free_port()
    environment = running.settings.environment() | {"TAIZHANG_PORT": str(port)}
    command = [sys.executable, "-m", "bench.web_servers", name]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)  # noqa: S603 - our own
    try:
        await_port(port)
        yield Served(port, [Client(port, token) for _ in range(CLIENTS)])
    finally:
        process.terminate()
        process.wait(20)


def measure(servers: Servers, database: str, *, is_quick: bool) -> list[Ratio]:
    """The program's own server beside the best of the others, by route."""
    count, place = (400 if is_quick else 2_000), servers.place(database)
    token = prepared(place)
    with ExitStack() as stack:
        running = stack.enter_context(service(place))
        at_work = {name: stack.enter_context(_served(name, running, token)) for name in SERVERS}
        return [_compared(at_work, database, url, count) for url in ROUTES]


def _compared(at_work: dict[str, Served], database: str, url: str, count: int) -> Ratio:
    found = in_turns({
        name: partial(server.rate, url, count) for name, server in at_work.items()
    })
    own, *others = SERVERS
    best = max(found[name] for name in others)
    said = (
        f"{name} {found[name]:,.0f}/s, p99 {percentile(server.delays[url], 0.99) * 1000:.1f} ms"
        for name, server in at_work.items()
    )
    return Ratio(
        f"{own} ÷ the best other WSGI server, GET {url}", database, found[own] / best, SMALLEST,
        "; ".join(said),
    )


if __name__ == "__main__":
    (chosen,) = islice(sys.argv[1:], 1)
    SERVERS[chosen](Settings.from_environment())
