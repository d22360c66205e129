"""Which figure is to be explained: of which station, days and moment, by which definition?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from msgspec.structs import replace as with_fields
from sqlalchemy import Connection

from domain.indicators import Aggregation, Indicator
from domain.kernel import Recorded, Refused
from domain.ledger import Ledger
from projections.aliases import Aliases, aliases_at
from projections.counting import Sought, parameters, sought
from projections.figures import Figure, figures
from projections.indicator_checks import aggregation_of
from projections.indicators import IndicatorSet
from projections.knowing import KnownBy
from projections.measures import MEASURES
from projections.moments import KnownAt
from projections.periods import Period
from projections.published_reports import Publication, indicators_of


class UnknownIndicator(
    Refused, code="unknown_indicator", status=404, title="没有这个指标",
    detail="指标集 {set_code} 中没有“{got}”。",
):
    """A figure that the set does not have."""


@dataclass(frozen=True)
class Question:
    """A figure: ``indicators`` is the set with its earlier versions, ``row`` one of its rows."""

    connection: Connection
    ledger: Ledger
    station: str
    indicators: IndicatorSet
    row: Indicator
    period: Period
    as_of: date | None = None
    known_at: KnownAt | None = None

    @cached_property
    def cut(self) -> Period:
        """The period, cut off after ``as_of``."""
        return self.period.until(self.as_of)

    @cached_property
    def merged(self) -> Aliases:
        """What counts as what, as known at the moment."""
        return aliases_at(self.connection, self.station, self.known_at)

    @cached_property
    def sought(self) -> Sought:
        """What is counted. A mean of months is asked for as what stands at its end."""
        return sought(_at_end(self.row), self.indicators, self.cut)

    @property
    def moment(self) -> KnownBy:
        """By which columns the moment of knowing is told."""
        return KnownBy.of(self.known_at)

    @property
    def entities(self) -> str:
        """Of which kind those are that the figure counts; "" where it sums records."""
        return MEASURES[self.row.measure].entities if self.row.measure else ""

    @property
    def counts_entities(self) -> bool:
        """Whether each entity counts once, however many records name it."""
        is_distinct = aggregation_of(self.row) is Aggregation.DISTINCT
        return is_distinct or self.row.without is not None

    @property
    def values(self) -> dict[str, object]:
        """What the conditions' parameters are."""
        return parameters(self.station, self.cut, self.known_at, (self.sought,))

    @cached_property
    def _histories(self) -> dict[str, list[Recorded]]:
        return {}

    def history(self, stream: str) -> list[Recorded]:
        """Everything that was recorded of a stream; read once."""
        if stream not in self._histories:
            self._histories[stream] = self.ledger.history(stream)
        return self._histories[stream]

    def figures(self) -> list[Figure]:
        """Every figure of the set."""
        return figures(
            self.connection, self.station, self.indicators, self.period, as_of=self.as_of,
            known_at=self.known_at,
        )

    def about(self, code: str) -> Question:
        """The same question about another row of the set."""
        return replace(self, row=row_of(self.indicators, code))

    def month_ends(self) -> list[Question]:
        """The questions of which a mean of months is the mean."""
        row = _at_end(self.row)
        return [
            replace(self, row=row, period=month, as_of=None,
                    indicators=with_fields(self.indicators, earlier=()).defining((row,)))
            for month in self.cut.months()
        ]


def is_mean(row: Indicator) -> bool:
    """Whether the figure is the mean of what stood at the ends of months."""
    return aggregation_of(row) is Aggregation.MONTHLY_MEAN


def _at_end(row: Indicator) -> Indicator:
    return with_fields(row, aggregation=Aggregation.AT_END) if is_mean(row) else row


def row_of(indicators: IndicatorSet, code: str) -> Indicator:
    """The row of a code.

    :raises UnknownIndicator: where the set has none such.
    """
    row = indicators.row(code)
    if row is None:
        raise UnknownIndicator(set_code=indicators.code, got=code[:80])
    return row


def question_of_publication(
    connection: Connection, ledger: Ledger, published: Publication, code: str
) -> Question:
    """The question that a published figure answers: by its definitions, as known then."""
    snapshot = published.snapshot
    indicators = indicators_of(snapshot)
    return Question(
        connection, ledger, snapshot.station, indicators, row_of(indicators, code),
        Period(snapshot.first_on, snapshot.last_on), known_at=snapshot.position,
    )
