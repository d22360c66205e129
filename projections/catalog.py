"""Which projections are there? A new one is one file and one line here."""

from typing import Final

from projections import (  # noqa: F401 - loading a module registers its projections
    aliases,
    audit_trail,
    case_progress,
    erasures,
    evaluations,
    evidence,
    group_progress,
    household_status,
    indicator_versions,
    monthly_counts,
    postings,
    publications,
    referrals,
    staff_growth,
    timeline,
    volunteer_hours,
)
from projections.kernel import PROJECTIONS

PARTS: Final = (
    ("timeline", "audit_trail", "erasures", "aliases"),
    (
        "postings", "monthly_counts", "household_status", "contacts", "needs", "referrals",
        "volunteer_hours", "staff_growth", "case_progress", "group_progress", "publications",
        "indicator_definitions", "evaluations", "evidence",
    ),
)
"""What is rebuilt in one pass, each part by a worker of its own: about equal work."""

__all__ = ["PARTS", "PROJECTIONS"]
