"""What is a password worth, and is this the one? Argon2id, and advice after NIST SP 800-63B.

Ten characters at least, no rule about which; refused is what others try first: the most
usual passwords and what follows from the account's own names.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from zxcvbn import zxcvbn

from domain.kernel import Refused

SHORTEST: Final = 10
LONGEST: Final = 128
LOOKED_AT: Final = 72
"""How much of a password is weighed: weighing a long one takes long."""
FEWEST_GUESSES: Final = 10**8
"""What a dictionary of usual passwords and names finds sooner is refused."""
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""OWASP's figures for Argon2id: 19 MiB a sign-in."""
_AT_ONCE: Final = threading.BoundedSemaphore(2)
"""So that many who sign in at once take neither all memory nor all processors."""
OWN_WORDS: Final = ("taizhang", "台账", "shegong", "shegongzhan", "社工站", "社工")


class WeakPassword(
    Refused, code="weak_password", title="密码不合适",
    detail="{problem}。可用几个不相干的词连成一句话，不必有大小写或符号。",
):
    """A password that others would try early."""


def refuse_weak(password: str, names: Sequence[str]) -> None:
    """Refuse what is short, usual, or made of the account's own names.

    :raises WeakPassword: saying which.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(problem=f"密码应为 {SHORTEST} 到 {LONGEST} 个字符")
    if any(len(name) > 1 and name.casefold() in password.casefold() for name in names):
        raise WeakPassword(problem="密码中不能有自己的账号或姓名")
    weighed = zxcvbn(password[:LOOKED_AT], user_inputs=[*names, *OWN_WORDS])
    if weighed["guesses"] < FEWEST_GUESSES:
        raise WeakPassword(problem="这个密码太常见，容易被猜到")


def hashed(password: str) -> str:
    """What is kept of a password."""
    with _AT_ONCE:
        return HASHER.hash(password)


def is_right(kept: str | None, password: str) -> bool:
    """Whether a password is the one that was kept.

    Where none is kept as much work is done, so that the time tells nobody which accounts
    there are.
    """
    with _AT_ONCE:
        try:
            is_same = HASHER.verify(kept or _nobodys(), password[:LONGEST])
        except VerifyMismatchError:
            return False
    return is_same and kept is not None


def is_outdated(kept: str) -> bool:
    """Whether a password was kept with figures that are no longer ours."""
    return HASHER.check_needs_rehash(kept)


@cache
def _nobodys() -> str:
    return HASHER.hash("nobody's password")
