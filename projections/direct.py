"""How is asked, or added, what nearly every request asks? Of the driver, past SQLAlchemy's work.

A statement that takes microseconds to answer would otherwise take ten times that to build,
send and wrap. Parameters are ``?`` on both databases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, Engine
from sqlalchemy.exc import DBAPIError


def rows(
    source: Engine | Connection, statement: str, values: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """The rows that one statement answers: by itself, or within a connection's transaction.

    :raises DBAPIError: as SQLAlchemy does, where the database refuses or is away.
    """
    marked = _marked(statement) if source.dialect.name == "postgresql" else statement
    own = inside(source) if isinstance(source, Connection) else _lent(source)
    with own as driver:
        return list(driver.execute(marked, values).fetchall())


def add(connection: Connection, statement: str, values: Sequence[Sequence[Any]]) -> None:
    """Add rows within a connection's transaction, each by the same statement."""
    marked = _marked(statement) if connection.dialect.name == "postgresql" else statement
    with inside(connection) as driver:
        driver.cursor().executemany(marked, values)


@contextmanager
def inside(connection: Connection) -> Iterator[Any]:
    """The driver's connection of a transaction that SQLAlchemy has begun, and ends."""
    with _as_sqlalchemy_raises(connection.dialect):
        yield connection.connection.driver_connection


@contextmanager
def _lent(engine: Engine) -> Iterator[Any]:
    """The driver's connection, lent by the pool; every statement commits by itself."""
    with _as_sqlalchemy_raises(engine.dialect):
        pooled = engine.raw_connection()
        try:
            driver: Any = pooled.driver_connection
            if engine.dialect.name == "postgresql":
                driver.autocommit = True
                yield driver
                driver.autocommit = False
            else:
                yield driver
        except BaseException:
            pooled.invalidate()
            raise
        finally:
            pooled.close()


@contextmanager
def _as_sqlalchemy_raises(dialect: Dialect) -> Iterator[None]:
    """Give the driver's errors the names by which everybody else knows them."""
    errors: Any = dialect.loaded_dbapi.Error
    try:
        yield
    except errors as error:
        raise DBAPIError.instance(
            None, None, error, errors, hide_parameters=True, dialect=dialect
        ) from error


@cache
def _marked(statement: str) -> str:
    """A statement with the marks of PostgreSQL's driver."""
    return statement.replace("?", "%s")
