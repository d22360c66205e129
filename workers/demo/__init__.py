"""Which invented station is shown to a newcomer?

The station and its people do not exist. Its November 2024 has the figures that a real
station published, so that they can be compared.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

DEMO_STATION: Final = "qianfoshan"
DEMO_SOURCE: Final = "demo"
DEMO_MONTH: Final = "2024-11"
DEMO_PUBLISHED: Final = ("2024-07", "2024-08", "2024-09", "2024-10")
"""The months that are published when the demo opens; November is left to the newcomer."""
DEMO_FILE: Final = "qianfoshan-2024-2025.jsonl.gz"


def demo_history() -> Iterator[bytes]:
    """The lines of the demo's history file."""
    packed = files(__package__).joinpath(DEMO_FILE).read_bytes()
    return iter(gzip.decompress(packed).splitlines())
