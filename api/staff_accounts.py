"""How does a program let others in? 工作人员账号 over the API, as on the page 账号.

What is done is done by the same functions and written down in the same log. A password is
never taken and never given: whoever is let in sets his own, by a link that works once.
"""

from __future__ import annotations

from typing import Any, Final

from flask import Response, url_for
from marshmallow import Schema, fields, validate

from api.accounts import links, staff, throttle
from api.answers import local_time
from api.bodies import Blueprint
from api.identity import ANY_STATION, MANAGE_ACCOUNTS, action, by, caller, new_record_id, now
from api.messages import coded
from api.paging import PageSchema, page_answer, read_cursor
from api.services import services
from domain.vocabulary import Role
from projections.monthly_report import station_profile

staff_accounts = Blueprint(
    "staff_accounts", __name__, url_prefix="/api/v1/accounts", description="工作人员账号"
)
STATUSES: Final = {
    "disabled": "已停用", "locked": "已锁定", "usable": "可用", "invited": "待接受邀请",
    "by_link": "凭链接登录",
}
"""How an account stands."""


def _text(most: int, description: str, **more: Any) -> fields.String:
    error = coded("text_too_long", f"最长 {most} 个字符")
    return fields.String(
        validate=validate.Length(max=most, error=error), metadata={"description": description},
        **more,
    )


class PostSchema(Schema):
    """What an account is to do: a role, and where."""

    role = fields.String(
        required=True,
        validate=validate.OneOf(
            [role.value for role in Role],
            error=coded("unknown_choice", f"应为 {'、'.join(role.value for role in Role)} 之一"),
        ),
        metadata={"description": "角色"},
    )
    stations = fields.List(
        _text(64, "社工站编号"), load_default=list,
        validate=validate.Length(
            max=staff.MOST_STATIONS,
            error=coded("out_of_range", f"最多 {staff.MOST_STATIONS} 项"),
        ),
        metadata={"description": "社工站编号；* 为全部（区总站、系统管理员）"},
    )
    district = _text(100, "或全区（区总站、系统管理员）", load_default=None, allow_none=True)


class NewcomerSchema(PostSchema):
    """Who is to have an account."""

    login = _text(64, "登录时输入的账号", required=True)
    actor = _text(100, "姓名，记入台账", required=True)


class AccountSchema(Schema):
    """An account as it stands; nothing of its password."""

    id = fields.String()
    login = fields.String()
    actor = fields.String()
    role = fields.String()
    role_label = fields.String()
    stations = fields.List(fields.String())
    district = fields.String(allow_none=True)
    status = fields.String(metadata={"description": "usable、invited、by_link、locked 或 disabled"})
    status_label = fields.String()
    locked_until = fields.String(allow_none=True)
    created_at = fields.String()
    disabled_at = fields.String(allow_none=True)


class LinkedAccountSchema(AccountSchema):
    """The account, and the link that lets its owner in once; told this once."""

    link = fields.String(
        allow_none=True, metadata={"description": "一次性链接，只给这一次；重发的请求不再给"}
    )
    link_expires_at = fields.String(allow_none=True)


class AccountPageSchema(Schema):
    """A page of accounts."""

    items = fields.List(fields.Nested(AccountSchema))
    next_cursor = fields.String(allow_none=True)


def post_of_known_stations(role: str, stations: list[str], district: str | None) -> staff.Post:
    """The post that is asked for, at stations that keep their ledger here.

    :raises BadAccount: where it is none, or beyond what the caller has.
    :raises UnknownStation: for a station that nobody registered.
    """
    post = staff.checked_post(role, stations, district)
    staff.refuse_beyond(caller().scope, post)
    for station in sorted(post.stations - {ANY_STATION}):
        station_profile(services().ledger, station)
    return post


def entry_url(secret: str) -> str:
    """The address of a one-time link."""
    return url_for("pages.enter", link=secret, _external=True)


# ---- reading ----


@staff_accounts.route("")
@action(MANAGE_ACCOUNTS)
@staff_accounts.arguments(PageSchema, location="query")
@staff_accounts.response(200, AccountPageSchema)
def list_accounts(query: dict[str, Any]) -> Response:
    """所管的账号，按账号名排列。"""
    after = read_cursor(query)
    found = [
        one for one in staff.staff(services().tokens, caller().scope)
        if after is None or (one.login, one.id) > after
    ]
    rows = found[: query["limit"] + 1]
    locked = _locked([one.login for one in rows])
    return page_answer(
        rows, query["limit"], lambda one: _data(one, locked), lambda one: (one.login, one.id)
    )


@staff_accounts.route("/<account>")
@action(MANAGE_ACCOUNTS)
@staff_accounts.response(200, AccountSchema)
def get_account(account: str) -> dict[str, Any]:
    """一个账号的现状。"""
    return _told(account)


def _told(account: str) -> dict[str, Any]:
    """An account of those that the caller manages.

    :raises UnknownAccount: where it is none of them.
    """
    with services().tokens.connect() as connection:
        found = staff.managed(connection, caller().scope, account)
    return _data(found, _locked([found.login]))


def _locked(logins: list[str]) -> dict[str, Any]:
    with services().tokens.connect() as connection:
        return throttle.locks(connection, logins, now())


def _data(one: staff.Account, locked: dict[str, Any]) -> dict[str, Any]:
    is_open = "usable" if one.is_usable else "by_link" if one.comes_by_link else "invited"
    status = "disabled" if one.disabled_at else "locked" if one.login in locked else is_open
    return {
        "id": one.id, "login": one.login, "actor": one.actor, "role": one.role.value,
        "role_label": one.role.label,
        "stations": ["*"] if one.is_everywhere else sorted(one.stations),
        "district": one.district, "status": status, "status_label": STATUSES[status],
        "locked_until": local_time(locked[one.login]) if one.login in locked else None,
        "created_at": local_time(one.created_at),
        "disabled_at": one.disabled_at and local_time(one.disabled_at),
    }


# ---- letting in, and not ----


@staff_accounts.route("", methods=["POST"])
@action(MANAGE_ACCOUNTS)
@staff_accounts.arguments(NewcomerSchema)
@staff_accounts.response(201, LinkedAccountSchema)
def invite_account(body: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """邀请：建立账号，给出接受邀请的一次性链接；同一 Idempotency-Key 重发时不再给链接。"""
    account = new_record_id(repr(sorted(body.items())))
    location = {"Location": f"/api/v1/accounts/{account}"}
    newcomer = staff.Newcomer(account, body["login"], body["actor"], _post(body))
    made = links.invite_once(services().tokens, caller().scope, newcomer, by())
    if made is None:
        return _told(account) | {"link": None, "link_expires_at": None}, 201, location
    return _linked(account, made, links.Purpose.INVITATION), 201, location


@staff_accounts.route("/<account>/post", methods=["PUT"])
@action(MANAGE_ACCOUNTS)
@staff_accounts.arguments(PostSchema)
@staff_accounts.response(200, AccountSchema)
def change_account_post(body: dict[str, Any], account: str) -> dict[str, Any]:
    """变更角色或社工站；他须重新登录。"""
    staff.change_post(services().tokens, caller().scope, account, _post(body), by())
    return _told(account)


def _post(body: dict[str, Any]) -> staff.Post:
    return post_of_known_stations(body["role"], body["stations"], body["district"])


@staff_accounts.route("/<account>/reset", methods=["POST"])
@action(MANAGE_ACCOUNTS)
@staff_accounts.response(200, LinkedAccountSchema)
def reset_account(account: str) -> dict[str, Any]:
    """给出重设密码的一次性链接，并解除锁定；先前的链接作废。"""
    made = links.reset(services().tokens, caller().scope, account, by())
    of = staff.account_by_id(services().tokens, account)
    is_usable = of is not None and of.is_usable
    return _linked(account, made, links.Purpose.RESET if is_usable else links.Purpose.INVITATION)


def _linked(account: str, secret: str, purpose: links.Purpose) -> dict[str, Any]:
    until = local_time(now() + links.LASTS[purpose])
    return _told(account) | {"link": entry_url(secret), "link_expires_at": until}


@staff_accounts.route("/<account>/unlock", methods=["POST"])
@action(MANAGE_ACCOUNTS)
@staff_accounts.response(200, AccountSchema)
def unlock_account(account: str) -> dict[str, Any]:
    """解除因多次输错密码而起的锁定。"""
    links.unlock(services().tokens, caller().scope, account, by())
    return _told(account)


@staff_accounts.route("/<account>/disable", methods=["POST"])
@action(MANAGE_ACCOUNTS)
@staff_accounts.response(200, AccountSchema)
def disable_account(account: str) -> dict[str, Any]:
    """停用：不能再登录，登录着的和令牌立即失效。"""
    staff.disable(services().tokens, caller().scope, account, by())
    return _told(account)


@staff_accounts.route("/<account>/enable", methods=["POST"])
@action(MANAGE_ACCOUNTS)
@staff_accounts.response(200, AccountSchema)
def enable_account(account: str) -> dict[str, Any]:
    """重新启用停用的账号；密码仍是先前的。"""
    staff.enable(services().tokens, caller().scope, account, by())
    return _told(account)


@staff_accounts.route("/<account>/sign-out", methods=["POST"])
@action(MANAGE_ACCOUNTS)
@staff_accounts.response(200, AccountSchema)
def sign_out_account(account: str) -> dict[str, Any]:
    """在所有设备退出：他的登录全部结束，令牌不受影响。"""
    staff.sign_out(services().tokens, caller().scope, account, by())
    return _told(account)
