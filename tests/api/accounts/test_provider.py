"""Does somebody come in by a bureau's own sign-in who was invited, and nobody else?

The provider is a real one: a process-local HTTP server that signs what it says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from callers import Api
from desk import STATION, Desk, a_station
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.test import TestResponse

from api.accounts.links import invite
from api.accounts.security_log import By
from api.accounts.staff import Newcomer, checked_post
from api.app import create_app
from api.callers import EVERYWHERE
from api.edge import now
from api.services import EXTENSION
from workers.settings import settings_for

CLIENT = "taizhang"


@dataclass
class Bureau:
    """A provider of identities: it knows one person, and answers each code once."""

    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1"}))
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    says: dict[str, Any] = field(default_factory=dict)
    """What it says differently, to see whether that is believed."""
    signing_key: RSAKey | None = None

    def authorize(self, url: str) -> str:
        """The browser's visit: the person agrees; answers where the browser is sent back to."""
        said = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert said["response_type"] == "code"
        assert said["code_challenge_method"] == "S256"
        code = f"code-{len(self.asked)}"
        self.asked[code] = said
        return f"{said['redirect_uri']}?code={code}&state={said['state']}"

    def token(self, form: dict[str, str]) -> dict[str, Any] | None:
        """What a code is exchanged for, where its verifier is the asker's."""
        said = self.asked.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if said is None or said["code_challenge"] != challenge:
            return None
        at = int(now().timestamp())
        claims = {"iss": self.issuer, "sub": "bureau-7", "aud": CLIENT, "iat": at, "exp": at + 300,
                  "nonce": said["nonce"]} | self.says
        key = self.signing_key or self.key
        signed = jwt.encode({"alg": "RS256", "kid": "k1"}, claims, key)
        return {"access_token": "a", "token_type": "Bearer", "id_token": signed}


def _handler(bureau: Bureau) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            base = bureau.issuer
            self._answer({"keys": [bureau.key.as_dict(private=False)]} if self.path == "/keys" else {
                "issuer": base, "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token", "jwks_uri": f"{base}/keys",
            })

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            form = {n: v[0] for n, v in parse_qs(self.rfile.read(length).decode()).items()}
            self._answer(bureau.token(form))

        def _answer(self, said: dict[str, Any] | None) -> None:
            content = json.dumps(said or {"error": "invalid_grant"}).encode()
            self.send_response(200 if said else 400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_said: object) -> None:
            pass

    return Handler


@pytest.fixture
def bureau() -> Iterator[Bureau]:
    bureau = Bureau()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(bureau))
    bureau.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield bureau
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def api(bureau: Bureau, tmp_path: Path) -> Iterator[Api]:
    settings = replace(
        settings_for(tmp_path), oidc_issuer=bureau.issuer, oidc_client_id=CLIENT,
        oidc_client_secret="s", oidc_label="区民政局",
    )
    app = create_app(settings)
    found = app.extensions[EXTENSION]
    Desk(found.ledger).record(STATION, a_station(), "2024-01-01", role="administrator")
    yield Api(app, found)
    found.close()


def invited(api: Api) -> str:
    newcomer = Newcomer("a1", "wang", "王某", checked_post("lead", [STATION], None))
    return invite(api.services.tokens, EVERYWHERE, newcomer, By("管理员", now()))


def sent_back(browser: FlaskClient, bureau: Bureau, link: str = "") -> str:
    """Ask the provider, and be sent back by it: the address of its answer."""
    sent = browser.get(f"/sign-in/provider?next=/permissions&link={link}")
    assert sent.status_code == 303
    return bureau.authorize(sent.headers["Location"]).partition("localhost")[2]


def come_in(api: Api, bureau: Bureau, link: str = "") -> tuple[FlaskClient, TestResponse]:
    browser = api.app.test_client()
    return browser, browser.get(sent_back(browser, bureau, link))


def test_only_who_was_invited_comes_in(api: Api, bureau: Bureau) -> None:
    assert "用区民政局登录" in api.app.test_client().get("/sign-in").text
    browser, answer = come_in(api, bureau)
    assert (answer.status_code, "没有您的账号" in answer.text) == (403, True)
    assert browser.get("/permissions").status_code == 303
    # he accepts an invitation as who the bureau says he is, and then comes in as such
    for link in (invited(api), ""):
        browser, answer = come_in(api, bureau, link)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/permissions"), answer.text
        assert "王某" in browser.get("/permissions").text
    # another person of the bureau does not, nor by an invitation that was used
    bureau.says = {"sub": "bureau-8"}
    assert come_in(api, bureau)[1].status_code == 403


@pytest.mark.parametrize("says", [
    {"nonce": "another"}, {"aud": "another"}, {"iss": "http://evil.example"}, {"exp": 1},
], ids=str)
def test_an_answer_for_somebody_else_is_not_believed(api: Api, bureau: Bureau, says: dict[str, Any]) -> None:
    link = invited(api)
    bureau.says = says
    browser, answer = come_in(api, bureau, link)
    assert (answer.status_code, "没有成功" in answer.text) == (502, True)
    assert browser.get("/permissions").status_code == 303


def test_an_answer_that_another_signed_is_not_believed(api: Api, bureau: Bureau) -> None:
    bureau.signing_key = RSAKey.generate_key(2048, {"kid": "k1"})
    assert come_in(api, bureau, invited(api))[1].status_code == 502


def test_an_answer_is_taken_once_in_the_browser_that_asked(api: Api, bureau: Bureau) -> None:
    link = invited(api)
    browser, stranger = api.app.test_client(), api.app.test_client()
    answer = sent_back(browser, bureau, link)
    assert stranger.get(answer).status_code == 502
    forged = answer.rpartition("state=")[0] + "state=forged"
    assert browser.get(forged).status_code == 502
    assert browser.get(answer).status_code == 303
    assert browser.get(answer).status_code == 502
    # a code that was asked for with another verifier is of no use to anybody
    second = sent_back(browser, bureau)
    for said in bureau.asked.values():
        said["code_challenge"] = "another"
    assert browser.get(second).status_code == 502
