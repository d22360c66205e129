"""Which figures does the field count, and which event posts what to which of them?

A measure is its definition and its postings, together; nothing else in the program
knows how that figure is counted. A posting is one signed entry that an event makes; it
is a pure function of the event. Corrections need no code here: see ``postings.py``.
"""

from projections.measures import (  # noqa: F401 - loading a module registers its measures
    assistance,
    casework,
    contact,
    durations,
    growth,
    households,
    services,
)
from projections.measures.kernel import (
    MEASURES,
    POSTS,
    TIMED,
    UNSTATED,
    CodeSource,
    Kind,
    Measure,
    Posting,
)

__all__ = [
    "MEASURES", "POSTS", "TIMED", "UNSTATED", "CodeSource", "Kind", "Measure", "Posting",
]
