"""Can a program let others in as the page does, within its stations, and is it written down?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from urllib.parse import urlsplit

import pytest
from callers import Api, refusal_of
from werkzeug.test import TestResponse

NEWCOMER = {"login": "wang", "actor": "王某", "role": "social_worker"}
PASSWORD = "一句很长而没人猜得到的话 42"


@pytest.fixture
def body(api: Api) -> dict[str, object]:
    return NEWCOMER | {"stations": [api.station]}


def test_an_account_lives_over_the_api_as_on_the_page(api: Api, body: dict[str, object]) -> None:
    def call(method: str, path: str = "", sent: object = None, **more: object) -> dict[str, object]:
        answer = api.call(method, f"accounts{path}", sent, role="administrator", **more)
        assert answer.status_code in {200, 201}, answer.text
        assert "argon2" not in answer.text
        assert not {"password", "identity"} & set(answer.get_json())
        found: dict[str, object] = answer.get_json()
        return found

    key = {"headers": {"Idempotency-Key": "invite-1"}}
    made = call("POST", "", body, **key)
    assert (made["status"], made["stations"]) == ("invited", [api.station])
    again = call("POST", "", body, **key)
    assert (again["id"], again["link"]) == (made["id"], None)
    # whoever is invited comes in by the link, once, with a password of his own
    browser = api.app.test_client()
    link = urlsplit(str(made["link"]))
    secret = link.query.removeprefix("link=")
    typed = {"link": secret, "password": PASSWORD, "again": PASSWORD}
    assert browser.post(link.path, data=typed).status_code == 303
    assert browser.get("/households").status_code == 200
    of = f"/{made['id']}"
    assert call("GET", of)["status"] == "usable"
    assert call("POST", f"{of}/sign-out")["status"] == "usable"
    assert browser.get("/households").status_code == 303
    lead = {"role": "lead", "stations": [api.station]}
    assert call("PUT", f"{of}/post", lead)["role_label"] == "站长"
    assert call("POST", f"{of}/disable")["status"] == "disabled"
    assert call("POST", f"{of}/enable")["status"] == "usable"
    assert str(call("POST", f"{of}/reset")["link"]).startswith("http")
    assert call("POST", f"{of}/unlock")["locked_until"] is None
    listed = call("GET", "?limit=500")["items"]
    assert made["id"] in {one["id"] for one in listed}  # type: ignore[attr-defined]
    written = api.get("security-log?who=wang", role="administrator").get_json()["items"]
    assert [row["action"] for row in reversed(written)] == [
        "invited", "accepted", "signed_out_everywhere", "role_changed", "disabled", "enabled",
        "reset", "unlocked",
    ]


def test_an_invitation_sent_four_times_at_once_is_one(either: Api, body: dict[str, object]) -> None:
    # given four who send the same request at the same moment
    either.token("administrator")
    together = Barrier(4)

    def invited() -> TestResponse:
        together.wait(10)
        return either.post(
            "accounts", body, role="administrator", headers={"Idempotency-Key": "invite-1"}
        )

    with ThreadPoolExecutor(4) as pool:
        answers = [sent.result() for sent in [pool.submit(invited) for _ in range(4)]]
    # then each is answered with the one account, and one of them with its link
    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    assert len([link for answer in answers if (link := answer.get_json()["link"])]) == 1
    # and who asks for the same under a key of his own is refused
    refusal_of(either.post("accounts", body, role="administrator"), 409, "login_taken")


def test_what_cannot_be_is_refused_with_its_code(api: Api, body: dict[str, object]) -> None:
    def refused(sent: object, status: int, code: str, path: str = "accounts") -> None:
        refusal_of(api.post(path, sent, role="administrator"), status, code)

    refused(body | {"role": "wizard"}, 422, "unknown_choice")
    refused(body | {"stations": []}, 422, "bad_account")
    refused(body | {"password": PASSWORD}, 422, "unknown_field")
    refused(None, 404, "unknown_account", "accounts/nobody/reset")
    api.recorded("accounts", body, role="administrator")
    refused(body, 409, "login_taken")
    for role in ("lead", "social_worker", "reviewer", "hub", "supervisor"):
        refusal_of(api.get("accounts", role=role), 403, "not_allowed")
