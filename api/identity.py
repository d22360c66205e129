"""Who is calling, and what may they do?

A token names actor, role and station; only its hash is kept. What a role may do stands in
one table, and is enforced before any route runs: a route that declares no action cannot
be called at all. This is also the one place that reads the clock and makes new ids.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import NAMESPACE_URL, uuid4, uuid5  # noqa: TID251 - ids are made here, at the edge, and given down

from flask import Flask, current_app, g, request
from sqlalchemy import Column, DateTime, Engine, MetaData, String, Table, insert, update

from api.forms import COOKIE, check_form
from api.problems import (
    BadIdempotencyKey,
    NotAllowed,
    NotAuthenticated,
    OtherStation,
)
from api.services import services
from domain.kernel import STATION_TIME, Context, Refused
from domain.vocabulary import Role
from projections.direct import rows
from projections.store import open_engine, writing

# ---- tokens ----

metadata: Final = MetaData()
tokens: Final = Table(
    "access_tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("actor", String(100), nullable=False),
    Column("role", String(40), nullable=False),
    Column("station", String(64), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("expires_at", DateTime, nullable=False),
    Column("revoked_at", DateTime),
)
_IN_FORCE: Final = (
    "SELECT actor, role, station FROM access_tokens"
    " WHERE digest = ? AND revoked_at IS NULL AND expires_at > ?"
)
ANY_STATION: Final = "*"
MOST_DAYS: Final = 366


class BadToken(
    Refused, code="bad_token_request", title="令牌参数不正确",
    detail="令牌没有签发：{problem}。",
):
    """A token that could not be issued."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, as the token says."""

    actor: str
    role: Role
    station: str

    @property
    def role_label(self) -> str:
        """What people read for the role."""
        return self.role.label


def tokens_engine(database_url: str) -> Engine:
    """Where tokens are kept: beside the ledger, so that read models can be deleted."""
    engine = open_engine(database_url)
    with writing(engine) as connection:
        metadata.create_all(connection)
    return engine


def grant_tokens(engine: Engine, role: str) -> None:
    """Let a PostgreSQL role issue, look up and revoke tokens."""
    quoted = engine.dialect.identifier_preparer.quote(role)
    with writing(engine) as connection:
        connection.exec_driver_sql(f"GRANT SELECT, INSERT, UPDATE ON {tokens.name} TO {quoted}")


def issue_token(engine: Engine, actor: str, role: str, station: str, days: int) -> str:
    """Make a token and keep its hash; the token itself is shown once and never again.

    :raises BadToken: for an unknown role or impossible duration.
    """
    if role not in {r.value for r in Role}:
        raise BadToken(problem=f"没有角色“{role}”")
    if not 1 <= days <= MOST_DAYS or not 1 <= len(actor) <= 100:
        raise BadToken(problem=f"有效期为 1 到 {MOST_DAYS} 天，使用人 1 到 100 个字符")
    if station != ANY_STATION and not is_station_code(station):
        raise BadToken(problem=f"社工站编号“{station}”不合规")
    token, issued_at = secrets.token_urlsafe(32), now()
    with writing(engine) as connection:
        connection.execute(
            insert(tokens).values(
                digest=_digest(token), actor=actor, role=role, station=station,
                created_at=_naive(issued_at), expires_at=_naive(issued_at + timedelta(days=days)),
            )
        )
    return token


def is_station_code(text: str) -> bool:
    """Whether a text can be the code of a station."""
    return re.fullmatch(r"[0-9A-Za-z_.-]{1,64}", text) is not None


def revoke_tokens(engine: Engine, actor: str, station: str) -> int:
    """Revoke every token of an actor at a station; answers how many there were."""
    mine = (tokens.c.actor == actor) & (tokens.c.station == station)
    revoke = update(tokens).where(mine, tokens.c.revoked_at.is_(None))
    with writing(engine) as connection:
        return connection.execute(revoke.values(revoked_at=_naive(now()))).rowcount


def caller_of(engine: Engine, token: str) -> Caller | None:
    """Whose token it is, unless it is unknown, expired or revoked."""
    present = _naive(now()).isoformat(" ", "microseconds")  # as SQLite keeps an instant
    for actor, role, station in rows(engine, _IN_FORCE, (_digest(token), present)):
        return Caller(actor, Role.of(role), station)
    return None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def now() -> datetime:
    """The present instant, UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the edge: everything below is given the time


def _naive(instant: datetime) -> datetime:
    return instant.replace(tzinfo=None)


# ---- what a role may do ----

RECORD, READ_CASES, READ_FIGURES, OPERATE, PUBLIC = (
    "record", "read_cases", "read_figures", "operate", "public",
)
AUDIT: Final = "audit"
"""To see what others recorded, by whom and how; shows names, as the cases themselves do."""
READ_ACCESSES: Final = "read_accesses"
"""To see who read what; shows no name but those of staff."""
ALL_NOUNS: Final = "*"
CASEWORK: Final = frozenset({
    "households", "visits", "surveys", "community-surveys", "needs-assessments", "cases",
    "groups", "activities", "referrals", "resources", "trainings-delivered",
    "trainings-received", "supervisions", "meetings", "volunteers", "volunteer-teams",
})
PROGRAMME: Final = frozenset({
    "projects", "competitions", "task-books", "project-reviews", "brands", "months", "reports",
    "indicator-definitions",
})
APPROVALS: Final = frozenset({"task-books/approval"})
"""What the bureau, or another person of the station, agrees to."""
PROPOSES_MERGES: Final = frozenset({"merges", "merge-refusals"})
APPROVES_MERGES: Final = frozenset({"merge-approvals", "merge-refusals"})
"""Whoever proposed a merge does not approve it, whatever the role: ``domain/second_person.py``."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a role may do: the nouns it may record, and what it may read."""

    records: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()


ERASURES, ERASURE_DECISIONS = "erasures", "erasure-decisions"
"""Who proposes an erasure, and who decides on one."""

EVALUATES: Final = frozenset({"evaluations"})
"""Whoever runs an annual evaluation, which is recorded."""
READ_EVALUATIONS: Final = "read_evaluations"
"""To see score sheets, and to recount under other rules; shows names of staff."""

READS_ALL: Final = frozenset({READ_CASES, READ_FIGURES, OPERATE})
POLICY: Final[dict[Role, Grant]] = {
    Role.SOCIAL_WORKER: Grant(CASEWORK | PROPOSES_MERGES | {ERASURES}, READS_ALL),
    Role.LEAD: Grant(
        CASEWORK | PROGRAMME | APPROVALS | PROPOSES_MERGES | APPROVES_MERGES
        | EVALUATES | {ERASURES, ERASURE_DECISIONS},
        READS_ALL | {AUDIT, READ_ACCESSES, READ_EVALUATIONS},
    ),
    Role.VOLUNTEER_COORDINATOR: Grant(
        frozenset({"volunteers", "volunteer-teams", "activities", ERASURES}), READS_ALL
    ),
    Role.SUPERVISOR: Grant(
        frozenset({"supervisions"}) | APPROVES_MERGES, READS_ALL | {READ_EVALUATIONS}
    ),
    Role.REVIEWER: Grant(
        APPROVALS | EVALUATES,
        frozenset({READ_CASES, READ_FIGURES, AUDIT, READ_ACCESSES, READ_EVALUATIONS}),
    ),
    Role.HUB: Grant(APPROVALS | EVALUATES, frozenset({READ_FIGURES, READ_EVALUATIONS})),
    Role.ADMINISTRATOR: Grant(
        frozenset({"stations", ERASURE_DECISIONS}), frozenset({OPERATE, READ_ACCESSES})
    ),
}

View = TypeVar("View", bound=Callable[..., Any])


def action(verb: str, noun: str = "") -> Callable[[View], View]:
    """Declare what a route does, for the policy; without it a route cannot be called."""

    def declare(view: View) -> View:
        view.action = (verb, noun)  # type: ignore[attr-defined]
        return view

    return declare


def allowed(role: Role, verb: str, noun: str) -> bool:
    """Whether a role may do something."""
    grant = POLICY[role]
    return noun in grant.records if verb == RECORD else verb in grant.reads


def install(app: Flask) -> None:
    """Check every request before its route runs."""
    app.before_request(_check)


def _check() -> None:
    given = request.headers.get("X-Request-Id", "")
    is_usable = re.fullmatch(r"[0-9A-Za-z_.:-]{1,100}", given)
    request.environ["taizhang.request_id"] = given if is_usable else uuid4().hex
    if request.endpoint is None or request.endpoint.endswith(".static"):
        return
    declared = getattr(services_view(request.endpoint), "action", None)
    if declared is None:
        raise NotAllowed(role="", verb=request.endpoint)
    verb, noun = declared
    g.caller = _authenticated()
    if verb == PUBLIC:
        return
    if g.caller is None:
        raise NotAuthenticated
    if not allowed(g.caller.role, verb, noun):
        raise NotAllowed(role=g.caller.role.label, verb=f"{verb} {noun}".strip())
    if _is_form():
        check_form()


def services_view(endpoint: str) -> Callable[..., Any]:
    """The view function of an endpoint."""
    return current_app.view_functions[endpoint]


def _authenticated() -> Caller | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        # The cookie is for reading and for the forms of our pages, which carry a token of
        # their own; whoever writes through the API needs the header.
        is_for_cookie = request.method in {"GET", "HEAD"} or _is_form()
        token = request.cookies.get(COOKIE, "") if is_for_cookie else ""
    return caller_of(services().tokens, token.strip()) if token else None


def _is_form() -> bool:
    """Whether a page's form was sent."""
    return request.blueprint == "pages" and request.method not in {"GET", "HEAD"}


def caller() -> Caller:
    """Who is calling this route."""
    found = g.caller
    assert isinstance(found, Caller)
    return found


def station_of_request() -> str:
    """The station whose data is asked for: the caller's own, or for a hub any.

    :raises OtherStation: where another station's data is asked for.
    """
    own, asked = caller().station, request.args.get("station")
    if own == ANY_STATION:
        return asked or ANY_STATION
    if asked not in {None, own}:
        raise OtherStation(own=own, got=str(asked)[:64])
    return own


def context() -> Context:
    """The context of a decision: who acts, where, when, in which request."""
    who = caller()
    key = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,200}", key):
        raise BadIdempotencyKey
    return Context(
        now=now(), actor=who.actor, role=who.role.value, station=who.station,
        request_id=request.environ["taizhang.request_id"], idempotency_key=key,
    )


def today() -> date:
    """Today in the stations' calendar."""
    return now().astimezone(STATION_TIME).date()


def new_id() -> str:
    """A new id."""
    return uuid4().hex


def new_record_id(asked: str = "") -> str:
    """A new record's id, the same for the same request sent again (``Idempotency-Key``).

    ``asked`` is what is asked, where no ledger tells another question under the same key.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return new_id()
    who = caller()
    return uuid5(NAMESPACE_URL, f"{who.station}/{who.actor}/{key}{asked}").hex
