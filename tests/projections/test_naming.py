"""Does an event name whom its marks say it names, wherever in it they stand?"""

from __future__ import annotations

import pytest
from domain_examples import EXAMPLES

from domain.fields import COMMUNITY, PERSON_MARK, marked_values
from domain.kernel import Event
from projections.naming import EVERYTHING, named

SUBJECT_KINDS = {PERSON_MARK: "person", COMMUNITY: "community"}


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.topic)
def test_an_event_names_every_subject_that_its_marks_say(event: Event) -> None:
    marked = {
        f"{SUBJECT_KINDS.get(mark, kind)}:{subject}"
        for mark in EVERYTHING
        for _path, kind, subject in marked_values(event, mark)
    }
    assert set(named(event, EVERYTHING)) == marked
