"""Which kinds of field can an event have, and which fields bear a mark?

A mark says of a field what every part of the program must know of it: that it refers
to another stream, takes a code of a dated list, names a community, holds personal
data, or is filled in by a decision. It stands once, at the field's type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated, Any, Final, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from domain.kernel import Value
from domain.vocabulary import Approximation

REFERS_TO: Final = "refers_to"
CODE_LIST: Final = "code_list"
COMMUNITY: Final = "community"
PERSONAL: Final = "personal"
TEXT: Final = "text"
DERIVED: Final = "derived"
PERSON_MARK: Final = "person"
ENTRY_MARK: Final = "entry"
OF_RECORD: Final = "of_record"
FILE_KEY: Final = "file_key"
"""What is sealed like a text about persons, and shown to nobody."""


ANY_CHARACTER: Final = "[^⟦⟧]"
"""What may stand in a text about persons: anything but the ledger's own seals."""


class TextLimits(NamedTuple):
    """What a person may state in a field that also holds sealed texts."""

    characters: str
    shortest: int
    longest: int


def _personal(mark: str, characters: str, shortest: int, longest: int) -> Any:
    """A text about a person: as it was stated, sealed, or erased (``domain/vault.py``)."""
    stated = f"{characters}{{{shortest},{longest}}}"
    limits = TextLimits(characters, shortest, longest)
    pattern = rf"^(?:{stated}|⟦[^⟦⟧]+⟧|（已删除）|（已封存）)\Z"
    return Annotated[str, Meta(pattern=pattern, extra={PERSONAL: mark, TEXT: limits})]


ShortText = Annotated[str, Meta(min_length=1, max_length=100)]
"""A title or a name of something, at most 100 characters."""
LongText = Annotated[str, Meta(max_length=5000)]
"""What a station publishes of itself, at most 5,000 characters."""
Count = Annotated[int, Meta(ge=0, le=100_000)]
Minutes = Annotated[int, Meta(gt=0, le=1440)]
"""A duration in whole minutes, at most a day."""
Fen = Annotated[int, Meta(gt=0, le=10**12)]
"""Money in integer fen (1/100 元)."""
EntryVersion = Annotated[int, Meta(ge=1, extra={ENTRY_MARK: "version"})]
"""The version of an earlier entry of the same stream."""
LocalId = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_.-]{1,64}$")]
"""An identifier that is unique within its stream."""

PersonalName = _personal("name", ANY_CHARACTER, 1, 50)
PersonalIdNumber = _personal("id_number", ANY_CHARACTER, 1, 40)
PersonalPhone = _personal("phone", "[0-9+ -]", 5, 20)
PersonalAddress = _personal("address", ANY_CHARACTER, 0, 200)
PersonalText = _personal("note", ANY_CHARACTER, 0, 5000)
"""Notes, needs and health: free text about persons."""

Narrative = _personal("narrative", ANY_CHARACTER, 0, 5000)
"""A summary, advice or narrative: about no one, but nobody can promise that it names no one."""
Remark = _personal("remark", ANY_CHARACTER, 1, 100)
"""Why, whence or with what outcome, in a few words."""
PublishedText = _personal("note", ANY_CHARACTER, 0, 20_000)
"""A paragraph of a published report: a fact with its advice, or the lead's own."""

Reason = _personal("reason", ANY_CHARACTER, 1, 500)
"""Why a record was corrected, voided or reinstated."""

FileKey = _personal(FILE_KEY, ANY_CHARACTER, 1, 64)
"""The key of a file that is kept outside the log, sealed as the file is."""
PersonalDigest = _personal("digest", "[0-9a-f]", 64, 64)
"""The SHA-256 of what a file shows: who has the photo could be told by it that we had it."""

RecordName = Annotated[
    str, Meta(pattern=r"^[a-z_]{1,40}/[0-9A-Za-z_.-]{1,64}\Z", extra={OF_RECORD: "record"})
]
"""A record of the station that something belongs to, by kind and id: ``visit/v1``."""

PersonId = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_.-]{1,64}$", extra={PERSON_MARK: "id"})]
"""A person's own id: the same person keeps it when moving to another household."""
HouseholdId = Annotated[str, Meta(max_length=64, extra={REFERS_TO: "household"})]
VolunteerId = Annotated[str, Meta(max_length=64, extra={REFERS_TO: "volunteer"})]
VolunteerTeamId = Annotated[str, Meta(max_length=64, extra={REFERS_TO: "volunteer_team"})]
ActivityId = Annotated[str, Meta(max_length=64, extra={REFERS_TO: "activity"})]
ProjectId = Annotated[str, Meta(max_length=64, extra={REFERS_TO: "project"})]
TaskBookId = Annotated[str, Meta(max_length=64, extra={REFERS_TO: "task_book"})]
NeedsAssessmentId = Annotated[
    str, Meta(max_length=64, extra={REFERS_TO: "needs_assessment"})
]
CaseId = Annotated[str, Meta(max_length=64, extra={REFERS_TO: "case"})]

Community = Annotated[str, Meta(min_length=1, max_length=50, extra={COMMUNITY: "name"})]
"""A community of the station, by its name or an alias; stored by its name."""

AssistanceCategory = Annotated[str, Meta(extra={CODE_LIST: "assistance_categories"})]
ServiceContent = Annotated[str, Meta(extra={CODE_LIST: "service_contents"})]
VisitMode = Annotated[str, Meta(extra={CODE_LIST: "visit_modes"})]
VisitPurpose = Annotated[str, Meta(extra={CODE_LIST: "visit_purposes"})]
VisitOutcome = Annotated[str, Meta(extra={CODE_LIST: "visit_outcomes"})]
SurveyKind = Annotated[str, Meta(extra={CODE_LIST: "survey_kinds"})]
SupervisionKind = Annotated[str, Meta(extra={CODE_LIST: "supervision_kinds"})]
SupervisionSource = Annotated[str, Meta(extra={CODE_LIST: "supervision_sources"})]
DeliveryMode = Annotated[str, Meta(extra={CODE_LIST: "delivery_modes"})]
ActivityKind = Annotated[str, Meta(extra={CODE_LIST: "activity_kinds"})]
ActivityRole = Annotated[str, Meta(extra={CODE_LIST: "activity_roles"})]
Audience = Annotated[str, Meta(extra={CODE_LIST: "audiences"})]
ClosingReason = Annotated[str, Meta(extra={CODE_LIST: "closing_reasons"})]
RemovalReason = Annotated[str, Meta(extra={CODE_LIST: "removal_reasons"})]
Relation = Annotated[str, Meta(extra={CODE_LIST: "relations"})]
BenefitKind = Annotated[str, Meta(extra={CODE_LIST: "benefit_kinds"})]
ResourceKind = Annotated[str, Meta(extra={CODE_LIST: "resource_kinds"})]
MeetingKind = Annotated[str, Meta(extra={CODE_LIST: "meeting_kinds"})]

Derived = Meta(extra={DERIVED: "yes"})
"""``Annotated[..., Derived]``: a decision fills this in, nobody states it."""


class Quantity(Value):
    """An amount as people state it: exact, 近, 约, 余, or not stated at all.

    An unstated quantity (``value`` is null) prints 未填报 and never 0.
    """

    value: Annotated[int, Meta(ge=0, le=10**9)] | None = None
    approximation: Approximation = Approximation.EXACT


def marks_of(struct: type) -> dict[str, dict[str, Any]]:
    """The marks of each field of a struct, wherever in the field's type they stand."""
    if struct not in _MARKS:
        assert issubclass(struct, msgspec.Struct)
        hints = get_type_hints(struct, include_extras=True)
        _MARKS[struct] = {name: _marks(hints[name]) for name in struct.__struct_fields__}
    return _MARKS[struct]


_MARKS: Final[dict[type, dict[str, dict[str, Any]]]] = {}


def _marks(hint: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if get_origin(hint) is Annotated:
        for meta in hint.__metadata__:
            found |= (meta.extra or {}) if isinstance(meta, Meta) else {}
    for inner in get_args(hint):
        if inner is not Ellipsis and not isinstance(inner, Meta):
            found |= _marks(inner)
    return found


def marked_values(value: object, mark: str) -> Iterator[tuple[str, str, str]]:
    """Every marked text below a value: (path like ``members.0.name``, mark, text)."""
    if isinstance(value, msgspec.Struct):
        for name, marks in bearing(type(value), mark):
            found = getattr(value, name)
            if isinstance(found, str):
                yield name, marks[mark], found
            elif found is not None:
                for path, text in _texts(found, mark, marks):
                    yield (f"{name}.{path[0]}" if path[0] else name), path[1], text


@cache
def bearing(struct: Any, mark: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    """The fields of a struct that bear a mark, themselves or below; with their marks."""
    hints = get_type_hints(struct, include_extras=True)
    return tuple(
        (name, marks)
        for name, marks in marks_of(struct).items()
        if mark in marks or any(bearing(inner, mark) for inner in _structs(hints[name]))
    )


def _structs(hint: Any) -> Iterator[Any]:
    """The struct types that a field may hold."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for inner in get_args(hint):
        yield from _structs(inner)


def _texts(
    value: object, mark: str, marks: dict[str, Any]
) -> Iterator[tuple[tuple[str, str], str]]:
    if isinstance(value, str) and mark in marks:
        yield ("", marks[mark]), value
    elif isinstance(value, msgspec.Struct):
        for path, found, text in marked_values(value, mark):
            yield (path, found), text
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            for (path, found), text in _texts(item, mark, marks):
                yield (f"{index}.{path}" if path else str(index), found), text


def rewritten(
    value: Any, mark: str, rewrite: Callable[[str, str], str]
) -> Any:
    """A copy of a struct in which every text that bears the mark is rewritten.

    ``rewrite`` is given the text and the mark's value: ``household`` of a reference.
    """
    changes = {}
    struct: Any = type(value)
    for name, marks in bearing(struct, mark):
        old = getattr(value, name)
        new = _rewritten(old, mark, marks, rewrite)
        if new is not old:
            changes[name] = new
    return msgspec.structs.replace(value, **changes) if changes else value


def _rewritten(
    value: object, mark: str, marks: dict[str, Any], rewrite: Callable[[str, str], str]
) -> object:
    if isinstance(value, str) and mark in marks:
        text = rewrite(value, marks[mark])
        return value if text == value else text
    if isinstance(value, msgspec.Struct):
        return rewritten(value, mark, rewrite)
    if isinstance(value, tuple):
        items = tuple(_rewritten(item, mark, marks, rewrite) for item in value)
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else items
    return value
