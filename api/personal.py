"""How are personal fields shown? Opened at the last moment, and the reading is logged first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import structlog
from flask import Flask, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from api.access_log import AccessAction
from api.identity import ANY_STATION, Caller, is_station_code, now, sees_names
from api.problems import of_refusal
from api.reading import Reading
from api.services import services
from domain.kernel import Refused

T = TypeVar("T")

log = structlog.get_logger(__name__)


class AccessNotLogged(
    Refused, code="access_not_logged", status=503, title="访问记录无法写入",
    detail="这次查看无法记入访问记录，因此没有给出个人信息；请稍后重试，或告知管理员。"
    "若是更正、作废或恢复，则已经记入台账，请先查看再重做。",
):
    """What is personal is not shown without a row that says so."""


def reading() -> Reading:
    """What this request reads of persons."""
    if "reading" not in g:
        g.reading = Reading(services().ledger.vault, shows_names=sees_names())
    found: Reading = g.reading
    return found


def shown(value: T, stream: str) -> T:
    """What is known of a stream's subject, with its sealed texts opened.

    Plain data, a row or rows; who read it goes into the access log with the answer.
    """
    return reading().shown(value, stream)


def rows_shown(rows: Sequence[T], streams: Sequence[str]) -> list[T]:
    """The same for rows of several streams, whose keys are read at once."""
    return reading().rows_shown(rows, streams)


def noted(*subjects: str, action: AccessAction = AccessAction.READ) -> None:
    """Let the access log say that this request reads what is personal of some subjects."""
    found = reading()
    found.about(subjects)
    if action is not AccessAction.READ:
        found.action = action


def install(app: Flask) -> None:
    """Write every reading down before its answer leaves, and refuse it where that fails."""
    app.after_request(_logged)


def _logged(answer: Response) -> Response:
    """Whatever was opened is written down, also where the answer is a refusal or a receipt."""
    found: Reading | None = g.get("reading")
    who: Caller | None = g.get("caller")
    if found is None or who is None:
        return answer
    access = found.access(
        at=now(), actor=who.actor, role=who.role.value, station=_station(who),
        request_id=request.environ["taizhang.request_id"], route=str(request.url_rule),
    )
    try:
        if access is not None:
            services().access_log.append(access)
    except SQLAlchemyError as error:
        log.error("access_not_logged", kind=type(error).__name__, route=str(request.url_rule))  # noqa: TRY400 - the answer says it, and rows stay out of the log
        answer.close()
        return current_app.make_response(of_refusal(AccessNotLogged()))
    return answer


def _station(who: Caller) -> str:
    """The station that was read: the caller's own, or the one that a caller of all named."""
    asked = request.args.get("station", "")
    asked = asked or who.chosen or ""
    is_one = who.scope.only is None and is_station_code(asked) and who.scope.admits(asked)
    return asked if is_one else who.scope.only or ANY_STATION
