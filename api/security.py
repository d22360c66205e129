"""Who signed in, and who was given which rights? 登录与权限记录, for administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from api.accounts.security_log import Act, SecurityRow, acts
from api.answers import local_time
from api.bodies import Blueprint
from api.identity import MANAGE_ACCOUNTS, action, caller
from api.messages import coded
from api.paging import PageSchema, page_of, read_cursor, rows_answer
from api.services import services

security = Blueprint("security", __name__, url_prefix="/api/v1", description="登录与权限记录")


class SecurityQuerySchema(PageSchema):
    """Which acts: by or about whom, and of which sort."""

    who = fields.String(metadata={"description": "账号或姓名：谁做的，或关于谁"})
    action = fields.String(
        validate=validate.OneOf(
            [act.value for act in Act],
            error=coded("unknown_choice", f"应为 {'、'.join(act.value for act in Act)}"),
        )
    )


class SecurityRowSchema(Schema):
    """An act: who did what, when, to whom, from where."""

    id = fields.Integer()
    at = fields.String()
    action = fields.String()
    action_label = fields.String()
    actor = fields.String()
    about = fields.String()
    station = fields.String()
    address = fields.String()
    request_id = fields.String()
    detail = fields.String()


class SecurityPageSchema(Schema):
    """A page of acts."""

    items = fields.List(fields.Nested(SecurityRowSchema))
    next_cursor = fields.String(allow_none=True)


def security_row(row: SecurityRow) -> dict[str, Any]:
    """An act as the API, the page and the command line give it."""
    return {
        "id": row.id, "at": local_time(row.at), "action": row.action, "action_label": row.label,
        "actor": row.actor, "about": row.about, "station": row.station, "address": row.address,
        "request_id": row.request_id, "detail": row.detail,
    }


def security_page(query: dict[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    """A page of acts at the caller's stations, and the cursor of the next."""
    found = acts(
        services().tokens, caller().scope, about=query.get("who"), action=query.get("action"),
        after=read_cursor(query, datetime, int), limit=query["limit"] + 1,
    )
    page, cursor = page_of(found, query["limit"], lambda row: (row.at, row.id))
    return [security_row(row) for row in page], cursor


@security.route("/security-log")
@action(MANAGE_ACCOUNTS)
@security.arguments(SecurityQuerySchema, location="query")
@security.response(200, SecurityPageSchema)
def list_security_log(query: dict[str, Any]) -> Response:
    """登录与权限记录：登录、失败、锁定、退出、邀请、变更角色、签发令牌；新的在前。"""
    rows, cursor = security_page(query)
    return rows_answer(rows, cursor)
