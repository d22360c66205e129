"""Does an approved erasure end in destroyed keys, whoever dies and whatever is restored?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from desk import STATION, Desk, a_station, on
from domain_spec import refused

from domain.catalog import to_builtins
from domain.erasure import (
    ERASURE,
    ErasureApproved,
    ErasureGround,
    ErasureProposed,
    ErasureRefused,
    ErasureUnlocked,
    RefusalGround,
)
from domain.group import GroupClosed, GroupOpened
from domain.household import (
    HOUSEHOLD,
    HouseholdInfoUpdated,
    HouseholdRegistered,
    Member,
    MemberAdded,
    MemberRemoved,
)
from domain.kernel import stream_id
from domain.ledger import Ledger, NewEntry
from domain.merging import (
    HouseholdMergeProposed,
    MergeApproved,
    MergeDeclined,
    MergeEnded,
    PersonMergeProposed,
)
from domain.publication import ReportPublished, snapshot_code
from domain.record_keeping import Void
from domain.station_month import NarrativeWritten
from domain.supervision import SupervisionReceived
from domain.vault import ERASED, LOCKED, Vault
from domain.visit import VisitRecorded
from domain.vocabulary import ReportSection
from domain.volunteer import VolunteerRegistered
from projections.report_periods import periods_covering, report_period
from workers.erased_owners import asked_of, histories_about, owners_of
from workers.erasing import carry_out, carry_out_all, check_proposal, check_sealed
from workers.keyring import Keyring
from workers.publishing import Press, preview, publish
from workers.runtime import Runtime
from workers.settings import Settings, settings_for

HOME = HouseholdRegistered(
    community="东路社区", address="测试路 1 号", note="两人都听力不好",
    members=(
        Member(person="p1", name="测试甲", relation="head", phone="13800000000"),
        Member(person="p2", name="测试乙", health="高血压"),
    ),
)
PROPOSED = ErasureProposed(ground=ErasureGround.REQUEST, household="h1", person="p1", note="本人来站")


@pytest.fixture
def settings(database: str, tmp_path: Path, ledger_url: str) -> Settings:
    """Ledger, read models and keyring on one kind of database."""
    if database == "sqlite":
        found = settings_for(tmp_path / "home")
    else:
        key = "A" * 43 + "="
        found = settings_for(
            tmp_path / "home", database_url=ledger_url, keys_database_url=ledger_url,
            master_key_text=key,
        )
    found.prepare_home()
    return found


@pytest.fixture
def here(settings: Settings) -> Iterator[Runtime]:
    here = Runtime(settings)
    yield here
    here.close()


@pytest.fixture
def desk(here: Runtime) -> Desk:
    desk = Desk(here.ledger)
    desk.record(STATION, a_station(), "2024-01-01", role="administrator")
    desk.record("h1", HOME, "2024-07-01")
    desk.record("h1", HouseholdInfoUpdated(fields=("phone",), phone="13800000000"), "2024-08-01")
    return desk


def erase(desk: Desk, here: Runtime, proposal: ErasureProposed = PROPOSED, subject: str = "e1") -> bool:
    desk.record(subject, proposal, "2024-12-05")
    desk.record(subject, ErasureApproved(), "2024-12-05", actor="lead-1")
    return carry_out(here.ledger, here.keyring, stream_id(STATION, "erasure", subject))


def shown(here: Runtime, name: str = f"{STATION}/household/h1") -> list[dict[str, Any]]:
    return [
        here.ledger.vault.shown(to_builtins(recorded.event), name)
        for recorded in here.ledger.history(name)
    ]


# ---- two persons ----


def test_who_proposed_does_not_approve(desk: Desk) -> None:
    desk.record("e1", PROPOSED, "2024-12-05")
    with refused("second_person_needed"):
        desk.record("e1", ErasureApproved(), "2024-12-05")
    with refused("second_person_needed"):
        desk.record("e1", ErasureRefused(ground=RefusalGround.LEGAL_RETENTION), "2024-12-05")
    desk.record("e1", ErasureRefused(ground=RefusalGround.WITHDRAWN), "2024-12-05")
    with refused("erasure_step_refused"):
        desk.record("e1", ErasureApproved(), "2024-12-05", actor="lead-1")


def test_what_was_approved_is_not_taken_back(desk: Desk, here: Runtime) -> None:
    erase(desk, here)
    with refused("not_correctable"):
        desk.void(ERASURE, "e1", 2)
    with refused("erasure_step_refused"):
        desk.record("e1", ErasureUnlocked(because="误操作"), "2024-12-05", actor="lead-1")


@pytest.mark.parametrize(("changes", "code"), [
    ({"household": None}, "erasure_subject"),
    ({"person": None}, "erasure_subject"),
    ({"volunteer": "v1"}, "erasure_subject"),
    ({"household": "h9"}, "unknown_household"),
    ({"person": "p9"}, "person_not_of_household"),
    ({"household": None, "person": None, "volunteer": "v9"}, "unknown_volunteer"),
])
def test_an_erasure_is_about_one_known_person(
    desk: Desk, changes: dict[str, Any], code: str
) -> None:
    with refused(code):
        desk.record("e1", msgspec.structs.replace(PROPOSED, **changes), "2024-12-05")


# ---- what is gone, and what stays ----


def test_the_person_is_gone_and_who_stays_keeps_what_is_theirs(desk: Desk, here: Runtime) -> None:
    before = [n.state for n in here.ledger.notifications(0)]
    assert erase(desk, here)
    registered, updated = shown(here)
    assert [m["name"] for m in registered["members"]] == [ERASED, "测试乙"]
    assert registered["members"][0]["phone"] == ERASED
    assert registered["members"][1]["health"] == "高血压"
    assert (registered["address"], registered["note"]) == ("测试路 1 号", ERASED)
    assert updated["phone"] == ERASED
    [proposed, _approved] = shown(here, f"{STATION}/erasure/e1")
    assert proposed["note"] == ERASED
    assert [n.state for n in here.ledger.notifications(0)][: len(before)] == before


def test_the_last_one_takes_the_address_along(desk: Desk, here: Runtime) -> None:
    erase(desk, here)
    erase(desk, here, msgspec.structs.replace(PROPOSED, person="p2"), "e2")
    assert shown(here)[0]["address"] == ERASED


def test_a_household_goes_on(desk: Desk, here: Runtime) -> None:
    erase(desk, here)
    note = HouseholdInfoUpdated(fields=("phone",), phone="13900000000", note="乙换了电话")
    desk.record("h1", note, "2024-12-05")
    assert shown(here)[2]["phone"] == "13900000000"
    desk.void(HOUSEHOLD, "h1", 2)
    restated = msgspec.convert(shown(here)[0] | {"community": "西路社区"}, HouseholdRegistered)
    desk.correct("h1", 1, restated, "2024-07-01")
    desk.reinstate(HOUSEHOLD, "h1", 2)
    stream = here.ledger.stream(STATION, "household", "h1")
    assert stream is not None
    assert stream.state.community == "西路社区"
    with refused("person_erased"):
        desk.household("h2", "p1")


def test_every_household_that_the_person_was_ever_of_is_meant(desk: Desk, here: Runtime) -> None:
    desk.household("h2", "q1")
    desk.record("h2", MemberAdded(member=Member(person="p1", name="测试甲")), "2024-09-01")
    desk.execute(HOUSEHOLD, "h2", Void(entry=2, reason="登错了户"))
    desk.record("e1", PROPOSED, "2024-12-05")
    owners = owners_of(here.ledger, here.keyring, f"{STATION}/erasure/e1")
    assert owners == {
        f"{STATION}/erasure/e1", f"{STATION}/person/p1", f"{STATION}/household/h1#text",
        f"{STATION}/household/h2#text",
    }


def test_a_volunteer_is_erased_too(desk: Desk, here: Runtime) -> None:
    desk.record("v1", VolunteerRegistered(name="测试丙", phone="13700000000"), "2024-07-01")
    proposal = ErasureProposed(ground=ErasureGround.CONSENT_WITHDRAWN, volunteer="v1")
    erase(desk, here, proposal)
    [registered] = shown(here, f"{STATION}/volunteer/v1")
    assert (registered["name"], registered["phone"]) == (ERASED, ERASED)


def test_a_record_of_nobody_s_goes_when_it_is_named(desk: Desk, here: Runtime) -> None:
    desk.record("g1", GroupOpened(title="互助小组", audience="residents", community="东"), "2024-07-01")
    desk.record("g1", GroupClosed(summary="测试甲来了六次"), "2024-09-01")
    desk.record("v1", VisitRecorded(mode="home", purpose="routine", persons_met=1, household="h1",
                                    note="身体好"), "2024-11-05")
    named = msgspec.structs.replace(PROPOSED, records=("group/g1",))
    check_proposal(here.ledger, STATION, named)
    erase(desk, here, named)
    assert shown(here, f"{STATION}/group/g1")[1]["summary"] == ERASED
    for record, code in (("visit/v1", "record_not_separate"), ("group/g9", "unknown_record"),
                         ("dragon/d1", "unknown_record"), ("household/h1", "record_not_separate")):
        with refused(code):
            check_proposal(here.ledger, STATION, msgspec.structs.replace(named, records=(record,)))


# ---- the same person under another id ----

SAME = PersonMergeProposed(
    merged="p9", merged_household="h2", survivor="p1", survivor_household="h1", reason="甲即己"
)


@pytest.fixture
def merged(desk: Desk) -> Desk:
    """p9 of h2 is p1 of h1."""
    home = HouseholdRegistered(
        community="东路社区", address="测试路 2 号", note="己独居",
        members=(Member(person="p9", name="测试己", phone="13900000000", relation="head"),),
    )
    desk.record("h2", home, "2024-07-01")
    desk.record("persons", SAME, "2024-11-01")
    desk.record("persons", MergeApproved(entry=1), "2024-11-01", actor="lead-1")
    return desk


@pytest.mark.parametrize(("household", "person"), [("h1", "p1"), ("h2", "p9")])
def test_who_counts_as_the_same_person_is_erased_under_every_id(
    merged: Desk, here: Runtime, household: str, person: str
) -> None:
    proposal = msgspec.structs.replace(PROPOSED, household=household, person=person)
    erase(merged, here, proposal)
    [registered] = shown(here, f"{STATION}/household/h2")
    assert [registered["members"][0][n] for n in ("name", "phone")] == [ERASED, ERASED]
    assert (registered["address"], registered["note"]) == (ERASED, ERASED)
    assert shown(here)[0]["members"][0]["name"] == ERASED
    assert shown(here, f"{STATION}/merge/persons")[0]["reason"] == ERASED
    for mark, said in (("name", "测试己"), ("phone", "13900000000"), ("name", "测试甲")):
        assert here.keyring.owners_by(STATION, mark, said) == set()
    with refused("person_erased"):
        merged.household("h3", "p9")


def test_who_counts_as_another_again_is_not_erased(merged: Desk, here: Runtime) -> None:
    ended = MergeEnded(entry=1, reason="己是甲的妹妹")
    merged.record("persons", ended, "2024-11-02", actor="lead-1")
    erase(merged, here)
    assert shown(here, f"{STATION}/household/h2")[0]["members"][0]["name"] == "测试己"
    proposed, _approved, end = shown(here, f"{STATION}/merge/persons")
    assert (proposed["reason"], end["reason"]) == (ERASED, ERASED)


def test_an_erasure_means_whom_it_meant_when_it_was_decided(merged: Desk, here: Runtime) -> None:
    merged.record("e1", PROPOSED, "2024-12-05")
    merged.record("e1", ErasureApproved(), "2024-12-05", actor="lead-1")
    merged.record("persons", MergeEnded(entry=1, reason="误并"), "2024-12-05", actor="lead-1")
    assert asked_of(here.ledger, f"{STATION}/erasure/e1").persons == {"p1", "p9"}
    assert carry_out(here.ledger, here.keyring, f"{STATION}/erasure/e1")
    assert shown(here, f"{STATION}/household/h2")[0]["members"][0]["name"] == ERASED


@pytest.mark.parametrize(("household", "person"), [("h1", "p1"), ("h2", "q1")])
def test_why_households_were_merged_goes_with_either_side(
    desk: Desk, here: Runtime, household: str, person: str
) -> None:
    desk.household("h2", "q1")
    proposed = HouseholdMergeProposed(merged="h2", survivor="h1", reason="甲与丁同住")
    desk.record("households", proposed, "2024-11-01")
    desk.record("households", MergeDeclined(entry=1, reason="丁只是邻居"), "2024-11-01", actor="lead-1")
    erase(desk, here, msgspec.structs.replace(PROPOSED, household=household, person=person))
    steps = shown(here, f"{STATION}/merge/households")
    assert [step["reason"] for step in steps] == [ERASED, ERASED]


# ---- what else names the person ----


def test_what_earlier_requests_said_goes_along(desk: Desk, here: Runtime) -> None:
    volunteer = ErasureProposed(ground=ErasureGround.REQUEST, volunteer="v1", note="丙来电")
    desk.record("v1", VolunteerRegistered(name="测试丙"), "2024-07-01")
    for subject, proposal in (("a1", PROPOSED), ("a2", volunteer)):
        desk.record(subject, proposal, "2024-11-05")
        no = ErasureRefused(ground=RefusalGround.IDENTITY_UNPROVEN, because="未带证件")
        desk.record(subject, no, "2024-11-06", actor="lead-1")
    here.read_models.advance(here.ledger)
    erase(desk, here)
    assert shown(here, f"{STATION}/erasure/a1")[0]["note"] == ERASED
    assert shown(here, f"{STATION}/erasure/a2")[0]["note"] == "丙来电"
    erase(desk, here, volunteer, "e2")
    assert shown(here, f"{STATION}/erasure/a2")[0]["note"] == ERASED


def test_a_visit_that_names_the_person_and_no_household_goes_along(
    desk: Desk, here: Runtime
) -> None:
    said = VisitRecorded(mode="office", purpose="routine", persons_met=1, persons=("p1",), note="甲")
    envelope = desk.context().envelope()  # as older logs hold it: it is refused by now
    here.ledger.append([NewEntry(f"{STATION}/visit/v1", 1, on("2024-11-05"), envelope, said)], [])
    here.read_models.advance(here.ledger)
    erase(desk, here)
    assert shown(here, f"{STATION}/visit/v1")[0]["note"] == ERASED


@pytest.fixture
def published(desk: Desk, here: Runtime) -> dict[str, str]:
    """November's reports, of every period that it is a part of, and October's; with their codes."""
    said = SupervisionReceived(supervisor="督导", kind="peer", mode="online", advice="谈到测试甲")
    desk.record("s1", said, "2024-11-20")
    text = NarrativeWritten(section=ReportSection.FEATURED, text="探访测试甲。")
    desk.record("2024-11", text, "2024-11-30")
    other = NarrativeWritten(section=ReportSection.FEATURED, text="探访测试丁。")
    desk.record("2024-10", other, "2024-10-31")
    press = Press(here.ledger, here.read_models, here.settings.home / "templates", lambda: None)
    codes = {}
    for period in ("2024-11", "2024-Q4", "2024-H2", "2024", "2024-2025", "2024-10"):
        lead = desk.context(actor="lead-1", role="lead", now=datetime(2025, 7, 5, tzinfo=UTC))
        here.read_models.advance(here.ledger)
        opened = here.ledger.vault.opened_stream
        found = preview(press, STATION, period, lead.today, opened=opened)
        warned = [item.code for item in found.items]
        publish(press, period, lead, warned)
        codes[period] = shown(here, f"{STATION}/report/{period}")[0]["code"]
    return codes


@pytest.mark.parametrize("month", [f"2024-{number:02}" for number in range(1, 13)])
def test_a_month_is_part_of_five_periods(month: str) -> None:
    quarters, halves = (f"Q{n}" for n in range(1, 5)), ("H1", "H2")
    years = (f"{year}{more}" for year in (2023, 2024) for more in ("", f"-{year + 1}"))
    others = (f"2024-{part}" for part in (*quarters, *halves))
    covering = {name for name in (month, *years, *others) if month in report_period(name).months}
    assert set(periods_covering(month)) == covering


@pytest.mark.parametrize(("record", "said"), [
    ("month/2024-11", "探访测试甲。"), ("supervision/s1", "谈到测试甲"),
])
def test_a_published_report_forgets_what_the_record_said(
    desk: Desk, here: Runtime, published: dict[str, str], record: str, said: str
) -> None:
    figures = {p: shown(here, f"{STATION}/report/{p}")[0]["snapshot"]["figures"] for p in published}
    for period in set(published) - {"2024-10"}:
        assert said in json.dumps(shown(here, f"{STATION}/report/{period}"), ensure_ascii=False, default=str)
    named = msgspec.structs.replace(PROPOSED, records=(record,))
    check_proposal(here.ledger, STATION, named)
    erase(desk, here, named)
    for period, code in published.items():
        [report] = shown(here, f"{STATION}/report/{period}")
        texts = json.dumps(report["snapshot"]["sections"], ensure_ascii=False, default=str)
        assert said not in texts
        assert (ERASED in texts) == (period != "2024-10")
        assert (report["snapshot"]["figures"], report["code"]) == (figures[period], code)
        stored = here.ledger.history(f"{STATION}/report/{period}")[0].event
        assert isinstance(stored, ReportPublished)
        assert snapshot_code(stored.snapshot, str(stored.texts)) == code


@pytest.mark.parametrize("is_indexed", [True, False])
def test_what_names_the_person_is_found_by_the_index_and_in_the_log_after_it(
    desk: Desk, here: Runtime, is_indexed: bool  # noqa: FBT001 - a case of the test
) -> None:
    said = VisitRecorded(mode="home", purpose="routine", persons_met=1, household="h1", persons=("p1",))
    desk.record("v1", said, "2024-11-05")
    desk.correct("v1", 1, msgspec.structs.replace(said, persons=()), "2024-11-05")
    if is_indexed:
        here.read_models.advance(here.ledger)
    desk.record("e1", PROPOSED, "2024-12-05")
    found = histories_about(here.ledger, asked_of(here.ledger, f"{STATION}/erasure/e1"))
    assert {name.partition("/")[2] for name in found} == {"household/h1", "visit/v1", "erasure/e1"}


def test_an_erasure_reads_no_log_that_the_index_knows(
    desk: Desk, here: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.read_models.advance(here.ledger)
    known, read, after = here.read_models.position(), here.ledger.notifications, list[int]()

    def noted(position: int, *limit: int) -> Any:
        after.append(position)
        return read(position, *limit)

    monkeypatch.setattr(here.ledger, "notifications", noted)
    desk.record("e1", PROPOSED, "2024-12-05")
    check_sealed(here.ledger, f"{STATION}/erasure/e1")
    assert erase(desk, here, subject="e2")
    assert known > 0
    assert min(after) == known


def test_whoever_was_erased_before_is_asked_for_again_where_the_last_one_left(
    desk: Desk, here: Runtime
) -> None:
    """Leaving is said by one person and may be voided: it destroys nothing by itself."""
    erase(desk, here)
    desk.record("h1", MemberRemoved(person="p2", reason="moved_out"), "2024-12-05")
    here.read_models.advance(here.ledger)
    carry_out_all(here)
    assert shown(here)[0]["address"] == "测试路 1 号"
    erase(desk, here, subject="e2")
    assert shown(here)[0]["address"] == ERASED
    assert shown(here)[0]["members"][1]["name"] == "测试乙"


# ---- locking ----


def test_what_the_law_keeps_is_locked_until_it_is_unlocked(desk: Desk, here: Runtime) -> None:
    desk.record("e1", PROPOSED, "2024-12-05")
    kept = ErasureRefused(ground=RefusalGround.LEGAL_RETENTION, because="审计期内")
    desk.record("e1", kept, "2024-12-05", actor="lead-1")
    assert carry_out(here.ledger, here.keyring, f"{STATION}/erasure/e1")
    assert [m["name"] for m in shown(here)[0]["members"]] == [LOCKED, "测试乙"]
    with refused("person_locked"):
        desk.household("h2", "p1")
    desk.void(HOUSEHOLD, "h1", 2)
    desk.record("e1", ErasureUnlocked(because="审计已结束"), "2024-12-05", actor="lead-1")
    assert carry_out(here.ledger, here.keyring, f"{STATION}/erasure/e1")
    assert [m["name"] for m in shown(here)[0]["members"]] == ["测试甲", "测试乙"]
    erase(desk, here, subject="e2")
    assert shown(here)[0]["members"][0]["name"] == ERASED


# ---- until it is done ----


def test_the_sweep_carries_out_what_was_only_recorded(desk: Desk, here: Runtime) -> None:
    desk.record("e1", PROPOSED, "2024-12-05")
    desk.record("e1", ErasureApproved(), "2024-12-05", actor="lead-1")
    here.read_models.advance(here.ledger)
    assert shown(here)[0]["members"][0]["name"] == "测试甲"
    assert carry_out_all(here) == 1
    assert shown(here)[0]["members"][0]["name"] == ERASED
    assert carry_out_all(here) == 0


def test_an_older_copy_of_the_keyring_forgets_again(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "home")
    settings.prepare_home()
    here = Runtime(settings)
    desk = Desk(here.ledger)
    desk.record(STATION, a_station(), "2024-01-01", role="administrator")
    desk.record("h1", HOME, "2024-07-01")
    here.close()
    shutil.copytree(settings.home, tmp_path / "copy")
    here = Runtime(settings)
    desk = Desk(here.ledger)
    erase(desk, here)
    desk.record("h1", HouseholdInfoUpdated(fields=("phone",), note="新话"), "2024-12-05")
    here.close()
    for part in settings.home.glob("keys.sqlite3*"):
        part.unlink()
    shutil.copy(tmp_path / "copy" / "keys.sqlite3", settings.home)
    here = Runtime(settings)
    assert shown(here)[0]["members"][0]["name"] == "测试甲"
    here.read_models.advance(here.ledger)
    assert carry_out_all(here) == 1
    assert shown(here)[0]["members"][0]["name"] == ERASED
    here.close()


def test_figures_and_read_models_stay_as_they_were(desk: Desk, here: Runtime) -> None:
    desk.record("v1", VisitRecorded(mode="home", purpose="routine", persons_met=1, household="h1",
                                    persons=("p1",)), "2024-11-05")
    here.read_models.advance(here.ledger)
    names = [name for name in here.read_models.names() if name not in {"erasures", "timeline"}]
    erase(desk, here)
    here.read_models.advance(here.ledger)
    for name in names:
        result = here.read_models.rebuild(name, here.ledger)
        assert (result.differing_rows, result.parked) == (0, 0), name


# ---- a log of before ----


class Unsealed(Vault):
    """A ledger as version 0.1.0 wrote it."""

    def prepare(self, _stated: Any) -> Any:
        return {}

    def sealed(self, stated: Any, _version: int, _keys: Any = None) -> Any:
        return stated[0]


def test_a_log_that_was_not_sealed_cannot_forget_and_says_so(settings: Settings) -> None:
    keyring = Keyring(settings.keys_database_url, settings.master_key())
    with Ledger(settings.database_url, Unsealed(keyring)) as old:
        desk = Desk(old)
        desk.record(STATION, a_station(), "2024-01-01", role="administrator")
        desk.record("h1", HOME, "2024-07-01")
    keyring.close()
    here = Runtime(settings)
    assert shown(here)[0]["members"][0]["name"] == "测试甲"
    Desk(here.ledger).record("e1", PROPOSED, "2024-12-05")
    with refused("texts_not_sealed"):
        check_sealed(here.ledger, f"{STATION}/erasure/e1")
    here.close()


def test_a_dump_of_the_database_shows_nobody(
    database: str, desk: Desk, here: Runtime, ledger_url: str
) -> None:
    """Neither before nor after: what is stored is sealed."""
    here.read_models.advance(here.ledger)
    if database == "sqlite":
        found = b"".join(f.read_bytes() for f in here.settings.home.rglob("*") if f.is_file())
    else:
        with psycopg.connect(ledger_url) as connection:
            tables = connection.execute(
                "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT LIKE 'pg_%'"
                " AND schemaname <> 'information_schema'"
            ).fetchall()
            found = _dump(connection, tables)
    assert desk.ledger is here.ledger
    for said in ("测试甲", "13800000000", "高血压", "测试路 1 号", "听力不好"):
        assert said.encode() not in found
        assert said.encode().hex().encode() not in found


def _dump(connection: psycopg.Connection[Any], tables: list[Any]) -> bytes:
    pieces: list[bytes] = []
    for schema, table in tables:
        with connection.cursor().copy(f'COPY "{schema}"."{table}" TO STDOUT'.encode()) as copy:
            pieces += [bytes(piece) for piece in copy]
    return b"".join(pieces)
