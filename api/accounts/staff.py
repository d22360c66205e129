"""What is a staff account, and who may change it? 工作人员账号.

Whoever manages accounts manages those whose stations are all among his own.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, exists, insert, select, update

from api.accounts.security_log import Act, By, write_down
from api.accounts.sessions import end_all
from api.accounts.tables import account_stations, accounts, links, token_owners
from api.callers import ANY_STATION, EVERYWHERE, Caller, Scope, is_station_code
from domain.kernel import Refused
from domain.vocabulary import Role
from projections.store import one_at_a_time, writing

MOST_STATIONS: Final = 500
MOST_ACCOUNTS: Final = 2_000
"""On one page; a city has about as many."""
OF_MANY: Final = frozenset({Role.HUB, Role.ADMINISTRATOR, Role.REVIEWER, Role.SUPERVISOR})
"""Roles that may be of several stations; the others record at their own."""
BY_LINK: Final = "sign_in"
"""What a link is for that signs somebody in again and again, who has no password."""
OF_ALL: Final = frozenset({Role.HUB, Role.ADMINISTRATOR})


class BadAccount(
    Refused, code="bad_account", title="账号内容不正确", detail="账号没有建立或更改：{problem}。",
):
    """An account that could not be."""


class LoginTaken(
    Refused, code="login_taken", status=409, title="账号已被使用",
    detail="账号“{login}”已有人使用，请换一个。",
):
    """Two accounts do not have one name to sign in by."""


class UnknownAccount(
    Refused, code="unknown_account", status=404, title="没有这个账号", detail="没有这个账号。",
):
    """An account that is not there, or is none of the asker's."""


class LastAdministrator(
    Refused, code="last_administrator", status=409, title="须留有管理员",
    detail="这是最后一个可用的全局管理员账号，不能停用或改为其他角色。",
):
    """Somebody must be left who can let others in."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it stands. ``stations`` are those named; a district adds its own."""

    id: str
    login: str
    actor: str
    role: Role
    stations: frozenset[str]
    district: str | None
    is_everywhere: bool
    password: str | None
    identity: str | None
    created_at: datetime
    disabled_at: datetime | None
    comes_by_link: bool = False
    """Whether links were made by which its owner signs in, as those of a demo's people are."""

    @property
    def scope(self) -> Scope:
        """The stations named; those of a district are known to the ledger alone."""
        return EVERYWHERE if self.is_everywhere else Scope(self.stations)

    @property
    def where(self) -> str:
        """What people read for it."""
        named = [f"{self.district}全区"] if self.district else []
        return "全部" if self.is_everywhere else "、".join([*named, *sorted(self.stations)])

    @property
    def station(self) -> str:
        """Whose the account is in the security log: one station's, or no single one's."""
        return (None if self.district else self.scope.only) or ANY_STATION

    @property
    def is_usable(self) -> bool:
        """Whether somebody can sign in with it."""
        return self.disabled_at is None and (self.password or self.identity) is not None


@dataclass(frozen=True, slots=True)
class Post:
    """What an account is to do: a role, at some stations, in a district or everywhere."""

    role: Role
    stations: frozenset[str] = frozenset()
    district: str | None = None

    @property
    def is_everywhere(self) -> bool:
        """Whether it is of every station."""
        return ANY_STATION in self.stations

    @property
    def station(self) -> str:
        """Whose it is in the security log."""
        is_one = len(self.stations) == 1 and self.district is None
        return next(iter(self.stations)) if is_one else ANY_STATION

    def __str__(self) -> str:
        """What people read for it."""
        where = [f"{self.district}全区"] if self.district else []
        return f"{self.role.label}（{'、'.join([*where, *sorted(self.stations)])}）"


def checked_post(role: str, stations: list[str], district: str | None) -> Post:
    """The post that a form names.

    :raises BadAccount: where it is none.
    """
    if role not in {r.value for r in Role}:
        raise BadAccount(problem=f"没有角色“{role[:40]}”")
    post = Post(Role.of(role), frozenset(stations), (district or "").strip()[:100] or None)
    if not all(s == ANY_STATION or is_station_code(s) for s in post.stations):
        raise BadAccount(problem="社工站编号不合规")
    if len(post.stations) > MOST_STATIONS or not (post.stations or post.district):
        raise BadAccount(problem=f"须写明 1 到 {MOST_STATIONS} 个社工站，或一个区")
    if post.role not in OF_ALL and (post.is_everywhere or post.district):
        raise BadAccount(problem=f"{post.role.label}须属于写明的社工站")
    if post.role not in OF_MANY and len(post.stations) != 1:
        raise BadAccount(problem=f"{post.role.label}只属于一个社工站")
    return post


def checked_login(login: str) -> str:
    """A name to sign in by, the same however it is typed.

    :raises BadAccount: for what is none.
    """
    name = unicodedata.normalize("NFKC", login).strip().casefold()
    if not re.fullmatch(r"[\w.@+-]{2,64}", name):
        raise BadAccount(problem="账号应为 2 到 64 个汉字、字母、数字或 . _ - @ +")
    return name


# ---- finding ----


_ROWS: Final = select(
    accounts,
    exists().where(links.c.account == accounts.c.id, links.c.purpose == BY_LINK)
    .label("comes_by_link"),
)


def account_of(connection: Connection, *where: Any) -> Account | None:
    """The one account that conditions name."""
    row = connection.execute(_ROWS.where(*where)).one_or_none()
    if row is None:
        return None
    return _account(row, _stations(connection, [row.id]).get(row.id, frozenset()))


def account_by_id(engine: Engine, account: str) -> Account | None:
    """An account by its id."""
    with engine.connect() as connection:
        return account_of(connection, accounts.c.id == account)


def staff(engine: Engine, scope: Scope) -> list[Account]:
    """The accounts whose stations are all among those of a scope, by name."""
    with engine.connect() as connection:
        query = _ROWS.order_by(accounts.c.login).limit(MOST_ACCOUNTS)
        rows = connection.execute(query).all()
        stations = _stations(connection, [row.id for row in rows])
    found = [_account(row, stations.get(row.id, frozenset())) for row in rows]
    return [account for account in found if manages(scope, account)]


def manages(scope: Scope, account: Account) -> bool:
    """Whether all that an account may see is within a scope."""
    return scope.stations is None or (
        account.district is None and bool(account.scope.stations) and scope.covers(account.scope)
    )


def managed(connection: Connection, scope: Scope, account: str) -> Account:
    """An account that a scope manages.

    :raises UnknownAccount: where it is none of them.
    """
    found = account_of(connection, accounts.c.id == account)
    if found is None or not manages(scope, found):
        raise UnknownAccount
    return found


def is_without_administrator(engine: Engine) -> bool:
    """Whether nobody could let anybody in: before the first start, or after a mishap."""
    with engine.connect() as connection:
        return not _administrators(connection)


def _administrators(connection: Connection) -> list[str]:
    query = select(accounts.c.id).where(
        accounts.c.role == Role.ADMINISTRATOR.value, accounts.c.is_everywhere,
        accounts.c.disabled_at.is_(None),
        accounts.c.password.is_not(None) | accounts.c.identity.is_not(None),
    )
    return list(connection.execute(query).scalars())


def _stations(connection: Connection, ids: list[str]) -> dict[str, frozenset[str]]:
    table, found = account_stations.c, dict[str, set[str]]()
    for start in range(0, len(ids), 400):
        chunk = select(account_stations).where(table.account.in_(ids[start : start + 400]))
        for row in connection.execute(chunk):
            found.setdefault(row.account, set()).add(row.station)
    return {account: frozenset(stations) for account, stations in found.items()}


def _account(row: Any, stations: frozenset[str]) -> Account:
    return Account(
        row.id, row.login, row.actor, Role.of(row.role), stations, row.district,
        row.is_everywhere, row.password, row.identity, row.created_at, row.disabled_at,
        row.comes_by_link,
    )


# ---- changing ----


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody who is to have an account: its id, what he signs in by, his name in events."""

    account: str
    login: str
    actor: str
    post: Post


def create(connection: Connection, newcomer: Newcomer, by: By) -> Account:
    """Make an account that nobody can sign in with yet.

    :raises LoginTaken: where the name to sign in by is somebody's.
    :raises BadAccount: for a name of events that is another's at the same stations.
    """
    one_at_a_time(connection)
    login, actor, post = checked_login(newcomer.login), newcomer.actor.strip(), newcomer.post
    if account_of(connection, accounts.c.login == login) is not None:
        raise LoginTaken(login=login)
    if not 1 <= len(actor) <= 100 or not actor.isprintable():
        raise BadAccount(problem="姓名应为 1 到 100 个字符")
    _refuse_namesake(connection, actor, post)
    connection.execute(insert(accounts).values(
        id=newcomer.account, login=login, actor=actor, role=post.role.value,
        district=post.district, is_everywhere=post.is_everywhere, created_at=by.at,
    ))
    _place(connection, newcomer.account, post)
    made = account_of(connection, accounts.c.id == newcomer.account)
    assert made is not None
    return made


def _refuse_namesake(connection: Connection, actor: str, post: Post) -> None:
    """Two who record under one name at a station could not be told apart by its ledger."""
    for other in connection.execute(select(accounts.c.id).where(accounts.c.actor == actor)):
        found = account_of(connection, accounts.c.id == other.id)
        is_wide = post.is_everywhere or post.district or found is None or found.is_everywhere
        if is_wide or (found and (found.district or found.stations & post.stations)):
            raise BadAccount(problem=f"已有人以“{actor}”之名录入，请在姓名后加以区分")


def _place(connection: Connection, account: str, post: Post) -> None:
    connection.execute(
        delete(account_stations).where(account_stations.c.account == account)
    )
    named = [{"account": account, "station": s} for s in post.stations if s != ANY_STATION]
    if named:
        connection.execute(insert(account_stations), named)


def change_post(engine: Engine, scope: Scope, account: str, post: Post, by: By) -> None:
    """Give an account another role or other stations; it must sign in anew."""
    refuse_beyond(scope, post)
    with writing(engine) as connection:
        found = managed(connection, scope, account)
        _keep_an_administrator(connection, found, post)
        _set(connection, account, role=post.role.value, district=post.district,
             is_everywhere=post.is_everywhere)
        _place(connection, account, post)
        end_all(connection, account, by.at)
        detail = f"{found.role.label}（{found.where}）→ {post}"
        write_down(connection, Act.ROLE_CHANGED, by, found.login, found.station, detail=detail)


def refuse_beyond(scope: Scope, post: Post) -> None:
    """Refuse to give what one does not have.

    :raises BadAccount: for stations that are none of one's own.
    """
    is_beyond = post.is_everywhere or post.district or not scope.covers(Scope(post.stations))
    if scope.stations is not None and is_beyond:
        raise BadAccount(problem="只能授予自己所管社工站的权限")


def disable(engine: Engine, scope: Scope, account: str, by: By) -> None:
    """Let nobody in with an account, by no session and no token."""
    with writing(engine) as connection:
        found = managed(connection, scope, account)
        _keep_an_administrator(connection, found, None)
        _set(connection, account, disabled_at=by.at)
        end_all(connection, account, by.at)
        write_down(connection, Act.DISABLED, by, found.login, found.station)


def enable(engine: Engine, scope: Scope, account: str, by: By) -> None:
    """Let somebody in again whose account was disabled; by a password that he still knows."""
    with writing(engine) as connection:
        found = managed(connection, scope, account)
        _set(connection, account, disabled_at=None)
        write_down(connection, Act.ENABLED, by, found.login, found.station)


def sign_out(engine: Engine, scope: Scope, account: str, by: By) -> None:
    """End every session of an account, on whatever device; its tokens go on."""
    with writing(engine) as connection:
        found = managed(connection, scope, account)
        end_all(connection, account, by.at)
        write_down(connection, Act.SIGNED_OUT_EVERYWHERE, by, found.login, found.station)


def _keep_an_administrator(connection: Connection, found: Account, post: Post | None) -> None:
    one_at_a_time(connection)
    stays = post is not None and post.role is Role.ADMINISTRATOR and post.is_everywhere
    if not stays and _administrators(connection) == [found.id]:
        raise LastAdministrator


def set_password(connection: Connection, account: str, kept: str) -> None:
    """Keep another password."""
    _set(connection, account, password=kept)


def set_identity(connection: Connection, account: str, identity: str) -> None:
    """Keep who an OIDC provider says it is."""
    _set(connection, account, identity=identity)


def _set(connection: Connection, account: str, **values: Any) -> None:
    connection.execute(update(accounts).where(accounts.c.id == account).values(**values))


# ---- calling ----


def caller_for(account: Account, session: str | None = None, chosen: str | None = None) -> Caller:
    """Who calls with an account; the stations of its district are still to be added."""
    return Caller(
        account.actor, account.role, account.scope, account.id, session, chosen,
        account.district,
    )


def owner_of_token(connection: Connection, token_digest: str) -> Account | None:
    """The account that a token belongs to."""
    query = select(token_owners.c.account).where(token_owners.c.digest == token_digest)
    owner = connection.execute(query).scalar()
    return account_of(connection, accounts.c.id == owner) if owner else None
