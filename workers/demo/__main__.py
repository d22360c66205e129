"""Write the demo's history files: ``python -m workers.demo [--stations N --seed S OUT_DIR]``."""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Iterable
from pathlib import Path

from workers.demo import DEMO_FILE
from workers.demo.generator import demo_lines
from workers.demo.many import load_lines


def packed(lines: Iterable[bytes]) -> bytes:
    """Lines as a gzip file that is the same every time."""
    return gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)


def main() -> None:
    """Write the demo's own file, or one file a station for load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stations", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if not options.stations:
        (options.folder / DEMO_FILE).write_bytes(packed(demo_lines()))
    for number in range(1, options.stations + 1):
        target = options.folder / f"s{number:03}.jsonl.gz"
        target.write_bytes(packed(load_lines(number, options.seed)))


if __name__ == "__main__":
    main()
