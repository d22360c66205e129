"""Is every file of evidence there, and is it what its event says?

What is compared is the sealed file as it lies on the disk, with the SHA-256 by which its
event names it: no key is needed, and nothing is opened. A file whose person was erased is
rightly gone. A copy of a file is no proof of the log, so that what is wrong here stops no
sealing; it is an alarm of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from domain.evidence import EvidenceAttached
from domain.kernel import Recorded
from domain.ledger import StoredRow, recorded_row
from domain.vault import Vault
from domain.verdict import Verdict
from workers.evidence_files import EvidenceAltered, EvidenceMissing, evidence_file
from workers.settings import Settings


class FileVerification:
    """Compares the files that the events of a log name, as its pages come by."""

    def __init__(self, settings: Settings, vault: Vault, verdict: Verdict) -> None:
        """Look in the home's folder, and note in a verdict of its own what is wrong."""
        self._settings, self._vault, self._verdict = settings, vault, verdict

    def look(self, page: Sequence[StoredRow]) -> None:
        """Compare the files of a page of the log."""
        for row in page:
            if row[3] != EvidenceAttached.topic:
                continue
            try:
                event = recorded_row(row)
            except ValueError:
                continue  # altered itself, which the log's own verification names
            self._compare(event)

    def _compare(self, event: Recorded) -> None:
        attached = event.event
        assert isinstance(attached, EvidenceAttached)
        self._verdict.events += 1
        try:
            with evidence_file(self._settings, attached.file).open("rb") as box:
                found = hashlib.file_digest(box, "sha256").hexdigest()
        except OSError:  # not there, or not to be read
            if not self._vault.is_erased(attached.file_key):
                self._add(EvidenceMissing(file=attached.file), event.position)
            return
        if found != attached.file:
            self._add(EvidenceAltered(file=attached.file), event.position)

    def _add(self, refusal: EvidenceMissing | EvidenceAltered, position: int) -> None:
        self._verdict.add(refusal.code, position, f"第 {position} 条的佐证：{refusal}")


def files_alarm_of(verdict: Verdict) -> str | None:
    """Which file is missing or altered first."""
    return f"{verdict.faults[0].detail}（共 {verdict.fault_count} 处）" if verdict.faults else None
