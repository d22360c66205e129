"""How are parked events tried again in the background?"""

from __future__ import annotations

from workers import runtime


def retry(projection: str) -> int:
    """Try a projection's parked events again; answers how many remain parked."""
    here = runtime.current()
    return here.read_models.retry_parked(projection, here.ledger)
