"""How are the ratios shown: on the terminal, as data, and in the documents?"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.peers import MORE_IS_BETTER
from bench.ratios import Peer, Ratio
from bench.results import FOLDER, PEERS, RATIOS, Rows, read, to_show

DOCUMENT: Final = FOLDER.parent / "docs" / "performance.md"
PLOTS: Final = FOLDER.parent / "docs" / "performance"
BEGIN: Final = "<!-- measured: written by make bench -->"
END: Final = "<!-- end of measured -->"


def show(ratios: Sequence[Ratio]) -> None:
    """One line a ratio on the terminal."""
    for r in ratios:
        verdict = "ok" if r.is_ok else f"MISSED: {r.reason or 'not known why'}"
        print(f"{r.database:10} {r.name}: {r.ratio:.2f} ({_bound(r)}, {verdict}) · {r.detail}")  # noqa: T201 - the result


def show_peers(peers: Sequence[Peer]) -> None:
    """One line a peer on the terminal."""
    for peer in peers:
        figures = ", ".join(f"{name} {value:,.4g}" for name, value in peer.figures.items())
        print(f"{peer.database:10} {peer.name}: {figures}")  # noqa: T201 - the result


def write() -> None:
    """The tables and plots of docs/performance.md, of all results that are kept."""
    rows, peers = to_show(read(RATIOS)), to_show(read(PEERS))
    for database in sorted({row["database"] for row in rows}):
        of = [row for row in rows if row["database"] == database]
        _plot(of, PLOTS / f"{database}.svg")
    document = DOCUMENT.read_text(encoding="utf-8")
    head, rest = document.split(BEGIN)
    tail = rest.split(END)[1]
    parts = "\n".join([_circumstances([*rows, *peers]), table(rows), _plots(), _peers(peers)])
    DOCUMENT.write_text(f"{head}{BEGIN}\n\n{parts}\n{END}{tail}", encoding="utf-8")


def _bound(r: Ratio) -> str:
    return f"{'≤' if r.is_bound else '≥'} {r.target:g}"


def _circumstances(rows: Rows) -> str:
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    runs: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        parts = runs.setdefault((row["measured_on"], row["run"]), [])
        if row["part"] not in parts:
            parts.append(row["part"])
    lines = [
        f"- {day}, {kind} run: {', '.join(parts)}" for (day, kind), parts in sorted(runs.items())
    ]
    return "\n".join([f"Measured on {machine}:", "", *lines, ""])


def table(rows: Rows) -> str:
    """The rows of ``bench/results.json`` as Markdown."""
    lines = [
        "| what | database | ratio | target | | both sides, and why a target is missed |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        bound = f"{'≤' if row['is_bound'] else '≥'} {row['target']:g}"
        verdict = "✓" if row["ok"] else "**missed**"
        detail = "; ".join(filter(None, (row["detail"], row["reason"])))
        lines.append(
            f"| {row['name']} | {row['database']} | {row['ratio']:.2f} | {bound} | {verdict}"
            f" | {detail} |"
        )
    return "\n".join(lines) + "\n"


def _plots() -> str:
    return "\n".join(
        f"![How far from its target each ratio is, on {database}](performance/{database}.svg)"
        for database in ("SQLite", "PostgreSQL")
    ).replace("/SQLite", "/sqlite").replace("/PostgreSQL", "/postgresql") + "\n"


def _plot(ratios: Rows, path: Path) -> None:
    """How many times better than its target each ratio is, on a logarithmic axis."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to load, and needed only here

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "taizhang"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    rows = list(reversed(ratios))
    margins = [
        r["target"] / r["ratio"] if r["is_bound"] else r["ratio"] / r["target"] for r in rows
    ]
    figure, axes = plt.subplots(figsize=(9, 0.32 * len(rows) + 1), layout="constrained")
    colours = ["#2a7f62" if r["ok"] else "#c0392b" for r in rows]
    axes.barh([r["name"] for r in rows], [m - 1 for m in margins], left=1, color=colours)
    axes.set_xscale("log")
    axes.axvline(1, color="#333333", linewidth=1)
    axes.set_xlabel("times better than the target (left of the line: missed)")
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _peers(peers: Rows) -> str:
    names = list(peers[0]["figures"])
    lines = [
        "### Beside what else one would use", "",
        "The same visits, recorded one by one by one writer, every tenth corrected later; the",
        "best of each column and database is bold.", "",
        f"| | database | {' | '.join(names)} |", f"|---|---|{'---|' * len(names)}",
    ]
    for peer in peers:
        rivals = [p for p in peers if p["database"] == peer["database"]]
        cells = []
        for name, value in peer["figures"].items():
            best = (max if name in MORE_IS_BETTER else min)(p["figures"][name] for p in rivals)
            shown = f"{value:,.2f}" if value < 10 else f"{value:,.0f}"
            cells.append(f"**{shown}**" if value == best else shown)
        lines.append(f"| {peer['name']} | {peer['database']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
