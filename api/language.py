"""In which language does a page speak? Chinese is the source; English is a catalogue.

The catalogue is the text file that translators edit (gettext's .po), read once a process:
nothing has to be compiled, and nothing compiled can be out of date. What code lists, indicator
sets and measures are called in English stands with them, and counts as the catalogue's.
A template says its own texts with ``_("…")``, and what others say as ``api/speaking.py`` tells.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Final

from babel.messages.pofile import read_po
from flask import Flask, g, has_request_context, request
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

from domain.code_lists import code_list, code_list_names
from projections.indicators import indicator_set_codes, indicator_set_file, parsed_set
from projections.measures import MEASURES

CATALOGUES: Final = Path(__file__).parent / "translations"
SOURCE: Final = "zh"
LANGUAGES: Final = {"zh": "中文", "en": "English"}
TAGS: Final = {"zh": "zh-CN", "en": "en"}
COOKIE: Final = "lang"
HAN: Final = re.compile("[一-鿿]")
CHINESE: Final = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
"""A Chinese character or Chinese punctuation."""


def language() -> str:
    """The language of this request: as its cookie says, else Chinese.

    What the browser prefers is not asked: an office PC set up in English is not a wish.
    """
    if not has_request_context():
        return SOURCE
    if "language" not in g:
        chosen = request.cookies.get(COOKIE, SOURCE)
        g.language = chosen if chosen in LANGUAGES else SOURCE
    spoken: str = g.language
    return spoken


def translated(text: str) -> str:
    """A Chinese text in the language of this request; one not in the catalogue stays as it is."""
    spoken = language()
    return text if spoken == SOURCE else vocabulary(spoken).get(text, text)


@cache
def catalogue(name: str) -> dict[str, str]:
    """Every text with its translation."""
    with (CATALOGUES / f"{name}.po").open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file) if m.id and m.string}


@cache
def vocabulary(name: str) -> dict[str, str]:
    """The catalogue, and what is translated where it is defined."""
    named: list[Any] = [*MEASURES.values()]
    named += [row for one in code_list_names() for row in code_list(one).values()]
    for code in indicator_set_codes():
        found = parsed_set(indicator_set_file(code))
        named += [found, *found.indicators]
    return {row.label: row.label_en for row in named} | catalogue(name)


def titled(defined: Any) -> str:
    """What an indicator, a set or a measure is called where it is defined."""
    return str(defined.label if language() == SOURCE else defined.label_en)


def _plural(one: str, many: str, count: int) -> str:
    """Chinese has one form for all numbers, and so has our English: it writes “visits: 1”."""
    return translated(one if count == 1 else many)


@pass_eval_context
def _said(context: EvalContext, text: str, **values: object) -> str:
    """What ``_("…")`` says in a template: as Jinja has it, which takes twice as long to ask."""
    found = translated(text)
    found = Markup(found) if context.autoescape else found  # noqa: S704 - our own texts
    return found % values if values or "%" in found else found


def install(app: Flask) -> None:
    """Let templates say ``_("…")``."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    environment: Any = app.jinja_env
    environment.install_gettext_callables(translated, _plural, newstyle=True)
    app.jinja_env.globals.update(
        _=_said, language=language, languages=LANGUAGES, language_tags=TAGS
    )
    app.jinja_env.filters["titled"] = titled
