"""Do attempts, sessions and links keep their bounds, on both databases and between processes?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from desk import NOW
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError

from api.accounts import links, sessions, signing_in, throttle
from api.accounts.links import Arrival, LinkUsed, Purpose
from api.accounts.passwords import hashed
from api.accounts.security_log import By, acts
from api.accounts.staff import Newcomer, Post, create, set_password
from api.accounts.tables import tokens_engine
from api.callers import EVERYWHERE, Scope
from domain.vocabulary import Role
from projections.store import writing

PASSWORD = "wandering kettle 湖边"


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    engine = tokens_engine(ledger_url)
    with writing(engine) as connection:
        post = Post(Role.LEAD, frozenset({"s"}))
        create(connection, Newcomer("a1", "wang", "王某", post), By("", NOW))
        set_password(connection, "a1", hashed(PASSWORD))
    yield engine
    engine.dispose()


@pytest.fixture
def another(engine: Engine, ledger_url: str) -> Iterator[Engine]:
    """Another web process's way to the same accounts."""
    assert engine
    other = tokens_engine(ledger_url)
    yield other
    other.dispose()


def try_in(engine: Engine, password: str = PASSWORD, at: datetime = NOW, address: str = "10.0.0.1") -> str:
    """Try to sign in; answers what came of it."""
    try:
        return signing_in.sign_in(engine, "wang", password, Arrival(By("", at, address), "")).session
    except (throttle.AccountLocked, throttle.TooManyAttempts, signing_in.WrongPassword) as refusal:
        return refusal.code


def test_processes_count_together_and_a_lock_ends_by_itself(engine: Engine, another: Engine) -> None:
    tried = [try_in(one, "wrong") for one in (engine, another) * 4]
    assert set(tried) == {"wrong_password"}
    assert try_in(engine) == try_in(another) == "account_locked"
    after = NOW + throttle.LOCK + timedelta(seconds=1)
    assert len(try_in(another, at=after)) == 43
    # and who comes in begins anew
    assert [try_in(engine, "wrong", after) for _ in range(7)] == ["wrong_password"] * 7
    assert len(try_in(engine, at=after)) == 43


def test_few_attempts_over_a_long_time_lock_nobody(engine: Engine) -> None:
    for hour in range(20):
        assert try_in(engine, "wrong", NOW + timedelta(hours=hour)) == "wrong_password"


def test_one_address_may_not_try_every_name(engine: Engine) -> None:
    for number in range(throttle.MOST_BY_ADDRESS):
        throttle.attempt(engine, f"name-{number}", "10.0.0.9", NOW)
    assert try_in(engine, address="10.0.0.9") == "too_many_attempts"
    assert len(try_in(engine, address="10.0.0.8")) == 43


def test_a_session_ends_when_idle_and_at_last_in_any_case(engine: Engine) -> None:
    with writing(engine) as connection:
        secret = sessions.begin(connection, "a1", "手机", NOW)
    at = NOW
    while at < NOW + sessions.LONGEST - timedelta(hours=3):
        at += timedelta(hours=3)
        assert sessions.session_of(engine, secret, at) is not None
    assert sessions.session_of(engine, secret, NOW + sessions.LONGEST) is None
    with writing(engine) as connection:
        idle = sessions.begin(connection, "a1", "手机", NOW)
    assert sessions.session_of(engine, idle, NOW + sessions.IDLE) is None
    assert sessions.session_of(engine, "guessed", NOW) is None


@pytest.mark.parametrize("purpose", Purpose)
def test_a_link_lasts_for_its_time_and_is_used_once(engine: Engine, another: Engine, purpose: Purpose) -> None:
    with writing(engine) as connection:
        secret = links.make(connection, purpose, "a1", NOW)
    last = NOW + links.LASTS[purpose]
    assert links.found(another, secret, last - timedelta(seconds=1)).purpose is purpose
    with pytest.raises(LinkUsed):
        links.found(engine, secret, last)
    with writing(engine) as connection:
        links.used(connection, secret, NOW)
    with pytest.raises(LinkUsed), writing(another) as connection:
        links.used(connection, secret, NOW)


@pytest.mark.parametrize("statement", ["UPDATE security_log SET actor = 'x'", "DELETE FROM security_log"])
def test_what_was_done_stays_written(engine: Engine, statement: str) -> None:
    try_in(engine, "wrong")
    with pytest.raises(DatabaseError, match="append-only"), writing(engine) as connection:
        connection.execute(text(statement))
    (row,) = acts(engine, EVERYWHERE)
    assert (row.action, row.about, row.station, row.address) == ("sign_in_failed", "wang", "s", "10.0.0.1")
    assert acts(engine, Scope.of("other")) == []
