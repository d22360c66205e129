"""Can the application's own database role do no more than read and append?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from desk import NOW, STATION, Desk, a_station, a_vault
from psycopg.errors import InsufficientPrivilege

from api.access_log import Access, AccessAction, AccessLog
from api.access_queries import AccessQuery, accesses_of
from api.accounts import links, throttle
from api.accounts.links import Arrival
from api.accounts.name_permissions import is_permitted, permit
from api.accounts.security_log import By
from api.accounts.sessions import session_of
from api.accounts.staff import Newcomer, change_post, checked_post
from api.callers import EVERYWHERE
from api.cli import main
from api.identity import caller_of, issue_token, revoke_tokens, tokens_engine
from domain.checkpoint import signer_of
from domain.ledger import Ledger, LedgerNotPreparedError
from domain.vault import KeyState, Vault
from projections.engine import ReadModels
from workers.keyring import Keyring
from workers.sealing import Sealer
from workers.seals import Seals
from workers.verifying import verify_log

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Roles:
    """The URLs of one database for its owner and for the application, by whose name."""

    owner_url: str
    application_url: str
    application: str


@pytest.fixture
def roles(postgres_server: str) -> Iterator[Roles]:
    number = next(_numbers)
    owner, application, name = f"owner_{number}", f"app_{number}", f"roles_{number}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {owner} LOGIN".encode())
        connection.execute(f"CREATE ROLE {application} LOGIN".encode())
        connection.execute(f"CREATE DATABASE {name} OWNER {owner}".encode())
    query = postgres_server.split("?")[1]
    yield Roles(
        f"postgresql://{owner}@/{name}?{query}", f"postgresql://{application}@/{name}?{query}",
        application,
    )
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


MASTER_KEY = "A" * 43 + "="


def keyring_url(url: str) -> str:
    """A database of its own on the same server, for the same user."""
    return url.replace("@/roles_", "@/keys_")


@pytest.fixture
def keyrings(roles: Roles, postgres_server: str) -> Iterator[Roles]:
    """The owner's and the application's URLs of a keyring's database."""
    owner, name = roles.owner_url.split("//")[1].split("@")[0], roles.owner_url.split("/")[3]
    keys = name.split("?")[0].replace("roles_", "keys_")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {keys} OWNER {owner}".encode())
    yield Roles(keyring_url(roles.owner_url), keyring_url(roles.application_url), roles.application)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {keys} WITH (FORCE)".encode())


def migrate_with_keyring(roles: Roles, keyrings: Roles, home: Path) -> None:
    result = CliRunner().invoke(
        main, ["migrate", "--application-role", roles.application], catch_exceptions=False,
        env={
            "DATABASE_URL": roles.owner_url, "KEYS_DATABASE_URL": keyrings.owner_url,
            "TAIZHANG_MASTER_KEY": MASTER_KEY, "TAIZHANG_HOME": str(home),
        },
    )
    assert result.exit_code == 0, result.output


def test_the_application_role_seals_erases_and_rotates(
    roles: Roles, keyrings: Roles, tmp_path: Path
) -> None:
    migrate_with_keyring(roles, keyrings, tmp_path)
    keyring = Keyring(keyrings.application_url, bytes(32))
    with Ledger(roles.application_url, Vault(keyring)) as ledger:
        desk = Desk(ledger)
        desk.record(STATION, a_station(), "2024-01-01", role="administrator")
        desk.household("h1", "a")
        assert keyring.owners_by(STATION, "name", "测试a") == {f"{STATION}/person/a"}
        assert keyring.carry_out("e", KeyState.LOCKED, [f"{STATION}/person/a"])
        assert keyring.carry_out("e", KeyState.ERASED, [f"{STATION}/person/a"])
        assert keyring.rewrap(bytes(31) + b"1") == 0
    keyring.close()


@pytest.mark.parametrize("statement", [
    "DELETE FROM data_keys", "TRUNCATE data_keys", "DELETE FROM key_changes",
    "UPDATE key_changes SET owners = ''", "DELETE FROM keyring_settings", "DROP TABLE data_keys",
    "CREATE TABLE public.mine (n int)",
])
def test_the_application_role_cannot_undo_what_the_keyring_did(
    roles: Roles, keyrings: Roles, tmp_path: Path, statement: str
) -> None:
    migrate_with_keyring(roles, keyrings, tmp_path)
    with (
        psycopg.connect(keyrings.application_url, autocommit=True) as connection,
        pytest.raises(InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


def migrate(url: str, *arguments: str) -> str:
    result = CliRunner().invoke(
        main, ["migrate", *arguments], env={"DATABASE_URL": url}, catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_the_application_role_does_its_whole_work(roles: Roles, tmp_path: Path) -> None:
    migrate(roles.owner_url, "--application-role", roles.application)
    with Ledger(roles.application_url, a_vault()) as ledger:
        desk = Desk(ledger)
        desk.record(STATION, a_station(), "2024-01-01", role="administrator")
        desk.household("h1", "a")
        read_models = ReadModels(roles.application_url)
        read_models.advance(ledger)
        assert read_models.rebuild("timeline", ledger).differing_rows == 0
        read_models.close()
        seals = Seals(roles.application_url)
        sealer = Sealer(ledger, seals, lambda: signer_of(bytes(32)), tmp_path / "checkpoint")
        assert sealer.seal(NOW) is False
        assert verify_log(ledger, seals, signer_of(bytes(32)).verifier).sealed == 2
        seals.close()
    engine = tokens_engine(roles.application_url)
    token = issue_token(engine, "张三", "lead", STATION, 1)
    assert caller_of(engine, token)
    assert revoke_tokens(engine, "张三", STATION) == 1
    throttle.attempt(engine, "wang", "10.0.0.1", NOW)
    scope, by = EVERYWHERE, By("管理员", NOW)
    newcomer = Newcomer("a1", "wang", "王某", checked_post("lead", [STATION], None))
    secret = links.invite(engine, scope, newcomer, by)
    arrival = Arrival(by, "", password="wandering kettle 湖边")
    session = links.enter(engine, secret, arrival, "").session
    assert session_of(engine, session, NOW)
    change_post(engine, scope, "a1", checked_post("reviewer", [STATION, "s2"], None), by)
    assert session_of(engine, session, NOW) is None
    permit(engine, "p1", by, station=STATION, actor="王某", days=1, reason="核对")
    assert is_permitted(engine, STATION, "王某", NOW)
    engine.dispose()
    log = AccessLog(roles.application_url)
    log.append(
        Access(NOW, "张三", "lead", STATION, "r1", AccessAction.READ, "/x", ("household:h1",))
    )
    with log.questions() as connection:
        asked = AccessQuery(station=STATION, subjects=("household:h1",))
        assert [row.request_id for row in accesses_of(connection, asked)] == ["r1"]
    log.close()


@pytest.mark.parametrize("statement", [
    "UPDATE taizhang_events SET state = state",
    "DELETE FROM taizhang_events",
    "TRUNCATE taizhang_events",
    "INSERT INTO taizhang_events VALUES ('s/visit/v', 1, 't', '')",
    "DELETE FROM request_keys",
    "UPDATE log_tiles SET hashes = hashes",
    "DELETE FROM log_checkpoints",
    "TRUNCATE log_checkpoints",
    "ALTER TABLE log_checkpoints DISABLE TRIGGER ALL",
    "ALTER TABLE taizhang_events DISABLE TRIGGER ALL",
    "DROP TABLE taizhang_events",
    "UPDATE security_log SET actor = 'x'",
    "DELETE FROM security_log",
    "TRUNCATE security_log",
    "DELETE FROM staff_accounts",
    "UPDATE access_log SET actor = 'x'",
    "DELETE FROM access_log",
    "DELETE FROM access_subjects",
    "TRUNCATE access_log",
    "ALTER TABLE access_log DISABLE TRIGGER ALL",
    "DROP TABLE access_subjects",
    (
        "CREATE OR REPLACE FUNCTION public.refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN NULL; END $$"
    ),
    "CREATE TABLE public.mine (n int)",
])
def test_the_application_role_cannot_change_what_was_recorded(
    roles: Roles, statement: str
) -> None:
    migrate(roles.owner_url, "--application-role", roles.application)
    with (
        psycopg.connect(roles.application_url, autocommit=True) as connection,
        pytest.raises(InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


@pytest.mark.parametrize("verb", ["DELETE FROM {}", "TRUNCATE {}"])
def test_nor_can_the_owner_take_back_a_checkpoint(roles: Roles, verb: str) -> None:
    migrate(roles.owner_url)
    with (
        psycopg.connect(roles.owner_url, autocommit=True) as connection,
        pytest.raises(psycopg.errors.RaiseException, match="append-only"),
    ):
        connection.execute(verb.format("log_checkpoints").encode())


def test_a_database_prepared_by_an_earlier_version_says_so(roles: Roles) -> None:
    migrate(roles.owner_url, "--application-role", roles.application)
    with psycopg.connect(roles.owner_url, autocommit=True) as connection:
        connection.execute("DROP TABLE log_tiles, log_checkpoints")
    with pytest.raises(LedgerNotPreparedError):
        Seals(roles.application_url)


@pytest.mark.parametrize("verb", ["UPDATE {} SET state = state", "DELETE FROM {}", "TRUNCATE {}"])
def test_nor_can_the_owner_by_mistake(roles: Roles, verb: str) -> None:
    migrate(roles.owner_url)
    with (
        psycopg.connect(roles.owner_url, autocommit=True) as connection,
        pytest.raises(psycopg.errors.RaiseException, match="append-only"),
    ):
        connection.execute(verb.format("taizhang_events").encode())


@pytest.mark.parametrize("table", ["access_log", "access_subjects", "security_log"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET station = ''", "DELETE FROM {}", "TRUNCATE {}"])
def test_nor_what_was_read(roles: Roles, table: str, verb: str) -> None:
    migrate(roles.owner_url)
    with (
        psycopg.connect(roles.owner_url, autocommit=True) as connection,
        pytest.raises(psycopg.errors.RaiseException, match="append-only"),
    ):
        connection.execute(verb.format(table).encode())


def test_nobody_else_may_append(roles: Roles) -> None:
    migrate(roles.owner_url, "--application-role", roles.application)
    with psycopg.connect(roles.owner_url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT has_function_privilege('public', oid, 'EXECUTE') FROM pg_proc"
            " WHERE proname IN ('append_event', 'append_events')"
        ).fetchall()
    assert rows == [(False,), (False,)]


def test_a_database_that_nobody_prepared_says_so(roles: Roles) -> None:
    with pytest.raises(LedgerNotPreparedError):
        Ledger(roles.application_url, a_vault())
    with pytest.raises(LedgerNotPreparedError):
        AccessLog(roles.application_url)
    result = CliRunner().invoke(main, ["status"], env={"DATABASE_URL": roles.application_url})
    assert result.exit_code == 3
    assert "taizhang migrate" in result.output


def test_migrating_twice_and_at_once_changes_nothing(roles: Roles) -> None:
    first = migrate(roles.owner_url, "--application-role", roles.application)
    assert migrate(roles.owner_url, "--application-role", roles.application) == first
