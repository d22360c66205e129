"""Does the glossary know every word that the program uses?"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from domain import catalog, code_lists
from domain.code_lists import code_list
from domain.kernel import EVENTS, KINDS
from domain.vocabulary import Role
from projections.measures import MEASURES

ROOT = Path(__file__).parents[2]
ROWS = (ROOT / "docs/glossary.md").read_text(encoding="utf-8").splitlines()
LISTS = sorted(f.name.removesuffix(".json") for f in files(code_lists).iterdir() if f.name.endswith("json"))

WORDS = [
    *((event.topic, event.label) for event in EVENTS.values() if event.topic in catalog.EVENTS),
    *((kind.name, kind.label) for kind in KINDS.values()),
    *((measure.code, measure.label) for measure in MEASURES.values()),
    *((role.value, role.label) for role in Role),
    *((row.code, row.label) for name in LISTS for row in code_list(name).values()),
]


@pytest.mark.parametrize(("code", "label"), WORDS)
def test_every_word_stands_in_the_glossary(code: str, label: str) -> None:
    assert any(row.startswith(f"| {code} | {label} |") for row in ROWS)


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/decisions/*.md")), ids=lambda p: p.name)
def test_a_decision_fits_on_a_page(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 50


@pytest.mark.parametrize(
    "path",
    sorted(p for name in ("domain", "projections", "workers", "api") for p in (ROOT / name).rglob("*.py")),
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_every_module_opens_with_the_question_it_answers(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith('"""')
    assert "?" in first or first.rstrip('"').endswith(".")
