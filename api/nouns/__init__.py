"""Under which names are records addressed? One file a noun; a new one is a line here."""

from __future__ import annotations

from typing import Final

from api.nouns.casework import CASEWORK
from api.nouns.erasures import ERASURES
from api.nouns.evidence import EVIDENCE
from api.nouns.households import HOUSEHOLDS
from api.nouns.merges import MERGES
from api.nouns.programme import PROGRAMME
from api.nouns.services import SERVICES
from api.nouns.stations import STATIONS
from api.nouns.volunteers import VOLUNTEERING
from api.recording import Noun

NOUNS: Final[tuple[Noun, ...]] = (
    STATIONS, HOUSEHOLDS, MERGES, *CASEWORK, *SERVICES, *VOLUNTEERING, *PROGRAMME,
    ERASURES, EVIDENCE,
)


def nouns_of(kind: str) -> list[Noun]:
    """The nouns under which records of a kind are addressed; none where they have no routes."""
    return [noun for noun in NOUNS if noun.kind.name == kind]
