"""How does this program read an event that an older one wrote?

The event class gives one static method a step, ``upcast_v1_v2(fields)``, which changes
the stored fields in place. A golden file per version (``tests/domain/golden``) keeps
every step alive for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domain.kernel import Event


class NewerEventError(ValueError):
    """The log was written by a newer program: reading on would lose what it added."""


def upcast(cls: type[Event], from_version: int, fields: dict[str, Any]) -> dict[str, Any]:
    """The stored fields brought to the class's present version, step by step.

    :raises NewerEventError: where the stored version is above the class's.
    """
    if from_version > cls.class_version:
        msg = f"{cls.topic} v{from_version} is newer than v{cls.class_version}"
        raise NewerEventError(msg)
    for version in range(from_version, cls.class_version):
        getattr(cls, f"upcast_v{version}_v{version + 1}")(fields)
    return fields
