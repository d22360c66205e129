"""How is an application made for each test without compiling its routes each time?

Werkzeug writes and compiles two functions for each rule that build its addresses: half of what
making the application takes. They depend on nothing but the rule.
"""

from __future__ import annotations

from collections.abc import Callable

from werkzeug.routing import Rule

Builder = Callable[..., tuple[str, str]]
_compile = Rule._compile_builder
_known: dict[tuple[object, ...], Builder] = {}


def compile_rules_once() -> None:
    """From now on a rule that was compiled in this process is not compiled again."""
    Rule._compile_builder = _compiled_once  # type: ignore[method-assign]


def _compiled_once(rule: Rule, append_unknown: bool = True) -> Builder:  # noqa: FBT001, FBT002 - Werkzeug's own
    defaults = tuple(sorted((rule.defaults or {}).items()))
    of = (rule.rule, tuple(rule._trace), defaults, append_unknown)
    if of not in _known:
        _known[of] = _compile(rule, append_unknown)
    return _known[of]
