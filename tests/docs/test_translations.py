"""Does the English catalogue know every text that a page shows?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir

from api.language import catalogue
from api.pages.dashboards import TITLES
from api.pages.menu import PLACES
from api.pages.month_calendar import STATUSES as HELD
from api.pages.offline import TEXTS
from api.pages.operating import JOBS, QUEUE_LABELS, STATUSES
from api.pages.permissions import recorded_labels
from api.pages.preferences import CHOICES
from api.pages.referrals import ASKED, COLUMNS
from api.pages.register import COLUMN_LABELS
from api.pages.shortcuts import OFTEN, WITHOUT_HOUSEHOLD
from api.policy import VERB_LABELS
from domain import catalog
from domain.field_labels import FIELDS, OCCURRED, OF_CLASS
from domain.kernel import EVENTS, KINDS
from domain.vocabulary import Labelled
from projections.catalog import PROJECTIONS

API = Path(__file__).parents[2] / "api"
ENGLISH = catalogue("en")
HAN = re.compile("[一-鿿]")
TEMPLATES = sorted(API.glob("pages/templates/**/*.html"))
STILL_CHINESE = {
    "docs.html", "evaluation.html", "evaluation_bundle.html", "evaluation_waiting.html",
    "evaluation_what_if.html", "evaluations.html",
}
"""Pages that speak Chinese only so far; none is added."""


def texts() -> Iterator[str]:
    """Every Chinese text that a page shows and that is no data."""
    found = extract_from_dir(
        str(API), method_map=[("**/templates/**.html", "jinja2")],
        options_map={"**/templates/**.html": {"newstyle_gettext": "true"}},
    )
    for _file, _line, text, _comments, _context in found:
        yield text if isinstance(text, str) else text[0]
    yield from (place.label for place in PLACES)
    yield from (shortcut.label for shortcut in (*OFTEN, *WITHOUT_HOUSEHOLD))
    yield from (text for name in ("theme", "size") for text in CHOICES[name].values())
    yield from (*COLUMN_LABELS, *TITLES, *TEXTS.values(), *COLUMNS, *ASKED.values(), *HELD.values())
    yield from (*JOBS.values(), *STATUSES.values(), *QUEUE_LABELS.values())
    yield from (projection.label for projection in PROJECTIONS.values())
    yield from (EVENTS[topic].label for topic in catalog.EVENTS)
    yield from (kind.label for kind in KINDS.values())
    yield from (label for labels in (FIELDS, OCCURRED, *OF_CLASS.values()) for label in labels.values())
    yield from (member.label for kind in Labelled.__subclasses__() for member in kind)
    yield from (*VERB_LABELS.values(), *recorded_labels().values())


def test_every_text_has_an_english_one() -> None:
    missing = sorted({text for text in texts() if HAN.search(text) and text not in ENGLISH})
    assert missing == []


def test_a_translation_says_the_same_figures_and_no_chinese() -> None:
    for text, english in ENGLISH.items():
        places = re.compile(r"%\(\w+\)s")
        assert sorted(places.findall(text)) == sorted(places.findall(english)), text
        assert not HAN.search(english), text


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_a_page_marks_its_texts_for_translation(path: Path) -> None:
    said = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert bool(HAN.search(said)) == (path.name in STILL_CHINESE)
