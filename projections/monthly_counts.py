"""What do the postings add up to, month by month?

The same postings as the ledger of postings, summed by month, so that a month's figures
as they are known today are read in a few rows, however long the log is. ``entity`` is
kept for distinct measures only, which count entities and not amounts.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Final

from sqlalchemy import BigInteger, Column, Date, String, Table, Text

from domain.kernel import stream_station
from projections.kernel import Amounts, Batch, Fault, SumProjection, metadata
from projections.measures import Kind
from projections.postings import DIMENSIONS, posted

monthly_counts: Final = Table(
    "monthly_counts",
    metadata,
    Column("station", String(64), primary_key=True),
    Column("measure", String(64), primary_key=True),
    Column("effective_on", Date, primary_key=True),
    *(Column(name, Text, primary_key=True) for name in DIMENSIONS),
    Column("approximation", String(16), primary_key=True),
    Column("entity", Text, primary_key=True),
    Column("amount", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""``effective_on`` is the first day of the month."""
_dimensions: Final = attrgetter(*DIMENSIONS, "approximation")


class MonthlyCounts(SumProjection):
    """The postings summed by month."""

    name = "monthly_counts"
    label = "按月统计"
    version = 2
    tables = (monthly_counts,)

    def amounts(self, batch: Batch, faults: list[Fault]) -> Amounts:
        """One key a posting: all dimensions, with the day rounded down to its month."""
        answers, failed = batch.each(posted)
        faults += failed
        for event, made in answers:
            station = stream_station(event.stream)
            for measure, posting, on, amount, _entry in made:
                yield (
                    station, measure.code, on.replace(day=1), *_dimensions(posting),
                    posting.entity if measure.kind is Kind.DISTINCT else "",
                ), amount
