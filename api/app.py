"""How is the web application composed? The composition root."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from flask import Flask, Response, current_app, jsonify, request
from flask.json.provider import DefaultJSONProvider
from flask_smorest import Api
from werkzeug.middleware.proxy_fix import ProxyFix

from api import bodies, confinement, identity, moments, operations, personal, problems
from api.access_log import AccessLog
from api.accounts.provider import provider_of
from api.audit import audit
from api.difference import differences
from api.documentation import SPEC, documentation
from api.duplicates import duplicates
from api.identity import PUBLIC, action, tokens_engine
from api.indicators import indicators
from api.nouns import NOUNS
from api.operations import operations as operations_routes
from api.pages import pages
from api.persons import persons
from api.proofs import proofs
from api.publications import publishing
from api.queries import queries
from api.security import security
from api.services import EXTENSION, Services
from api.signals import signals
from api.task_books import task_books
from projections.engine import ReadModels
from workers.queues import Wakeups
from workers.runtime import Runtime
from workers.service import running_redis_url
from workers.settings import Settings

OPENAPI_ENDPOINT: Final = "api-docs.openapi_json"
MOST_BYTES: Final = 1024 * 1024
POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)


class ChineseJson(DefaultJSONProvider):
    """Chinese stays readable, and days are written as RFC 3339 has them."""

    ensure_ascii = False

    @staticmethod
    def default(o: Any) -> Any:
        """A day or instant in ISO form; everything else as Flask has it."""
        return o.isoformat() if isinstance(o, date) else DefaultJSONProvider.default(o)


def create_app(settings: Settings | None = None) -> Flask:
    """The application with everything it works with."""
    settings = settings or Settings.from_environment()
    settings.prepare_home()
    app = Flask("api", static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=MOST_BYTES,
        API_TITLE="台账接口", API_VERSION="v1", OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1", OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS=_description(),
    )
    app.json = ChineseJson(app)
    found = Services(
        settings, Runtime(settings), Wakeups(running_redis_url(settings)),
        tokens_engine(settings.database_url), AccessLog(settings.access_database_url),
        _replica(settings), provider_of(settings),
    )
    app.extensions[EXTENSION] = found
    if settings.proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies,
            x_host=settings.proxies,
        )
    confinement.install()
    confinement.confine(found.ledger)
    identity.install(app)
    bodies.install(app)
    moments.install(app)
    operations.install(app, found)
    api = Api(app)
    for blueprint in (
        *(noun.blueprint for noun in NOUNS), publishing, queries, indicators, differences,
        task_books, duplicates,
        persons, audit, signals, security, proofs, operations_routes,
    ):
        api.register_blueprint(blueprint)
    app.register_blueprint(documentation)
    app.register_blueprint(pages)
    app.view_functions[OPENAPI_ENDPOINT] = openapi_document
    app.extensions[SPEC] = api.spec
    _describe_errors(api)
    problems.install(app)
    app.after_request(_secured)
    personal.install(app)
    return app


def _replica(settings: Settings) -> ReadModels | None:
    url = settings.query_database_url
    return ReadModels(url, is_replica=True) if url else None


@action(PUBLIC)
def openapi_document() -> Response:
    """The OpenAPI 3.1 document."""
    return jsonify(current_app.extensions[SPEC].to_dict())


def _description() -> dict[str, Any]:
    return {
        "info": {
            "description": "街道社工站服务台账的接口。读写均须带令牌；"
            "每次写入都回答台账位置 position。",
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _describe_errors(api: Api) -> None:
    """Every error is a problem document: said once, for every route."""
    shape = {
        "type": "object",
        "properties": {
            name: {"type": kind}
            for name, kind in (
                ("type", "string"), ("status", "integer"), ("code", "string"),
                ("title", "string"), ("detail", "string"), ("request_id", "string"),
            )
        },
    }
    api.spec.components.schema("Problem", shape)
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for name, path in api.spec._paths.items():  # noqa: SLF001 - apispec gives no other way
        for method, operation in path.items():
            if isinstance(operation, dict) and "responses" in operation:
                operation.setdefault("parameters", []).extend(_headers(name, method))
                operation["responses"] = {
                    status: answer
                    for status, answer in operation["responses"].items()
                    if str(status).startswith(("2", "3"))
                } | {"default": {"description": "问题说明（RFC 9457）", "content": content}}


def _headers(path: str, method: str) -> list[dict[str, Any]]:
    """The headers that a route reads: said once, by what kind of route it is."""
    is_question = path.endswith("/duplicates") or "/search" in path
    if method not in {"post", "put", "delete"} or "/projections/" in path or is_question:
        return []
    is_edit = "/entries/" in path
    match = {
        "name": "If-Match", "in": "header", "required": is_edit, "schema": {"type": "string"},
        "description": '所见的版本，如 "3"，或读到的 ETag，如 "3-5d41402abc4b"（只比较版本）；'
        "更正、作废和恢复必填",
    }
    key = {
        "name": "Idempotency-Key", "in": "header", "required": False,
        "schema": {"type": "string", "maxLength": 200},
        "description": "请求编号：同一编号、同一内容只计一次",
    }
    return [match, key]


def _secured(answer: Response) -> Response:
    """Headers that every answer has."""
    answer.headers.setdefault("Content-Security-Policy", POLICY)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Frame-Options"] = "DENY"
    if not request.path.startswith("/static/"):
        answer.headers.setdefault("Cache-Control", "no-store")
    return answer
