"""Where is a bundle that a reviewer asked for over HTTP, until he has fetched it?

One file a station and cycle, in a folder of the home that the workers and the API share.
Writing a new one begins with taking the one before away, so that a file is always what was
asked for last; one that nobody fetched goes after a day.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from workers.kept_files import drop_oldest
from workers.settings import Settings

KEPT: Final = timedelta(days=1)
MOST_KEPT: Final = 200
"""How many bundles are kept at most, of all stations together."""


def bundle_file(settings: Settings, station: str, cycle: str) -> Path:
    """Where the bundle of a station and cycle is, or will be."""
    named = hashlib.sha256(f"{station}/{cycle}".encode()).hexdigest()
    return settings.home.absolute() / "bundles" / f"{named}.zip"


def room_for(file: Path, now: datetime) -> None:
    """Make room for a bundle: its folder, without the one before and those of days gone by."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    drop_oldest(file.parent, MOST_KEPT - 1, (now - KEPT).timestamp())
