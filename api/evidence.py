"""How does a photo come to a record, and who is shown it?

Whoever may record something may attach to it. A file is cleaned, sealed and on the disk
before the event that names it is recorded; whoever reads it is in the access log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flask import Response, make_response
from flask_smorest.fields import Upload
from marshmallow import Schema, fields, validate
from werkzeug.datastructures import FileStorage

from api.access_log import AccessAction
from api.answers import RecordedSchema, receipt_data
from api.bodies import Blueprint, takes_files
from api.identity import READ_CASES, RECORD, action, caller, context, may
from api.nouns import nouns_of
from api.nouns.evidence import EVIDENCE
from api.paging import ReadSchema
from api.personal import noted, reading, shown
from api.problems import NotAllowed
from api.queries import one_station
from api.services import services
from domain.evidence import (
    EVIDENCE as KIND,
)
from domain.evidence import (
    MOST_BYTES,
    EvidenceAttached,
    EvidenceKind,
    MediaType,
    NotEvidenced,
    evidence_for,
    owner_shown,
)
from domain.kernel import KINDS, Context, Entry, Refused, Statement, Stream, UnknownRecord
from domain.ledger import Instruction, Receipt
from domain.record_keeping import AlreadyRegistered, Record, UnknownEntry
from domain.vault import NOT_SHOWN
from workers.evidence_apart import cleaned
from workers.evidence_cleaning import CleanFile, thumbnail
from workers.evidence_files import keep, opened_file, sealed_file

evidence_files = Blueprint(
    "evidence_files", __name__, url_prefix=f"/api/v1/{EVIDENCE.plural}", description=KIND.label
)
ENDINGS: Final = {MediaType.JPEG: "jpg", MediaType.PNG: "png", MediaType.PDF: "pdf"}


class EvidenceTwice(
    Refused, code="evidence_twice", status=409, title="这份文件已经添加",
    detail="这份文件已经添加在这条记录上（佐证材料 {id}）；如果已作废，请在它的页面恢复。",
):
    """One file of a record is one piece of evidence."""


class EvidenceOfVoided(
    Refused, code="evidence_of_voided", status=409, title="该记录已作废",
    detail="第 {entry} 条记录已经作废，不能添加佐证材料；如作废有误，请先恢复该条。",
):
    """What does not count needs nothing that shows it."""


class EvidenceClosed(
    Refused, code="evidence_closed", status=403, title="佐证文件不能查看",
    detail="这份文件{why}，不能查看。",
):
    """Erased, locked, or not for whoever asks."""


class AttachSchema(Schema):
    """A file: what it shows, and of which record."""

    record = fields.String(
        required=True, validate=validate.Regexp(r"^[a-z_]{1,40}/[0-9A-Za-z_.-]{1,64}\Z"),
        metadata={"description": "所属记录，如 visit/编号"},
    )
    step = fields.Integer(
        load_default=1, validate=validate.Range(min=1), metadata={"description": "记录的第几条"},
    )
    kind = fields.Enum(EvidenceKind, by_value=True, required=True)
    caption = fields.String(validate=validate.Length(min=1, max=100))
    file = Upload(
        required=True,
        metadata={"description": f"JPEG、PNG 或 PDF，最多 {MOST_BYTES >> 20} MB；按内容检查"},
    )


@dataclass(frozen=True, slots=True)
class Showing:
    """What a file shows: an entry of a record, in which way, in whose words."""

    record: str
    step: int
    kind: EvidenceKind
    caption: str | None = None


# ---- attaching ----


@evidence_files.route("", methods=["POST"])
@action(RECORD, EVIDENCE.plural)
@takes_files
@evidence_files.arguments(AttachSchema, location="files")
@evidence_files.response(201, RecordedSchema)
def attach_evidence(said: dict[str, Any]) -> Response:
    """给一条记录添加照片、签到表或其他材料；拍摄地点、时间、设备等信息会去掉。"""
    upload, who = said.pop("file"), context()
    showing = Showing(**said)
    _shown_by(showing, who.station)  # refused before anything is opened
    receipt = attach(cleaned(read_upload(upload)), showing, who)
    told = receipt_data(receipt) | {"warnings": []}
    answer = make_response(reading().said_back(told, receipt.stream), 201)
    answer.headers["ETag"] = f'"{receipt.version}"'
    answer.headers["Location"] = f"/api/v1/{EVIDENCE.plural}/{receipt.recorded.id}"
    return answer


def read_upload(upload: FileStorage) -> bytes:
    """An upload's bytes; one more than is allowed where it is longer."""
    return upload.stream.read(MOST_BYTES + 1)


def may_attach(kind: str) -> bool:
    """Whether the caller may attach to records of a kind: who may record it may."""
    may_record = any(may(RECORD, noun.plural) for noun in nouns_of(kind))
    return evidence_for(kind) and may(RECORD, EVIDENCE.plural) and may_record


def attach(file: CleanFile, showing: Showing, said: Context) -> Receipt:
    """Keep a file, and record that it shows an entry of a record.

    :raises NotAllowed: for who may not record what it shows.
    :raises EvidenceTwice: where it was attached before.
    """
    stream, entry = _shown_by(showing, said.station)
    settings, keys = services().settings, services().ledger.vault.keys
    sealed = sealed_file(keys, stream.id, owner_shown(stream, showing.step), file.content)
    event = EvidenceAttached(
        record=showing.record, step=showing.step, kind=showing.kind, media_type=file.media_type,
        byte_count=len(file.content), file=sealed.name, file_key=sealed.key,
        digest=file.digest, caption=showing.caption,
    )
    identity = sealed.name[:32]
    if entry.is_voided and services().ledger.stream(said.station, KIND.name, identity) is None:
        raise EvidenceOfVoided(entry=showing.step)
    keep(settings, sealed)  # first: an event whose file is not there shows nothing
    command = Record(statement=Statement(event, entry.statement.occurred))
    instruction = Instruction(KIND, identity, command)
    try:
        receipt, _warnings = EVIDENCE.carry_out(instruction, said, {})
    except AlreadyRegistered as error:
        raise EvidenceTwice(id=identity) from error
    keep(settings, sealed)  # where it was taken away meanwhile as one that nothing names
    return receipt


def _shown_by(showing: Showing, station: str) -> tuple[Stream[Any], Entry]:
    """What a file shows, as it stands now."""
    kind, _, subject = showing.record.partition("/")
    if evidence_for(kind):
        refuse_unless_attached_by(kind)
    stream = services().ledger.stream(station, kind, subject) if kind in KINDS else None
    if stream is None:
        raise UnknownRecord(id=subject, kind=KINDS[kind].label if kind in KINDS else kind)
    if not evidence_for(kind):
        raise NotEvidenced(kind=KINDS[kind].label)
    entry = stream.entries.get(showing.step)
    if entry is None:
        raise UnknownEntry(kind=KINDS[kind].label, id=subject, entry=showing.step)
    return stream, entry


def refuse_unless_attached_by(kind: str) -> None:
    """Refuse a caller who may not attach to records of a kind.

    :raises NotAllowed: where that is so.
    """
    if not may_attach(kind):
        raise NotAllowed(role=caller().role.label, verb=f"evidence {kind}")


# ---- seeing ----


@evidence_files.route("/<subject>/file")
@action(READ_CASES, EVIDENCE.plural)
@evidence_files.arguments(ReadSchema, location="query")
def get_evidence_file(_query: dict[str, Any], subject: str) -> Response:
    """一份佐证材料的文件；下载记入访问记录。"""
    event, content = _opened(subject)
    noted(f"{KIND.name}:{subject}", action=AccessAction.EXPORT)
    how = "attachment" if event.media_type is MediaType.PDF else "inline"
    name = f"{subject[:12]}.{ENDINGS[event.media_type]}"
    return _sent(content, event.media_type, f'{how}; filename="{name}"')


@evidence_files.route("/<subject>/thumbnail")
@action(READ_CASES, EVIDENCE.plural)
@evidence_files.arguments(ReadSchema, location="query")
def get_evidence_thumbnail(_query: dict[str, Any], subject: str) -> Response:
    """一张照片的缩略图。"""
    event, content = _opened(subject)
    if event.media_type is MediaType.PDF:
        raise UnknownRecord(id=subject, kind="缩略图")
    return _sent(thumbnail(content), MediaType.JPEG, "inline")


def _opened(subject: str) -> tuple[EvidenceAttached, bytes]:
    """A file's event and contents, for whoever may see them.

    :raises EvidenceClosed: for who may not, and where it was erased or locked.
    """
    stream = services().ledger.stream(one_station(), KIND.name, subject)
    if stream is None:
        raise UnknownRecord(id=subject, kind=KIND.label)
    event = stream.opening
    assert isinstance(event, EvidenceAttached)
    if (told := shown(event.file_key, stream.id)) != NOT_SHOWN:
        raise EvidenceClosed(why=told.strip("（）").split()[0])
    opened = reading().unlocked(event, stream.id)
    assert isinstance(opened, EvidenceAttached)
    return event, opened_file(services().settings, event.file, opened.file_key)


def _sent(content: bytes, media_type: MediaType, disposition: str) -> Response:
    answer = make_response(content)
    answer.mimetype = media_type.value
    answer.headers["Content-Disposition"] = disposition
    return answer
