"""How are the ratios shown: on the terminal, as data, and in the documents?"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.ratios import Ratio

FOLDER: Final = Path(__file__).resolve().parent
DOCUMENT: Final = FOLDER.parent / "docs" / "performance.md"
BEGIN: Final = "<!-- measured: written by make bench -->"
END: Final = "<!-- end of measured -->"


def show(ratios: Sequence[Ratio]) -> None:
    """One line a ratio on the terminal."""
    for r in ratios:
        sign, mark = ("≤", "≥")[not r.is_bound], ("MISSED", "ok")[r.is_ok]
        print(f"{r.database:10} {r.name}: {r.ratio:.2f} ({sign} {r.target:g} {mark}) · {r.detail}")  # noqa: T201 - the result


def write(ratios: Sequence[Ratio], *, is_quick: bool) -> None:
    """``bench/results.json`` and the table of docs/performance.md."""
    rows = [_as_json(r) for r in ratios]
    text = json.dumps(rows, ensure_ascii=False, indent=1)
    (FOLDER / "results.json").write_text(text + "\n", encoding="utf-8")
    document = DOCUMENT.read_text(encoding="utf-8")
    head, rest = document.split(BEGIN)
    tail = rest.split(END)[1]
    table = _table(ratios, is_quick=is_quick)
    DOCUMENT.write_text(f"{head}{BEGIN}\n\n{table}\n{END}{tail}", encoding="utf-8")


def _as_json(r: Ratio) -> dict[str, Any]:
    return {
        "name": r.name, "database": r.database, "ratio": round(r.ratio, 3), "target": r.target,
        "ok": r.is_ok, "is_bound": r.is_bound, "detail": r.detail,
    }


def _table(ratios: Sequence[Ratio], *, is_quick: bool) -> str:
    day = datetime.now(UTC).date()  # noqa: TID251 - when it was measured
    run = "quick" if is_quick else "full"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    lines = [
        f"Measured {day} ({run} run) on {machine}.", "",
        "| what | database | ratio | target | | both sides |", "|---|---|---|---|---|---|",
    ]
    for r in ratios:
        bound = f"{'≤' if r.is_bound else '≥'} {r.target:g}"
        verdict = "✓" if r.is_ok else "missed"
        lines.append(
            f"| {r.name} | {r.database} | {r.ratio:.2f} | {bound} | {verdict} | {r.detail} |"
        )
    return "\n".join(lines) + "\n"
