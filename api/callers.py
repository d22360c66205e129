"""Who is calling, and of which stations? What a token or a session says, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from domain.vocabulary import Role

ANY_STATION: Final = "*"


def is_station_code(text: str) -> bool:
    """Whether a text can be the code of a station."""
    return re.fullmatch(r"[0-9A-Za-z_.-]{1,64}", text) is not None


@dataclass(frozen=True, slots=True)
class Scope:
    """The stations that a caller is confined to; ``None`` is every station."""

    stations: frozenset[str] | None

    @classmethod
    def of(cls, station: str) -> Scope:
        """The scope of one station, or of every one (``*``)."""
        return EVERYWHERE if station == ANY_STATION else cls(frozenset({station}))

    def admits(self, station: str) -> bool:
        """Whether what belongs to a station may be seen."""
        return self.stations is None or station in self.stations

    def covers(self, other: Scope) -> bool:
        """Whether all that another scope admits is admitted."""
        if self.stations is None:
            return True
        return other.stations is not None and other.stations <= self.stations

    @property
    def only(self) -> str | None:
        """The station, where it is one."""
        is_one = self.stations is not None and len(self.stations) == 1
        return next(iter(self.stations)) if is_one and self.stations else None

    def __str__(self) -> str:
        """The codes as people read them."""
        return ANY_STATION if self.stations is None else "、".join(sorted(self.stations))


EVERYWHERE: Final = Scope(None)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling. ``chosen`` is which of several stations a session is looking at."""

    actor: str
    role: Role
    scope: Scope
    account: str | None = None
    """The account that is signed in, or that a token belongs to."""
    session: str | None = None
    """The digest of the session, where a browser calls."""
    chosen: str | None = None
    district: str | None = None
    """Whose stations are added to the scope, as many as it has at the moment."""

    @property
    def role_label(self) -> str:
        """What people read for the role."""
        return self.role.label
