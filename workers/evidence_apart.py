"""How is a file cleaned that was made to break or to fill whoever opens it?

In a process of its own with little memory and time: a small file may unpack to anything.
It is sent the file and answers what is left, or why it is refused; whatever else becomes of
it is a refusal, too. A few at a time, so that the machine stays for other work.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
from typing import Final

import structlog

from domain.evidence import MOST_BYTES, MediaType
from domain.kernel import Refused
from workers.evidence_cleaning import (
    CleanFile,
    EvidenceTooLarge,
    EvidenceUnreadable,
    clean_picture,
    media_type_of,
    too_large,
)
from workers.evidence_papers import clean_paper

AT_ONCE: Final = 2
MEMORY_BYTES: Final = 512 << 20
SECONDS: Final = 20
WAIT_SECONDS: Final = 10
"""How long a file waits for its turn; a thread of the web process waits with it."""
CLEAN, TOO_LARGE, UNREADABLE = 0, 3, 4
"""Exit codes of the process."""

log = structlog.get_logger(__name__)
_places: Final = threading.BoundedSemaphore(AT_ONCE)


class EvidenceBusy(
    Refused, code="evidence_busy", status=503, title="正在处理其他文件",
    detail="正在处理其他人添加的文件，这份还没有添加；请稍后再试。",
):
    """Nobody waits for long: the pages of others need the threads, too."""


def cleaned(content: bytes) -> CleanFile:
    """An uploaded file without metadata.

    :raises EvidenceEmpty: for no bytes.
    :raises EvidenceTooLarge: for too many bytes, pixels or pages, or too much work.
    :raises EvidenceType: for what is neither JPEG, PNG nor PDF.
    :raises EvidenceUnreadable: for what is damaged or encrypted.
    :raises EvidenceBusy: where others had their files cleaned all the while.
    """
    media_type = media_type_of(content)
    if not _places.acquire(timeout=WAIT_SECONDS):
        raise EvidenceBusy
    try:
        clean = _sent_to_child(content)
    finally:
        _places.release()
    return CleanFile(media_type, clean)


def _sent_to_child(content: bytes) -> bytes:
    command = [sys.executable, "-P", "-m", "workers.evidence_apart"]
    try:
        done = subprocess.run(  # noqa: S603 - our own command line, no shell
            command, input=content, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=SECONDS, check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise too_large() from error
    if done.returncode == CLEAN:
        return done.stdout
    log.info("a file could not be cleaned", exit_code=done.returncode)
    if done.returncode == TOO_LARGE:
        raise too_large()
    raise EvidenceUnreadable


# ---- within the child ----


def main() -> int:
    """Clean what comes in on standard input; answers the exit code."""
    if sys.platform == "linux":  # elsewhere the time alone is limited
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    content = sys.stdin.buffer.read()
    try:
        clean = _clean(content)
    except (EvidenceTooLarge, MemoryError):
        return TOO_LARGE
    except EvidenceUnreadable:
        return UNREADABLE
    if len(clean) > MOST_BYTES:
        return TOO_LARGE
    sys.stdout.buffer.write(clean)
    return CLEAN


def _clean(content: bytes) -> bytes:
    media_type = media_type_of(content)
    if media_type is MediaType.PDF:
        return clean_paper(content)
    return clean_picture(content, media_type)


if __name__ == "__main__":
    sys.exit(main())
