"""Is every field that may speak of a person sealed? Every text of every event is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from domain import catalog
from domain.fields import (
    CODE_LIST,
    COMMUNITY,
    DERIVED,
    PERSON_MARK,
    PERSONAL,
    REFERS_TO,
    marks_of,
)
from domain.kernel import EVENTS

OPEN_MARKS = {CODE_LIST, COMMUNITY, DERIVED, PERSON_MARK, REFERS_TO}
"""Codes, communities and ids; an id names nobody, and figures are counted by it."""

STATED_IN = {f"stated_in.{name}" for name in ("actor", "project_cycle", "programmes")}
STAFF = {
    "activity.held": {"workers"}, "case.intake": {"worker"}, "community_survey.held": {"workers"},
    "group.opened": {"workers"}, "meeting.held": {"participants"},
    "needs_assessment.made": {"worker"}, "referral.made": {"worker"},
    "supervision.received": {"supervisor", "participants"},
    "supervision.scheduled": {"supervisor"}, "survey.held": {"workers"},
    "task_book.approved": {"approver"}, "record.corrected": STATED_IN,
    "record.voided": STATED_IN, "record.reinstated": STATED_IN, "training.delivered": {"workers"},
    "training.received": {"participants"}, "visit.recorded": {"workers"},
    "volunteer.service_recorded": {"recorder"},
}
"""Who acted on duty: kept, since an audit asks who did what (docs/personal-data.md)."""

STATION = {
    "name", "short_name", "city", "district", "street", "operator", "funder", "host_office",
    "communities.name", "communities.aliases", "introduction", "indicator_set",
}

DEFINITION = {
    f"indicator.{name}" for name in (
        "code", "label", "label_en", "measure", "filter", "plus.measure", "plus.filter",
        "without.measure", "without.filter", "part_of", "remainder_of", "minus",
    )
}
SNAPSHOT = {
    f"snapshot.{name}" for name in (
        "checkpoint.root", "figures.code", "figures.display", "figures.label", "figures.label_en",
        "figures.part_of", "format", "imprint", "indicator_set", "period", "profile",
        "sections.number", "sections.parts.title", "sections.title", "station", "summary",
        "template", "title",
    )
}
PUBLISHED = {
    "report.published": SNAPSHOT | {"acknowledged"},
    "report.restated": SNAPSHOT | {
        f"differences.{name}" for name in ("after", "before", "code", "label", "records.stream")
    },
    "activity.held": {"title", "organisers", "venue"}, "brand.registered": {"name"},
    "competition.awarded": {"award"}, "competition.entered": {"title", "organiser", "entry"},
    "community_survey.held": {"topics"}, "group.opened": {"title"},
    "group.session_held": {"theme"}, "meeting.held": {"title", "organiser"},
    "narrative.written": {"title"}, "project.drafted": {"title", "cycle"},
    "project_review.presented": {"title", "organiser", "cycle"}, "referral.made": {"to_agency"},
    "resource.linked": {"title"}, "survey.held": {"title"},
    "task_book.drafted": {
        "title", "cycle", "indicators.indicator", "indicators.label", "indicator_set",
    },
    "indicator.defined": DEFINITION | {"indicator_set"}, "indicator.revised": DEFINITION,
    "task_book.revised": {"indicators.indicator", "indicators.label"},
    "training.delivered": {"title"}, "training.received": {"title", "organiser"},
    "volunteer.service_recorded": {"title"}, "volunteer_team.registered": {"name"},
    "station.registered": STATION, "station.revised": STATION,
}
"""Titles of what the station does, and names of organisations: the reports print them."""

OURS = {
    "assistance.assigned": {"unit"}, "assistance.changed": {"unit"}, "assistance.ended": {"unit"},
    "case.intake": {"number"}, "household.registered": {"file_number"},
    "household.case_file_opened": {"file_number"}, "volunteer.certificate_issued": {"number"},
    "plan_item.added": {"item"}, "plan_item.completed": {"item"},
    "plan_item.carried_over": {"item", "to_month"}, "erasure.proposed": {"records"},
    "household.consent_given": {"scope"}, "household.consent_withdrawn": {"scope"},
    "evaluation.run": {"cycle", "indicator_set", "code", "known_at", "task_book", "changed"},
    "evidence.attached": {"record", "file"},
    "household.moved": {"transferred.category", "transferred.from_community"},
}
"""Numbers, names of records and of sealed files, and the scope of a consent, by which it is withdrawn."""


def texts_of(struct: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every text field of a struct, at every depth, with its marks."""
    hints = get_type_hints(struct, include_extras=True)
    for name, marks in marks_of(struct).items():
        for kind in _types(hints[name]):
            if issubclass(kind, msgspec.Struct):
                yield from texts_of(kind, f"{path}{name}.")
            elif kind is str:
                yield path + name, marks


def _types(hint: Any) -> set[type]:
    inner = [found for argument in get_args(hint) for found in _types(argument)]
    return {hint} if isinstance(hint, type) and not inner else set(inner)


@pytest.mark.parametrize("topic", sorted(t for t in EVENTS if EVENTS[t].__module__.startswith("domain.")))
def test_a_text_is_sealed_or_it_is_said_why_not(topic: str) -> None:
    assert catalog.EVENTS[topic]
    plain = {
        path for path, marks in texts_of(EVENTS[topic])
        if PERSONAL not in marks and not OPEN_MARKS & set(marks)
    }
    said = [group.get(topic, set()) for group in (STAFF, PUBLISHED, OURS)]
    assert plain == set().union(*said)


def test_no_text_has_two_reasons() -> None:
    for topic in {*STAFF, *PUBLISHED, *OURS}:
        groups = [group.get(topic, set()) for group in (STAFF, PUBLISHED, OURS)]
        assert sum(map(len, groups)) == len(set().union(*groups)), topic
