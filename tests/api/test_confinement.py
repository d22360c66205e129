"""Is another station's data out of reach of everybody, by every route and every page?

Asked from outside: each route of the application, with the ids of another station's
records and with its code, by actors of every role.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from callers import Api
from desk import NOW, Desk, a_station
from domain_examples import TRAININGS
from flask import url_for
from msgspec.structs import replace
from PIL import Image
from records import BY_TOPIC, body_of, ensure, opening
from werkzeug.test import TestResponse

from api import openapi
from api.accounts import saved_views, staff, tokens
from api.accounts.name_permissions import permit
from api.accounts.saved_views import Viewer
from api.accounts.security_log import By
from api.app import create_app
from api.confinement import UnconfinedError
from api.edge import now
from api.identity import OWN, PUBLIC, READ_CASES, action
from api.nouns import NOUNS
from api.schemas import correction_reason
from api.services import EXTENSION, Services, services
from domain.catalog import to_builtins
from domain.household import HouseholdRegistered, Member
from domain.indicators import IndicatorDefined
from domain.kernel import KINDS, Event
from domain.publication import ReportPublished
from domain.record_keeping import without_derived
from domain.vocabulary import Role
from projections.household_status import households
from projections.store import writing
from workers.settings import settings_for

OTHER = "other-station"
TELLTALES = ("保密街道", "欧阳隐", "隐秘备注", "secret-", "other-actor")
"""What the other station's records say, and nobody else's: names, notes, ids, staff."""
ACTORS = {
    "worker": (Role.SOCIAL_WORKER, ["first"], None), "lead": (Role.LEAD, ["first"], None),
    "coordinator": (Role.VOLUNTEER_COORDINATOR, ["first"], None),
    "supervisor": (Role.SUPERVISOR, ["first", "second"], None),
    "reviewer": (Role.REVIEWER, ["first", "second"], None),
    "administrator": (Role.ADMINISTRATOR, ["first", "second"], None),
    "lead-2": (Role.LEAD, ["second"], None), "worker-2": (Role.SOCIAL_WORKER, ["second"], None),
    "hub": (Role.HUB, ["first", "second"], None), "district": (Role.HUB, [], "历下区"),
}
OF_NO_STATION = {
    "/api/v1/indicator-sets", "/api/v1/operations", "/operations", "/api/v1/jobs/<job_id>",
    "/api/v1/projections/<name>/rebuild", "/api/v1/projections/<name>/retry",
    "/operations/rebuild", "/operations/<name>/cancel", "/operations/<name>/retry",
    "/verify", "/api/v1/reports/verify",
    "/accounts", "/accounts/log", "/api/v1/accounts", "/api/v1/security-log",
}
"""Routes that ask about no one station: what all share, a file, one's own accounts."""
NAMED_ALIKE = {"month", "indicator"}
"""Kinds whose records have the same id at every station."""


@dataclass(frozen=True)
class City:
    """An application with three stations, one of which is the other."""

    api: Api
    ids: dict[str, str]
    tokens: dict[str, str]

    def call(self, actor: str, method: str, path: str, body: Any = None) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.tokens[actor]}", "If-Match": "1"}
        if method != "GET" and not path.startswith("/api/"):
            form = {"role": "lead", "stations": "first", "login": "newcomer", "actor": "新人"}
            return self.api.call(method, path, role=None, headers=headers, data=form)
        if body and "file" in body and "record" in body and isinstance(body["file"], bytes):
            sent = body | {"file": (io.BytesIO(body["file"]), "photo.png")}
            return self.api.call(method, path, role=None, headers=headers, data=sent)
        return self.api.call(method, path, body, role=None, headers=headers)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    app = create_app(settings_for(tmp_path_factory.mktemp("city")))
    found: Services = app.extensions[EXTENSION]
    for station, district in (("first", "历下区"), ("second", "历下区"), (OTHER, "保密区")):
        name = "保密街道社工站" if station == OTHER else f"{station}社工站"
        desk = Desk(found.ledger, station)
        profile = a_station(name=name, short_name=name, district=district)
        desk.record(station, profile, "2024-01-01", role="administrator")
    others = Desk(found.ledger, OTHER)
    ids = _records_of_every_kind(others)
    found.read_models.advance(found.ledger)
    made = {name: _token(found, name, *post) for name, post in ACTORS.items()}
    ids |= _accounts_of_the_other(found)
    yield City(Api(app, found, "first"), ids, made)
    found.close()


def _records_of_every_kind(desk: Desk) -> dict[str, str]:
    """The id of a record of each kind, and the position of one."""
    member = Member(person="secret-p", name="欧阳隐", relation="head")
    household = HouseholdRegistered(community="东路社区", members=(member,), note="隐秘备注")
    said = desk.record("secret-household", household, "2024-07-01", actor="other-actor")
    ids = {"household": "secret-household", "position": str(said.position)}
    for kind in KINDS:
        event = opening(kind) if kind not in {"station", "merge", "erasure"} else None
        if event is None or kind == "household":
            continue
        if isinstance(event, ReportPublished):
            own = replace(event.snapshot, station=desk.station, period="2024-10")
            event = replace(event, snapshot=own)
        ensure(desk, event)
        ids[kind] = {"month": "2024-11", "report": "2024-10"}.get(kind, f"secret-{kind}")
        if kind != "indicator" and desk.ledger.stream(desk.station, kind, ids[kind]) is None:
            desk.record(ids[kind], event, "2024-11-05", actor="other-actor")
    return ids


def _token(found: Services, name: str, role: Role, stations: list[str], district: str | None) -> str:
    by = By("test", now())
    post = staff.checked_post(role.value, stations, district)
    with writing(found.tokens) as connection:
        account = staff.create(connection, staff.Newcomer(name * 2, name, name, post), by)
    return tokens.issue_own(found.tokens, account.id, "test", 1, by)


def _accounts_of_the_other(found: Services) -> dict[str, str]:
    _token(found, "other-actor", Role.LEAD, [OTHER], None)
    permit(found.tokens, "secret-permission", By("other-actor", now()), station=OTHER,
           actor="reviewer", days=1, reason="核对")
    account = "other-actor" * 2
    saved_views.keep(found.tokens, Viewer(account, OTHER, keeps_shared=True), view="secret-view",
                     name="保密街道", query={"kind": "visit"}, at=now(), is_shared=True)
    return {
        "account": account, "token": tokens.tokens_of(found.tokens, account)[0].id,
        "permission": "secret-permission", "view": "secret-view",
    }


# ---- what is asked ----


@dataclass(frozen=True)
class Question:
    """One request about the other station's data."""

    rule: str
    method: str
    path: str
    body: dict[str, Any] | None
    names_record: bool
    verb: str


KIND_OF = {noun.plural: noun.kind.name for noun in NOUNS}
WHOSE = {"subject", "household", "case", "group", "identity", "position", "account", "token", "permission", "view"}
"""Arguments of paths that say whose record is asked for."""


def questions(city: City) -> list[Question]:
    """Every route and method, about a record of the other station or about that station."""
    app = city.api.app
    found = []
    for rule in app.url_map.iter_rules():
        declared = getattr(app.view_functions[rule.endpoint], "action", None)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}) if declared else ():
            kind = _kind(rule.rule)
            arguments = {name: _argument(city, name, kind) for name in rule.arguments}
            names_record = bool(WHOSE & rule.arguments) and kind not in NAMED_ALIKE | {"station"}
            if kind == "supervision" and method == "POST":
                names_record = False  # a receipt may begin a record under any id
            query = _required(app, rule.rule, method)
            if not names_record:
                query["station"] = OTHER
            with app.test_request_context():
                path = url_for(rule.endpoint, _method=method, **arguments, **query)
                answered_by, _ = app.url_map.bind("").match(path.partition("?")[0], method)
            if answered_by != rule.endpoint:
                continue  # another route has the same path
            body = _body(rule.endpoint) if method != "GET" else None
            found.append(Question(rule.rule, method, path, body, names_record, declared[0]))
    return found


def _kind(rule: str) -> str | None:
    plural = rule.removeprefix("/api/v1/").partition("/")[0]
    return KIND_OF.get(plural)


def _argument(city: City, name: str, kind: str | None) -> str | int:
    fixed: dict[str, str | int] = {
        "version": 1, "entry": 1, "size": 1, "level": "0", "index": "000", "job_id": "x",
        "name": "timeline", "set_code": "lixia-2024", "code": "person_visits", "month": "2024-11",
        "period": "2024-11", "kind": "household",
        "cycle": "2024-2025", "topic": "visit.recorded", "address": "none",
        "how": "void", "which": "households", "step": "approved", "what": "missed",
    }
    if name == "position":
        return int(city.ids["position"])
    if name == "identity":
        return city.ids["evaluation"]
    if name == "subject":
        return OTHER if kind == "station" else city.ids.get(kind or "household", "secret-household")
    return fixed[name] if name in fixed else city.ids[name]


def _required(app: Any, rule: str, method: str) -> dict[str, str]:
    """The parameters that the OpenAPI document requires of a route."""
    path = rule.replace("<int:", "{").replace("<path:", "{").replace("<", "{").replace(">", "}")
    with app.app_context():
        paths = openapi.document()["paths"]
    operation = paths.get(path, {}).get(method.lower(), {})
    values = {"month": "2024-11", "from": "2024-01-01", "to": "2024-12-31", "from_known_at": "2024-12-01"}
    return {
        p["name"]: values[p["name"]]
        for p in operation.get("parameters", ()) if p["in"] == "query" and p.get("required")
    }


def _a_photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, "PNG")
    return out.getvalue()


A_PHOTO = _a_photo()


A_POST = {"role": "lead", "stations": ["first"]}
BODIES: dict[str, dict[str, Any]] = {
    "attach_evidence": {"record": "visit/secret-visit", "kind": "photo", "file": A_PHOTO},
    "preview": {"definitions": [to_builtins(TRAININGS)], "period": "2024-11"},
    "invite_account": A_POST | {"login": "newcomer", "actor": "新人"},
    "change_account_post": A_POST,
}
"""What routes take that state no event, by their names."""


def _body(endpoint: str) -> dict[str, Any]:
    """A body that the route takes: a statement of its own, or a reason."""
    name = endpoint.rpartition(".")[2]
    for topic, event in BY_TOPIC.items():
        if name in {f"{verb}_{topic.replace('.', '_')}" for verb in ("open", "state")}:
            return body_of(_standing_alone(event)) | {"occurred_on": "2024-11-05"}
        if name == f"correct_{topic.replace('.', '_')}":
            reason = {correction_reason(type(event)): "核对后"}
            return body_of(_standing_alone(event)) | reason | {"occurred_on": "2024-11-05"}
    if name in BODIES:
        return BODIES[name]
    if endpoint.startswith("evaluations."):
        return {"cycle": "2024-2025"}
    has_reason = "entr" in name or "restate" in name
    return {"name": "欧阳"} if "search" in name else {"reason": "核对后"} if has_reason else {}


def _standing_alone(event: Event) -> Event:
    is_defined = isinstance(event, IndicatorDefined)
    return opening("indicator") if is_defined else without_derived(event)


# ---- what is answered ----


@pytest.mark.slow
@pytest.mark.parametrize("actor", ACTORS)
def test_no_route_shows_or_changes_another_station_s_data(city: City, actor: str) -> None:
    head, wrong = city.api.head(), []
    asked = questions(city)
    assert len({q.rule for q in asked}) > 250
    for q in asked:
        answer = city.call(actor, q.method, q.path, q.body)
        if (problem := _shown(answer, q) or _unexpected(answer, q)) is not None:
            wrong.append((problem, q.method, q.path, answer.status_code))
    assert not wrong, "\n".join(map(str, wrong))
    assert all(e.envelope.station != OTHER for e in city.api.services.ledger.recorded(head))


def _shown(answer: TestResponse, q: Question) -> str | None:
    """What of the other station an answer shows that was not in the question itself."""
    echoed = answer.get_data(as_text=True) if answer.mimetype != WORD else str(answer.data)
    for part in q.path.replace("?", "/").split("/"):
        echoed = echoed.replace(part, "") if part.startswith(("secret-", "other-actor")) else echoed
    return next((telltale for telltale in TELLTALES if telltale in echoed), None)


WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def _unexpected(answer: TestResponse, q: Question) -> str | None:
    """Whether an answer is anything but a refusal, where what is asked is another's."""
    if (q.verb in {PUBLIC, OWN} and not q.names_record) or q.rule in OF_NO_STATION:
        return None
    if answer.is_json and q.method == "GET" and answer.get_json().get("items") == []:
        return None  # the timeline of somebody who is nobody here
    is_sent_to_choose = answer.status_code in {303, 400} and q.names_record
    return None if answer.status_code in {401, 403, 404} or is_sent_to_choose else "not refused"


def test_a_query_that_names_no_station_shows_nothing(city: City) -> None:
    """What a route forgets, the connection refuses."""

    def forgetful() -> str:
        with services().read_models.engine.connect() as connection:
            return str(connection.execute(households.select()).all())

    def naming(station: str) -> Callable[[], str]:
        def view() -> str:
            query = households.select().where(households.c.station == station)
            with services().read_models.engine.connect() as connection:
                return str(connection.execute(query).all())

        return view

    def history() -> str:
        return str(services().ledger.history(f"{OTHER}/household/secret-household"))

    def log() -> str:
        return str(list(services().ledger.station_rows(OTHER)))

    views = {
        "forgetful": forgetful, "own": naming("first"), "other": naming(OTHER),
        "history": history, "log": log,
    }
    city.api.app._got_first_request = False
    for name, view in views.items():
        city.api.app.add_url_rule(f"/{name}", name, action(READ_CASES)(view))
    assert city.call("worker", "GET", "/own").status_code == 200
    for name in ("other", "history", "log"):
        assert city.call("worker", "GET", f"/{name}").get_json()["code"] == "other_station"
    answer = city.call("worker", "GET", "/forgetful")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert issubclass(UnconfinedError, AssertionError)


@pytest.mark.parametrize("actor", ["worker", "supervisor", "reviewer"])
@pytest.mark.parametrize("about", [f"record=station/{OTHER}", "household=secret-household"])
def test_who_has_one_or_several_stations_is_told_nothing_of_others(
    city: City, actor: str, about: str
) -> None:
    """Asked about a figure of his own, with what another station has on record."""
    asked = "/api/v1/indicators/lixia-2024/person_visits/why-not?month=2024-11&station=first"
    answer = city.call(actor, "GET", f"{asked}&{about}")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "unknown_record")


def test_only_what_needs_all_stations_reads_across_them() -> None:
    """Whoever reads unconfined is named here."""
    root = Path(__file__).parents[2] / "api"
    users = {
        str(path.relative_to(root)) for path in root.rglob("*.py") if "unconfined()" in path.read_text()
    }
    assert users == {"confinement.py", "identity.py", "queries.py"}
    assert NOW
