"""Does a station that moves in with years of records find all of them, once each?"""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from desk import STATION, Desk, a_vault, on
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.household import HouseholdInfoVerified
from domain.kernel import Refused
from domain.ledger import Ledger
from domain.meeting import MeetingHeld
from domain.merging import HouseholdMergeProposed, MergeApproved
from workers.history import ImportResult, import_history
from workers.history.lines import LINE_LIMIT, Names
from workers.history.reading import FileDamaged, FileTooLarge, history_lines

NOW = datetime(2024, 12, 20, 9, 0, tzinfo=UTC)
SOURCE = "old-ledger"
NAMES = Names(STATION, SOURCE)


def a_line(key: str, topic: str, data: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A line of 1 July 2024, unless something else is said."""
    line = {
        "key": key, "topic": topic, "recorded_at": "2024-07-02T09:00:00+08:00", "actor": "甲",
        "data": data,
    } | fields
    if not {"occurred_on", "occurred_at"} & set(line):
        line["occurred_on"] = "2024-07-01"
    return {name: value for name, value in line.items() if value is not None}


def the_station() -> dict[str, Any]:
    data = {
        "name": "示例街道社会工作服务站", "short_name": "示例社工站", "city": "济南市",
        "district": "历下区", "street": "示例街道", "operator": "示例社工中心",
        "funder": "示例区民政局", "host_office": "示例街道办事处",
        "communities": [{"name": "东路社区", "aliases": ["东"]}, {"name": "西路社区"}],
    }
    return a_line(
        "station", "station.registered", data, subject=STATION, role="lead",
        recorded_at="2024-07-01T09:00:00+08:00",
    )


def a_household(key: str, **fields: Any) -> dict[str, Any]:
    members = [
        {"person": f"{key}-a", "name": "测试甲", "relation": "head"},
        {"person": f"{key}-b", "name": "测试乙", "relation": "spouse"},
    ]
    data = {"community": "东", "members": members}
    return a_line(key, "household.registered", data, **fields)


def a_visit(key: str, household: str, **fields: Any) -> dict[str, Any]:
    data = {
        "household": household, "mode": "home", "purpose": "routine",
        "persons_met": fields.pop("persons_met", 1),
    }
    return a_line(key, "visit.recorded", data, **{
        "occurred_on": None if "occurred_at" in fields else "2024-11-05",
        "recorded_at": "2024-12-10T09:00:00+08:00",
    } | fields)


def keeping(key: str, act: str, of: str, **fields: Any) -> dict[str, Any]:
    """A record-keeping line about the line whose key is ``of``."""
    data = {"of": of, "reason": "填错了"} | fields.pop("more", {})
    data = fields.pop("data", data)
    return a_line(key, f"record.{act}", data, **{
        "occurred_on": "2024-12-11", "recorded_at": "2024-12-11T09:00:00+08:00",
    } | fields)


def some_history() -> list[dict[str, Any]]:
    """A small history with every way in which one line refers to another."""
    volunteer = {"subject": "v", "role": "volunteer_coordinator"}
    return [
        the_station(),
        a_household("h1"),
        a_household("h2"),
        a_line("a1", "assistance.assigned", {
            "unit": "u1", "category": "dibao", "covered": ["h1-a"],
        }, subject="h1", occurred_on="2021-03-01", recorded_at="2024-07-03T09:00:00+08:00"),
        a_line(
            "u1", "household.info_updated", {"fields": ["phone"]}, subject="h1",
            recorded_at="2024-07-04T09:00:00+08:00",
        ),
        a_visit("v1", "h1", persons_met=2),
        a_visit("v2", "h2"),
        a_visit("v3", "h2"),
        keeping("k1", "corrected", "v1", more={"occurred_on": "2024-11-06"}),
        keeping("k2", "voided", "v2"),
        keeping("k3", "voided", "v3"),
        keeping("k4", "reinstated", "v3", recorded_at="2024-12-12T09:00:00+08:00"),
        a_line("vo", "volunteer.registered", {"name": "测试丙"}, **volunteer),
        a_line("s1", "volunteer.service_recorded", {
            "title": "送餐", "minutes": 60, "recorder": "何",
        }, **volunteer),
        a_line("s2", "volunteer.service_recorded", {
            "title": "探访", "minutes": 90, "recorder": "何",
        }, **volunteer),
        a_line("c2", "volunteer.service_confirmed", {"entry": "s2"}, **volunteer),
    ]


def raw(*lines: dict[str, Any] | bytes) -> list[bytes]:
    return [
        line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()
        for line in lines
    ]


def take_in(ledger: Ledger, *lines: dict[str, Any] | bytes, **options: Any) -> ImportResult:
    """Import lines and expect no fault."""
    result = import_history(ledger, raw(*lines), STATION, SOURCE, NOW, **options)
    assert result.faults == []
    return result


def faults_of(
    ledger: Ledger, *lines: dict[str, Any] | bytes, **options: Any
) -> list[tuple[int, str]]:
    """Import lines and answer the faults by line: nothing may have been written."""
    before = ledger.head()
    result = import_history(ledger, raw(*lines), STATION, SOURCE, NOW, **options)
    assert result.written == 0
    assert ledger.head() == before
    assert result.fault_count == len(result.faults)
    return [(fault.line, fault.code) for fault in result.faults]


def recorded_of(ledger: Ledger, kind: str, key: str) -> list[Any]:
    stream = ledger.stream(STATION, kind, NAMES.own(key, kind))
    return ledger.history(stream.id) if stream else []


def what_is_said(ledger: Ledger) -> dict[tuple[str, int], Any]:
    """Everything recorded, but for the line's number, which is in the request's id."""
    return {
        (r.stream, r.version): (
            ledger.vault.opened(r.event, r.stream), r.occurred, r.envelope.recorded_at,
            r.envelope.actor, r.envelope.idempotency_key,
        )
        for r in ledger.recorded()
    }


# ---- what a line says ----


def test_a_day_is_kept_as_a_day(ledger: Ledger) -> None:
    take_in(ledger, the_station(), a_household("h1"), a_visit("v1", "h1"))

    (visit,) = recorded_of(ledger, "visit", "v1")

    assert visit.occurred == on("2024-11-05")


def test_half_past_midnight_in_shanghai_is_the_next_day(ledger: Ledger) -> None:
    visit = a_visit("v1", "h1", occurred_at="2024-11-30T16:30:00Z")

    take_in(ledger, the_station(), a_household("h1"), visit)

    (recorded,) = recorded_of(ledger, "visit", "v1")
    assert recorded.occurred.on == date(2024, 12, 1)
    assert recorded.occurred.at == datetime(2024, 11, 30, 16, 30, tzinfo=UTC)


def test_a_range_of_days_keeps_its_last_day(ledger: Ledger) -> None:
    visit = a_visit("v1", "h1", occurred_until="2024-11-07", precision="range")

    take_in(ledger, the_station(), a_household("h1"), visit)

    (recorded,) = recorded_of(ledger, "visit", "v1")
    assert recorded.occurred.last_day == date(2024, 11, 7)


def test_the_time_of_recording_is_kept_and_the_time_of_import_stands_beside_it(
    ledger: Ledger,
) -> None:
    take_in(ledger, the_station(), a_household("h1"), a_visit("v1", "h1", role="lead"))

    (visit,) = recorded_of(ledger, "visit", "v1")

    assert visit.envelope.recorded_at == datetime(2024, 12, 10, 1, 0, tzinfo=UTC)
    assert visit.envelope.imported_at == NOW
    assert (visit.envelope.actor, visit.envelope.role) == ("甲", "lead")
    assert visit.envelope.idempotency_key == "v1"


def test_blank_lines_and_a_byte_order_mark_are_no_lines(ledger: Ledger) -> None:
    marked = b"\xef\xbb\xbf" + raw(the_station())[0] + b"\r\n"

    result = take_in(ledger, marked, b"\n", b"  \r\n", a_household("h1"))

    assert (result.lines, result.written) == (2, 2)


def test_two_sources_with_the_same_ids_mean_different_households(ledger: Ledger) -> None:
    take_in(ledger, the_station(), a_household("h1"))

    other = import_history(ledger, raw(a_household("h1")), STATION, "other", NOW)

    assert (other.written, other.faults) == (1, [])
    assert len({r.stream for r in ledger.recorded()}) == 3


# ---- order and repetition ----


def _small_ledger(lines: list[dict[str, Any]]) -> dict[tuple[str, int], Any]:
    with Ledger("sqlite:///:memory:", a_vault()) as ledger:
        take_in(ledger, *lines)
        return what_is_said(ledger)


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(16)), again=st.lists(st.integers(0, 15), max_size=8))
def test_the_order_of_lines_and_their_repetition_do_not_matter(
    order: list[int], again: list[int]
) -> None:
    history = some_history()
    assert len(history) == 16

    shuffled = _small_ledger([history[n] for n in (*again[:4], *order, *again[4:])])

    assert shuffled == _small_ledger(history)


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(1, 16), again=st.lists(st.integers(0, 15), max_size=8))
def test_a_history_in_two_files_is_the_same_history(cut: int, again: list[int]) -> None:
    history = sorted(some_history(), key=lambda line: line["recorded_at"])

    with Ledger("sqlite:///:memory:", a_vault()) as ledger:
        take_in(ledger, *history[:cut])
        repeated = {n for n in again if n < cut}
        result = take_in(ledger, *(history[n] for n in again if n < cut), *history[cut:])
        in_two = what_is_said(ledger)

    assert in_two == _small_ledger(history)
    assert result.written == len(history) - cut
    assert result.repeated >= len(repeated)


def test_a_line_sent_twice_counts_once_in_one_run(ledger: Ledger) -> None:
    visit = a_visit("v1", "h1")

    result = take_in(ledger, the_station(), a_household("h1"), visit, visit)

    assert (result.lines, result.written, result.repeated) == (4, 3, 1)
    assert len(recorded_of(ledger, "visit", "v1")) == 1


def test_a_file_sent_twice_counts_once_over_two_runs(ledger: Ledger) -> None:
    first = take_in(ledger, *some_history())
    said = what_is_said(ledger)

    second = take_in(ledger, *some_history())

    assert first.last_position == ledger.head()
    assert (second.written, second.repeated, second.last_position) == (0, 16, None)
    assert what_is_said(ledger) == said


def test_a_line_spaced_otherwise_is_the_same_line(ledger: Ledger) -> None:
    take_in(ledger, the_station())
    spaced = json.dumps(the_station(), sort_keys=True, indent=1).replace("\n", " ").encode()

    assert take_in(ledger, spaced).repeated == 1


def test_the_same_key_with_another_content_is_a_fault_in_one_run(ledger: Ledger) -> None:
    lines = the_station(), a_household("h1"), a_visit("v1", "h1"), a_visit(
        "v1", "h1", persons_met=2
    )

    assert faults_of(ledger, *lines) == [(4, "idempotency_key_reused")]


def test_the_same_key_with_another_content_is_a_fault_in_a_later_run(ledger: Ledger) -> None:
    take_in(ledger, the_station(), a_household("h1"), a_visit("v1", "h1"))

    changed = a_visit("v1", "h1", persons_met=2)

    assert faults_of(ledger, changed) == [(1, "idempotency_key_reused")]


def test_a_later_file_of_the_same_source_goes_on_about_its_households(ledger: Ledger) -> None:
    take_in(ledger, the_station(), a_household("h1"))

    take_in(
        ledger, a_visit("v1", "h1"),
        a_line(
            "u1", "household.info_updated", {"fields": ["phone"]}, subject="h1",
            recorded_at="2024-12-01T09:00:00+08:00",
        ),
    )
    take_in(ledger, keeping("k1", "voided", "v1"))

    assert [r.event.topic for r in recorded_of(ledger, "household", "h1")] == [
        "household.registered", "household.info_updated",
    ]
    assert recorded_of(ledger, "visit", "v1")[0].event.household == NAMES.own("h1", "household")
    assert recorded_of(ledger, "visit", "v1")[1].event.topic == "record.voided"


def test_lines_of_one_instant_are_taken_in_whichever_order_the_rules_accept(
    ledger: Ledger,
) -> None:
    at_once = {"recorded_at": "2024-12-10T09:00:00+08:00"}
    lines = (
        a_visit("a-visit", "z-home", **at_once),
        a_household("z-home", occurred_on="2024-12-09", **at_once),
        the_station() | at_once,
        keeping("a-void", "voided", "a-visit", **at_once, occurred_on="2024-11-01"),
    )

    assert take_in(ledger, *lines).written == 4
    assert [r.event.topic for r in recorded_of(ledger, "visit", "a-visit")] == [
        "visit.recorded", "record.voided",
    ]


# ---- references by key ----


def test_a_correction_by_key_keeps_what_it_leaves_out(ledger: Ledger) -> None:
    lines = the_station(), a_household("h1"), a_visit("v1", "h1")
    day = keeping("k1", "corrected", "v1", more={"occurred_on": "2024-11-06"})
    data = keeping("k2", "corrected", "v1", recorded_at="2024-12-12T09:00:00+08:00", more={
        "data": {"household": "h1", "mode": "home", "purpose": "routine", "persons_met": 2},
    })

    take_in(ledger, *lines, day, data)

    stream = ledger.stream(STATION, "visit", NAMES.own("v1", "visit"))
    assert stream is not None
    (entry,) = stream.active()
    assert entry.corrected_times == 2
    assert entry.statement.occurred.on == date(2024, 11, 6)
    assert entry.statement.event.persons_met == 2
    assert entry.statement.event.household == NAMES.own("h1", "household")


def test_a_voided_line_does_not_count_until_it_is_reinstated(ledger: Ledger) -> None:
    take_in(ledger, *some_history())

    counting = {
        key: bool(list(stream.active()))
        for key in ("v1", "v2", "v3")
        if (stream := ledger.stream(STATION, "visit", NAMES.own(key, "visit")))
    }

    assert counting == {"v1": True, "v2": False, "v3": True}


def test_a_confirmation_by_key_confirms_that_service_and_no_other(ledger: Ledger) -> None:
    take_in(ledger, *some_history())

    stream = ledger.stream(STATION, "volunteer", NAMES.own("v", "volunteer"))

    assert stream is not None
    confirmed = {s.title: s.is_confirmed for s in stream.state.services.values()}
    assert confirmed == {"送餐": False, "探访": True}


def test_a_confirmation_of_another_volunteers_service_is_a_fault(ledger: Ledger) -> None:
    take_in(ledger, *some_history())
    other = {"subject": "w", "role": "volunteer_coordinator"}
    service = {"title": "送餐", "minutes": 30, "recorder": "何"}
    later = {"recorded_at": "2024-07-05T09:00:00+08:00"}
    lines = (
        a_line("w", "volunteer.registered", {"name": "测试丁"}, **other),
        a_line("w1", "volunteer.service_recorded", service, **other),
        a_line("wc", "volunteer.service_confirmed", {"entry": "s1"}, **other, **later),
    )

    assert faults_of(ledger, *lines) == [(3, "unknown_key")]


# ---- faults ----

VALID = a_visit("v1", "h1")


def _with(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in (VALID | fields).items() if value is not None}


def _data(**fields: Any) -> dict[str, Any]:
    return _with(data=VALID["data"] | fields)


FAULTS = {
    "not JSON": (b'{"key": "v1", ', "bad_line"),
    "not UTF-8": (b'{"key": "\xb2\xe2"}', "bad_line"),
    "no object": (b"[1, 2]", "bad_line"),
    "nested without end": (b'{"key": "v1", "data": {"a": ' + b"[" * 60_000, "bad_line"),
    "a number beyond bounds": (_data(persons_met=10**30), "bad_line"),
    "no key": (_with(key=None), "bad_line"),
    "an empty key": (_with(key=""), "bad_line"),
    "a key that no database keeps": (_with(key="v\x00"), "bad_line"),
    "no actor": (_with(actor=None), "bad_line"),
    "no data": (_with(data=None), "bad_line"),
    "an unknown field": (_with(occured_on="2024-11-05"), "bad_line"),
    "an unknown role": (_with(role="king"), "bad_line"),
    "an unknown topic": (_with(topic="visit.dreamt"), "unknown_topic"),
    "an unknown field in data": (_data(person_met=1), "bad_line"),
    "a field of data missing": (_with(data={"household": "h1"}), "bad_line"),
    "a bad code": (_data(mode="teleport"), "unknown_code"),
    "a bad day": (_with(occurred_on="2024-02-30"), "bad_line"),
    "a day before any station": (_with(occurred_on="1949-10-01"), "date_too_early"),
    "a range that ends first": (_with(occurred_until="2024-11-01"), "bad_date_range"),
    "neither day nor instant": (_with(occurred_on=None), "bad_line"),
    "day and instant": (_with(occurred_at="2024-11-05T09:00:00Z"), "bad_line"),
    "an instant without zone": (
        _with(occurred_on=None, occurred_at="2024-11-05T09:00:00"), "bad_line",
    ),
    "an instant before all calendars": (
        _with(occurred_on=None, occurred_at="0001-01-01T00:00:00+23:59"), "bad_line",
    ),
    "an instant after all calendars": (
        _with(occurred_on=None, occurred_at="9999-12-31T23:59:59-23:59"), "bad_line",
    ),
    "recorded without zone": (_with(recorded_at="2024-12-10T09:00:00"), "bad_line"),
    "recorded before all calendars": (_with(recorded_at="0001-01-01T00:00:00+23:59"), "bad_line"),
    "recorded later than now": (
        _with(recorded_at="2024-12-20T17:00:01+08:00"), "recorded_in_future",
    ),
    "recorded before it occurred": (_with(recorded_at="2024-11-04T09:00:00+08:00"),
                                    "date_in_future"),
    "an unknown household": (_data(household="h9"), "unknown_household"),
    "a correction of an unknown key": (keeping("k", "corrected", "v9"), "unknown_key"),
    "a void of an unknown key": (keeping("k", "voided", "v9"), "unknown_key"),
    "a void of nothing": (keeping("k", "voided", "v9", data={"reason": "填错了"}), "unknown_key"),
    "a void of a key that no database keeps": (keeping("k", "voided", "v\x00"), "unknown_key"),
    "a confirmation of a key that no database keeps": (
        a_line("c", "volunteer.service_confirmed", {"entry": "s\x00"}, subject="v"), "unknown_key",
    ),
    "a void without reason": (keeping("k", "voided", "h1", data={"of": "h1"}), "bad_line"),
    "a void with an unknown field": (keeping("k", "voided", "h1", more={"why": "x"}), "bad_line"),
    "a void without a day": (keeping("k", "voided", "h1", occurred_on=None), "bad_line"),
    "a correction that changes nothing": (keeping("k", "corrected", "h1"), "nothing_changed"),
    "a correction whose data is no object": (
        keeping("k", "corrected", "h1", more={"data": [], "occurred_on": "2024-06-30"}), "bad_line",
    ),
    "a correction with a bad day": (
        keeping("k", "corrected", "h1", more={"occurred_on": "1.7.2024"}), "bad_line",
    ),
    "a reinstatement of what counts": (keeping("k", "reinstated", "h1"), "not_voided"),
    "a second registration": (
        a_household("again", subject="h1", recorded_at="2024-12-10T09:00:00+08:00"),
        "already_exists",
    ),
    "a follow-up of no household": (
        a_line("u9", "household.info_updated", {"fields": ["phone"]}, subject="h9"), "unknown_record",
    ),
    "another station": (the_station() | {"key": "st2", "subject": "elsewhere"}, "bad_line"),
    "a month that is none": (
        a_line("r", "reflection.written", {"text": "好"}, subject="2024-13"), "not_a_month",
    ),
    "a month that no database keeps": (
        a_line("r", "reflection.written", {"text": "好"}, subject="2024\x00"), "bad_line",
    ),
    "an over-long line": (_data(note="长" * LINE_LIMIT), "line_too_long"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_by_its_line_and_nothing_is_written(ledger: Ledger, name: str) -> None:
    line, code = FAULTS[name]
    good = the_station(), a_household("h1"), a_household("h2")

    assert faults_of(ledger, *good, line, a_household("h3")) == [(4, code)]


def test_every_fault_of_a_file_is_listed_in_the_order_of_its_lines(ledger: Ledger) -> None:
    lines = (
        a_visit("v9", "h9"), the_station(), b"{", a_household("h1"),
        _with(topic="visit.dreamt"),
    )

    found = faults_of(ledger, *lines)

    assert [line for line, _code in found] == [1, 3, 5]


def test_a_fault_says_the_key_the_reason_and_what_to_read(ledger: Ledger) -> None:
    result = import_history(ledger, raw(the_station(), _with()), STATION, SOURCE, NOW)

    (fault,) = result.faults
    assert (fault.line, fault.key) == (2, "v1")
    assert fault.title
    assert fault.detail


def test_a_dry_run_finds_the_same_and_writes_nothing(ledger: Ledger) -> None:
    result = take_in(ledger, *some_history(), dry_run=True)

    assert (result.is_dry_run, result.lines, result.written) == (True, 16, 0)
    assert ledger.head() == 0
    assert faults_of(ledger, the_station(), b"{", dry_run=True) == [(2, "bad_line")]


def test_progress_ends_with_all_lines(ledger: Ledger) -> None:
    said: list[tuple[int, int]] = []

    take_in(ledger, *some_history(), progress=lambda done, total: said.append((done, total)))

    assert said == sorted(said)
    assert said[-1] == (16, 16)


# ---- files ----


def test_a_file_may_be_plain_or_compressed(tmp_path: Path) -> None:
    text = b"\n".join(raw(*some_history())) + b"\n"
    (tmp_path / "a.jsonl").write_bytes(text)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(text))

    plain = list(history_lines(tmp_path / "a.jsonl"))

    assert b"".join(plain) == text
    assert list(history_lines(tmp_path / "b.jsonl.gz")) == plain


@pytest.mark.parametrize("size", [LINE_LIMIT + 1, 2 * LINE_LIMIT + 1, 2 * LINE_LIMIT + 2, 300_000])
@pytest.mark.parametrize("filling", [b"x", b" "])
def test_an_over_long_line_of_a_file_is_one_fault_and_the_rest_is_read(
    ledger: Ledger, tmp_path: Path, size: int, filling: bytes
) -> None:
    station, home = raw(the_station(), a_household("h1"))
    long = home.ljust(size - 1, filling) + b"x"
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join([station, long, b"{", b""]))

    found = faults_of(ledger, *history_lines(path))

    assert found == [(2, "line_too_long"), (3, "bad_line")]


def test_a_line_of_the_greatest_length_is_read(ledger: Ledger, tmp_path: Path) -> None:
    station, home = raw(the_station(), a_household("h1"))
    path = tmp_path / "a.jsonl"
    path.write_bytes(station + b"\r\n" + home[:-1].ljust(LINE_LIMIT - 1) + b"}\r\n")

    assert take_in(ledger, *history_lines(path)).written == 2


def _cut(packed: bytes) -> bytes:
    return packed[: len(packed) // 2]


def _altered(packed: bytes) -> bytes:
    return packed[:-8] + b"\0\0\0\0" + packed[-4:]


def _unpacked(packed: bytes) -> bytes:
    return gzip.decompress(packed)


@pytest.mark.parametrize("damage", [_cut, _altered, _unpacked])
def test_a_damaged_file_is_refused_as_a_whole(
    ledger: Ledger, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(damage(gzip.compress(b"\n".join(raw(*some_history())))))

    with pytest.raises(FileDamaged):
        import_history(ledger, history_lines(path), STATION, SOURCE, NOW)

    assert ledger.head() == 0


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_part_of_a_file_beyond_the_bound_is_not_taken_for_all_of_it(
    ledger: Ledger, tmp_path: Path, name: str
) -> None:
    path, text = tmp_path / name, b"\n".join(raw(*some_history()))
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)

    with pytest.raises(FileTooLarge):
        import_history(ledger, history_lines(path, len(text) - 1), STATION, SOURCE, NOW)

    assert ledger.head() == 0
    assert b"".join(history_lines(path, len(text))) == text


# ---- what it costs ----


def _questions(count: int) -> int:
    """How often the database is asked about a follow-up file of so many lines."""
    homes = [a_household(f"h{n}") for n in range(count)]
    visits = [a_visit(f"v{n}", f"h{n}") for n in range(count)]
    asked: list[str] = []
    with Ledger("sqlite:///:memory:", a_vault()) as ledger:
        take_in(ledger, the_station(), *homes)
        with ledger.store.datastore.transaction(commit=False) as cursor:
            connection = cursor.sqlite_cursor.connection
        connection.set_trace_callback(asked.append)
        take_in(ledger, *homes, *visits, dry_run=True)
        connection.set_trace_callback(None)
    return sum(statement.startswith("SELECT") for statement in asked)


def test_more_lines_ask_the_database_no_more_often() -> None:
    assert 0 < _questions(200) == _questions(10)


# ---- a store that cannot take the write ----


def test_a_full_disk_leaves_nothing_of_the_file(tmp_path: Path) -> None:
    many = [a_household(f"h{n}") for n in range(400)]
    with Ledger(f"sqlite:///{tmp_path}/ledger.sqlite3", a_vault()) as ledger:
        take_in(ledger, the_station())
        with ledger.store.datastore.transaction(commit=False) as cursor:
            cursor.execute("PRAGMA page_count")
            pages = cursor.fetchone()[0]
            cursor.execute(f"PRAGMA max_page_count = {pages + 20}")

        with pytest.raises(Refused) as refusal:
            import_history(ledger, raw(*many), STATION, SOURCE, NOW)

        assert refusal.value.code == "store_unavailable"
        assert ledger.head() == 1
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM stored_events").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM request_keys").fetchone() == (1,)
    connection.close()
    with Ledger(f"sqlite:///{tmp_path}/ledger.sqlite3", a_vault()) as ledger:
        assert take_in(ledger, *many).written == 400


def test_whoever_records_during_the_check_makes_the_import_give_way(ledger: Ledger) -> None:
    take_in(ledger, the_station(), a_household("h1"))
    desk = Desk(ledger)
    home = NAMES.own("h1", "household")
    late = {"subject": "h1", "recorded_at": "2024-12-01T09:00:00+08:00"}
    update = a_line("u1", "household.info_updated", {"fields": ["phone"]}, **late)

    def meanwhile(_done: int, _total: int) -> None:
        desk.record(home, HouseholdInfoVerified(), "2024-12-01")

    with pytest.raises(Refused) as refusal:
        import_history(ledger, raw(update), STATION, SOURCE, NOW, progress=meanwhile)

    assert refusal.value.code == "busy"
    assert ledger.head() == 3
    assert take_in(ledger, update).written == 1


def test_what_is_imported_goes_beside_what_was_recorded_by_hand(ledger: Ledger) -> None:
    take_in(ledger, the_station())
    desk = Desk(ledger)
    desk.record("m1", MeetingHeld(title="站务例会", kind="work"), "2024-12-01")

    take_in(ledger, a_household("h1"))

    assert ledger.head() == 3
    assert [r.envelope.imported_at is not None for r in ledger.recorded()] == [True, False, True]


# ---- merges ----


def test_what_the_rules_say_of_merges_and_references_holds_for_a_file(ledger: Ledger) -> None:
    take_in(ledger, the_station(), *(a_household(name) for name in ("h1", "h2", "h3", "h4")))
    merged, survivor = NAMES.own("h2", "household"), NAMES.own("h1", "household")
    desk, lead = Desk(ledger), {"actor": "lead-1", "role": "lead"}
    proposal = HouseholdMergeProposed(merged=merged, survivor=survivor, reason="重复建档")
    desk.record("households", proposal, "2024-07-03")
    desk.record("households", MergeApproved(entry=1), "2024-07-03", **lead)
    # nothing is imported of a merged household, and none is voided that the file itself names
    assert sorted(faults_of(
        ledger, a_visit("v2", "h2"), a_visit("v4", "h4"), keeping("k4", "voided", "h4"),
        a_line("m", "merge.household_proposed", {
            "merged": "h3", "survivor": "h1", "reason": "重复建档",
        }),
    )) == [(1, "household_merged"), (3, "still_referred_to"), (4, "bad_line")]
    take_in(ledger, a_visit("v1", "h1"), keeping("k3", "voided", "h3"))
