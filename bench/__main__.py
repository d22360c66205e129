"""Which ratios are measured, and where are they written? ``python -m bench [PART …]``.

``QUICK=1`` measures less; ``DATABASE=sqlite`` (or ``postgresql``) only on one of them;
``GROWN=/folder`` keeps the long log of ``growing`` there and asks it again (``bench/grown.py``).
What is not measured anew stays in the results as it was.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from bench import (
    appending,
    catching_up,
    deciding,
    faces,
    freshness,
    growing,
    peers,
    sealing,
    serving,
    web_servers,
)
from bench.places import DATABASES, Servers, servers
from bench.report import show, show_peers, write
from bench.results import PEERS, RATIOS, Run, keep

MEASURED: Final = {
    part.__name__.rpartition(".")[2]: part
    for part in (
        appending, deciding, sealing, catching_up, freshness, serving, web_servers, faces, growing,
    )
}
PARTS: Final = (*MEASURED, "peers")


def main(only: Sequence[str]) -> int:
    """Measure every part, or those named; answers 0, also where a target is missed."""
    wanted = tuple(only) or PARTS
    databases = (os.environ.get("DATABASE"),) if os.environ.get("DATABASE") else DATABASES
    if unknown := [*(set(wanted) - set(PARTS)), *(set(databases) - set(DATABASES))]:
        sys.exit(f"bench: unknown {', '.join(map(str, unknown))}; parts are {', '.join(PARTS)}")
    is_quick = bool(os.environ.get("QUICK"))
    with servers() as place:
        for part in (name for name in PARTS if name in wanted):
            for database in (name for name in DATABASES if name in databases):
                measure(place, part, database, is_quick=is_quick)
    write()
    return 0


def measure(place: Servers, part: str, database: str, *, is_quick: bool) -> None:
    """Measure a part on a database, show what was found and keep it at once."""
    run = Run.now(is_quick=is_quick)
    if part == "peers":
        compared = peers.compare(place, database, is_quick=is_quick)
        show_peers(compared)
        keep(PEERS, run.peers(compared), PARTS)
    else:
        ratios = MEASURED[part].measure(place, database, is_quick=is_quick)
        show(ratios)
        keep(RATIOS, run.ratios(part, ratios), PARTS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
