"""Do people come in who may, stay as long as they may, and nobody by guessing?"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from callers import VISIT, Api, refusal_of
from desk import Desk, a_station
from flask.testing import FlaskClient
from sqlalchemy import select

from api.accounts.links import first_link
from api.accounts.tables import accounts, links, sessions
from api.app import create_app
from api.edge import now
from api.forms import COOKIE, HEADER, HOST_COOKIE
from api.services import EXTENSION, Services
from domain.vocabulary import Role
from workers.settings import settings_for

PASSWORD = "四季 wandering kettle 湖边"
TLS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7"}


def entered(api: Api, link: str, **said: str) -> FlaskClient:
    """A browser that came in by a link and chose a password."""
    browser = api.app.test_client()
    form = {"link": link.rpartition("link=")[2], "password": PASSWORD, "again": PASSWORD} | said
    answer = browser.post("/enter", data=form)
    assert answer.status_code == 303, answer.text
    return browser


@pytest.fixture
def administrator(api: Api) -> FlaskClient:
    """A browser of the first administrator."""
    made = first_link(api.services.tokens, now())
    assert made is not None
    return entered(api, made, login="Guan", actor="管理员甲")


def form_of(browser: FlaskClient, page: str = "/account") -> dict[str, str]:
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', browser.get(page).text)
    assert found is not None
    return {"form_token": found.group(1)}


def send(browser: FlaskClient, path: str, **said: str) -> Any:
    return browser.post(path, data=form_of(browser) | said)


def invited(api: Api, administrator: FlaskClient, login: str, role: str = "social_worker", **more: str) -> str:
    """The link by which somebody accepts an invitation."""
    said = {"login": login, "actor": f"{login}某", "role": role, "stations": api.station} | more
    answer = send(administrator, "/accounts", **said)
    assert answer.status_code == 201, answer.text
    found = re.search(r"(http://[^<]*/enter\?link=[\w-]+)", answer.text)
    assert found is not None
    return found.group(1)


def sign_in(api: Api, login: str, password: str = PASSWORD, **more: Any) -> Any:
    return api.app.test_client().post("/sign-in", data={"login": login, "password": password}, **more)


def account_id(api: Api, login: str) -> str:
    with api.services.tokens.connect() as connection:
        return connection.execute(select(accounts.c.id).where(accounts.c.login == login)).scalar_one()


def log(api: Api) -> list[dict[str, Any]]:
    answer = api.get("security-log?limit=100", role="administrator", station="*")
    return [row for row in answer.get_json()["items"] if row["actor"] != "命令行"]


# ---- the first start, and invitations ----


def test_the_first_administrator_comes_in_by_a_link_that_works_once(api: Api) -> None:
    link = first_link(api.services.tokens, now())
    assert link is not None
    browser = api.app.test_client()
    for _ in range(2):  # looking at it uses nothing up
        assert "建立第一个管理员" in browser.get(f"/enter?link={link}").text
    form = {"link": link, "login": "guan", "actor": "管理员甲", "password": "12345", "again": "12345"}
    assert browser.post("/enter", data=form).status_code == 422  # nor does a password not taken
    entered(api, link, login="guan", actor="管理员甲")
    again = browser.post("/enter", data=form | {"password": PASSWORD, "again": PASSWORD})
    assert (again.status_code, "链接已失效" in again.text) == (410, True)
    assert first_link(api.services.tokens, now()) is None


def test_a_new_link_takes_the_place_of_the_one_before(api: Api) -> None:
    before, after = (first_link(api.services.tokens, now()) for _ in range(2))
    browser = api.app.test_client()
    assert browser.get(f"/enter?link={before}").status_code == 410
    assert browser.get(f"/enter?link={after}").status_code == 200


def test_who_is_invited_acts_in_his_own_name_and_role(api: Api, administrator: FlaskClient) -> None:
    browser = entered(api, invited(api, administrator, "wang"))
    token = {HEADER: form_of(browser)["form_token"]}
    assert browser.post("/api/v1/visits", json=VISIT).status_code == 401
    visit = browser.post("/api/v1/visits", json=VISIT, headers=token).get_json()
    (event,) = api.services.ledger.history(f"{api.station}/visit/{visit['id']}")
    assert (event.envelope.actor, event.envelope.role) == ("wang某", "social_worker")


def test_only_so_much_can_be_given_as_one_has(api: Api, administrator: FlaskClient) -> None:
    local = entered(api, invited(api, administrator, "ben", "administrator"))
    for beyond in ({"stations": "*"}, {"stations": "elsewhere"}, {"district": "历下区"}):
        said = {"login": "x-1", "actor": "某", "role": "administrator", "stations": api.station}
        assert send(local, "/accounts", **(said | beyond)).status_code == 422
    assert "guan" not in local.get("/accounts").text
    other = account_id(api, "guan")
    for act in ("reset", "disable", "unlock", "enable"):
        assert send(local, f"/accounts/{other}/{act}").status_code == 404
    invited(api, local, "zhao")


@pytest.mark.parametrize("said", [
    {"login": "a"}, {"login": "a b"}, {"role": "king"}, {"stations": ""}, {"stations": "a/b"},
    {"stations": "a,b"}, {"stations": "*"}, {"actor": ""}, {"actor": "管理员甲"}, {"login": "GUAN"},
], ids=str)
def test_an_impossible_account_is_not_made(api: Api, administrator: FlaskClient, said: dict[str, str]) -> None:
    good = {"login": "li", "actor": "李某", "role": "lead", "stations": api.station}
    answer = send(administrator, "/accounts", **(good | said))
    assert answer.status_code in {409, 422}
    assert "link=" not in answer.text


# ---- passwords ----


@pytest.mark.parametrize("password", [
    "short", "1234567890", "qwertyuiop", "password123", "woaini1314", "aaaaaaaaaaaa", "wang-2024-xx",
    "x" * 129,
])
def test_a_password_that_others_try_early_is_not_taken(
    api: Api, administrator: FlaskClient, password: str
) -> None:
    secret = invited(api, administrator, "wang").rpartition("link=")[2]
    form = {"link": secret, "password": password, "again": password}
    assert "密码不合适" in api.app.test_client().post("/enter", data=form).text


def test_changing_the_password_asks_the_old_one_and_ends_other_sessions(
    api: Api, administrator: FlaskClient
) -> None:
    one = entered(api, invited(api, administrator, "wang"))
    other = api.app.test_client()
    other.post("/sign-in", data={"login": "WANG", "password": PASSWORD})
    new = {"password": PASSWORD + "!", "again": PASSWORD + "!"}
    assert send(one, "/account/password", old="wrong", **new).status_code == 403
    assert send(one, "/account/password", old=PASSWORD, **(new | {"again": "x"})).status_code == 422
    before = one.get_cookie(COOKIE)
    assert send(one, "/account/password", old=PASSWORD, **new).status_code == 303
    assert one.get("/account").status_code == 200
    assert one.get_cookie(COOKIE) != before
    assert other.get("/account").status_code == 303
    assert sign_in(api, "wang").status_code == 403
    assert sign_in(api, "wang", PASSWORD + "!").status_code == 303


# ---- guessing ----


def test_guessing_locks_the_name_whether_there_is_such_an_account_or_not(
    api: Api, administrator: FlaskClient
) -> None:
    entered(api, invited(api, administrator, "wang"))
    for login in ("wang", "nobody"):
        said = [sign_in(api, login, "wrong password").status_code for _ in range(9)]
        assert said == [403] * 8 + [429]
        locked = sign_in(api, login)
        assert "锁定到" in locked.text
    # an administrator takes the lock off
    assert "锁定到" in administrator.get("/accounts").text
    assert send(administrator, f"/accounts/{account_id(api, 'wang')}/unlock").status_code == 303
    assert sign_in(api, "wang").status_code == 303
    acts = [(row["action"], row["about"]) for row in log(api)]
    assert ("locked", "wang") in acts
    assert ("unlocked", "wang") in acts
    assert all(about != "nobody" for _act, about in acts)


# ---- sessions ----


def test_the_cookie_is_out_of_reach(api: Api, administrator: FlaskClient) -> None:
    entered(api, invited(api, administrator, "wang"))
    cookie = sign_in(api, "wang").headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"):
        assert part in cookie
    assert "Secure" not in cookie
    # a forwarded address counts only where a proxy of ours is set
    assert sign_in(api, "wang", headers=TLS).headers["Set-Cookie"].startswith(f"{COOKIE}=")
    behind = sign_in(api, "wang", base_url="https://localhost")
    cookie = behind.headers["Set-Cookie"]
    assert cookie.startswith(f"{HOST_COOKIE}=")
    assert "Secure" in cookie
    assert "Domain" not in cookie


def test_behind_a_proxy_of_ours_its_word_on_address_and_tls_counts(tmp_path: Path) -> None:
    app = create_app(replace(settings_for(tmp_path), proxies=1))
    found: Services = app.extensions[EXTENSION]
    api = Api(app, found)
    entered(api, str(first_link(found.tokens, now())), login="guan", actor="管理员甲")
    cookie = sign_in(api, "guan", headers=TLS).headers["Set-Cookie"]
    assert cookie.startswith(f"{HOST_COOKIE}=")
    assert "Secure" in cookie
    row, *_rows = log(api)
    assert (row["action"], row["address"]) == ("signed_in", "198.51.100.7")
    found.close()


def test_a_session_ends_when_its_owner_or_an_administrator_says_so(
    api: Api, administrator: FlaskClient
) -> None:
    one = entered(api, invited(api, administrator, "wang"))

    def another() -> FlaskClient:
        browser = api.app.test_client()
        assert browser.post("/sign-in", data={"login": "wang", "password": PASSWORD}).status_code == 303
        return browser

    two, wang = another(), account_id(api, "wang")
    assert one.post("/sign-out").status_code == 403  # from no page of this session
    kept = one.get_cookie(COOKIE)
    assert kept is not None
    assert send(one, "/sign-out").status_code == 303
    one.set_cookie(COOKIE, kept.value)
    assert one.get("/account").status_code == 303  # the server knows that it ended
    three = another()
    send(three, "/account/sign-out-everywhere")
    assert two.get("/account").status_code == 303
    # when disabled, with its tokens; and when its role changes
    four = another()
    token = re.search(r'class="secret">([\w-]+)<', send(four, "/account/tokens", label="表格", days="9").text)
    assert token is not None
    bearer = {"Authorization": f"Bearer {token.group(1)}"}
    assert api.get("visits", role=None, headers=bearer).status_code == 200
    assert send(administrator, f"/accounts/{wang}/disable").status_code == 303
    assert four.get("/account").status_code == 303
    refusal_of(api.get("visits", role=None, headers=bearer), 401, "not_authenticated")
    assert sign_in(api, "wang").status_code == 403
    send(administrator, f"/accounts/{wang}/enable")
    five = another()
    changed = send(administrator, f"/accounts/{wang}/post", role="reviewer", stations=api.station)
    assert changed.status_code == 303
    assert five.get("/account").status_code == 303
    refusal_of(api.post("visits", VISIT, role=None, headers=bearer), 403, "not_allowed")


def test_tokens_are_revoked_by_their_owner_and_by_administrators(
    api: Api, administrator: FlaskClient
) -> None:
    one = entered(api, invited(api, administrator, "wang"))
    for browser, page in ((one, "/account"), (administrator, "/accounts")):
        made = re.search(r'class="secret">([\w-]+)<', send(one, "/account/tokens", label="表格", days="9").text)
        assert made is not None
        bearer = {"Authorization": f"Bearer {made.group(1)}"}
        listed = re.search(r'action="(/accounts?/tokens/\w+/revoke)"', browser.get(page).text)
        assert listed is not None
        assert send(browser, listed.group(1)).status_code == 303
        refusal_of(api.get("visits", role=None, headers=bearer), 401, "not_authenticated")
    assert send(one, "/account/tokens", label="", days="9").status_code == 422


def test_another_site_signs_nobody_in_or_out(api: Api, administrator: FlaskClient) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert sign_in(api, "guan", headers=headers).status_code == 403
        answer = administrator.post("/account/sign-out-everywhere", data=form_of(administrator), headers=headers)
        assert answer.status_code == 403
    assert administrator.get("/account").status_code == 200


def test_the_last_administrator_stays(api: Api, administrator: FlaskClient) -> None:
    guan = account_id(api, "guan")
    assert send(administrator, f"/accounts/{guan}/disable").status_code == 409
    lowered = send(administrator, f"/accounts/{guan}/post", role="lead", stations=api.station)
    assert lowered.status_code == 409
    entered(api, invited(api, administrator, "second", "administrator", stations="*"))
    assert send(administrator, f"/accounts/{guan}/disable").status_code == 303


# ---- several stations ----


def test_who_has_several_stations_chooses_one(api: Api, administrator: FlaskClient) -> None:
    Desk(api.services.ledger, "elsewhere").record("elsewhere", a_station(), "2024-01-01")
    browser = entered(api, invited(api, administrator, "du", "supervisor", stations=f"{api.station},elsewhere"))
    api.project()
    sent = browser.get("/households")
    assert sent.headers["Location"].startswith("/account/station")
    assert send(browser, "/account/station", station="third").status_code == 403
    assert send(browser, "/account/station", station=api.station, next="/households").status_code == 303
    assert browser.get("/households").status_code == 200
    assert browser.get("/households?station=third").status_code == 403


def test_nobody_is_invited_to_a_station_that_does_not_exist(
    api: Api, administrator: FlaskClient
) -> None:
    said = {"login": "du", "actor": "杜某", "role": "supervisor"}
    page = send(administrator, "/accounts", **said, stations=f"{api.station},nosuch")
    assert page.status_code == 404
    assert "社工站 nosuch 尚未登记" in page.text
    body = said | {"stations": ["nosuch"]}
    answer = api.post("accounts", body, role="administrator", station="*")
    refusal_of(answer, 404, "unknown_station")


def test_who_comes_in_by_links_is_told_so_and_disabling_asks_first(
    api: Api, administrator: FlaskClient
) -> None:
    api.browser("lead")
    invited(api, administrator, "wang")
    page = administrator.get("/accounts").text
    assert page.count("凭链接登录") == 1
    assert page.count("待接受邀请") == 1
    assert re.search(r"<summary>停用</summary>.*?立即不能登录.*?<button>确认停用</button>", page, re.DOTALL)
    told = api.get("accounts", role="administrator").get_json()["items"]
    assert {one["status"] for one in told} >= {"by_link", "invited"}


# ---- what is kept and written down ----


def test_no_secret_is_kept_or_written_down(api: Api, administrator: FlaskClient) -> None:
    link = invited(api, administrator, "wang").rpartition("link=")[2]
    browser = entered(api, link)
    session = browser.get_cookie(COOKIE)
    made = re.search(r'class="secret">([\w-]+)<', send(browser, "/account/tokens", label="表格", days="9").text)
    assert session is not None
    assert made is not None
    sign_in(api, "wang", "a wrong password that is long")
    sign_in(api, PASSWORD, "typed into the wrong field")
    with api.services.tokens.connect() as connection:
        kept = connection.execute(select(links.c.digest)).all(), connection.execute(select(sessions)).all()
    secrets = (link, session.value, made.group(1), PASSWORD, "a wrong password that is long")
    assert all(secret not in str(kept) + str(log(api)) for secret in secrets)
    api.services.tokens.dispose()
    stored = b"".join(p.read_bytes() for p in api.services.settings.home.rglob("*") if p.is_file())
    assert all(secret.encode() not in stored for secret in secrets)


def test_what_was_done_is_told_to_administrators_alone(api: Api, administrator: FlaskClient) -> None:
    browser = entered(api, invited(api, administrator, "wang"))
    send(browser, "/account/tokens", label="表格", days="9")
    wang = account_id(api, "wang")
    send(administrator, f"/accounts/{wang}/post", role="lead", stations=api.station)
    told = [(row["action"], row["actor"], row["about"]) for row in log(api)]
    assert told == [
        ("role_changed", "管理员甲", "wang"), ("token_issued", "wang某", "wang"),
        ("accepted", "wang某", "wang"), ("invited", "管理员甲", "wang"), ("accepted", "管理员甲", "guan"),
    ]
    assert "社工（qianfoshan）→ 站长（qianfoshan）" in administrator.get("/accounts/log?action=role_changed").text
    for role in set(Role) - {Role.ADMINISTRATOR}:
        station = "*" if role is Role.HUB else None
        refusal_of(api.get("security-log", role=role.value, station=station), 403, "not_allowed")


def test_the_permissions_are_those_that_are_checked(administrator: FlaskClient) -> None:
    page = administrator.get("/permissions").text
    for text in ("登记走访", "核准任务书", "授权评审查看姓名", "志愿者管理员"):
        assert text in page
