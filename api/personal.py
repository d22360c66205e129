"""How are personal fields shown? Opened at the last moment, and the reading is noted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from flask import g

from api.services import services
from domain.vault import sealed_places

T = TypeVar("T")


def shown(value: T, stream: str) -> T:
    """What is known of a stream's subject, with its sealed texts opened.

    Plain data, a row or rows; who read it goes into the access log with the answer.
    """
    noted(stream)
    return services().ledger.vault.shown(value, stream)


def rows_shown(rows: Sequence[T], streams: Sequence[str]) -> list[T]:
    """The same for rows of several streams, whose keys are read at once."""
    owners = {owner for owner, _version in sealed_places(list(rows))}
    services().runtime.keyring.read_ahead(owners)
    return [shown(row, stream) for row, stream in zip(rows, streams, strict=True)]


def noted(stream: str) -> None:
    """Let the access log say that this request read what a stream holds of persons."""
    if "read_streams" not in g:
        g.read_streams = {}
    g.read_streams[stream] = None
