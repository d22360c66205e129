"""Which ratios are measured, and where are they written? ``python -m bench``."""

from __future__ import annotations

import os
import sys
from typing import Final

from bench import (
    appending,
    catching_up,
    deciding,
    freshness,
    growing,
    peers,
    sealing,
    serving,
    web_servers,
)
from bench.places import DATABASES, servers
from bench.ratios import Peer, Ratio
from bench.report import show, show_peers, write

PARTS: Final = (
    appending, deciding, sealing, catching_up, freshness, serving, web_servers, growing,
)


def main(only: list[str]) -> int:
    """Measure every part, or those named; answers 0, also where a target is missed."""
    is_quick = bool(os.environ.get("QUICK"))
    found: list[Ratio] = []
    compared: list[Peer] = []
    with servers() as place:
        for part in PARTS:
            name = part.__name__.rpartition(".")[2]
            for database in DATABASES:
                if not only or name in only:
                    ratios = part.measure(place, database, is_quick=is_quick)
                    found += ratios
                    show(ratios)
        for database in DATABASES:
            if not only or "peers" in only:
                some = peers.compare(place, database, is_quick=is_quick)
                compared += some
                show_peers(some)
    if not only:
        write(found, compared, is_quick=is_quick)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
