"""Which routes has merging? Of households and of persons, each under its own name."""

from __future__ import annotations

from typing import Final

from api.recording import Noun
from domain.merging import (
    HOUSEHOLDS,
    MERGE,
    PERSONS,
    HouseholdMergeProposed,
    MergeApproved,
    MergeDeclined,
    MergeEnded,
    PersonMergeProposed,
)

MERGES: Final = Noun("merges", MERGE)
MERGES.takes("proposals", HouseholdMergeProposed, of=HOUSEHOLDS)
MERGES.takes("proposals", PersonMergeProposed, of=PERSONS)
MERGES.takes("approvals", MergeApproved, by="merge-approvals")
MERGES.takes("refusals", MergeDeclined, by="merge-refusals")
MERGES.takes("endings", MergeEnded, by="merge-approvals")
