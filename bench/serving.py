"""What does recording over HTTP cost beside an empty route, and how long do pages take?"""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from api.identity import issue_token, tokens_engine
from bench.freshness import service
from bench.places import Place, Servers, fill
from bench.ratios import Ratio, in_turns, percentile, rate, seconds
from projections.engine import ReadModels

CLIENTS: Final = 4
STATION: Final = "s001"
LIMIT_SECONDS: Final = 0.010
PAGES: Final = (
    "/api/v1/reports/2024-11", "/api/v1/households", "/api/v1/visits",
    "/api/v1/referral-tracking",
)
TWO_CORES: Final = (
    "web, worker, database and the asking client share the machine's cores, and Python's"
    " threads each other's turn"
)
OWN_KEY: Final = (
    "a visit without a household has a note of its own key, so that a key is committed before"
    " the event, and the worker takes the events in on the same cores"
)
_numbers = itertools.count(1)


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Client:
    """One connection that is kept alive."""

    def __init__(self, port: int, token: str) -> None:
        """Remember where and who."""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: Any = None) -> int:
        """One request; answers the status."""
        sent = None if body is None else json.dumps(body)
        self._connection.request(method, path, sent, self._headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status


def _rate(clients: list[Client], count: int, method: str, path: str, status: int) -> float:
    def work(client: Client) -> None:
        for _ in range(count // CLIENTS):
            body = {
                "occurred_on": "2024-11-05", "mode": "home", "purpose": "routine",
                "outcome": "met", "persons_met": 1, "note": f"第{next(_numbers)}次",
            } if method == "POST" else None
            found = client.ask(method, path, body)
            assert found == status, (path, found)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return rate(count, lambda: list(pool.map(work, clients)))


def prepared(place: Place) -> str:
    """Fill a place with two stations' year and its read models; answers a lead's token."""
    with place.ledger() as ledger:
        fill(ledger, 2)
        read_models = ReadModels(place.read_url)
        read_models.advance(ledger)
        read_models.close()
    return token_at(place, STATION)


def token_at(place: Place, station: str) -> str:
    """A lead's token."""
    engine = tokens_engine(place.ledger_url)
    token = issue_token(engine, "worker-1", "lead", station, 1)
    engine.dispose()
    return token


def measure(servers: Servers, database: str, *, is_quick: bool) -> list[Ratio]:
    """A visit recorded beside an empty route, and the slowest of the pages' queries."""
    count, place, port = (400 if is_quick else 2_000), servers.place(database), free_port()
    token = prepared(place)
    with service(place, port) as running:
        running.run("web")
        await_port(port)
        clients = [Client(port, token) for _ in range(CLIENTS)]
        visits = "/api/v1/visits"
        found = in_turns({
            "empty": lambda: _rate(clients, count, "GET", "/healthz", 200),
            "visit": lambda: _rate(clients, count, "POST", visits, 201),
        }, 3)
        ratios = [Ratio(
            "record a visit over HTTP ÷ an empty route", database,
            found["visit"] / found["empty"], 0.35,
            f"{found['visit']:,.0f} ÷ {found['empty']:,.0f} requests/s", reason=OWN_KEY,
        )]
        ratios += [page(clients[0], database, url, count) for url in PAGES]
    return ratios


def page(client: Client, database: str, url: str, count: int) -> Ratio:
    """How long the slowest of a page's answers take, beside the limit."""
    assert client.ask("GET", url) == 200, url
    taken = [seconds(lambda: client.ask("GET", url)) for _ in range(count)]
    p99 = percentile(taken, 0.99)
    return Ratio(
        f"GET {url.partition('?')[0]}, p99 ÷ 10 ms", database, p99 / LIMIT_SECONDS, 1,
        f"p50 {percentile(taken, 0.5) * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms",
        is_bound=True, reason=TWO_CORES,
    )


def await_port(port: int) -> None:
    """Wait until somebody listens there.

    :raises TimeoutError: where nobody does.
    """
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the web process did not come up")
