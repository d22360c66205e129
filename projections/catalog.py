"""Which projections are there? A new one is one file and one line here."""

from projections import (  # noqa: F401 - loading a module registers its projections
    household_status,
    monthly_counts,
    postings,
    referrals,
    staff_growth,
    timeline,
    volunteer_hours,
)
from projections.kernel import PROJECTIONS

__all__ = ["PROJECTIONS"]
