"""Can anybody check the log over HTTP with what the specifications say, and nothing else?"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from callers import VISIT, Api, refusal_of
from desk import STATION
from tampering import Log

from domain.checkpoint import Checkpoint
from domain.ledger import Ledger
from domain.merkle import leaf_hash, mth, path, verify_consistency, verify_inclusion
from domain.signed_note import Verifier
from domain.tiles import HEIGHT, node_from, tile_of
from workers.sealing import SealBrokenError

NOW = datetime(2024, 12, 5, 9, tzinfo=UTC)


def seal(api: Api) -> None:
    while api.services.runtime.sealer.seal(NOW):
        pass


def log_of(api: Api) -> Log:
    return Log(api.services.ledger, api.services.settings.database_url)


@pytest.fixture
def sealed(api: Api) -> Api:
    """A station with visits, a neighbour's among them, sealed at 101 and at 901 events."""
    log = log_of(api)
    log.append(100)
    seal(api)
    log.append(500, "elsewhere")
    log.append(300)
    seal(api)
    return api


def anybody(api: Api, address: str) -> Any:
    answer = api.get(f"log/{address}", role=None)
    assert answer.status_code == 200, answer.text
    return answer


def verifier(api: Api) -> Verifier:
    return Verifier.parsed(anybody(api, "key").get_json()["key"])


def checkpoint(api: Api, address: str = "checkpoint") -> Checkpoint:
    answer = anybody(api, address)
    assert answer.content_type == "text/plain; charset=utf-8"
    return Checkpoint.opened(answer.text, verifier(api))


def hashes(said: list[str]) -> list[bytes]:
    return [base64.b64decode(h) for h in said]


# ---- for everybody ----


def test_the_key_has_a_fingerprint(api: Api) -> None:
    said = anybody(api, "key").get_json()
    assert said["origin"] == verifier(api).name
    assert len(said["fingerprint"].replace(" ", "")) == 64


def test_nothing_is_there_before_the_first_seal(api: Api) -> None:
    refusal_of(api.get("log/checkpoint", role=None), 404, "unknown_checkpoint")
    refusal_of(api.get("log/tile/0/000", role=None), 404, "unknown_checkpoint")
    assert anybody(api, "checkpoints").get_json() == {"items": []}
    refusal_of(api.get("log/proofs/1"), 503, "not_yet_sealed")


def test_a_stranger_recomputes_the_tree_from_the_tiles(sealed: Api) -> None:
    # given nothing but the address of the log
    newest = checkpoint(sealed)

    def read(level: int, index: int) -> bytes:
        tile = tile_of(newest.size, level, index)
        assert tile is not None
        answer = anybody(sealed, tile.path)
        assert answer.content_type == "application/octet-stream"
        assert "immutable" in answer.headers["Cache-Control"]
        assert len(answer.data) == 32 * tile.width
        return answer.data

    # then the tiles give the root, and the older one's
    node = node_from(read)
    assert (newest.size, mth(newest.size, node)) == (901, newest.root)
    older = checkpoint(sealed, "checkpoints/101")
    assert mth(101, node) == older.root
    # and any proof
    proved = sealed.get("log/proofs/42").get_json()
    assert path(proved["index"], newest.size, node) == hashes(proved["proof"])


def test_a_partial_tile_is_the_beginning_of_the_full_one(sealed: Api) -> None:
    full = anybody(sealed, "tile/0/000").data
    assert anybody(sealed, "tile/0/000.p/101").data == full[: 101 * 32]
    assert anybody(sealed, "tile/0/003.p/133").data
    assert anybody(sealed, "tile/1/000.p/3").data


@pytest.mark.parametrize("tile", [
    "0/003", "0/003.p/134", "0/004.p/1", "1/000", "1/000.p/4", "2/000.p/1", "0/1", "0/000.p/0",
    "64/000", "63/000", "x/000", "0/x001/000", "0/entries", "entries/000", "0/x999/x999/x999/999",
])
def test_a_tile_that_the_tree_does_not_have_is_unknown(sealed: Api, tile: str) -> None:
    refusal_of(sealed.get(f"log/tile/{tile}", role=None), 404, "unknown_tile")
    assert HEIGHT == 8


def test_every_checkpoint_is_listed(sealed: Api) -> None:
    items = anybody(sealed, "checkpoints").get_json()["items"]
    assert [item["size"] for item in items] == [901, 101]
    assert items[0]["note"] == anybody(sealed, "checkpoint").text
    assert items[0]["sealed_at"] == "2024-12-05T17:00:00+08:00"
    assert [i["size"] for i in anybody(sealed, "checkpoints?before=901").get_json()["items"]] == [101]
    assert len(anybody(sealed, "checkpoints?limit=1").get_json()["items"]) == 1
    refusal_of(sealed.get("log/checkpoints/500", role=None), 404, "unknown_checkpoint")
    refusal_of(sealed.get(f"log/checkpoints/{10**30}", role=None), 404, "unknown_checkpoint")
    assert anybody(sealed, f"checkpoints?before={10**30}").get_json()["items"]
    refusal_of(sealed.get("log/checkpoints?limit=0", role=None), 422, "out_of_range")


def test_two_checkpoints_are_one_log(sealed: Api) -> None:
    older, newest = checkpoint(sealed, "checkpoints/101"), checkpoint(sealed)
    for query in ("from=101&to=901", "from=901&to=101"):
        said = anybody(sealed, f"consistency?{query}").get_json()
        proof = hashes(said["proof"])
        assert verify_consistency(101, 901, proof, older.root, newest.root)
    assert anybody(sealed, "consistency?from=901&to=901").get_json()["proof"] == []
    refusal_of(sealed.get("log/consistency?from=100&to=901", role=None), 404, "unknown_checkpoint")
    refusal_of(sealed.get("log/consistency?from=101", role=None), 422, "missing_field")


# ---- for those who may read the record ----


def test_a_record_is_proved_by_its_position_and_by_its_name(sealed: Api) -> None:
    visit = sealed.recorded("visits", VISIT)
    refusal_of(sealed.get(f"log/proofs/{visit['position']}"), 503, "not_yet_sealed")
    seal(sealed)
    said = sealed.get(f"log/proofs/{visit['position']}").get_json()
    assert said == sealed.get(f"log/proofs/visit/{visit['id']}/1").get_json()
    # then whoever has the key needs nothing else
    newest = Checkpoint.opened(said["checkpoint"], verifier(sealed))
    leaf = leaf_hash(said["entry"].encode())
    assert base64.b64encode(leaf).decode() == said["leaf"]
    proof = hashes(said["proof"])
    assert verify_inclusion(said["index"], newest.size, leaf, proof, newest.root)
    head, _, state = said["entry"].partition("\n")
    assert head == f'[{visit["position"]},"{STATION}/visit/{visit["id"]}",1,"visit.recorded"]'
    assert '"persons_met":1' in state
    # and the same stands in the specification's own form
    lines = said["tlog_proof"].split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", f"index {said['index']}"]
    assert hashes(lines[2 : lines.index("")]) == proof
    assert said["tlog_proof"].endswith(f"\n\n{said['checkpoint']}")


def test_a_proof_shows_sealed_texts_only(api: Api) -> None:
    household = api.household()
    seal(api)
    said = api.get(f"log/proofs/household/{household}/1")
    assert said.status_code == 200
    assert "测试一" not in said.text


def test_another_station_s_record_is_out_of_reach(sealed: Api) -> None:
    refusal_of(sealed.get("log/proofs/300"), 404, "unknown_position")
    refusal_of(sealed.get("log/proofs/300?station=elsewhere"), 403, "other_station")
    refusal_of(sealed.get("log/proofs/visit/v300/1"), 404, "unknown_record")
    assert sealed.get("log/proofs/300", station="elsewhere").status_code == 200
    for role in ("hub", "administrator"):
        refusal_of(sealed.get("log/proofs/42", role=role), 403, "not_allowed")
    assert sealed.get("log/proofs/42", role="reviewer").status_code == 200


@pytest.mark.parametrize(("address", "code"), [
    ("proofs/0", "unknown_position"), (f"proofs/{10**30}", "unknown_position"),
    ("proofs/5000", "unknown_position"), ("proofs/visit/nobody/1", "unknown_record"),
    ("proofs/nothing/v1/1", "unknown_record"), ("proofs/visit/v1/7", "unknown_record"),
])
def test_what_does_not_exist_is_not_proved(sealed: Api, address: str, code: str) -> None:
    refusal_of(sealed.get(f"log/{address}"), 404, code)


def test_an_altered_record_is_refused_by_name(sealed: Api) -> None:
    log_of(sealed).change("= 42")
    assert "42" in refusal_of(sealed.get("log/proofs/42"), 409, "record_altered")["detail"]


# ---- for whoever runs it ----


def test_operations_show_the_newest_checkpoint(sealed: Api) -> None:
    sealed.recorded("visits", VISIT)
    seal_said = sealed.get("operations", role="lead").get_json()["seal"]
    assert seal_said == {
        "size": 901, "position": 901, "unsealed": 1,
        "sealed_at": "2024-12-05T17:00:00+08:00", "alarm": None,
        "verified_at": None,
    }
    metrics = sealed.get("/metrics", role=None).text
    assert "taizhang_sealed_events 901.0" in metrics
    assert "taizhang_seal_alarm 0.0" in metrics


def test_public_routes_read_no_event_also_while_there_is_an_alarm(
    sealed: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_of(sealed).change("= 890")
    with pytest.raises(SealBrokenError):
        seal(sealed)

    def read(*_arguments: object) -> None:
        pytest.fail("a public route reads the log")

    monkeypatch.setattr(Ledger, "rows", read)
    checks = {c["name"]: c for c in sealed.get("/readyz", role=None).get_json()["checks"]}
    assert "890" in checks["seal"]["detail"]
    assert "taizhang_seal_alarm 1.0" in sealed.get("/metrics", role=None).text


def test_an_alarm_is_seen_and_stops_no_recording(sealed: Api) -> None:
    log_of(sealed).change("= 890")
    with pytest.raises(SealBrokenError):
        seal(sealed)
    checks = {c["name"]: c for c in sealed.get("/readyz", role=None).get_json()["checks"]}
    assert checks["seal"]["ok"] is False
    assert checks["seal"]["is_needed"] is False
    assert "890" in checks["seal"]["detail"]
    assert "890" in sealed.get("operations", role="lead").get_json()["seal"]["alarm"]
    assert "taizhang_seal_alarm 1.0" in sealed.get("/metrics", role=None).text
    sealed.recorded("visits", VISIT)
