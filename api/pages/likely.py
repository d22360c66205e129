"""What does a new form say already? Usual values, and what was said the last time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import NODEFAULT, Struct
from msgspec.structs import fields as struct_fields

from api.identity import caller, today
from api.pages.fields import SEPARATOR, FormField
from api.pages.writing import OCCURRED, filled, stated_by
from api.queries import one_station
from api.services import services
from domain.kernel import Event
from projections.timeline import records_of_kind

REPEATED: Final = frozenset({"mode", "purpose", "contents"})
"""What is likely to be as it was the last time: not who came, nor for how long."""


def likely(
    event: type[Event], household: str | None, asked: Sequence[FormField], says: Mapping[str, str]
) -> dict[str, list[str]]:
    """What a new form says already: usual values, the last time's, then what led to it says."""
    usual = {
        one.name: one.default for one in struct_fields(event)
        if one.default is not NODEFAULT and not isinstance(one.default, Struct | None)
    }
    names = {part.name for one in asked for part in (*one.within(), *one.within(0), one)}
    values: dict[str, object] = {OCCURRED: today(), "persons_met": 1, "workers": [caller().actor]}
    values |= {"members.0.relation": "head", "member.relation": "other"}
    values |= {one.name: one.choices[0][0] for one in asked if one.name == "unit" and one.choices}
    values = usual | values | _last_time(event, household) | dict(says)
    for one in asked:
        if one.kind == "texts" and isinstance(said := values.get(one.name), list | tuple):
            values[one.name] = SEPARATOR.join(said)
    return dict(filled({n: v for n, v in values.items() if n in names | {OCCURRED}}).lists())


def _last_time(event: type[Event], household: str | None) -> dict[str, Any]:
    """What the newest record of the same kind says of the household."""
    found = stated_by(event.topic)
    if household is None or found is None:
        return {}
    with services().read_models.engine.connect() as connection:
        rows = records_of_kind(
            connection, one_station(), found[0].kind.name, topic=event.topic,
            subject=f"household:{household}", limit=1,
        )
    return {n: v for row in rows for n, v in row.data.items() if n in REPEATED and v}
