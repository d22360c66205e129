"""Why is a figure what it is, and why is something not in it?

Both are answered from the statements that count the figure (``counting.py``): what is behind
it are the postings that meet all their conditions, and what is not in it failed one of them,
which is then named. Nothing here decides anew what counts.
"""

from projections.counting import Term
from projections.explaining.answers import Answer, Line, Verdict
from projections.explaining.composition import Explanation, explained
from projections.explaining.erased_subjects import ToldOfNobody
from projections.explaining.question import (
    Question,
    UnknownIndicator,
    question_of_publication,
    row_of,
)
from projections.explaining.reasons import Because, Reason
from projections.explaining.sought_households import household_meant, named_at
from projections.explaining.sought_records import (
    About,
    AmbiguousRecord,
    OfOtherStation,
    about_record,
    about_subject,
)
from projections.explaining.why_not import why_not

__all__ = [
    "About",
    "AmbiguousRecord",
    "Answer",
    "Because",
    "Explanation",
    "Line",
    "OfOtherStation",
    "Question",
    "Reason",
    "Term",
    "ToldOfNobody",
    "UnknownIndicator",
    "Verdict",
    "about_record",
    "about_subject",
    "explained",
    "household_meant",
    "named_at",
    "question_of_publication",
    "row_of",
    "why_not",
]
