"""What does sealing cost beside appending, and how long do verifying and proving take?"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

from bench.appending import a_visit
from bench.places import Place, Servers
from bench.ratios import ROUNDS, Ratio, in_turns, percentile, seconds
from domain.checkpoint import leaf_of, signer_of
from domain.ledger import Ledger, NewEntry
from domain.merkle import complete
from domain.tiles import WIDTH
from workers.proving import Prover
from workers.sealing import Sealer
from workers.seals import Seals
from workers.verifying import verify_log

NOW: Final = datetime(2024, 12, 5, tzinfo=UTC)
SIGNER: Final = signer_of(bytes(range(32)))
TOGETHER: Final = 1_000
"""Events that one seal takes in: ten seconds of a hundred a second, a city's busiest hour."""
BULK: Final = 10_000
PROOFS: Final = 500


def measure(servers: Servers, database: str, *, is_quick: bool) -> list[Ratio]:
    """Sealing beside appending; a long log verified; a proof; the tree by itself."""
    place = servers.place(database)
    seals = None
    with place.ledger() as ledger:
        try:
            seals = Seals(place.ledger_url)
            sealer = Sealer(ledger, seals, lambda: SIGNER, place.folder / "checkpoint")
            return [
                _cost(ledger, sealer, database),
                *_long(place, ledger, (seals, sealer), 100_000 if is_quick else 1_000_000),
            ]
        finally:
            if seals is not None:
                seals.close()


def _cost(ledger: Ledger, sealer: Sealer, database: str) -> Ratio:
    """One append after the other, and then one seal over them."""

    def append() -> float:
        return seconds(lambda: [ledger.append([a_visit()], ()) for _ in range(TOGETHER)])

    def seal() -> float:
        return seconds(lambda: _seal(sealer))

    found = in_turns({"append": append, "seal": seal}, ROUNDS)
    per = 1e6 / TOGETHER
    return Ratio(
        f"seal {TOGETHER:,} events ÷ append them one by one", database,
        found["seal"] / found["append"], 0.05,
        f"{found['seal'] * per:.1f} ÷ {found['append'] * per:.1f} µs an event", is_bound=True,
    )


def _seal(sealer: Sealer) -> None:
    while sealer.seal(NOW):
        pass


def _long(
    place: Place, ledger: Ledger, sealing: tuple[Seals, Sealer], count: int
) -> list[Ratio]:
    """A long log: filled, sealed at once, verified, and asked for proofs."""
    seals, sealer = sealing
    for _ in range(0, count, BULK):
        ledger.append(_visits(), ())
    _seal(sealer)
    events = ledger.head()
    verified = seconds(lambda: _verify(ledger, seals))
    rows = ledger.rows(0, 5_000)
    tree = 5_000 / seconds(lambda: _tree([leaf_of(row) for row in rows]))
    took = _proofs(ledger, seals, events)
    half, most = percentile(took, 0.5) * 1e3, percentile(took, 0.99) * 1e3
    million = verified * 1_000_000 / events
    return [
        Ratio("verify a million events ÷ 10 s", place.database, million / 10, 1,
              f"{million:.1f} s ({events:,} in {verified:.1f} s)", is_bound=True),
        Ratio("an inclusion proof, p99 ÷ 10 ms", place.database, most / 10, 1,
              f"p50 {half:.1f} ms, p99 {most:.1f} ms", is_bound=True),
        Ratio("leaves hashed to a tree ÷ 100,000 a second", place.database, tree / 100_000, 1,
              f"{tree:,.0f} leaves/s"),
    ]


def _visits() -> list[NewEntry]:
    return [a_visit() for _ in range(BULK)]


def _verify(ledger: Ledger, seals: Seals) -> None:
    assert verify_log(ledger, seals, SIGNER.verifier).is_ok


def _tree(leaves: list[bytes]) -> list[bytes]:
    """The roots of the full tiles over some leaves."""
    return [complete(leaves[n : n + WIDTH]) for n in range(0, len(leaves) // WIDTH * WIDTH, WIDTH)]


def _proofs(ledger: Ledger, seals: Seals, events: int) -> list[float]:
    """The seconds of some proofs, spread over the log; each by a prover of its own."""
    newest, took = seals.newest(), []
    assert newest is not None
    for number in range(PROOFS):
        position = 1 + number * (events - 1) // PROOFS
        begun = time.perf_counter()
        [row] = ledger.rows(position - 1, 1)
        Prover(seals, newest).inclusion(row)
        took.append(time.perf_counter() - begun)
    return took
