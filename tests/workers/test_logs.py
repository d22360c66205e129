"""Do the logs stay free of personal data, also by oversight?"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from workers import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(logging.INFO, stream)
    yield stream
    root.handlers[:], _level = before
    root.setLevel(_level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json(stream: io.StringIO) -> None:
    structlog.get_logger("a").info("done", position=7)
    (line,) = lines(stream)
    assert (line["event"], line["position"], line["level"]) == ("done", 7, "info")


def test_an_unknown_field_is_dropped_and_named(stream: io.StringIO) -> None:
    structlog.get_logger("a").info("done", name="张三", phone="13800000000")
    assert lines(stream)[0]["dropped"] == ["name", "phone"]
    assert "张三" not in stream.getvalue()


def test_an_error_is_logged_by_type_and_place_not_by_its_message(stream: io.StringIO) -> None:
    for logger in (structlog.get_logger("a"), logging.getLogger("library")):
        try:
            _fail("张三")
        except ValueError:
            logger.exception("failed")
    logging.getLogger("rq").error("job failed\nTraceback: 张三")
    first, second, third = lines(stream)
    assert first["error"] == second["error"] == "ValueError"
    assert first["where"][-1].endswith("_fail")
    assert third["event"] == "job failed"
    assert "张三" not in stream.getvalue()


def test_an_error_of_the_machine_says_why(stream: io.StringIO) -> None:
    structlog.get_logger("a").warning("failed", exc_info=OSError(28, "No space left on device"))
    assert "No space left" in lines(stream)[0]["because"]


def _fail(name: str) -> None:
    raise ValueError(name)
