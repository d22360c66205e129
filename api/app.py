"""How is the web application composed? The composition root."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from flask import Flask, Response, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.middleware.proxy_fix import ProxyFix

from api import (
    assets,
    bodies,
    confinement,
    events,
    identity,
    language,
    moments,
    openapi,
    operations,
    personal,
    problems,
    speaking,
)
from api.access_log import AccessLog
from api.accounts.provider import provider_of
from api.audit import audit
from api.bundles import bundles
from api.difference import differences
from api.documentation import documentation
from api.duplicates import duplicates
from api.evaluations import evaluations
from api.evidence import evidence_files
from api.explaining import explaining
from api.identity import tokens_engine
from api.indicators import indicators
from api.nouns import NOUNS
from api.operations import operations as operations_routes
from api.pages import pages
from api.persons import persons
from api.proofs import proofs
from api.publications import publishing
from api.queries import queries
from api.score_sheets import score_sheets
from api.security import security
from api.services import EXTENSION, Services
from api.signals import signals
from api.staff_accounts import staff_accounts
from api.task_books import task_books
from projections.engine import ReadModels
from workers.queues import Wakeups
from workers.runtime import Runtime
from workers.service import running_redis_url
from workers.settings import Settings

MOST_BYTES: Final = 1024 * 1024
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; worker-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
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
        API_SPEC_OPTIONS=openapi.introduction(),
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
    bodies.install_limits(app)
    identity.install(app)
    bodies.install(app)
    moments.install(app)
    operations.install(app, found)
    api = openapi.Described(app)
    for blueprint in (
        *(noun.blueprint for noun in NOUNS), publishing, queries, indicators, explaining,
        differences, task_books, duplicates, evaluations, score_sheets, bundles,
        persons, audit, signals, security, proofs, operations_routes, evidence_files,
        staff_accounts,
    ):
        api.register_blueprint(blueprint)
    app.register_blueprint(documentation)
    app.register_blueprint(pages)
    assets.install(app)
    events.install(app)
    language.install(app)
    speaking.install(app)
    openapi.install(app, api)
    problems.install(app)
    app.after_request(_secured)
    personal.install(app)
    return app


def _replica(settings: Settings) -> ReadModels | None:
    url = settings.query_database_url
    return ReadModels(url, is_replica=True) if url else None


def _secured(answer: Response) -> Response:
    """Headers that every answer has."""
    answer.headers.setdefault("Content-Security-Policy", POLICY)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = _referrer_policy()
    answer.headers["X-Frame-Options"] = "DENY"
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer


def _referrer_policy() -> str:
    """Our own pages say to us that they send a form (``Origin``); a one-time link tells nobody."""
    is_page = request.blueprint == "pages" and "link" not in request.args
    return "same-origin" if is_page else "no-referrer"
