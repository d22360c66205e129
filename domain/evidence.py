"""Which photo, sign-in sheet or paper shows that something recorded took place?

The file itself is outside the log, sealed, under the SHA-256 of its sealed bytes. The event
names it and holds, sealed like any text about persons, the key that opens it: whoever
destroys the key of the person, household or record that a photo is about has made every
copy of the photo unreadable, too (decision 0031).
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from domain.fields import (
    Derived,
    FileKey,
    HouseholdId,
    PersonalDigest,
    PersonId,
    RecordName,
    Remark,
    VolunteerId,
)
from domain.kernel import (
    KINDS,
    Event,
    Refused,
    Related,
    Statement,
    Stream,
    StreamKind,
    UnknownRecord,
    stream_id,
    stream_kind,
    stream_subject,
)
from domain.owners import owner_of
from domain.record_keeping import UnknownEntry
from domain.vocabulary import Labelled

MOST_BYTES: Final = 15 * 1024 * 1024
"""How large a file may be that is kept."""
EVIDENCED: Final = frozenset({
    "household", "visit", "survey", "community_survey", "needs_assessment", "case", "group",
    "activity", "referral", "resource", "training_delivered", "training_received", "supervision",
    "meeting", "volunteer", "volunteer_team", "project", "competition", "project_review", "brand",
})
"""The kinds of records that take evidence: what a station does, and for whom."""


class EvidenceKind(Labelled):
    """What a file shows."""

    PHOTO = "photo", "照片"
    SIGN_IN_SHEET = "sign_in_sheet", "签到表"
    DOCUMENT = "document", "其他材料"


class MediaType(Labelled):
    """What a file is, by its contents."""

    JPEG = "image/jpeg", "JPEG 图片"
    PNG = "image/png", "PNG 图片"
    PDF = "application/pdf", "PDF 文件"


class EvidenceAttached(Event, topic="evidence.attached", label="佐证材料"):
    """A file was attached to an entry of a record.

    ``file`` is the SHA-256 of the sealed file, by which it is kept; ``digest`` that of what
    whoever may see it is given. It occurred when what it shows did.
    """

    record: RecordName
    step: Annotated[int, Meta(ge=1)]
    kind: EvidenceKind
    media_type: MediaType
    byte_count: Annotated[int, Meta(gt=0, le=MOST_BYTES)]
    file: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    file_key: FileKey
    digest: PersonalDigest
    caption: Remark | None = None
    household: Annotated[HouseholdId | None, Derived] = None
    person: Annotated[PersonId | None, Derived] = None
    volunteer: Annotated[VolunteerId | None, Derived] = None


class NotEvidenced(
    Refused, code="not_evidenced", title="这种记录不收佐证材料",
    detail="“{kind}”不能添加照片、签到表等佐证材料。",
):
    """Evidence shows what a station did; a correction or a report needs none of its own."""


class EvidenceMoved(
    Refused, code="evidence_moved", status=409, title="所附的材料属于另一户",
    detail="第 {entry} 条记录附有佐证材料（{evidence}），更正后它将是另一户或另一人的；"
    "请先作废所附的材料，更正后重新添加。",
):
    """A photo goes when the household goes that it was attached for, and with no other."""


class EvidenceOfOther(
    Refused, code="evidence_of_other", status=409, title="材料属于另一户",
    detail="这份材料所附的记录已更正为另一户或另一人的，不能恢复；请在该记录上重新添加。",
):
    """A record was corrected after the evidence had been voided."""


def evidence_for(kind: str) -> bool:
    """Whether records of a kind take evidence."""
    return kind in EVIDENCED


def decide(statement: Statement, _before: Event | None, related: Related) -> Event:
    """The evidence with whom it is about, which is whom its record is about."""
    event = statement.event
    assert isinstance(event, EvidenceAttached)
    stream = _record(event, related)
    entry = stream.entries.get(event.step)
    if entry is None:
        label = KINDS[stream_kind(stream.id)].label
        raise UnknownEntry(kind=label, id=stream_subject(stream.id), entry=event.step)
    return about(event, owner_shown(stream, event.step))


def owner_shown(stream: Stream[object], step: int) -> str:
    """Whom an entry of a record is about, and so the evidence of it."""
    return owner_of(stream.entries[step].statement.event, stream.id, stream.opening)


def about(event: EvidenceAttached, owner: str) -> EvidenceAttached:
    """The evidence as that of an owner; a record's own is nobody's else."""
    named = {stream_kind(owner): stream_subject(owner)}
    return msgspec.structs.replace(
        event, household=named.get("household"), person=named.get("person"),
        volunteer=named.get("volunteer"),
    )


def _record(event: EvidenceAttached, related: Related) -> Stream[object]:
    kind, _, subject = event.record.partition("/")
    if not evidence_for(kind):
        raise NotEvidenced(kind=KINDS[kind].label if kind in KINDS else kind)
    stream = related.streams.get(stream_id(related.context.station, kind, subject))
    if stream is None:
        raise UnknownRecord(id=subject, kind=KINDS[kind].label)
    return stream


EVIDENCE: Final = StreamKind(
    "evidence", "佐证材料", None, lambda _state, entry: entry.statement.event, decide,
    (EvidenceAttached,), is_stated=False,
)
