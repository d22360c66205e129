"""What was done with accounts? 登录与权限记录: a log that is only ever added to.

One row an act: when, what, by whom, about whom, from which address, by which request.
Never a password, a link or a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, insert, select, tuple_

from api.accounts.tables import security_log
from api.callers import Scope
from domain.vocabulary import Labelled
from projections.store import writing

LONGEST: Final = 100


class Act(Labelled):
    """What is written down."""

    SIGNED_IN = "signed_in", "登录"
    SIGN_IN_FAILED = "sign_in_failed", "登录失败"
    LOCKED = "locked", "锁定"
    UNLOCKED = "unlocked", "解锁"
    SIGNED_OUT = "signed_out", "退出"
    SIGNED_OUT_EVERYWHERE = "signed_out_everywhere", "在所有设备退出"
    INVITED = "invited", "邀请"
    ACCEPTED = "accepted", "接受邀请"
    PASSWORD_CHANGED = "password_changed", "修改密码"
    RESET = "reset", "发出重设链接"
    ROLE_CHANGED = "role_changed", "变更角色"
    DISABLED = "disabled", "停用账号"
    ENABLED = "enabled", "启用账号"
    TOKEN_ISSUED = "token_issued", "签发令牌"
    TOKEN_REVOKED = "token_revoked", "撤销令牌"
    NAMES_PERMITTED = "names_permitted", "授权查看姓名"
    NAMES_WITHDRAWN = "names_withdrawn", "撤回姓名授权"


@dataclass(frozen=True, slots=True)
class By:
    """By whom, when, from where and by which request something is done."""

    actor: str
    at: datetime
    address: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class SecurityRow:
    """An act as the log has it."""

    id: int
    at: datetime
    action: str
    actor: str
    about: str
    station: str
    address: str
    request_id: str
    detail: str

    @property
    def label(self) -> str:
        """What people read for the act."""
        return Act.of(self.action).label


def write_down(
    connection: Connection, act: Act, by: By, about: str, station: str, *,
    detail: str = "",
) -> None:
    """Add a row, in the transaction of what it is about."""
    connection.execute(insert(security_log).values(
        at=by.at, action=act.value, actor=by.actor[:LONGEST], about=about[:LONGEST],
        station=station, address=by.address[:64], request_id=by.request_id[:LONGEST],
        detail=detail,
    ))


def written_down(
    engine: Engine, act: Act, by: By, about: str, station: str, *, detail: str = "",
) -> None:
    """Add a row about what changes nothing else."""
    with writing(engine) as connection:
        write_down(connection, act, by, about, station, detail=detail)


def acts(
    engine: Engine, scope: Scope, *, about: str | None = None, action: str | None = None,
    after: tuple[datetime, int] | None = None, limit: int = 50,
) -> list[SecurityRow]:
    """The acts at some stations, newest first; ``about`` is who did it or whom it was about."""
    row = security_log.c
    query = select(security_log).order_by(row.at.desc(), row.id.desc()).limit(limit)
    if scope.stations is not None:
        query = query.where(row.station.in_(scope.stations))
    if about:
        query = query.where((row.actor == about) | (row.about == about))
    if action:
        query = query.where(row.action == action)
    if after is not None:
        query = query.where(tuple_(row.at, row.id) < tuple_(*after))
    with engine.connect() as connection:
        return [SecurityRow(*found) for found in connection.execute(query)]
