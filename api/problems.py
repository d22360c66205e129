"""How does a refusal or an error look over HTTP? RFC 9457, made in one place.

Every answer above 399 is ``application/problem+json`` with a stable ``code``, a Chinese
``title`` and ``detail``, and a ``type`` that is a page about it. Facts are given where a
refusal has them; what a person entered into a personal field is never repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from itertools import islice
from typing import Any, Final

import structlog
from flask import Flask, Response, json, redirect, render_template, request, url_for
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from api.forms import ForeignForm
from api.kept_forms import again, comes_from_own_page
from api.language import translated
from api.speaking import worded
from domain.kernel import REFUSALS, Refused
from workers.queues import QueueUnavailableError

MEDIA_TYPE: Final = "application/problem+json"
MARK: Final = "｜"
"""Divides the code from the text in a field's message; see ``api/messages.py``."""
RETRY_AFTER_SECONDS: Final = "2"

log = structlog.get_logger(__name__)


class NotAuthenticated(
    Refused, code="not_authenticated", status=401, title="需要登录",
    detail="请先登录；程序须带有效的访问令牌（Authorization: Bearer …），且未过期、未撤销。",
):
    """No token, or one that is not valid (any more)."""


class NotAllowed(
    Refused, code="not_allowed", status=403, title="没有权限",
    detail="角色“{role}”不能做这件事。",
):
    """The role may not do this."""


class OtherStation(
    Refused, code="other_station", status=403, title="不是本站的数据",
    detail="您属于社工站 {own}，不能访问 {got}。",
):
    """Data of another station."""


class StationMissing(
    Refused, code="station_missing", status=400, title="须指明社工站",
    detail="请用 station= 指明要查询的社工站。",
):
    """Who has several stations asks about one by name."""


class IfMatchRequired(
    Refused, code="if_match_required", status=428, title="须注明所见的版本",
    detail="更正、作废和恢复须带 If-Match，写明您看到的版本（GET 时的 ETag）。",
):
    """An edit must say which version it was made on."""


class BadIfMatch(
    Refused, code="bad_if_match", status=400, title="版本写法不正确",
    detail="If-Match“{got}”不是版本号，应为版本的数字或读到的 ETag。",
):
    """An If-Match that is no version."""


class BadIdempotencyKey(
    Refused, code="bad_idempotency_key", status=400, title="请求编号不合规",
    detail="Idempotency-Key 应为 1 到 200 个可见字符。",
):
    """An idempotency key that is empty or too long."""


class MalformedJson(
    Refused, code="malformed_json", status=400, title="不是合格的 JSON",
    detail="请求内容不是合格的 JSON（UTF-8），请检查括号、引号和逗号。",
):
    """A body that no JSON parser takes."""


class NotYetProjected(
    Refused, code="not_yet_projected", status=503, title="尚未计入",
    detail="等待 {seconds} 秒后，位置 {wanted} 仍未计入（现为 {reached}），请稍后重试。",
):
    """The read models did not reach the position in time."""


class BadCursor(
    Refused, code="bad_cursor", status=400, title="翻页标记无效",
    detail="翻页标记 cursor 无效，请从第一页重新开始。",
):
    """A cursor that this list did not give."""


WAIT_SECONDS: Final = 5.0
"""How long a question waits until the read models have come to a position."""
OF_STATUS: Final = {
    400: ("bad_request", "请求无法识别", "请求的格式不正确。"),
    404: ("not_found", "没有这个地址", "没有这个地址，请核对网址。"),
    405: ("method_not_allowed", "此地址不支持这种请求", "此地址不支持 {method}。"),
    406: ("not_acceptable", "无法提供这种格式", "服务只提供 application/json。"),
    413: ("body_too_large", "内容过大", "请求内容过大，最大 {limit} MiB。"),
    415: ("unsupported_media_type", "格式不支持", "请用 Content-Type: application/json。"),
    422: ("invalid_body", "内容不合要求", "内容不合要求。"),
    500: ("internal_error", "程序出错", "程序出错，本次没有保存；请把请求编号告诉管理员。"),
    503: ("unavailable", "暂时无法处理", "服务暂时不可用，请稍后重试。"),
}
FIELD_CODES: Final = {
    "unknown_field": "有不认识的字段",
    "missing_field": "缺少必填的字段",
    "wrong_type": "字段类型不对",
    "impossible_date": "日期不存在或写法不对",
    "text_too_long": "文字过长",
    "text_too_short": "文字过短",
    "out_of_range": "数字超出范围",
    "wrong_form": "写法不合要求",
    "unknown_choice": "不在可选范围内",
}
MOST_ERRORS: Final = 50
"""How many wrong fields one answer lists."""


def install(app: Flask) -> None:
    """Let every refusal and error of the application come out as a problem."""
    app.register_error_handler(Refused, of_refusal)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(QueueUnavailableError, _of_queue)
    app.register_error_handler(DBAPIError, _of_database)
    app.register_error_handler(Exception, _of_bug)


def problem(
    status: int, code: str, title: str, detail: str, **more: Any
) -> Response:
    """A problem document; on a page, a page that says the same and leads back."""
    if _is_for_a_person(status):
        page = render_template(
            "problem.html", code=code, found=(status, title, detail), errors=more.get("errors", ()),
            request_id=request.environ.get("taizhang.request_id"),
        )
        return _hinted(Response(page, status=status, content_type="text/html; charset=utf-8"))
    if request.blueprint == "pages":  # a page's script shows it as the page would
        title, detail = worded(title), worded(detail)
    body = {
        "type": f"/problems/{code}", "status": status, "code": code, "title": title,
        "detail": detail, "instance": request.path,
        "request_id": request.environ.get("taizhang.request_id"),
    } | more
    answer = Response(
        json.dumps(body, ensure_ascii=False), status=status, content_type=MEDIA_TYPE
    )
    return _hinted(answer)


def _hinted(answer: Response) -> Response:
    """What a program, or a browser, is told besides: when to come again, and with what."""
    if answer.status_code == 503:
        answer.headers["Retry-After"] = RETRY_AFTER_SECONDS
    if answer.status_code == 401 and answer.mimetype == MEDIA_TYPE:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="taizhang"'
    return answer


def _is_for_a_person(status: int) -> bool:
    """Whether a page was asked for, or an address that is none, by a browser."""
    if is_from_script():
        return False
    offered = (MEDIA_TYPE, "application/json", "text/html")
    is_browser = request.accept_mimetypes.best_match(offered) == "text/html"
    return request.blueprint == "pages" or (status == 404 and is_browser)


def is_from_script() -> bool:
    """Whether a page's own script asks: it reads what is wrong itself, and follows nowhere."""
    return request.accept_mimetypes.best == "application/json"


def of_refusal(refusal: Refused) -> BaseResponse:
    """A refusal of the rules; a page that needs a sign-in leads there and back."""
    is_page = request.blueprint == "pages" and not is_from_script()
    if is_page and isinstance(refusal, NotAuthenticated):
        if comes_from_own_page():
            return again(401)
        target = request.full_path.rstrip("?") if request.method == "GET" else "/"
        return redirect(url_for("pages.sign_in", next=target), 303)
    if is_page and request.method == "GET" and isinstance(refusal, StationMissing):
        return redirect(url_for("pages.station_page", next=request.full_path.rstrip("?")), 303)
    if is_page and isinstance(refusal, ForeignForm) and comes_from_own_page():
        return again(403)
    facts = {name: _plain(value) for name, value in refusal.facts.items()}
    return problem(refusal.status, refusal.code, refusal.title, str(refusal), facts=facts)


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | bool | None) else (
        value.isoformat() if isinstance(value, date | datetime) else str(value)
    )


def _of_http(error: HTTPException) -> Response:
    status = error.code or 500
    messages = getattr(error, "data", {}).get("messages")
    if messages:
        return _of_fields(422 if status == 422 else status, messages)
    code, title, detail = OF_STATUS.get(status, OF_STATUS[500 if status >= 500 else 400])
    limit = (request.max_content_length or 0) // 1024**2
    return problem(status, code, title, detail.format(method=request.method, limit=limit))


def _of_fields(status: int, messages: dict[str, Any]) -> Response:
    """What is wrong with a body or query, field by field, with JSON pointers."""
    is_shown_by_script = request.blueprint == "pages" and is_from_script()
    say: Callable[[str], str] = worded if is_shown_by_script else str
    errors = [
        {"pointer": pointer, "location": location, "code": code, "detail": say(text)}
        for location, fields in messages.items()
        for pointer, code, text in islice(flat(fields, ""), MOST_ERRORS)
    ]
    first = errors[0]
    code = str(first["code"])
    title = FIELD_CODES.get(code, OF_STATUS[422][1])
    stop, colon = map(translated, "；：") if is_shown_by_script else "；："
    detail = stop.join(f"{e['pointer'] or say('内容')}{colon}{e['detail']}" for e in errors[:5])
    return problem(status, code, title, detail, errors=errors)


def flat(messages: Any, pointer: str) -> Iterator[tuple[str, str, str]]:
    """What a schema found wrong: where (a JSON pointer), a code, a sentence."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from flat(inner, pointer if name == "_schema" else f"{pointer}/{_token(name)}")
    elif isinstance(messages, list):
        for inner in messages:
            yield from flat(inner, pointer)
    else:
        code, mark, text = str(messages).partition(MARK)
        yield (pointer, code, text) if mark else (pointer, *OF_STATUS[422][:2])


def _token(name: object) -> str:
    """A name as a JSON pointer has it (RFC 6901), cut where it is absurdly long."""
    return str(name)[:100].replace("~", "~0").replace("/", "~1")


def _of_queue(_error: QueueUnavailableError) -> Response:
    code, title, _detail = OF_STATUS[503]
    return problem(503, code, title, "任务队列（Redis）暂时不可用，请稍后重试。")


def _of_database(error: DBAPIError) -> Response:
    """The read models' database is locked, full or away; anything else is an error of ours."""
    if not isinstance(error, OperationalError | InterfaceError):
        return _of_bug(error)
    log.warning("database_unavailable", kind=type(error.orig).__name__, path=request.path)
    return problem(503, *OF_STATUS[503])


def _of_bug(error: Exception) -> Response:
    """An error of ours: logged with its request id, told without its inside."""
    log.error("unexpected_error", kind=type(error).__name__, path=request.path, exc_info=error)
    return problem(500, *OF_STATUS[500])


def explained() -> dict[str, tuple[int, str, str]]:
    """Every code with its status, title and explanation: what the problem pages show."""
    found = {code: (r.status, r.title, r.detail) for code, r in REFUSALS.items()}
    found |= {code: (status, title, text) for status, (code, title, text) in OF_STATUS.items()}
    found |= {code: (422, title, title + "。") for code, title in FIELD_CODES.items()}
    return dict(sorted(found.items()))
