"""Does everything that an event says read in people's words?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest
from desk import on
from domain_examples import EXAMPLES, OCCURRED

from domain import catalog
from domain.describing import described, differences, quantity, statements_in
from domain.field_labels import FIELDS, OF_CLASS, field_label
from domain.fields import Quantity, _structs
from domain.household import TemporaryAssistanceGranted
from domain.kernel import Event, Statement
from domain.record_keeping import EntryCorrected
from domain.visit import VisitRecorded
from domain.vocabulary import Approximation

EVENTS = list(catalog.EVENTS.values())


def structs(struct: Any) -> Iterator[Any]:
    """A struct and every value that its fields may hold."""
    yield struct
    hints = get_type_hints(struct, include_extras=True)
    for name in struct.__struct_fields__:
        for inner in _structs(hints[name]):
            yield from structs(inner)


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: e.topic)
def test_every_field_of_every_event_has_a_label(event: type[Event]) -> None:
    for struct in structs(event):
        for name in struct.__struct_fields__:
            assert field_label(struct, name) != name, f"{struct.__name__}.{name}"


def test_no_label_is_left_over() -> None:
    held = {n: s for e in EVENTS for s in structs(e) for n in s.__struct_fields__}
    assert set(FIELDS) <= set(held)
    classes = {s.__name__: s for e in EVENTS for s in structs(e)}
    for name, labels in OF_CLASS.items():
        assert set(labels) <= set(classes[name].__struct_fields__)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda e: e.topic)
def test_no_code_is_shown_for_its_label(event: Event) -> None:
    """What is stated as a code, by a person or by a decision, reads as its label."""
    coded = {"category", "previous_category", "kind", "mode", "role", "relation", "unit", "urgency"}
    held = statements_in(event, OCCURRED)
    statement = held.after or held.before
    assert statement is not None
    for said in described(statement):
        name = said.path.rpartition(".")[2]
        if name in coded and said.label != "救助单元":
            assert not any(text.isascii() for text in said.texts), said


def test_a_visit_reads_in_people_s_words() -> None:
    visit = VisitRecorded(
        mode="home", purpose="routine", persons_met=1, minutes=40, household="h1",
        workers=("张社工", "李社工"), needs=("medical",), category="dibao",
    )
    said = {s.label: s.text for s in described(Statement(visit, on("2024-11-05", "2024-11-06")))}
    assert said["发生日期"] == "2024-11-05"
    assert said["截止日期"] == "2024-11-06"
    assert (said["方式"], said["目的"], said["结果"]) == ("入户", "日常探访", "见到")
    assert (said["时长"], said["社工"], said["救助类别"]) == ("40 分钟", "张社工、李社工", "低保")


def test_money_is_told_in_yuan() -> None:
    grant = TemporaryAssistanceGranted(amount_fen=123456, purpose="就医")
    said = {s.label: s.text for s in described(Statement(grant, on("2024-11-05")))}
    assert (said["金额"], said["用途"]) == ("1,234.56 元", "就医")


@pytest.mark.parametrize(("stated", "text"), [
    (Quantity(value=70, approximation=Approximation.JUST_UNDER), "近70"),
    (Quantity(value=70, approximation=Approximation.OVER), "70余"),
    (Quantity(value=0), "0"),
    (Quantity(), "未填报"),
])
def test_a_quantity_is_said_as_people_say_it(stated: Quantity, text: str) -> None:
    assert quantity(stated) == text


def test_only_what_differs_is_a_change() -> None:
    before = VisitRecorded(mode="home", purpose="routine", persons_met=1, minutes=30)
    after = VisitRecorded(mode="phone", purpose="routine", persons_met=1)
    event = EntryCorrected(
        entry=1, before=Statement(before, on("2024-11-05")), after=Statement(after, on("2024-11-05")),
        reason="填错了",
    )
    held = statements_in(event, on("2024-11-07"))
    assert held.before is not None
    assert held.after is not None
    found = {
        path: (one and one.text, other and other.text)
        for path, one, other in differences(
            {s.path: s for s in described(held.before)}, {s.path: s for s in described(held.after)}
        )
    }
    assert found == {"mode": ("入户", "电话"), "minutes": ("30 分钟", None)}
