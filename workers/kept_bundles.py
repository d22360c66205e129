"""Where is a bundle that a reviewer asked for over HTTP, until he has fetched it?

One file a station and cycle, in a folder of the home that the workers and the API share. A
new one takes the place of the one before; one that nobody fetched goes after a day.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from workers.settings import Settings

KEPT: Final = timedelta(days=1)


def bundle_file(settings: Settings, station: str, cycle: str) -> Path:
    """Where the bundle of a station and cycle is, or will be.

    A cycle's name has no dot, so no station's code can lead out of the folder.
    """
    return settings.home.absolute() / "bundles" / f"{station}-{cycle}.zip"


def room_for_bundles(settings: Settings, now: datetime) -> Path:
    """The folder of the bundles, made where it is missing, without those of days gone by."""
    folder = settings.home.absolute() / "bundles"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in folder.iterdir():
        if file.stat().st_mtime < (now - KEPT).timestamp():
            file.unlink(missing_ok=True)
    return folder
