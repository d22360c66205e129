"""Can every stored event be read for ever, and has everything a name for people?

The golden files are the bytes that the log holds. One is written when an event class
or a version of one is new, and none is ever changed:
``GOLDEN=write pytest tests/domain/test_catalog.py`` writes those that are missing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest
from domain_examples import ENVELOPE, EXAMPLES, OCCURRED
from domain_spec import said

from domain import catalog, code_lists
from domain.code_lists import Code, code_list, label_of
from domain.fields import CODE_LIST, DERIVED, marked_values, marks_of
from domain.kernel import EVENTS, KIND_OF_TOPIC, KINDS, REFUSALS, Event, Refused
from domain.record_keeping import EntryVoided, RecordKeeping
from domain.upcasting import NewerEventError
from domain.vocabulary import Labelled, Role

GOLDEN = Path(__file__).parent / "golden"
BY_TOPIC = {event.topic: event for event in EXAMPLES}
OWN_EVENTS = {t: c for t, c in EVENTS.items() if c.__module__.startswith("domain.")}
CODE_LISTS = sorted(
    path.name.removesuffix(".json")
    for path in files(code_lists).iterdir()
    if path.name.endswith(".json")
)
CHINESE = re.compile(r"[\u4e00-\u9fff]")

if os.environ.get("GOLDEN") == "write":
    for _event in EXAMPLES:
        _file = GOLDEN / f"{_event.topic}.v{_event.class_version}.json"
        if not _file.exists():
            _file.write_bytes(catalog.encode_state(_event, OCCURRED, ENVELOPE))

# ---- golden files ----


def test_there_is_one_example_of_every_event_class() -> None:
    assert len(EXAMPLES) == len(BY_TOPIC)
    assert set(BY_TOPIC) == set(OWN_EVENTS)


def test_every_version_of_every_event_class_has_a_golden_file_and_no_other_has() -> None:
    wanted = {
        f"{topic}.v{version}.json"
        for topic, cls in OWN_EVENTS.items()
        for version in range(1, cls.class_version + 1)
    }
    assert {path.name for path in GOLDEN.iterdir()} == wanted


@pytest.mark.parametrize("topic", sorted(BY_TOPIC))
def test_a_stored_event_is_read_and_written_back_to_the_same_bytes(topic: str) -> None:
    stored = (GOLDEN / f"{topic}.v{BY_TOPIC[topic].class_version}.json").read_bytes()
    event, occurred, envelope = catalog.decode_state(topic, stored)
    assert (event, occurred, envelope) == (BY_TOPIC[topic], OCCURRED, ENVELOPE)
    assert catalog.encode_state(event, occurred, envelope) == stored


@pytest.mark.parametrize("path", sorted(GOLDEN.iterdir()), ids=lambda path: path.stem)
def test_every_version_ever_stored_is_still_read(path: Path) -> None:
    topic = path.name.rsplit(".v", 1)[0]
    event, _occurred, _envelope = catalog.decode_state(topic, path.read_bytes())
    assert type(event) is EVENTS[topic]


@pytest.mark.parametrize("topic", sorted(BY_TOPIC))
def test_a_stored_state_is_canonical_json(topic: str) -> None:
    stored = catalog.encode_state(BY_TOPIC[topic], OCCURRED, ENVELOPE)
    assert stored == msgspec.json.encode(msgspec.json.decode(stored), order="sorted")
    assert b"\\u" not in stored


@pytest.mark.parametrize("topic", sorted(BY_TOPIC))
def test_the_codes_of_an_example_are_in_their_lists(topic: str) -> None:
    for _path, name, code in marked_values(BY_TOPIC[topic], CODE_LIST):
        assert code in code_list(name)


def test_a_topic_of_another_program_is_refused() -> None:
    with pytest.raises(catalog.UnknownTopicError):
        catalog.decode_state("dragon.slain", b"{}")


@pytest.mark.parametrize(
    "state",
    [
        b"", b"{}", b"not json", b"[]",
        b'{"class_version":1,"data":{"reason":"completed"},"envelope":{},"occurred":{}}',
    ],
)
def test_a_state_of_another_shape_is_refused(state: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        catalog.decode_state("household.case_file_closed", state)


def test_a_field_that_no_version_knows_is_refused() -> None:
    stored = catalog.encode_state(BY_TOPIC["visit.recorded"], OCCURRED, ENVELOPE)
    with pytest.raises(msgspec.ValidationError):
        catalog.decode_state("visit.recorded", stored.replace(b'"data":{', b'"data":{"x":1,'))


# ---- upcasting ----

FIRST = b'{"name":"\xe7\x94\xb2","minutes":"90"}'
SECOND = b'{"name":"\xe7\x94\xb2","minutes":90}'
THIRD = b'{"title":"\xe7\x94\xb2","minutes":90}'


@pytest.fixture
def thrice_shaped() -> Iterator[type[Event]]:
    """An event class that has had three shapes; forgotten after the test."""

    class ThriceShaped(Event, topic="test.thrice_shaped", label="测试", class_version=3):
        title: str
        minutes: int

        @staticmethod
        def upcast_v1_v2(fields: dict[str, Any]) -> None:
            fields["minutes"] = int(fields["minutes"])

        @staticmethod
        def upcast_v2_v3(fields: dict[str, Any]) -> None:
            fields["title"] = fields.pop("name")

    yield ThriceShaped
    del EVENTS[ThriceShaped.topic]
    catalog._event_decoder.cache_clear()


@pytest.mark.parametrize(("version", "data"), [(1, FIRST), (2, SECOND), (3, THIRD)])
def test_an_event_of_any_version_is_read_in_its_present_shape(
    thrice_shaped: Any, version: int, data: bytes
) -> None:
    event = catalog.decode_event("test.thrice_shaped", version, data)
    assert event == thrice_shaped(title="甲", minutes=90)
    again = catalog.encode_state(event, OCCURRED, ENVELOPE)
    assert msgspec.json.decode(again)["class_version"] == 3


def test_an_event_of_a_newer_program_is_refused(thrice_shaped: Any) -> None:
    with pytest.raises(NewerEventError):
        catalog.decode_event(thrice_shaped.topic, 4, THIRD)


def test_a_statement_within_an_event_is_upcast_as_well(thrice_shaped: Any) -> None:
    voided = EntryVoided(
        entry=1, voided=said(thrice_shaped(title="甲", minutes=90)), reason="重复登记"
    )
    stored = msgspec.json.decode(catalog.encode_state(voided, OCCURRED, ENVELOPE))
    stored["data"]["voided"] |= {"class_version": 1, "data": msgspec.json.decode(FIRST)}
    event, _occurred, _envelope = catalog.decode_state(
        voided.topic, msgspec.json.encode(stored)
    )
    assert event == voided


@pytest.mark.parametrize("topic", sorted(OWN_EVENTS))
def test_an_event_class_has_every_upcasting_step_to_its_version(topic: str) -> None:
    cls = OWN_EVENTS[topic]
    steps = {name for name in vars(cls) if name.startswith("upcast_")}
    assert steps == {f"upcast_v{n}_v{n + 1}" for n in range(1, cls.class_version)}


# ---- names for people ----


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_a_refusal_has_a_chinese_title_and_detail(code: str) -> None:
    refusal = REFUSALS[code]
    assert re.fullmatch(r"[a-z][a-z0-9_]*", code)
    assert CHINESE.search(refusal.title)
    assert CHINESE.search(refusal.detail)
    assert refusal.detail.endswith("。")
    assert refusal.status in range(400, 600)
    assert refusal.__doc__


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_the_detail_of_a_refusal_says_its_facts(code: str) -> None:
    names = re.findall(r"\{(\w+)\}", REFUSALS[code].detail)
    refusal = REFUSALS[code](**{name: f"<{name}>" for name in names})
    assert isinstance(refusal, Refused)
    assert all(f"<{name}>" in str(refusal) for name in names)


@pytest.mark.parametrize("topic", sorted(OWN_EVENTS))
def test_an_event_has_a_chinese_label_and_says_what_it_is(topic: str) -> None:
    assert CHINESE.search(OWN_EVENTS[topic].label)
    assert OWN_EVENTS[topic].__doc__
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", topic)


def test_no_two_events_of_a_stream_read_the_same() -> None:
    for kind in KINDS.values():
        labels = [event.label for event in kind.events]
        assert len(labels) == len(set(labels))
        assert CHINESE.search(kind.label)


def test_every_event_but_record_keeping_belongs_to_a_stream_and_can_be_stated_unless_it_follows_from_the_log_or_comes_with_a_file() -> None:
    keeping = {cls.topic for cls in RecordKeeping.__args__}
    assert set(KIND_OF_TOPIC) == set(OWN_EVENTS) - keeping
    follows = {"evaluation.run", "evidence.attached", "report.published", "report.restated"}
    assert {topic for topic, kind in KIND_OF_TOPIC.items() if not kind.is_stated} == follows
    assert set(catalog.stated_topics()) == set(KIND_OF_TOPIC) - follows


@pytest.mark.parametrize("topic", sorted(OWN_EVENTS))
def test_a_derived_field_may_be_left_unstated(topic: str) -> None:
    cls = OWN_EVENTS[topic]
    defaults = {f.name: f.default for f in msgspec.structs.fields(cls)}
    for name, marks in marks_of(cls).items():
        if DERIVED in marks:
            assert defaults[name] is None


@pytest.mark.parametrize("name", CODE_LISTS)
def test_every_row_of_a_code_list_has_a_label_in_both_languages(name: str) -> None:
    rows = msgspec.json.decode(
        files(code_lists).joinpath(f"{name}.json").read_bytes(), type=list[Code]
    )
    assert rows
    assert len({row.code for row in rows}) == len(rows)
    for row in rows:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", row.code)
        assert CHINESE.search(row.label)
        assert row.label_en.isascii()
        assert row.label_en.strip()
        assert (row.valid_from or date.min) <= (row.valid_until or date.max)


def test_every_code_list_that_a_field_names_exists_and_is_used() -> None:
    used: set[str] = set()

    def visit(struct: type) -> None:
        for marks in marks_of(struct).values():
            used.update([marks[CODE_LIST]] if CODE_LIST in marks else [])

    def structs(hint: Any) -> Iterator[type]:
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield hint
        for inner in getattr(hint, "__args__", ()):
            yield from structs(inner)

    for cls in OWN_EVENTS.values():
        visit(cls)
        for field in msgspec.structs.fields(cls):
            for inner in structs(field.type):
                visit(inner)
    assert used == set(CODE_LISTS)


def test_a_code_reads_as_its_label_and_an_unknown_one_as_itself() -> None:
    assert label_of("assistance_categories", "dibao") == "低保"
    assert label_of("assistance_categories", "no_such") == "no_such"


def test_the_members_of_a_labelled_set_are_found_by_their_code() -> None:
    assert Role.of("lead") is Role.LEAD
    assert Role.LEAD.label == "站长"
    with pytest.raises(KeyError):
        Role.of("站长")
    assert issubclass(Role, Labelled)

