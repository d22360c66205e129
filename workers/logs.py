"""What do the processes write to their logs? JSON lines without personal fields.

The only place that sets up logging. A field that is not on the list below is dropped
and named, so that nobody's name reaches a log by oversight; an error is logged by its
type and place, since the message of a database or parsing error quotes the values.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, Final, TextIO, cast

import structlog
from redis.exceptions import RedisError

ALLOWED: Final = frozenset(
    {
        "event", "level", "timestamp", "logger", "pid", "error", "because", "where", "dropped",
        "process", "exit_code", "signal", "seconds", "milliseconds", "restarts",
        "projection", "position", "head", "behind", "parked", "job", "queue", "server", "version",
        "address", "method", "route", "status", "code", "request_id", "station", "role",
        "lines", "records", "month",
    }
)
TELLING: Final = (OSError, RedisError)
"""Errors whose messages speak of machines, never of persons."""
INNERMOST: Final = 6
"""How many frames of a traceback are logged."""

Entry = MutableMapping[str, Any]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def configure(level: int, stream: TextIO | None = None) -> None:
    """Log to a stream (standard error), one JSON object a line."""
    stamped: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*stamped, _first_line],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _error_without_values,
            _allowed_fields,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for library in ("rq", "gunicorn", "eventsourcing"):
        logging.getLogger(library).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[*stamped, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _first_line(_logger: Any, _method: str, entry: Entry) -> Entry:
    """A library's message without the traceback that it may print below it."""
    entry["event"] = str(entry["event"]).partition("\n")[0]
    return entry


def _error_without_values(_logger: Any, _method: str, entry: Entry) -> Entry:
    """Replace the exception by its type and place."""
    exc_info = _exc_info(entry.pop("exc_info", None))
    if exc_info:
        kind, error, trace = exc_info
        entry["error"] = kind.__name__
        if isinstance(error, TELLING):
            entry["because"] = str(error)
        frames = traceback.extract_tb(trace)[-INNERMOST:]
        entry["where"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return entry


def _exc_info(given: Any) -> ExcInfo | None:
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    found = sys.exc_info() if given is True else given
    return cast("ExcInfo", found) if found and found[0] else None


def _allowed_fields(_logger: Any, _method: str, entry: Entry) -> Entry:
    """Drop what is not on the list, and say so."""
    dropped = sorted(set(entry) - ALLOWED)
    for name in dropped:
        del entry[name]
    if dropped:
        entry["dropped"] = dropped
    return entry
