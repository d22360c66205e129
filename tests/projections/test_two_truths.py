"""Do figures agree, at every moment of knowing, with a naive recount from plain lists?

Histories are random: records, corrections, voids, reinstatements, merges and unmerges, and
persons who are forgotten on the way: no figure may notice, and nothing may name them. The
recount knows no posting and no projection: it replays what was accepted, up to the moment
that is asked about, into dictionaries, and counts.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from desk import STATION, Desk, a_station
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.catalog import to_builtins
from domain.erasure import ErasureApproved, ErasureGround, ErasureProposed
from domain.household import (
    HOUSEHOLD,
    AssistanceAssigned,
    AssistanceChanged,
    AssistanceEnded,
    HouseholdInfoUpdated,
)
from domain.kernel import Event, Refused
from domain.ledger import Ledger, Receipt
from domain.merging import (
    HOUSEHOLDS,
    PERSONS,
    HouseholdMergeProposed,
    MergeApproved,
    MergeDeclined,
    MergeEnded,
    PersonMergeProposed,
)
from domain.record_keeping import EntryVoided
from domain.vault import Vault
from domain.visit import VISIT, VisitRecorded
from projections.difference import difference
from projections.engine import ReadModels
from projections.evaluation.replaying import Replayed, replay
from projections.explaining import About, Because, Question, about_subject, why_not
from projections.figures import KnownAt, Period, evidence, figures
from projections.indicators import Indicator, IndicatorSet
from workers.erasing import carry_out
from workers.keyring import Keyring

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
MONTHS = ("2024-09", "2024-10", "2024-11")
HOMES = ("h1", "h2", "h3", "h4")


def _row(code: str, measure: str, **filtered: str) -> Indicator:
    return Indicator(
        code=code, label=code, label_en=code, unit="times", measure=measure, filter=filtered
    )


SET = IndicatorSet(
    code="truths", label="truths", label_en="truths", version=1, valid_from=date(2024, 1, 1),
    indicators=(
        _row("persons_met", "visit.persons"),
        _row("homes_met", "visit.distinct_households"),
        _row("people_met", "visit.distinct_persons"),
        _row("homes_updated", "household.updated"),
        _row("dibao", "assistance.households", category="dibao"),
        _row("dibao_persons", "assistance.persons", category="dibao"),
        _row("tekun_persons", "assistance.persons", category="tekun"),
    ),
)
DISTINCT = {"homes_met", "people_met", "homes_updated"}


@dataclass(frozen=True)
class Line:
    """One accepted act, as a plain list keeps it."""

    position: int
    at: datetime
    act: str
    stream: str
    entry: int
    event: Any = None
    on: date | None = None

    def is_known(self, known_at: KnownAt | None) -> bool:
        if known_at is None:
            return True
        return (self.position if isinstance(known_at, int) else self.at) <= known_at


@dataclass
class Recount:
    """What the lines say, counted afresh for each question."""

    lines: list[Line] = field(default_factory=list)

    def standing(self, known_at: KnownAt | None) -> dict[tuple[str, int], Line]:
        """The statements that stand at a moment."""
        stated: dict[tuple[str, int], Line] = {}
        voided: set[tuple[str, int]] = set()
        for line in (line for line in self.lines if line.is_known(known_at)):
            key = line.stream, line.entry
            match line.act:
                case "void":
                    voided.add(key)
                case "reinstate":
                    voided.discard(key)
                case _:
                    stated[key] = line
        return {key: line for key, line in stated.items() if key not in voided}

    def value(self, code: str, first: date, last: date, known_at: KnownAt | None) -> int:
        standing = self.standing(known_at)
        merged = self.merged(standing)
        in_period = [line for line in standing.values() if line.on and first <= line.on <= last]
        met = [
            v for v in (line.event for line in in_period)
            if isinstance(v, VisitRecorded) and v.persons_met
        ]
        match code:
            case "persons_met":
                return sum(visit.persons_met for visit in met)
            case "homes_met":
                return len({merged(HOUSEHOLDS, visit.household) for visit in met})
            case "people_met":
                return len({merged(PERSONS, person) for visit in met for person in visit.persons})
            case "homes_updated":
                updated = [li for li in in_period if isinstance(li.event, HouseholdInfoUpdated)]
                return len({merged(HOUSEHOLDS, line.stream) for line in updated})
        return self.covered(code, standing, last)

    @staticmethod
    def merged(standing: dict[tuple[str, int], Line]) -> Callable[[str, str], str]:
        into: dict[tuple[str, str], str] = {}
        for line in sorted(standing.values(), key=lambda line: line.position):
            if isinstance(line.event, MergeApproved | MergeEnded):
                proposal = standing[line.stream, line.event.entry].event
                into.pop((line.stream, proposal.merged), None)
                if isinstance(line.event, MergeApproved):
                    into[line.stream, proposal.merged] = proposal.survivor

        def root(kind: str, subject: str) -> str:
            while (kind, subject) in into:
                subject = into[kind, subject]
            return subject

        return root

    @staticmethod
    def covered(code: str, standing: dict[tuple[str, int], Line], last: date) -> int:
        """Units, or persons, on assistance at the end of a day."""
        units: dict[tuple[str, str], Any] = {}
        for line in sorted(standing.values(), key=lambda line: (line.stream, line.entry)):
            if line.on is None or line.on > last:
                continue
            if isinstance(line.event, AssistanceAssigned | AssistanceChanged):
                units[line.stream, line.event.unit] = line.event
            elif isinstance(line.event, AssistanceEnded):
                units.pop((line.stream, line.event.unit), None)
        of_category = [u for u in units.values() if u.category == code.partition("_")[0]]
        return len(of_category) if code == "dibao" else sum(len(u.covered) for u in of_category)


class Year:
    """A station whose random acts are recorded in the ledger and in plain lists."""

    def __init__(self, ledger: Ledger, read_models: ReadModels, chance: random.Random) -> None:
        self.desk, self.read_models, self.chance = Desk(ledger), read_models, chance
        self.recount, self.now, self.erased = Recount(), BEGIN, set[str]()
        for home in HOMES:
            self.desk.household(home, f"{home}-a", f"{home}-b", now=self.now)

    def act(self, step: int) -> None:
        """One attempt; the rules may refuse it."""
        chance = self.chance
        self.now += timedelta(minutes=chance.randint(0, 2))
        home, other = chance.choice(HOMES), chance.choice(HOMES)
        day = date(2024, chance.randint(9, 11), chance.randint(1, 30))
        acts: list[Callable[[], None]] = [
            lambda: self.state(f"v{step}", self.a_visit(home), day),
            lambda: self.state(f"v{step}", self.a_visit(home), day),
            lambda: self.state(home, HouseholdInfoUpdated(fields=("care",)), day),
            lambda: self.state(home, HouseholdInfoUpdated(fields=("care",)), day),
            lambda: self.state(home, self.a_grant(home), day),
            lambda: self.state(home, self.a_change(home), day),
            lambda: self.state(home, AssistanceEnded(unit="u", reason="voluntary"), day),
            lambda: self.keep("void"),
            lambda: self.keep("reinstate"),
            lambda: self.correct(day),
            lambda: self.propose(home, other),
            lambda: self.decide(MergeApproved),
            lambda: self.decide(MergeApproved),
            lambda: self.decide(MergeDeclined),
            lambda: self.decide(MergeEnded),
            lambda: self.erase(step, home),
        ]
        with contextlib.suppress(Refused):
            chance.choice(acts)()

    # ---- acts ----

    def a_visit(self, home: str) -> VisitRecorded:
        persons = self.chance.randint(0, 3)
        named = [f"{home}-a", f"{home}-b"][: self.chance.randint(0, min(persons, 2))]
        return VisitRecorded(
            mode="home", purpose="routine", persons_met=persons, household=home,
            outcome="met" if persons else "not_met", persons=tuple(named),
        )

    def a_grant(self, home: str) -> AssistanceAssigned:
        category, covered = self._grant(home)
        return AssistanceAssigned(unit="u", category=category, covered=covered)

    def a_change(self, home: str) -> AssistanceChanged:
        category, covered = self._grant(home)
        return AssistanceChanged(unit="u", category=category, covered=covered)

    def _grant(self, home: str) -> tuple[str, tuple[str, ...]]:
        covered = (f"{home}-a", f"{home}-b")[: self.chance.randint(1, 2)]
        return self.chance.choice(("dibao", "tekun")), covered

    def state(self, subject: str, event: Event, day: date, **who: Any) -> None:
        receipt = self.desk.record(subject, event, day.isoformat(), now=self.now, **who)
        self._line("state", receipt, receipt.version, event, day)

    def _line(
        self, act: str, receipt: Receipt, entry: int, event: Event | None = None,
        on: date | None = None,
    ) -> None:
        subject = receipt.stream.rpartition("/")[2]
        self.recount.lines.append(
            Line(receipt.position, self.now, act, subject, entry, event, on)
        )

    def _statement(self) -> Line:
        stated = [line for line in self.recount.lines if line.act == "state"]
        return self.chance.choice(stated) if stated else Line(0, self.now, "", "v0", 1)

    def keep(self, act: str) -> None:
        line = self._statement()
        keep = self.desk.void if act == "void" else self.desk.reinstate
        kind = VISIT if line.stream.startswith("v") else HOUSEHOLD
        receipt = keep(kind, line.stream, line.entry, now=self.now)
        self._line(act, receipt, line.entry)

    def correct(self, day: date) -> None:
        line = self._statement()
        if isinstance(line.event, VisitRecorded):
            event: Event = self.a_visit(line.event.household or "")
        elif isinstance(line.event, AssistanceAssigned):
            event = self.a_grant(line.stream)
        elif isinstance(line.event, HouseholdInfoUpdated):
            event = line.event
        else:
            return
        receipt = self.desk.correct(
            line.stream, line.entry, event, day.isoformat(), now=self.now
        )
        self._line("correct", receipt, line.entry, event, day)

    def propose(self, merged: str, survivor: str) -> None:
        reason, today = "重复登记", self.now.date()
        if self.chance.random() < 0.6:
            event: Event = HouseholdMergeProposed(merged=merged, survivor=survivor, reason=reason)
            self.state(HOUSEHOLDS, event, today)
        else:
            event = PersonMergeProposed(
                merged=f"{merged}-a", merged_household=merged,
                survivor=f"{survivor}-{self.chance.choice('ab')}", survivor_household=survivor,
                reason=reason,
            )
            self.state(PERSONS, event, today)

    def decide(self, decision: type[Any]) -> None:
        register = self.chance.choice((HOUSEHOLDS, PERSONS))
        proposed = [
            line.entry for line in self.recount.lines
            if line.stream == register and hasattr(line.event, "survivor")
        ]
        if proposed:
            entry = self.chance.choice(proposed)
            why = {} if decision is MergeApproved else {"reason": "核对后"}
            self.state(register, decision(entry=entry, **why), self.now.date(), actor="lead-1")

    def erase(self, step: int, home: str) -> None:
        """Two persons agree to forget a member; the key is destroyed."""
        person, today = f"{home}-{self.chance.choice('ab')}", self.now.date().isoformat()
        ledger, asked = self.desk.ledger, f"e{step}"
        proposal = ErasureProposed(ground=ErasureGround.REQUEST, household=home, person=person)
        self.desk.record(asked, proposal, today, now=self.now)
        receipt = self.desk.record(
            asked, ErasureApproved(), today, now=self.now, actor="lead-1", role="lead"
        )
        keyring = ledger.vault.keys
        assert isinstance(keyring, Keyring)
        carry_out(ledger, keyring, receipt.stream)
        self.erased.add(person)

    # ---- questions ----

    def names_nobody_erased(self) -> None:
        """No event, opened for whoever may read it, says the name of somebody erased."""
        ledger = self.desk.ledger
        for recorded in ledger.recorded():
            said = str(ledger.vault.shown(to_builtins(recorded.event), recorded.stream))
            assert not [person for person in self.erased if f"测试{person}'" in said]

    def moment(self) -> KnownAt | None:
        """Now, an instant, or a position, at random."""
        lines = self.recount.lines
        if not lines or self.chance.random() < 0.3:
            return None
        line = self.chance.choice(lines)
        return line.position if self.chance.random() < 0.5 else line.at

    def agrees(self, month: str, known_at: KnownAt | None, as_of: date | None) -> None:
        """Figure, evidence and recount say the same."""
        period = Period.of_month(month)
        last = period.until(as_of).last
        with self.read_models.engine.connect() as connection:
            found = figures(connection, STATION, SET, period, as_of=as_of, known_at=known_at)
            for figure in found:
                code = figure.indicator.code
                expected = self.recount.value(code, period.first, last, known_at)
                assert figure.value == expected, (code, month, known_at, as_of)
                behind = evidence(
                    connection, STATION, figure.indicator, period, as_of=as_of, known_at=known_at
                )
                sums: dict[str, int] = {}
                for row in behind:
                    key = row.counts_as if code in DISTINCT else ""
                    sums[key] = sums.get(key, 0) + row.amount
                counted = sum(1 for n in sums.values() if n > 0)
                assert (counted if code in DISTINCT else sum(sums.values())) == expected, code
                if code != "people_met" and self.chance.random() < 0.2:
                    ask = Question(
                        connection, self.desk.ledger, STATION, SET, figure.indicator, period,
                        as_of, known_at,
                    )
                    self.explains(ask, expected)

    def explains(self, ask: Question, expected: int) -> None:
        """Why each home is, or is not, in a figure: together they are the figure."""
        answers = [why_not(ask, about_subject(ask, "household", home)) for home in HOMES]
        roots = [a for a in answers if ask.merged.root("household", a.about.id) == a.about.id]
        assert sum(answer.amount for answer in roots) == expected, (ask.row.code, ask.known_at)
        for answer in answers:
            assert answer.verdict.is_in == bool(answer.amount)
            assert answer.reasons or answer.verdict.is_in
            for line in answer.lines if answer.verdict.is_in else ():
                record = About("visit", "", (), *line.row.record)
                assert why_not(ask, record).verdict.is_in or line.amount < 0
            for reason in answer.reasons:
                if reason.because in {Because.VOIDED, Because.NOT_KNOWN_YET}:
                    event = ask.ledger.at([reason.position or 0])[0]
                    is_void = isinstance(event.event, EntryVoided)
                    assert is_void == (reason.because is Because.VOIDED)
                    at = event.envelope.recorded_at
                    is_known = Line(event.position, at, "", "", 0).is_known(ask.known_at)
                    assert is_known == is_void

    def replay_agrees(
        self, replayed: Replayed, month: str, known_at: KnownAt | None, as_of: date | None
    ) -> None:
        """The log, replayed into nothing that is stored, gives the very same figures."""
        with self.read_models.engine.connect() as connection:
            stored, again = (
                figures(
                    source, STATION, SET, Period.of_month(month), as_of=as_of, known_at=known_at
                )
                for source in (connection, replayed.connection)
            )
        assert again == stored

    def difference_closes(self, month: str, since: KnownAt, until: KnownAt | None) -> None:
        """The records between two moments make up the difference of every sum."""
        period = Period.of_month(month)
        with self.read_models.engine.connect() as connection:
            found = difference(connection, STATION, SET, period, since=since, until=until)
        changes = {f.before.indicator.code: f for f in found.figures}
        for row in SET.indicators:
            before, after = (
                self.recount.value(row.code, period.first, period.last, moment)
                for moment in (since, until)
            )
            assert (row.code in changes) == (before != after)
            if row.code not in DISTINCT:
                assert sum(r.amounts.get(row.code, 0) for r in found.records) == after - before
            elif before != after:
                named = any(row.code in r.amounts for r in found.records)
                assert named or found.merges


@contextlib.contextmanager
def a_ledger(url: str, folder: Path) -> Iterator[Ledger]:
    """A station's ledger with a keyring of its own: what it forgets no other test misses."""
    keyring = Keyring(f"sqlite:///{folder}/keys.sqlite3", bytes(32))
    with Ledger(url, Vault(keyring)) as ledger:
        Desk(ledger).record(STATION, a_station(), "2024-01-01")
        yield ledger
    keyring.close()


def lives(ledger: Ledger, read_models: ReadModels, seed: int, steps: int) -> None:
    """A random history, and questions about it."""
    chance = random.Random(seed)
    year = Year(ledger, read_models, chance)
    for step in range(steps):
        year.act(step)
    read_models.advance(ledger)
    year.names_nobody_erased()
    with replay(ledger.station_rows(STATION), STATION) as replayed:
        asks(year, chance, replayed)


def asks(year: Year, chance: random.Random, replayed: Replayed) -> None:
    """Random questions about a history."""
    for month in MONTHS:
        year.agrees(month, None, None)
        year.replay_agrees(replayed, month, None, None)
    for _question in range(8):
        month, known_at = chance.choice(MONTHS), year.moment()
        as_of = chance.choice((None, date(2024, chance.randint(9, 11), chance.randint(1, 30))))
        year.agrees(month, known_at, as_of)
        year.replay_agrees(replayed, month, known_at, as_of)
        since, until = year.moment(), year.moment()
        is_in_order = until is None or (type(since) is type(until) and since <= until)
        if since is not None and is_in_order:
            year.difference_closes(month, since, until)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10**9), steps=st.integers(10, 90))
def test_any_history_agrees_with_a_naive_recount(
    seed: int, steps: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("truths")
    read_models = ReadModels(f"sqlite:///{folder}/read.sqlite3")
    with a_ledger(f"sqlite:///{folder}/ledger.sqlite3", folder) as ledger:
        lives(ledger, read_models, seed, steps)
    read_models.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_long_history_agrees_on_both_databases(
    seed: int, ledger_url: str, read_models: ReadModels, tmp_path: Path
) -> None:
    with a_ledger(ledger_url, tmp_path) as ledger:
        lives(ledger, read_models, seed, steps=170)
