"""Does a sealed text open where it was written, for whom it may, and nowhere else?"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from desk import Desk, on
from hypothesis import given as for_all
from hypothesis import strategies as st

from domain.case import CaseIntaken, CaseSessionHeld
from domain.catalog import to_builtins
from domain.group import GroupClosed
from domain.household import HouseholdInfoUpdated, HouseholdRegistered, Member
from domain.kernel import Statement
from domain.ledger import Ledger
from domain.merging import HouseholdMergeProposed, MergeEnded, PersonMergeProposed
from domain.owners import streams_of, texts_of
from domain.record_keeping import EntryVoided, Void
from domain.referral import ReferralMade
from domain.vault import (
    ERASED,
    LOCKED,
    UNREADABLE,
    PersonErased,
    PersonLocked,
    SealedByHand,
    TamperedTextError,
    Vault,
    is_sealed,
    sealed_places,
)
from domain.visit import VISIT, VisitRecorded
from workers.keyring import Keyring

STREAM = "s/household/h1"
REGISTERED = HouseholdRegistered(
    community="东路社区", address="测试路 1 号", note="两位老人都听力不好",
    members=(
        Member(person="p1", name="测试甲", relation="head", phone="13800000000"),
        Member(person="p2", name="测试乙", health="高血压"),
    ),
)


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(f"sqlite:///{tmp_path}/keys.sqlite3", bytes(32))


@pytest.fixture
def vault(keyring: Keyring) -> Vault:
    return Vault(keyring)


def sealed(vault: Vault, event: Any = REGISTERED, stream: str = STREAM, version: int = 1) -> Any:
    return vault.sealed((event, stream, None), version)


def owners(event: Any, stream: str, opening: Any = None) -> dict[str, str]:
    return {text: owner for owner, _mark, text in texts_of(event, stream, opening)}


# ---- whose is it ----


def test_a_member_s_texts_are_the_member_s_and_the_rest_is_the_household_s() -> None:
    assert owners(REGISTERED, STREAM) == {
        "测试路 1 号": "s/household/h1", "两位老人都听力不好": "s/household/h1#text",
        "测试甲": "s/person/p1", "13800000000": "s/person/p1",
        "测试乙": "s/person/p2", "高血压": "s/person/p2",
    }
    updated = HouseholdInfoUpdated(fields=("phone",), phone="13900000000")
    assert owners(updated, STREAM) == {"13900000000": "s/household/h1#text"}


def test_what_a_case_says_later_is_of_whom_it_was_opened_for() -> None:
    session = CaseSessionHeld(summary="谈到病情")
    alone = CaseIntaken(household="h1", person="p1", worker="张社工", problem="独居")
    assert owners(alone, "s/case/c1") == {"独居": "s/person/p1"}
    assert owners(session, "s/case/c1", alone) == {"谈到病情": "s/person/p1"}
    home = CaseIntaken(household="h1", worker="张社工", problem="矛盾")
    assert owners(session, "s/case/c1", home) == {"谈到病情": "s/household/h1#text"}


def test_why_it_was_voided_is_not_the_person_s_alone() -> None:
    made = ReferralMade(household="h1", person="p1", to_agency="医院", need="medical", basis="consent")
    voided = EntryVoided(entry=1, voided=Statement(made, on("2024-11-05")), reason="重复")
    assert owners(voided, "s/referral/r1", made) == {"重复": "s/household/h1#text"}


def test_a_record_about_nobody_owns_its_texts() -> None:
    assert owners(GroupClosed(summary="圆满"), "s/group/g1") == {"圆满": "s/group/g1"}
    visit = VisitRecorded(mode="street", purpose="routine", persons_met=1, note="路遇")
    assert owners(visit, "s/visit/v1") == {"路遇": "s/visit/v1"}


# ---- sealing and opening ----


def test_what_is_sealed_shows_nothing_and_opens_as_it_was(vault: Vault) -> None:
    stored = sealed(vault)
    said = msgspec.json.encode(to_builtins(stored)).decode()
    assert not re.search("测试|13800000000|高血压|听力", said)
    assert vault.opened(stored, STREAM) == REGISTERED
    assert sealed(vault, stored) == stored


@for_all(text=st.text(st.characters(exclude_characters="⟦⟧", exclude_categories=["Cs"]), max_size=300))
def test_any_text_comes_back(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    vault = _shared_vault(tmp_path_factory)
    event = HouseholdInfoUpdated(fields=("address",), note=text)
    stored = sealed(vault, event)
    assert vault.opened(stored, STREAM) == event
    assert text in {ERASED, LOCKED} or is_sealed(stored.note)


_vaults: list[Vault] = []


def _shared_vault(factory: pytest.TempPathFactory) -> Vault:
    if not _vaults:
        _vaults.append(Vault(Keyring(f"sqlite:///{factory.mktemp('k')}/k.sqlite3", bytes(32))))
    return _vaults[0]


def _moved(text: str, part: int, value: str) -> str:
    parts = text.split(":")
    parts[part] = value
    return ":".join(parts)


@pytest.mark.parametrize("change", [
    lambda text: _moved(text, 1, "note"),
    lambda text: _moved(text, 2, "s/person/p2"),
    lambda text: _moved(text, 4, "2"),
    lambda text: text[:-3] + ("A" if text[-3] != "A" else "B") + text[-2:],
    lambda text: text[:-10] + "⟧",
    lambda text: _moved(text, 5, "AA⟧"),
], ids=["mark", "owner", "version", "bits", "cut off", "too short"])
def test_a_text_does_not_open_where_it_was_not_written(vault: Vault, change: Any) -> None:
    stored = sealed(vault)
    forged = change(stored.members[0].name)
    members = (msgspec.structs.replace(stored.members[0], name=forged), stored.members[1])
    with pytest.raises(TamperedTextError):
        vault.opened(msgspec.structs.replace(stored, members=members), STREAM)


def test_nor_in_another_stream(vault: Vault) -> None:
    stored = sealed(vault)
    with pytest.raises(TamperedTextError):
        vault.opened(stored, "s/household/h2")


def test_a_key_that_is_lost_says_so(vault: Vault, tmp_path: Path) -> None:
    stored = sealed(vault)
    other = Vault(Keyring(f"sqlite:///{tmp_path}/other.sqlite3", bytes(32)))
    assert other.shown([stored.members[0].name], STREAM) == [UNREADABLE]


def test_the_same_text_is_sealed_differently_each_time(vault: Vault) -> None:
    assert sealed(vault).address != sealed(vault).address


def test_rows_and_plain_data_name_their_owners(vault: Vault) -> None:
    stored = sealed(vault, version=7)
    assert set(sealed_places(to_builtins(stored))) == {
        ("s/household/h1", 7), ("s/household/h1#text", 7), ("s/person/p1", 7), ("s/person/p2", 7),
    }


@pytest.mark.parametrize("text", ["⟦1:name:s/person/p1:1:1:AAAA⟧", "⟦", "甲⟧"])
def test_nobody_seals_by_hand(desk: Desk, text: str) -> None:
    with pytest.raises(SealedByHand):
        desk.record("v1", VisitRecorded(mode="street", purpose="routine", persons_met=1, note=text),
                    "2024-11-05")
    desk.record("v1", VisitRecorded(mode="street", purpose="routine", persons_met=1), "2024-11-05")
    with pytest.raises(SealedByHand):
        desk.execute(VISIT, "v1", Void(entry=1, reason=text))


# ---- erased and locked ----


def test_what_was_erased_or_locked_is_said_and_stays_as_it_was(
    vault: Vault, keyring: Keyring
) -> None:
    stored = sealed(vault)
    keyring.destroy(["s/person/p1"])
    keyring.lock(["s/person/p2"])
    names = [m["name"] for m in vault.shown(to_builtins(stored), STREAM)["members"]]
    assert names == [ERASED, LOCKED]
    opened = vault.opened(stored, STREAM)
    assert opened.members == stored.members
    assert opened.address == REGISTERED.address
    with pytest.raises(PersonErased):
        sealed(vault)
    keyring.lock(["s/person/p2"], is_locked=False)
    assert vault.opened(stored, STREAM).members[1] == REGISTERED.members[1]


def test_a_locked_person_gets_no_new_text(vault: Vault, keyring: Keyring) -> None:
    sealed(vault)
    keyring.lock(["s/person/p2"])
    with pytest.raises(PersonLocked):
        sealed(vault)


def test_a_household_goes_on_with_a_new_key(vault: Vault, keyring: Keyring) -> None:
    note = HouseholdInfoUpdated(fields=("address",), note="旧话")
    before = sealed(vault, note)
    keyring.destroy(["s/household/h1#text"])
    after = sealed(vault, note, version=2)
    assert vault.shown([before.note, after.note], STREAM) == [ERASED, "旧话"]


def test_a_keyring_that_was_begun_anew_gives_no_key_an_old_number(
    vault: Vault, tmp_path: Path
) -> None:
    """An older copy of the keyring makes new keys under numbers that nothing was sealed with."""
    first = sealed(vault)
    other = Keyring(f"sqlite:///{tmp_path}/other.sqlite3", bytes(32))
    again = other.to_seal(["s/person/p1"])["s/person/p1"]
    assert again.epoch > 1_700_000_000
    assert first.members[0].name.split(":")[3].isdigit()


def test_correcting_keeps_what_could_not_be_read(
    desk: Desk, ledger: Ledger, database: str
) -> None:
    keyring = ledger.vault.keys
    assert isinstance(keyring, Keyring)
    subject, erased, locked = "h-kept", f"kept-1-{database}", f"kept-2-{database}"
    desk.household(subject, erased, locked)
    stream = f"qianfoshan/household/{subject}"
    before = ledger.history(stream)[0].event
    keyring.destroy([f"qianfoshan/person/{erased}"])
    keyring.lock([f"qianfoshan/person/{locked}"])
    stated = ledger.vault.shown(to_builtins(before), stream)
    restated = msgspec.convert(stated | {"community": "西路社区"}, HouseholdRegistered)
    desk.correct(subject, 1, restated, "2024-07-01")
    after: Any = ledger.history(stream)[1].event
    assert after.after.event.members == before.members  # type: ignore[attr-defined]
    keyring.lock([f"qianfoshan/person/{locked}"], is_locked=False)
    opened: Any = ledger.vault.opened(after.after.event, stream)
    assert opened.members[1].name == f"测试{locked}"


def test_what_is_said_of_a_merge_is_of_both_whichever_is_merged() -> None:
    stream, said = "s/merge/persons", {"merged_household": "h2", "survivor_household": "h1"}
    proposed = PersonMergeProposed(merged="p2", survivor="p1", reason="同一人", **said)
    ended = MergeEnded(
        entry=1, reason="两人", merged_person="p1", merged_household="h1",
        surviving_person="p2", surviving_household="h2",
    )
    [owner] = {o for event in (proposed, ended) for o, _mark, _text in texts_of(event, stream, None)}
    assert streams_of(owner) == ["s/person/p1", "s/person/p2"]
    of_homes = HouseholdMergeProposed(merged="h2", survivor="h1", reason="重复")
    [(owner, _mark, _text)] = texts_of(of_homes, "s/merge/households", None)
    assert streams_of(owner) == ["s/household/h1", "s/household/h2"]


@pytest.mark.parametrize("owner", ["s/person/p1", "s/household/h1", "s/household/h1#text", "s/report/2024"])
def test_any_other_owner_is_one(owner: str) -> None:
    assert streams_of(owner) == [owner.removesuffix("#text")]
