"""About whom or which record is it asked, and is there one?

A household, person or volunteer is named by its id, a record by its id alone, by kind and
id, or with the number of its entry. What another station has on record is told to those
only who may see every station; to others it is as if it were nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Select, exists, select

from domain.kernel import KINDS, Refused, UnknownRecord, stream_id, stream_kind, stream_station
from projections.explaining.erased_subjects import refuse_erased
from projections.explaining.question import Question
from projections.explaining.sought_households import MOST_NAMES, household_meant, named_at
from projections.postings import postings
from projections.stations import station_codes
from projections.timeline import record_subjects, records

SUBJECTS: Final = {"household": "户", "person": "个人", "volunteer": "志愿者"}
"""About whom it can be asked."""


class AmbiguousRecord(
    Refused, code="ambiguous_record", status=409, title="编号不止指一条记录",
    detail="编号 {id} 同时是：{kinds}。请写明种类，如 {example}。",
):
    """An id that records of several kinds have."""


class OfOtherStation(
    Refused, code="of_other_station", status=404, title="是另一个社工站的",
    detail="{kind} {id} 在社工站 {stations} 的台账中，不在 {station} 的数字里。",
):
    """A record of another station is in none of this station's figures."""


@dataclass(frozen=True, slots=True)
class About:
    """Of whom, or of which record, it is asked; ``family`` are all that count as the same.

    ``entry`` is ``None`` for all entries of the ``stream`` of a record.
    """

    kind: str
    id: str
    family: tuple[str, ...] = ()
    stream: str | None = None
    entry: int | None = None

    @property
    def is_record(self) -> bool:
        """Whether a record is asked about, and not somebody."""
        return self.stream is not None

    @property
    def label(self) -> str:
        """What people read for its kind."""
        return KINDS[self.kind].label if self.is_record else SUBJECTS[self.kind]

    @property
    def subjects(self) -> list[str]:
        """How records name it: ``household:…``."""
        return [f"{self.kind}:{one}" for one in self.family]

    def postings_of(self) -> ColumnElement[bool]:
        """The postings that are its own: those of the records that name it, or ever did."""
        if self.stream is not None:
            where = postings.c.stream == self.stream
            return where if self.entry is None else where & (postings.c.entry == self.entry)
        return exists().where(
            record_subjects.c.stream == postings.c.stream,
            record_subjects.c.entry == postings.c.entry,
            record_subjects.c.subject.in_(self.subjects),
            record_subjects.c.station == postings.c.station,
        )

    def records_of(self, station: str) -> Select[str, int]:
        """The records that name it, or ever did, with the entries of each."""
        if self.stream is not None:
            query = select(records.c.stream, records.c.entry).where(
                records.c.stream == self.stream
            )
            return query if self.entry is None else query.where(records.c.entry == self.entry)
        return select(record_subjects.c.stream, record_subjects.c.entry).where(
            record_subjects.c.station == station,
            record_subjects.c.subject.in_(self.subjects),
        )


def about_subject(
    question: Question, kind: str, subject: str, *, sees_all: bool = False
) -> About:
    """A household, person or volunteer of the question's station.

    A household is named by its id (``household/ID`` is one in any case), or by the number of
    its file, as people know it, where no household has that as its id.

    :raises UnknownRecord: where no record of the station names it.
    :raises OfOtherStation: where those of another do, for who ``sees_all`` stations.
    :raises ToldOfNobody: where it, or who counts as the same, was erased or locked.
    """
    if kind == "household":
        subject = household_meant(question.connection, [question.station], subject)
    stream_id(question.station, kind, subject)  # refuses what is no id
    named = f"{kind}:{subject}"
    places = named_at(question.connection, named, [question.station])
    if not places:
        others = station_codes(question.connection) if sees_all else ()
        if others and (elsewhere := named_at(question.connection, named, others)):
            raise OfOtherStation(
                kind=SUBJECTS[kind], id=subject, stations="、".join(elsewhere),
                station=question.station,
            )
        raise UnknownRecord(id=subject, kind=SUBJECTS[kind])
    family = question.merged.family(kind, subject)
    refuse_erased(question, kind, subject)
    return About(kind, subject, family)


def about_record(question: Question, named: str, *, sees_all: bool = False) -> About:
    """A record named ``ID``, ``kind/ID`` or ``kind/ID/entry``.

    :raises UnknownRecord: where the station has none such.
    :raises AmbiguousRecord: where several have the id.
    :raises OfOtherStation: where another has it, for who ``sees_all`` stations.
    :raises ToldOfNobody: where it is the file of somebody who was erased or locked.
    """
    kinds, subject, entry = _read(named)
    found = _streams(question, [question.station], kinds, subject, entry)
    if not found:
        others = station_codes(question.connection) if sees_all else []
        if elsewhere := _streams(question, others, kinds, subject, entry):
            raise OfOtherStation(
                kind="记录", id=subject, station=question.station,
                stations="、".join(sorted({stream_station(name) for name in elsewhere})),
            )
        raise UnknownRecord(id=named[:120], kind="记录")
    if len(found) > 1:
        labels = "、".join(KINDS[stream_kind(name)].label for name in found)
        example = f"{stream_kind(found[0])}/{subject}"
        raise AmbiguousRecord(id=subject, kinds=labels, example=example)
    refuse_erased(question, stream_kind(found[0]), subject)
    return About(stream_kind(found[0]), subject, (subject,), found[0], entry)


def _read(named: str) -> tuple[list[str], str, int | None]:
    """The kinds that are meant, the id, and the entry.

    :raises UnknownRecord: for what can be the name of none.
    """
    parts = named.strip().split("/")
    if len(parts) == 1:
        return list(KINDS), parts[0], None
    entry = parts[2] if len(parts) == 3 else "1"
    is_number = entry.isascii() and entry.isdigit() and len(entry) < 10
    if parts[0] not in KINDS or len(parts) > 3 or not is_number:
        raise UnknownRecord(id=named[:120], kind="记录")
    return [parts[0]], parts[1], int(entry) if len(parts) > 2 else None


def _streams(
    question: Question, stations: Sequence[str], kinds: Sequence[str], subject: str,
    entry: int | None,
) -> list[str]:
    """The streams of an id that are on record; asked in portions, which a statement can hold."""
    names = [stream_id(station, kind, subject) for station in stations for kind in kinds]
    found: list[str] = []
    for start in range(0, len(names), MOST_NAMES):
        chosen = names[start : start + MOST_NAMES]
        query = select(records.c.stream).where(records.c.stream.in_(chosen))
        if entry is not None:
            query = query.where(records.c.entry == entry)
        found += question.connection.execute(query.distinct()).scalars()
    return sorted(found)
