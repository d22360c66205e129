"""How do the cores share the suite? One has the files with slow tests, the others take the rest.

``--dist=loadgroup`` would do this by a mark, but pytest 9.2 gives a test's id no suffix any
more, which is how pytest-xdist 3.8 carries the mark to the process that shares out the work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

TESTS: Final = Path(__file__).resolve().parent
SLOW: Final = "slow"


class OneSlowTestAtATime(LoadScopeScheduling):
    """The largest share, that of the slow files, is begun first; all others are single tests."""

    def __init__(self, config: object, log: Producer | None = None) -> None:
        """Find the files with a slow test."""
        super().__init__(config, log)
        self._slow = {
            f"{TESTS.name}/{path.relative_to(TESTS).as_posix()}"
            for path in TESTS.rglob("test_*.py")
            if f"pytest.mark.{SLOW}" in path.read_text(encoding="utf-8")
        }

    def _split_scope(self, nodeid: str) -> str:
        return SLOW if nodeid.partition("::")[0] in self._slow else nodeid
