"""Does a store that cannot take a write answer 503, and lose nothing acknowledged?"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from typing import Any

from callers import VISIT, Api, refusal_of


def pragma(api: Api, statement: str) -> Any:
    """Set something on the connection that the ledger's pool hands out next."""
    datastore: Any = api.services.ledger.store.datastore
    with datastore.get_connection(commit=True) as connection:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA {statement}")
        return cursor.fetchone()[0]


def test_a_locked_ledger_answers_503_and_the_same_request_succeeds_later(api: Api) -> None:
    api.token()
    pragma(api, "busy_timeout=50")
    path = api.services.settings.database_url.removeprefix("sqlite:///")
    key, before = {"Idempotency-Key": "visit-1"}, api.head()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = api.post("visits", VISIT, headers=key)
        refusal_of(answer, 503, "store_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert api.head() == before
        other.execute("ROLLBACK")
    again = api.post("visits", VISIT, headers=key)
    assert again.status_code == 201
    assert "Idempotency-Replayed" not in again.headers


def test_a_full_disk_answers_503_and_keeps_what_was_acknowledged(api: Api) -> None:
    api.token()
    pragma(api, f"max_page_count={pragma(api, 'page_count') + 2}")
    acknowledged = []
    for _n in itertools.count():
        answer = api.post("visits", VISIT)
        if answer.status_code != 201:
            break
        acknowledged.append(answer.get_json()["id"])
    refusal_of(answer, 503, "store_unavailable")
    assert acknowledged
    assert [api.get(f"visits/{visit}").status_code for visit in acknowledged] == [200] * len(
        acknowledged
    )
    assert api.head() == 1 + len(acknowledged)
