"""Which household or person counts as which other, as known at a moment?

An approved merge enters an alias, its end takes it out again: signed entries, like
postings, so that the aliases known at any moment are a sum. Aliases are resolved to the
end of their chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from sqlalchemy import (
    CTE,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Select,
    String,
    Table,
    Text,
    bindparam,
    exists,
    func,
    select,
)

from domain.kernel import Recorded, stream_station, stream_subject
from domain.merging import MERGED_KINDS, MergeApproved, MergeEnded
from projections.columns import UtcDateTime
from projections.kernel import Batch, EntryProjection, Fault, Rows, metadata
from projections.knowing import KnownBy, bounds, unknown_until
from projections.moments import KnownAt

aliases: Final = Table(
    "aliases",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("station", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("alias", Text, nullable=False),
    Column("survivor", Text, nullable=False),
    Column("amount", Integer, nullable=False),
    Column("recorded_at", UtcDateTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("entry", Integer, nullable=False),
    Index("ix_aliases_station", "station"),
)
"""``kind`` is ``household`` or ``person``; ``amount`` 1 for a merge, -1 for its end;
``entry`` is that of the proposal."""


class AliasesProjection(EntryProjection):
    """The aliases themselves."""

    name = "aliases"
    label = "合并与拆分"
    tables = (aliases,)

    def rows(self, batch: Batch, faults: list[Fault]) -> Rows:  # noqa: ARG002 - nothing can fail
        """One row a merge, one row its end."""
        return _rows(batch.of(MergeApproved | MergeEnded))

    def standing(self, history: Sequence[Recorded], day: date | None) -> Rows:  # noqa: ARG002 - a merge is valid from when it was recorded
        """The same rows of what was known of a stream."""
        return _rows(history)


def _rows(events: Iterable[Recorded]) -> Rows:
    for event in events:
        said = event.event
        if isinstance(said, MergeApproved | MergeEnded):
            yield aliases, {
                "position": event.position, "station": stream_station(event.stream),
                "kind": MERGED_KINDS[stream_subject(event.stream)],
                "alias": said.merged_person or said.merged_household,
                "survivor": said.surviving_person or said.surviving_household,
                "amount": 1 if isinstance(said, MergeApproved) else -1,
                "recorded_at": event.envelope.recorded_at, "actor": event.envelope.actor,
                "stream": event.stream, "entry": said.entry,
            }


# ---- questions ----


@dataclass(frozen=True, slots=True)
class Aliases:
    """The aliases of a station: (kind, alias) → survivor, one step each."""

    into: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def root(self, kind: str, subject: str) -> str:
        """Whom a subject counts as in the end: itself, where it is not merged."""
        seen = {subject}
        while (survivor := self.into.get((kind, subject))) is not None and survivor not in seen:
            subject = survivor
            seen.add(subject)
        return subject

    def family(self, kind: str, subject: str) -> tuple[str, ...]:
        """The one that a subject counts as, and after it all that count as the same."""
        root = self.root(kind, subject)
        merged = (alias for of_kind, alias in self.into if of_kind == kind)
        return (root, *sorted(alias for alias in merged if self.root(kind, alias) == root))

    def merged(self, kind: str) -> list[str]:
        """Everything of a kind that counts as something else."""
        return sorted(alias for of_kind, alias in self.into if of_kind == kind)


def aliases_at(
    connection: Connection, station: str, known_at: KnownAt | None = None
) -> Aliases:
    """The aliases of a station that are in force, as known at a moment."""
    query = _in_force_query(KnownBy.of(known_at))
    rows = connection.execute(query, {"station": station} | bounds(known_at))
    return Aliases({(kind, alias): survivor for kind, alias, survivor in rows})


@lru_cache
def _in_force_query(moment: KnownBy) -> Select[str, str, str]:
    return _in_force(moment)


def _in_force(moment: KnownBy) -> Select[str, str, str]:
    columns = aliases.c.kind, aliases.c.alias, aliases.c.survivor
    return (
        select(*columns)
        .where(aliases.c.station == bindparam("station"), *moment.conditions(aliases))
        .group_by(*columns)
        .having(func.sum(aliases.c.amount) > 0)
    )


def roots(moment: KnownBy) -> CTE:
    """Each alias (``kind``, ``alias``) and its ``root``, for a statement that joins it.

    Binds ``station`` and the moment's bounds.
    """
    direct = _in_force(moment).cte("aliases_in_force")
    walk = select(direct.c.kind, direct.c.alias, direct.c.survivor.label("root")).cte(
        "alias_walk", recursive=True
    )
    onward = direct.alias()
    walk = walk.union(  # distinct: it would end even on a ring
        select(walk.c.kind, walk.c.alias, onward.c.survivor).join(
            onward, (onward.c.kind == walk.c.kind) & (onward.c.alias == walk.c.root)
        )
    )
    further = direct.alias()
    is_inner = exists().where(further.c.kind == walk.c.kind, further.c.alias == walk.c.root)
    return select(walk).where(~is_inner).cte("alias_roots")


def resolved(
    source: Table, kind: str, found: CTE
) -> tuple[ColumnElement[bool], ColumnElement[str]]:
    """How a table's ``entity`` is joined to roots, and what it then counts as."""
    joined = (found.c.kind == kind) & (found.c.alias == source.c.entity)
    return joined, func.coalesce(found.c.root, source.c.entity)


class AliasChange(NamedTuple):
    """A merge or its end, recorded between two moments."""

    position: int
    kind: str
    alias: str
    survivor: str
    amount: int
    recorded_at: datetime
    actor: str
    stream: str
    entry: int


MOST_CHANGES: Final = 500


def alias_changes(
    connection: Connection, station: str, since: KnownAt, until: KnownAt | None
) -> list[AliasChange]:
    """The merges and their ends that were recorded after a moment and until another."""
    query = (
        select(*(aliases.c[name] for name in AliasChange._fields))
        .where(aliases.c.station == station, unknown_until(aliases, since))
        .where(*KnownBy.of(until).conditions(aliases))
        .order_by(aliases.c.position)
        .limit(MOST_CHANGES)
    )
    return [AliasChange(*row) for row in connection.execute(query, bounds(until))]


def merge_of(
    connection: Connection, station: str, kind: str, alias: str, known_at: KnownAt | None = None
) -> AliasChange | None:
    """The merge by which something counts as something else, as known at a moment."""
    if (kind, alias) not in aliases_at(connection, station, known_at).into:
        return None
    query = (
        select(*(aliases.c[name] for name in AliasChange._fields))
        .where(aliases.c.station == station, aliases.c.kind == kind, aliases.c.alias == alias)
        .where(aliases.c.amount > 0, *KnownBy.of(known_at).conditions(aliases))
        .order_by(aliases.c.position.desc())
        .limit(1)
    )
    return AliasChange(*connection.execute(query, bounds(known_at)).one())
