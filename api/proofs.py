"""How does anyone check that the log was not altered? Checkpoints, tiles and proofs.

Below ``/api/v1/log`` the log is a tiled transparency log as C2SP has it
(https://c2sp.org/tlog-tiles). The key, the checkpoints, the tiles and the consistency of two
checkpoints are for everybody: they are hashes, and a proof that only the station's own
people may see proves little. What is proved of a record holds its sealed text, and is for
those who may read it.
"""

from __future__ import annotations

import base64
from typing import Any, Final

from flask import Response, request
from marshmallow import Schema, fields, validate

from api.answers import local_time
from api.bodies import Blueprint
from api.identity import (
    ANY_STATION,
    PUBLIC,
    READ_CASES,
    action,
    caller,
    station_of_request,
)
from api.messages import coded
from api.paging import LARGEST_INTEGER, MOST_ROWS, ReadSchema
from api.services import services
from domain.checkpoint import signer_of
from domain.kernel import KINDS, Refused, UnknownRecord, stream_id, stream_station
from domain.ledger import StoredRow
from domain.merkle import leaf_hash
from domain.tiles import HEIGHT, TILE_BYTES, WIDTH, Tile, tile_of
from workers.proving import Inclusion, NotYetSealed, Prover, consistency
from workers.seals import Sealed

proofs = Blueprint("proofs", __name__, url_prefix="/api/v1/log", description="存证与证明")

FOR_EVER: Final = "public, max-age=31536000, immutable"
TEXT: Final = "text/plain; charset=utf-8"


class UnknownCheckpoint(
    Refused, code="unknown_checkpoint", status=404, title="没有这个检查点",
    detail="没有 {size} 条时的检查点；可用的见 /api/v1/log/checkpoints。",
):
    """A size at which the log was not sealed, or a log that never was."""


class UnknownTile(
    Refused, code="unknown_tile", status=404, title="没有这块散列",
    detail="存证的台账中没有 tile/{level}/{index}。",
):
    """A tile that the newest checkpoint's tree does not have."""


class UnknownPosition(
    Refused, code="unknown_position", status=404, title="没有这个位置的记录",
    detail="本站的台账中没有位置为 {position} 的记录。",
):
    """A position at which the station has no event."""


class CheckpointsQuerySchema(Schema):
    """Which checkpoints."""

    before = fields.Integer(metadata={"description": "比这个条数更早的检查点"})
    limit = fields.Integer(
        load_default=50,
        validate=validate.Range(
            1, MOST_ROWS, error=coded("out_of_range", f"应为 1 到 {MOST_ROWS}")
        ),
    )


class SizesQuerySchema(Schema):
    """Between which two checkpoints."""

    first = fields.Integer(required=True, data_key="from", metadata={"description": "较早的条数"})
    second = fields.Integer(required=True, data_key="to", metadata={"description": "较晚的条数"})


# ---- for everybody ----


@proofs.route("/key")
@action(PUBLIC)
@proofs.response(200)
def get_key() -> dict[str, Any]:
    """核对检查点和导出包用的公钥。"""
    verifier = signer_of(services().settings.sealing_key()).verifier
    return {"origin": verifier.name, "key": verifier.vkey, "fingerprint": verifier.fingerprint}


@proofs.route("/checkpoint")
@action(PUBLIC)
@proofs.response(200)
def get_checkpoint() -> Response:
    """最新的检查点（C2SP tlog-checkpoint），可抄下留存。"""
    return Response(_newest().note, content_type=TEXT)


@proofs.route("/checkpoints")
@action(PUBLIC)
@proofs.arguments(CheckpointsQuerySchema, location="query")
@proofs.response(200)
def list_checkpoints(query: dict[str, Any]) -> dict[str, Any]:
    """所有检查点，最新的在前。"""
    before = _bounded(query.get("before"))
    found = services().runtime.seals.checkpoints(before, query["limit"])
    return {"items": [_shown(sealed) for sealed in found]}


@proofs.route("/checkpoints/<int:size>")
@action(PUBLIC)
@proofs.response(200)
def get_checkpoint_of(size: int) -> Response:
    """某一条数时的检查点。"""
    return Response(_at(size).note, content_type=TEXT)


@proofs.route("/tile/<level>/<path:index>")
@action(PUBLIC)
@proofs.response(200)
def get_tile(level: str, index: str) -> Response:
    """一块散列（C2SP tlog-tiles）。"""
    tile = Tile.parsed(level, index)
    hashes = _hashes(tile) if tile else b""
    if not hashes:
        raise UnknownTile(level=level[:8], index=index[:80])
    answer = Response(hashes, content_type="application/octet-stream")
    answer.headers["Cache-Control"] = FOR_EVER
    return answer


def _hashes(tile: Tile) -> bytes:
    """The bytes of a tile; a partial one is the beginning of what has become of it."""
    newest = _newest()
    if tile.level * HEIGHT >= LARGEST_INTEGER.bit_length():
        return b""
    found = tile_of(newest.size, tile.level, tile.index)
    if found is None or found.width < tile.width:
        return b""
    hashes = services().runtime.seals.hashes(tile.level, tile.index, newest.size)
    return hashes[: TILE_BYTES * tile.width // WIDTH]


@proofs.route("/consistency")
@action(PUBLIC)
@proofs.arguments(SizesQuerySchema, location="query")
@proofs.response(200)
def get_consistency(query: dict[str, Any]) -> dict[str, Any]:
    """证明后一个检查点的台账是前一个的延续（RFC 6962）。"""
    first, second = _at(query["first"]), _at(query["second"])
    if first.size > second.size:
        first, second = second, first
    return {
        "from": _shown(first), "to": _shown(second),
        "proof": _base64(consistency(services().runtime.seals, first, second)),
    }


# ---- for those who may read the record ----


@proofs.route("/proofs/<int:position>")
@action(READ_CASES)
@proofs.arguments(ReadSchema, location="query")
@proofs.response(200)
def get_proof(_query: dict[str, Any], position: int) -> dict[str, Any]:
    """证明某一位置的记录在台账中，且未被改动。"""
    return _inclusion(inclusion_at(position))


def inclusion_at(position: int) -> Inclusion:
    """The proof of an event of the caller's station.

    :raises UnknownPosition: where the station has none there.
    :raises NotYetSealed: for one after the newest checkpoint.
    """
    rows = services().ledger.rows(position - 1, 1) if position <= LARGEST_INTEGER else []
    row = next((row for row in rows if row[0] == position), None)
    if row is None or not _is_of_the_caller(row):
        raise UnknownPosition(position=position)
    return _proved(row)


@proofs.route("/proofs/<kind>/<subject>/<int:entry>")
@action(READ_CASES)
@proofs.arguments(ReadSchema, location="query")
@proofs.response(200)
def get_proof_of_record(
    _query: dict[str, Any], kind: str, subject: str, entry: int
) -> dict[str, Any]:
    """证明一份记录的某一版在台账中，且未被改动。"""
    station = station_of_request()
    if kind not in KINDS or station == ANY_STATION:
        raise UnknownRecord(id=subject[:64], kind=kind[:40])
    stored = services().ledger.notifications_of([stream_id(station, kind, subject)])
    found = next((n for n in stored if n.originator_version == entry), None)
    if found is None:
        raise UnknownRecord(id=subject, kind=KINDS[kind].label)
    [row] = services().ledger.rows(found.id - 1, 1)
    return _inclusion(_proved(row))


def _is_of_the_caller(row: StoredRow) -> bool:
    station = stream_station(row[1])
    if "station" in request.args:
        return station_of_request() == station
    return caller().scope.admits(station)


def _proved(row: StoredRow) -> Inclusion:
    newest = services().runtime.seals.newest()
    if newest is None:
        raise NotYetSealed(position=row[0], sealed=0)
    return Prover(services().runtime.seals, newest).inclusion(row)


def _inclusion(found: Inclusion) -> dict[str, Any]:
    return {
        "position": found.row[0], "stream": found.row[1], "version": found.row[2],
        "topic": found.row[3], "index": found.index, "size": found.sealed.size,
        "entry": found.entry.decode(), "leaf": _encoded(leaf_hash(found.entry)),
        "proof": _base64(found.path), "checkpoint": found.sealed.note,
        "tlog_proof": found.document,
    }


# ---- checkpoints ----


def _newest() -> Sealed:
    newest = services().runtime.seals.newest()
    if newest is None:
        raise UnknownCheckpoint(size=0)
    return newest


def _at(size: int) -> Sealed:
    found = services().runtime.seals.at(size) if size <= LARGEST_INTEGER else None
    if found is None:
        raise UnknownCheckpoint(size=size)
    return found


def _bounded(number: int | None) -> int | None:
    return None if number is None else max(min(number, LARGEST_INTEGER), 0)


def _shown(sealed: Sealed) -> dict[str, Any]:
    return {
        "size": sealed.size, "position": sealed.position,
        "sealed_at": local_time(sealed.sealed_at), "note": sealed.note,
    }


def _base64(hashes: list[bytes]) -> list[str]:
    return [_encoded(h) for h in hashes]


def _encoded(h: bytes) -> str:
    return base64.b64encode(h).decode()
