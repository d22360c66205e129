"""What is asked of the long log alone: do whole pages stay within their limit?

A question takes what has grown and its length, and gives ratios; add it to ``OF_A_LONG_LOG``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.evaluations import evaluated
from bench.freshness import service
from bench.grown import Grown
from bench.ratios import Ratio
from bench.serving import PAGES, Client, await_port, free_port, page, token_at
from projections.engine import ReadModels
from projections.household_status import household_list

Question = Callable[[Grown, int], list[Ratio]]
ASKED: Final = 400
WEB_PAGES: Final = ("/", "/households/{household}", "/months/2024-11")
"""What people read: a station, a household and a month's report."""


def pages_over_http(found: Grown, events: int) -> list[Ratio]:
    """Each page that is read over HTTP, of a station in the middle of the log."""
    place, station, port = found.place, found.stations[len(found.stations) // 2], free_port()
    token = token_at(place, station)
    household = _household(found, station)
    with TemporaryDirectory() as home, service(place, port, Path(home)) as running:
        running.run("web")
        await_port(port)
        client = Client(port, token)
        urls = (*PAGES, *(url.format(household=household) for url in WEB_PAGES))
        measured = [page(client, place.database, url, ASKED) for url in urls]
    return [
        replace(ratio, name=f"{events:,} events: {ratio.name.replace(household, 'ID')}")
        for ratio in measured
    ]


def _household(found: Grown, station: str) -> str:
    read_models = ReadModels(found.place.read_url)
    with read_models.engine.connect() as connection:
        [first] = household_list(connection, station, limit=1)
    read_models.close()
    return first.household


OF_A_LONG_LOG: Final[tuple[Question, ...]] = (pages_over_http, evaluated)
