"""Does the log give what was published, and what the read models hold?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from domain.publication import PublishedFigure
from projections.evaluation.replaying import Replayed
from projections.evaluation.score_sheet import ComparedReport, FigureDifference, MonthFigures
from projections.figures import figures
from projections.moments import KnownAt, bounded, known
from projections.periods import Period
from projections.published_reports import Publication, indicators_of, printed, publications_in
from projections.report_differences import restated_figures


def compared_reports(
    replayed: Replayed, cycle: Period, known_at: KnownAt | None
) -> Iterator[ComparedReport]:
    """Each period within a cycle that has a published report, by the days that it begins.

    The cycle ends with the day as of which it is asked: what was published of later days
    says nothing of it.
    """
    chains = [
        publications_in(known(replayed.history(stream.id), known_at))
        for stream in replayed.of_kind("report")
    ]
    within = [
        chain for chain in chains
        if chain and cycle.first <= chain[-1].snapshot.first_on
        and chain[-1].snapshot.last_on <= cycle.last
    ]
    for chain in sorted(within, key=lambda chain: (chain[-1].snapshot.first_on, chain[-1].period)):
        yield _compared(replayed, chain, known_at)


def _compared(
    replayed: Replayed, chain: Sequence[Publication], known_at: KnownAt | None
) -> ComparedReport:
    newest, now = chain[-1], bounded(known_at, replayed.position)
    return ComparedReport(
        period=newest.period, number=newest.number, code=newest.short_code,
        published_at=newest.published_at, actor=newest.actor, position=newest.snapshot.position,
        changed=restated_figures(replayed.connection, replayed, newest, now),
        unreproduced=tuple(_unreproduced(replayed, newest)),
        restatements=tuple(p.short_code for p in chain if p.is_restatement),
    )


def _unreproduced(replayed: Replayed, published: Publication) -> Iterator[FigureDifference]:
    """Where the log, as it was when the report was made, gives another figure."""
    snapshot = published.snapshot
    counted = figures(
        replayed.connection, replayed.station, indicators_of(snapshot),
        Period(snapshot.first_on, snapshot.last_on), known_at=snapshot.position,
    )
    yield from differing(published.period, list(map(printed, counted)), snapshot.figures)


def differing(
    where: str, replayed: Sequence[PublishedFigure], other: Sequence[PublishedFigure]
) -> Iterator[FigureDifference]:
    """The figures of two lists that are not the same to the last digit, or missing in one."""
    own, others = _by_code(replayed), _by_code(other)
    for code in dict.fromkeys((*own, *others)):
        one, two = own.get(code), others.get(code)
        if one != two:
            named = one or two
            assert named is not None
            yield FigureDifference(
                where, code, named.label, one.display if one else "", two.display if two else ""
            )


def _by_code(figures: Sequence[PublishedFigure]) -> Mapping[str, PublishedFigure]:
    return {figure.code: figure for figure in figures}


def differing_months(
    replayed: Sequence[MonthFigures], other: Sequence[MonthFigures]
) -> Iterator[FigureDifference]:
    """The same month by month, also where only one of them has a month."""
    own, beside = ({m.month: m.figures for m in months} for months in (replayed, other))
    for month in sorted(own | beside):
        yield from differing(month, own.get(month, ()), beside.get(month, ()))
