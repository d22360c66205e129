"""How is a figure named that is to be explained, on a route, a page or the command line?

By its period, its code and the two times, or as it was published: then by the definitions,
days and position of that publication.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from domain.indicators import Indicator, refuse_faults
from domain.kernel import Refused
from domain.ledger import Ledger
from projections.engine import ReadModels
from projections.explaining import (
    About,
    Question,
    about_record,
    about_subject,
    question_of_publication,
    row_of,
)
from projections.indicator_checks import set_faults
from projections.indicator_versions import station_set
from projections.moments import Moment
from projections.monthly_report import station_profile
from projections.periods import Period
from projections.published_reports import Publication, publication
from projections.report_periods import report_period
from projections.standing import summed
from projections.trends import PARTED_BY, narrowed

ABOUT: Final = ("household", "person", "volunteer", "record")
"""By what it is named of whom a question is asked."""


class NobodyNamed(
    Refused, code="nobody_named", status=400, title="须指明问的是谁",
    detail="请用 household（户）、person（个人）、volunteer（志愿者）或 record（记录）之一"
    "写明编号。",
):
    """It is asked about one household, person, volunteer or record."""


class PublishedAsItWas(
    Refused, code="published_as_it_was", status=400, title="已发布的数字只有一种问法",
    detail="已发布的数字按发布时的口径和所知说明，不能再指定 as_of、known_at、version、"
    "community 或 staff。",
):
    """A published figure has its own definitions, days and moment."""


NOW: Final = Moment()


def within_of(given: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Of which community, or of whose statements alone, it is asked."""
    return tuple((by, str(given[by])) for by in PARTED_BY if given.get(by) is not None)


@dataclass(frozen=True, slots=True)
class Named:
    """A figure by its names; ``published`` is the number of a publication (0: the newest)."""

    period: str
    code: str
    set_code: str | None = None
    moment: Moment = NOW
    version: int | None = None
    published: int | None = None
    within: tuple[tuple[str, str], ...] = ()
    """Of what alone it is asked: a community, or somebody who stated it."""
    definitions: tuple[Indicator, ...] = ()
    """By which other definitions it is counted, as if it had always been so: what if?"""


@dataclass(frozen=True, slots=True)
class Posed:
    """The question that names make, as it was asked, up to where the log was read."""

    question: Question
    moment: Moment
    position: int
    publication: Publication | None = None

    @property
    def printed(self) -> str | None:
        """The figure as the publication printed it."""
        if self.publication is None:
            return None
        code = self.question.row.code
        return next(f.display for f in self.publication.figures if f.code == code)


def period_of(text: str) -> Period:
    """The days of a report's period, or of any span that is written with two dots.

    :raises BadReportPeriod: for neither.
    :raises BadPeriod: for a span that is none.
    """
    return Period.of(text) if ".." in text else report_period(text).period


@contextmanager
def posed(
    read_models: ReadModels, ledger: Ledger, station: str, named: Named
) -> Iterator[Posed]:
    """The question about a figure, open as long as it is answered."""
    with summed(read_models, named.moment) as then:
        if named.published is not None:
            found = _published(ledger, station, named)
            question = question_of_publication(then.connection, ledger, found, named.code)
            position = found.snapshot.position
            yield Posed(question, Moment(None, position), position, found)
            return
        period = period_of(named.period)
        code = named.set_code or station_profile(ledger, station).indicator_set
        chosen = station_set(
            then.connection, station, code, period, known_at=then.known_at,
            version=named.version,
        ).always_defining(named.definitions)
        if named.definitions:
            refuse_faults(set_faults(chosen.indicators), "/definitions")
        for by, value in named.within:
            chosen = narrowed(chosen, by, value)
        row = row_of(chosen, named.code)
        question = Question(
            then.connection, ledger, station, chosen, row, period, then.as_of, then.known_at
        )
        yield Posed(question, named.moment, then.position)


def _published(ledger: Ledger, station: str, named: Named) -> Publication:
    """The publication that is named.

    :raises PublishedAsItWas: where it is to be counted otherwise than it was.
    :raises ReportNotPublished: where there is none.
    """
    is_otherwise = named.version is not None or named.within or named.definitions
    if not named.moment.is_present or is_otherwise:
        raise PublishedAsItWas
    return publication(ledger, station, named.period, named.published or None)


def about_of(question: Question, given: Mapping[str, Any], *, sees_all: bool) -> About:
    """Of whom, or of which record, it is asked.

    :raises NobodyNamed: where not exactly one is named.
    """
    said = {name: str(given[name]).strip() for name in ABOUT if given.get(name)}
    if len(said) != 1:
        raise NobodyNamed
    [(kind, named)] = said.items()
    if kind == "record":
        return about_record(question, named, sees_all=sees_all)
    return about_subject(question, kind, named, sees_all=sees_all)
