"""How is a request recorded only once? By its idempotency key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eventsourcing.persistence import IntegrityError, StoredEvent

PAGE: Final = 5_000
"""How many events are read at once."""
StoredRow = tuple[int, str, int, str, bytes]
"""An event as it is stored: position, stream, version, topic, state."""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """An idempotency key: the same key and body are the same request.

    ``fingerprint`` is a hash of the request's body; ``scope`` the station and actor
    whose key it is.
    """

    scope: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What the first request with a key recorded."""

    fingerprint: str
    stream: str
    version: int


class KeyAlreadyUsedError(IntegrityError):
    """The idempotency key was recorded before, or just now by a concurrent request."""


def key_row(request: RequestKey, event: StoredEvent) -> tuple[str, str, str, str, int]:
    """What is kept of a request: scope, key, fingerprint, stream and version."""
    return (
        request.scope, request.key, request.fingerprint,
        str(event.originator_id), event.originator_version,
    )
