"""Does the English catalogue know every text that a page shows?"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir

import api
import domain
import projections
import workers
from api.language import CHINESE, HAN, catalogue, vocabulary
from api.pages.dashboards import TITLES
from api.pages.gist import SAID_IN
from api.pages.menu import GROUPS, PLACES
from api.pages.month_calendar import STATUSES as HELD
from api.pages.offline import TEXTS
from api.pages.operating import JOBS, QUEUE_LABELS, STATUSES
from api.pages.permissions import recorded_labels
from api.pages.preferences import CHOICES
from api.pages.referrals import ASKED, COLUMNS
from api.pages.register import COLUMN_LABELS, ORDERS
from api.pages.shortcuts import OFTEN, WITHOUT_HOUSEHOLD
from api.pages.what_if_form import LABELS
from api.policy import VERB_LABELS
from api.problems import MARK, explained
from domain import catalog
from domain.field_labels import FIELDS, OCCURRED, OF_CLASS
from domain.kernel import EVENTS, KINDS
from domain.vocabulary import Labelled
from projections.catalog import PROJECTIONS
from projections.explaining.reasons import DIMENSION_LABELS

API = Path(__file__).parents[2] / "api"
ENGLISH = catalogue("en")
KNOWN = vocabulary("en")
ROOT = API.parent
TEMPLATES = sorted(API.glob("pages/templates/**/*.html"))
SPEAKING = (
    "projections/publishing_checks.py", "projections/integrity/feasibility.py",
    "projections/integrity/timing.py", "projections/explaining/*.py",
    "projections/evaluation/score_sheet.py", "projections/indicator_checks.py",
    "domain/indicators.py", "domain/task_book.py", "domain/describing.py", "workers/verifying.py",
    "workers/sealing.py", "workers/report_check.py", "api/accounts/*.py", "api/messages.py",
    "api/pages/*.py",
)
"""Where sentences are made that a page may show."""
PARTS = {"为", "或", "要求", "表单", "中文", "代码：", "，{} 至 {}", "{}为", "{}.{} 元", "{}(另有{}项{})"}
"""Pieces of sentences that are known as a whole, and what no page shows."""
NOT_SHOWN = re.compile("TAIZHANG_|评估码|志愿服务记录证明|《")
"""Settings, patterns, names of files and documents."""


def texts() -> Iterator[str]:
    """Every Chinese text that a page shows and that is no data."""
    found = extract_from_dir(
        str(API), method_map=[("**/templates/**.html", "jinja2")],
        options_map={"**/templates/**.html": {"newstyle_gettext": "true"}},
    )
    for _file, _line, text, _comments, _context in found:
        yield text if isinstance(text, str) else text[0]
    yield from (*GROUPS, *(place.label for place in PLACES))
    yield from (shortcut.label for shortcut in (*OFTEN, *WITHOUT_HOUSEHOLD))
    yield from (text for name in ("theme", "size") for text in CHOICES[name].values())
    yield from (*COLUMN_LABELS, *ORDERS[True], *ORDERS[False], *TITLES, *TEXTS.values(), *COLUMNS, *ASKED.values(), *HELD.values())
    yield from SAID_IN
    yield from (*JOBS.values(), *STATUSES.values(), *QUEUE_LABELS.values())
    yield from (projection.label for projection in PROJECTIONS.values())
    yield from (EVENTS[topic].label for topic in catalog.EVENTS)
    yield from (kind.label for kind in KINDS.values())
    yield from (label for labels in (FIELDS, OCCURRED, *OF_CLASS.values()) for label in labels.values())
    yield from (member.label for kind in Labelled.__subclasses__() for member in kind)
    yield from (*LABELS.values(), *DIMENSION_LABELS.values())
    yield from (*VERB_LABELS.values(), *recorded_labels().values())


def test_every_text_has_an_english_one() -> None:
    missing = sorted({text for text in texts() if CHINESE.search(text) and text not in ENGLISH})
    assert missing == []


def test_every_refusal_has_an_english_one() -> None:
    for package in (domain, projections, workers, api):  # a refusal is known once its module is
        for found_in in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found_in.name.endswith("__main__"):
                importlib.import_module(found_in.name)
    found = {text for _status, title, detail in explained().values() for text in (title, detail)}
    assert sorted(text for text in found - KNOWN.keys() if text.rstrip("。") not in KNOWN) == []


@pytest.mark.parametrize("module", SPEAKING)
def test_every_sentence_has_an_english_one(module: str) -> None:
    known = {_shape(text) for text in KNOWN}
    found = {text for path in ROOT.glob(module) for text in sentences_of(path)}
    assert found
    assert sorted(text for text in found - known - PARTS if not NOT_SHOWN.search(text)) == []


def sentences_of(path: Path) -> Iterator[str]:
    """The Chinese texts of a module that are no docstrings, with empty places."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    apart = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):  # a refusal's title and detail are asked for above
            apart |= {id(part) for keyword in node.keywords for part in ast.walk(keyword.value)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner | apart:
            text = _shape(node.value.partition(MARK)[2] or node.value)
        else:
            continue
        if HAN.search(text):
            yield text.rpartition(MARK)[2]


def _shape(text: str) -> str:
    return re.sub(r"\{\w*\}", "{}", text)


def test_a_translation_says_the_same_figures_and_no_chinese() -> None:
    places = re.compile(r"%\(\w+\)s|\{\w*\}")
    for text, english in ENGLISH.items():
        assert sorted(places.findall(text)) == sorted(places.findall(english)), text
        assert not CHINESE.search(english), text


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.name)
def test_a_page_marks_its_texts_for_translation(path: Path) -> None:
    said = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not CHINESE.search(said)
