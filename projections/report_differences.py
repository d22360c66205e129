"""What has changed since a report was published, by which records, and why?

Figures are counted anew by the definitions of the publication, so that a difference is
always a record's doing; what is defined otherwise today is listed apart from that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice, takewhile, zip_longest
from typing import Final

from sqlalchemy import Connection

from domain.indicators import Indicator
from domain.kernel import STATION_TIME, Event, Recorded
from domain.ledger import Ledger
from domain.merging import MergeEnded
from domain.publication import Change, ChangedRecord, PublishedFigure, RestatedFigure
from domain.record_keeping import EntryCorrected, EntryReinstated, EntryVoided, RecordKeeping
from projections.absences import absentees, turned
from projections.aliases import AliasChange, alias_changes, aliases_at
from projections.counting import sought
from projections.figures import (
    EVIDENCE_LIMIT,
    Evidence,
    Figure,
    Period,
    divided,
    evidence,
    figures,
)
from projections.histories import Histories
from projections.indicators import IndicatorSet, alone
from projections.measures import MEASURES, Kind
from projections.moments import KnownAt
from projections.monthly_report import (
    MonthlyReport,
    Opener,
    Part,
    Section,
    monthly_report,
)
from projections.published_reports import Publication, indicators_of

MOST_RECORDS: Final = 100
"""How many records one changed figure names."""
MOST_POSTINGS: Final = 20_000
"""How many postings since a publication are looked through for the records of one figure."""

Paragraphs = tuple[str, ...]

CHANGES: Final[dict[type[Event], Change]] = {
    EntryCorrected: Change.CORRECTED,
    EntryVoided: Change.VOIDED,
    EntryReinstated: Change.REINSTATED,
}
"""What an event did to a record; any other one is a late entry."""


@dataclass(frozen=True, slots=True)
class ChangedText:
    """A part of the report that reads otherwise today: the paragraphs that differ."""

    section: str
    part: str | None
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Redefined:
    """A figure that is counted by another rule today; ``None`` where it is no figure."""

    code: str
    label: str
    published: str | None
    today: str | None


@dataclass(frozen=True, slots=True)
class Differences:
    """What has changed since a publication. ``report`` is today's, by its definitions."""

    publication: Publication
    report: MonthlyReport
    figures: tuple[RestatedFigure, ...]
    texts: tuple[ChangedText, ...]
    redefined: tuple[Redefined, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing has changed that a restatement would say."""
        return not (self.figures or self.texts)


def differences(
    connection: Connection, ledger: Ledger, published: Publication, position: int,
    *, opened: Opener,
) -> Differences:
    """What differs between a publication (with its texts opened) and a position of the log."""
    snapshot, chosen = published.snapshot, indicators_of(published.snapshot)
    period = Period(snapshot.first_on, snapshot.last_on)
    as_published, as_defined_today = (
        monthly_report(
            connection, ledger, snapshot.station, snapshot.period, known_at=position,
            indicators=indicators, opened=opened,
        )
        for indicators in (chosen, None)
    )
    since = _Since(connection, ledger, snapshot.station, period, snapshot.position, position)
    return Differences(
        published, as_published,
        tuple(_restated(since, chosen, snapshot.figures, as_published.figures)),
        changed_texts(published.sections, as_published.sections),
        tuple(_redefined(snapshot.figures, chosen, as_defined_today)),
    )


# ---- figures ----


def restated_figures(
    connection: Connection, histories: Histories, published: Publication, now: KnownAt
) -> tuple[RestatedFigure, ...]:
    """The figures that read otherwise at a moment than as published, by its definitions."""
    snapshot, chosen = published.snapshot, indicators_of(published.snapshot)
    period = Period(snapshot.first_on, snapshot.last_on)
    counted = figures(connection, snapshot.station, chosen, period, known_at=now)
    since = _Since(connection, histories, snapshot.station, period, snapshot.position, now)
    return tuple(_restated(since, chosen, snapshot.figures, counted))


@dataclass(frozen=True, slots=True)
class _Since:
    """Where to look for what changed a figure: what was recorded after a position."""

    connection: Connection
    ledger: Histories
    station: str
    period: Period
    after: int
    until: KnownAt

    def absent(self, indicator: Indicator, known_at: int) -> set[str]:
        """Whom an absence counts, as known at a position."""
        row = sought(indicator, alone(indicator), self.period)
        return absentees(self.connection, self.station, row, self.period, known_at)

    def turned(self, indicator: Indicator) -> set[str] | None:
        """Whose absence began or ended since."""
        row = sought(indicator, alone(indicator), self.period)
        return turned(
            self.connection, self.station, row, self.period, since=self.after, until=self.until
        )

    def postings(
        self, indicator: Indicator, among: Collection[str] | None = None, *, after: int = 0
    ) -> Iterator[Evidence]:
        """Every posting of an indicator after a position, in the order of recording."""
        begin: int | tuple[int, int] = after
        while page := evidence(
            self.connection, self.station, indicator, self.period, known_at=self.until,
            after=begin, among=among,
        ):
            yield from page
            if len(page) < EVIDENCE_LIMIT:
                return
            begin = page[-1].position, page[-1].number

    def new(
        self, indicator: Indicator, among: Collection[str] | None = None
    ) -> Iterator[Evidence]:
        """Those recorded since the publication."""
        return self.postings(indicator, among, after=self.after)


def _restated(
    since: _Since, chosen: IndicatorSet, published: Sequence[PublishedFigure],
    counted: Sequence[Figure],
) -> Iterator[RestatedFigure]:
    rows = {row.code: row for row in chosen.indicators}
    for before, after in zip(published, counted, strict=True):
        if before.display == after.display:
            continue
        row = rows[before.code]
        changed = _changed(since, rows, row)
        amounts, merges = _amounts(changed), _merges(since, rows, row)
        yield RestatedFigure(
            code=before.code, label=before.label, unit=before.unit, before=before.display,
            after=after.display,
            records=(
                *_records(since.ledger, amounts[:MOST_RECORDS], row.divide_by),
                *merges[:MOST_RECORDS],
            ),
            is_cut=max(len(amounts), len(merges)) > MOST_RECORDS or len(changed) >= MOST_POSTINGS,
        )


def _changed(
    since: _Since, rows: dict[str, Indicator], indicator: Indicator
) -> list[Evidence]:
    """The postings since that changed a figure; of a remainder, those of its parts."""
    if indicator.remainder_of is not None:
        parts = (indicator.remainder_of, *indicator.minus)
        found = {
            (row.position, row.stream, row.entry, row.effective_on): row
            for code in parts for row in _changed(since, rows, rows[code])
        }
        return sorted(found.values(), key=lambda row: row.position)
    new = since.new(indicator, since.turned(indicator))
    if indicator.measure and MEASURES[indicator.measure].kind is Kind.DISTINCT:
        known_then = takewhile(lambda row: row.position <= since.after, since.postings(indicator))
        turned = _entities(known_then) ^ _entities(since.postings(indicator))
        new = (row for row in new if row.counts_as in turned)
    return list(islice(new, MOST_POSTINGS))


def _entities(rows: Iterable[Evidence], *, by: str = "counts_as") -> set[str]:
    """The entities that a distinct figure counts; ``by`` their own ids, or as merged."""
    sums: dict[str, int] = {}
    for row in rows:
        entity = getattr(row, by)
        sums[entity] = sums.get(entity, 0) + row.amount
    return {entity for entity, amount in sums.items() if amount > 0}


def _merges(
    since: _Since, rows: dict[str, Indicator], indicator: Indicator
) -> list[ChangedRecord]:
    """The merges since, and their ends, that changed how many a figure counts."""
    if indicator.remainder_of is not None:
        parts = (indicator.remainder_of, *indicator.minus)
        found = {m.position: m for code in parts for m in _merges(since, rows, rows[code])}
        return [found[position] for position in sorted(found)]
    entities = MEASURES[indicator.measure].entities if indicator.measure else ""
    if not entities:
        return []
    is_felt = _felt_by(since, indicator)
    return [
        ChangedRecord(
            change=Change.MERGED if change.amount > 0 else Change.UNMERGED,
            position=change.position, stream=change.stream, entry=change.entry,
            effective_on=change.recorded_at.astimezone(STATION_TIME).date(),
            amount=-change.amount,
        )
        for change in alias_changes(since.connection, since.station, since.after, since.until)
        if change.kind == entities and is_felt(change)
    ]


def _felt_by(since: _Since, indicator: Indicator) -> Callable[[AliasChange], bool]:
    """Whether a merge, or its end, changes how many entities a figure counts."""
    if indicator.without is not None:
        return lambda change: (
            len(since.absent(indicator, change.position - 1))
            != len(since.absent(indicator, change.position))
        )
    counted = _entities(since.postings(indicator), by="entity")

    def are_both_counted(change: AliasChange) -> bool:
        """Both sides are counted by themselves while they are apart."""
        apart_at = change.position - 1 if change.amount > 0 else change.position
        apart = aliases_at(since.connection, since.station, apart_at)
        return all(
            counted.intersection(apart.family(change.kind, subject))
            for subject in (change.alias, change.survivor)
        )

    return are_both_counted


Place = tuple[int, str, int, date]
"""A day of a record that an event changed: position, stream, entry, day."""


def _amounts(rows: Iterable[Evidence]) -> list[tuple[Place, int]]:
    """What postings add up to, each day of a record once; nothing of what cancels out."""
    amounts: dict[Place, int] = {}
    for row in rows:
        key = (row.position, row.stream, row.entry, row.effective_on)
        amounts[key] = amounts.get(key, 0) + row.amount
    return [(place, amount) for place, amount in amounts.items() if amount]


def _records(
    ledger: Histories, amounts: Sequence[tuple[Place, int]], divide_by: int
) -> Iterator[ChangedRecord]:
    """The records behind some amounts."""
    events = events_at(ledger, {(stream, at) for (at, stream, _e, _on), _amount in amounts})
    for (position, stream, entry, on), amount in amounts:
        yield ChangedRecord(
            change=CHANGES.get(type(events[position].event), Change.LATE), position=position,
            stream=stream, entry=entry, effective_on=on, amount=divided(amount, divide_by),
        )


def events_at(ledger: Histories, places: set[tuple[str, int]]) -> dict[int, Recorded]:
    """The events of some streams at some positions, by position."""
    streams, wanted = sorted({stream for stream, _position in places}), {p for _s, p in places}
    return {
        event.position: event
        for history in ledger.histories(streams).values()
        for event in history
        if event.position in wanted
    }


def reason_at(event: Recorded) -> str | None:
    """Why a record was corrected, voided, reinstated or taken apart, sealed as in the log."""
    return event.event.reason if isinstance(event.event, RecordKeeping | MergeEnded) else None


# ---- texts and definitions ----


def changed_texts(
    published: Sequence[Section], today: Sequence[Section]
) -> tuple[ChangedText, ...]:
    """The parts of a report that read otherwise in another one of the same period."""
    return tuple(_changed_texts(published, today))


def _changed_texts(
    published: Sequence[Section], today: Sequence[Section]
) -> Iterator[ChangedText]:
    empty = Section("", "", ())
    for before, after in zip_longest(published, today, fillvalue=empty):
        for old, new in zip_longest(before.parts, after.parts, fillvalue=Part()):
            was, reads = (*old.facts, *old.narrative), (*new.facts, *new.narrative)
            if was != reads:
                yield ChangedText(
                    before.title or after.title, old.title or new.title, *_apart(was, reads)
                )


def _apart(was: Paragraphs, reads: Paragraphs) -> tuple[Paragraphs, Paragraphs]:
    """Two texts without the paragraphs with which both begin and end."""
    begin = next(
        (n for n, pair in enumerate(zip(was, reads, strict=False)) if pair[0] != pair[1]),
        min(len(was), len(reads)),
    )
    was, reads = was[begin:], reads[begin:]
    while was and reads and was[-1] == reads[-1]:
        was, reads = was[:-1], reads[:-1]
    return was, reads


def _redefined(
    published: Sequence[PublishedFigure], chosen: IndicatorSet, today: MonthlyReport
) -> Iterator[Redefined]:
    rules = {row.code: row for row in chosen.indicators}
    printed = {figure.code: figure for figure in published}
    now = {figure.indicator.code: figure for figure in today.figures}
    for code in dict.fromkeys((*printed, *now)):
        before, after = printed.get(code), now.get(code)
        if after is None or before is None or rules[code] != after.indicator:
            label = after.indicator.label if after else printed[code].label
            yield Redefined(
                code, label, before.display if before else None,
                after.display if after else None,
            )
