"""Can only those act who may, and only as themselves?"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from callers import HOUSEHOLD, VISIT, Api, refusal_of
from sqlalchemy import select, update

from api.accounts.tables import naive
from api.callers import EVERYWHERE, Scope
from api.edge import now
from api.identity import (
    POLICY,
    READ_CASES,
    READ_FIGURES,
    RECORD,
    Caller,
    allowed,
    caller_of,
    issue_token,
    revoke_tokens,
    tokens,
    tokens_engine,
)
from api.nouns import NOUNS
from domain.kernel import Refused
from domain.vocabulary import Role

PUBLIC_ROUTES = {
    "/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/docs", "/problems/<code>",
    "/api/v1/log/key", "/api/v1/log/checkpoint", "/api/v1/log/checkpoints",
    "/api/v1/log/checkpoints/<int:size>", "/api/v1/log/tile/<level>/<path:index>",
    "/api/v1/log/consistency",
}


def test_every_route_declares_what_it_does(api: Api) -> None:
    views = api.app.view_functions
    undeclared = [
        rule.rule for rule in api.app.url_map.iter_rules()
        if not (hasattr(views[rule.endpoint], "action") or rule.endpoint.endswith(".static"))
    ]
    assert undeclared == []


def test_a_route_that_declares_nothing_cannot_be_called(api: Api) -> None:
    api.app.add_url_rule("/forgotten", "forgotten", lambda: "case content")
    answer = api.get("/forgotten", role="lead")
    assert answer.status_code == 403
    assert "case content" not in answer.text


def test_nothing_but_the_named_routes_answers_without_a_token(api: Api) -> None:
    for rule in api.app.url_map.iter_rules():
        if rule.rule in PUBLIC_ROUTES or not rule.rule.startswith("/api/"):
            continue
        path = rule.rule
        for argument in rule.arguments:
            path = path.replace(f"<int:{argument}>", "1").replace(f"<{argument}>", "x")
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            answer = api.call(method, path, {} if method != "GET" else None, role=None)
            refusal_of(answer, 401, "not_authenticated")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Bearer ", "Bearer nonsense", "Basic YTpi", "nonsense"])
def test_a_token_that_was_never_issued_opens_nothing(api: Api, header: str) -> None:
    answer = api.get("visits", role=None, headers={"Authorization": header})
    refusal_of(answer, 401, "not_authenticated")


def test_only_the_hash_of_a_token_is_kept(api: Api) -> None:
    token = api.token()
    with api.services.tokens.connect() as connection:
        rows = connection.execute(select(tokens)).all()
    assert all(token not in str(row) for row in rows)


@pytest.mark.parametrize(
    "changes",
    [{"role": "king"}, {"days": 0}, {"days": 10_000}, {"station": "a/b"}, {"actor": ""}], ids=str,
)
def test_an_impossible_token_is_not_issued(api: Api, changes: dict[str, Any]) -> None:
    asked = {"actor": "a", "role": "lead", "station": "s", "days": 1} | changes
    with pytest.raises(Refused):
        issue_token(api.services.tokens, **asked)


def test_a_token_opens_until_it_expires_or_is_revoked(ledger_url: str) -> None:
    engine, minute = tokens_engine(ledger_url), timedelta(minutes=1)
    token, other = (issue_token(engine, "a", "lead", station, 1) for station in ("s", "*"))

    def until(expires_at: datetime) -> Caller | None:
        with engine.begin() as connection:
            connection.execute(update(tokens).values(expires_at=naive(expires_at)))
        return caller_of(engine, token)

    assert caller_of(engine, other) == Caller("a", Role.LEAD, EVERYWHERE)
    assert until(now() + minute) == Caller("a", Role.LEAD, Scope.of("s"))
    assert until(now() - minute) is None
    assert until((now() + 2 * minute).replace(microsecond=0)) is not None
    assert revoke_tokens(engine, "a", "s") == 1
    assert caller_of(engine, token) is None
    assert caller_of(engine, other) is not None
    engine.dispose()


def test_a_reviewer_reads_and_records_nothing(api: Api) -> None:
    before = api.head()
    refusal_of(api.post("visits", VISIT, role="reviewer"), 403, "not_allowed")
    assert api.get("visits", role="reviewer").status_code == 200
    assert api.head() == before


def test_a_hub_sees_figures_of_every_station_and_no_case(api: Api) -> None:
    figures = f"indicators/lixia-2024?station={api.station}&month=2024-11"
    assert api.get(figures, role="hub", station="*").status_code == 200
    refusal_of(api.get("visits", role="hub", station="*"), 403, "not_allowed")
    refusal_of(api.post("visits", VISIT, role="hub", station="*"), 403, "not_allowed")


def test_an_administrator_sees_no_case(api: Api) -> None:
    household = api.household()
    for path in (
        "households", f"households/{household}", f"households/{household}/audit",
        f"timelines/household/{household}", f"households/{household}/status",
    ):
        refusal_of(api.get(path, role="administrator"), 403, "not_allowed")
    assert api.get("operations", role="administrator").status_code == 200


def test_the_policy_lets_nobody_record_who_only_reads() -> None:
    for role in (Role.REVIEWER, Role.HUB):
        assert not any(allowed(role, RECORD, noun.plural) for noun in NOUNS)
    for noun in NOUNS:
        assert any(allowed(role, RECORD, noun.plural) for role in Role), noun.plural
    assert set(POLICY) == set(Role)
    assert not allowed(Role.ADMINISTRATOR, READ_CASES, "")
    assert not allowed(Role.ADMINISTRATOR, READ_FIGURES, "")


# ---- another station ----


def test_another_station_s_records_are_out_of_reach(api: Api) -> None:
    household = api.household()
    for path in (f"households/{household}", f"households/{household}/audit"):
        refusal_of(api.get(path, station="elsewhere"), 404, "unknown_record")
        asked = api.get(f"{path}?station={api.station}", station="elsewhere")
        refusal_of(asked, 403, "other_station")
    figures = f"indicators/lixia-2024?station={api.station}&month=2024-11"
    refusal_of(api.get(figures, station="elsewhere"), 403, "other_station")
    api.project()
    assert api.get("households", station="elsewhere").get_json()["items"] == []
    status = api.get(f"households/{household}/status", station="elsewhere")
    refusal_of(status, 404, "unknown_record")


def test_nothing_is_recorded_at_a_station_that_does_not_exist(api: Api) -> None:
    before = api.head()
    refusal_of(api.post("visits", VISIT, station="elsewhere"), 404, "unknown_station")
    refusal_of(api.post("households", HOUSEHOLD, station="elsewhere"), 404, "unknown_station")
    assert api.head() == before


def test_an_administrator_registers_his_own_station_only(api: Api) -> None:
    station = {
        "occurred_on": "2024-01-01", "name": "另一街道社工站", "short_name": "另一站",
        "city": "济南市", "district": "历下区", "street": "另一街道", "operator": "某中心",
        "funder": "某局", "host_office": "某办事处", "communities": [{"name": "南路社区"}],
    }
    admin = {"role": "administrator", "station": "other"}
    api.recorded("stations/other", station, **admin)
    revision = station | {"occurred_on": "2024-02-01"}
    refused = api.post(f"stations/{api.station}/revisions", revision, **admin)
    refusal_of(refused, 403, "other_station")
    api.recorded("stations/other/revisions", revision, **admin)
    refusal_of(api.post("stations/other", station, **admin), 409, "already_exists")
    refusal_of(api.post("stations/third", station), 403, "not_allowed")


# ---- what a caller may say of himself ----


def test_who_acts_is_said_by_the_token_alone(api: Api) -> None:
    visit = api.recorded("visits", VISIT, headers={"X-Actor": "boss", "X-Request-Id": "call-7"})
    (entry,) = api.get(f"visits/{visit['id']}/audit").get_json()["entries"]
    assert (entry["actor"], entry["role"]) == ("social_worker-1", "social_worker")
    assert entry["request_id"] == "call-7"


def test_a_request_id_is_given_back_or_made(api: Api) -> None:
    assert api.get("visits", headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"] == "abc-1"
    made = api.get("visits", headers={"X-Request-Id": "a b\u00e9" * 90}).headers["X-Request-Id"]
    assert len(made) == 32
