"""What did the last sealing, verification of the whole log and backup find, and when?

Each keeps it in a file of the home, outside the database that it is about. Whoever is
asked how the service is reads these, and so does no work that grows with the log.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from workers.whole_files import whole

SEALING: Final = "sealing-verdict.json"
VERIFICATION: Final = "verification-verdict.json"
EVIDENCE: Final = "evidence-verdict.json"
"""What the same verification found of the files of evidence; it stops no sealing."""
BACKUP: Final = "backup-verdict.json"
"""When the last backup was made; not in it, so that a restored home has none."""
UNKNOWN: Final = datetime(1970, 1, 1, tzinfo=UTC)
MOST_BYTES: Final = 10_000
MOST_CHARACTERS: Final = 500


class Kept(msgspec.Struct, frozen=True):
    """What was found, and when; no ``alarm`` where all was well."""

    at: datetime
    alarm: str | None = None


def read(folder: Path, name: str) -> Kept | None:
    """What was found last; a file that cannot be read is an alarm, too."""
    file = folder / name
    try:
        with file.open("rb") as source:
            return msgspec.json.decode(source.read(MOST_BYTES), type=Kept)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        return Kept(UNKNOWN, f"无法读取 {file}（{type(error).__name__}）：请运行 taizhang verify")


def alarm(folder: Path, name: str) -> str | None:
    """What was wrong last, if anything."""
    found = read(folder, name)
    return None if found is None else found.alarm


def keep(folder: Path, name: str, found: Kept) -> None:
    """Keep what was found, whole or not at all."""
    said = found.alarm and found.alarm[:MOST_CHARACTERS]
    with whole(folder / name) as target:
        target.write(msgspec.json.encode(Kept(found.at, said)))
