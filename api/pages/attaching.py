"""How does a page's form take a photo or sign-in sheet, and how are those there are shown?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import redirect, render_template, request, url_for
from msgspec.structs import replace
from werkzeug.wrappers import Response as BaseResponse

from api.bodies import takes_files
from api.evidence import Showing, attach, read_upload, refuse_unless_attached_by
from api.identity import READ_CASES, action, may, new_id
from api.language import translated
from api.pages.views import pages
from api.pages.writing import Given, SaidAtFields, form_context, posted
from api.personal import rows_shown
from api.queries import one_station
from api.services import services
from domain.describing import size
from domain.evidence import EvidenceKind, MediaType
from domain.kernel import KINDS, Entry, UnknownRecord
from domain.ledger import Receipt
from domain.vault import NOT_SHOWN
from projections.evidence import EvidenceRow, evidence_of
from workers.evidence_apart import cleaned
from workers.evidence_cleaning import CleanFile

CAMERA, FOLDER, KIND, CAPTION, STEP = (
    "evidence_photo", "evidence_file", "evidence_kind", "evidence_caption", "step",
)
"""The fields of a form: a phone's camera, or a file that is there; what it shows."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A file as a record's page shows it; where it may not be opened, ``instead`` says so."""

    row: EvidenceRow
    label: str
    form: str
    size: str
    instead: str
    is_picture: bool


def evidence_shown(kind: str, subject: str) -> list[Shown]:
    """The files of a record, or the one that the record itself is."""
    if not may(READ_CASES, "evidence"):
        return []
    station = one_station()
    with services().read_models.engine.connect() as connection:
        if kind == "evidence":
            rows = evidence_of(connection, station, evidence_id=subject)
        else:
            rows = evidence_of(connection, station, record=f"{kind}/{subject}")
    return [
        Shown(
            row, EvidenceKind.of(row.kind).label, translated(MediaType.of(row.media_type).label),
            size(row.byte_count),
            "" if row.file_key == NOT_SHOWN else row.file_key,
            row.media_type != MediaType.PDF.value,
        )
        for row in rows_shown(rows, [row.stream for row in rows])
    ]


# ---- with the form of something else ----


def file_of_form(kind: str, *, is_required: bool = False) -> CleanFile | None:
    """The file that a form brought for a record of a kind, clean; ``None`` where none was chosen.

    :raises NotAllowed: where the caller may not attach to such records.
    :raises Refused: for one that cannot be kept.
    """
    for name in (CAMERA, FOLDER):
        upload = request.files.get(name)
        if upload is not None and upload.filename:
            refuse_unless_attached_by(kind)
            return cleaned(read_upload(upload))
    return cleaned(b"") if is_required else None


def attach_of_form(file: CleanFile, record: str, step: int) -> Receipt:
    """Attach the file of a form to what it recorded, or is about; twice sent is once."""
    said = form_context()
    key = said.idempotency_key and f"{said.idempotency_key}-evidence"
    kind = request.form.get(KIND, "")
    showing = Showing(
        record, step,
        EvidenceKind.of(kind) if kind in {k.value for k in EvidenceKind} else EvidenceKind.PHOTO,
        request.form.get(CAPTION, "").strip()[:100] or None,
    )
    return attach(file, showing, replace(said, idempotency_key=key))


# ---- a form of its own ----


@pages.route("/records/<kind>/<subject>/evidence")
@action(READ_CASES)
def evidence_page(kind: str, subject: str) -> str:
    """The form that attaches a file to a record."""
    return _page(kind, subject, Given(new_id(), {STEP: [request.args.get(STEP, "1")]}))


@pages.route("/records/<kind>/<subject>/evidence", methods=["POST"])
@action(READ_CASES)
@takes_files
def evidence_form(kind: str, subject: str) -> BaseResponse | tuple[str, int]:
    """Attach it, or say at the field why not."""
    _entries(kind, subject)
    given = posted()
    with SaidAtFields(given):
        file = file_of_form(kind, is_required=True)
        assert file is not None
        step = request.form.get(STEP, 1, type=int)
        done = attach_of_form(file, f"{kind}/{subject}", step)
        where = url_for(
            "pages.record_page", kind=kind, subject=subject, recorded=done.position,
            _anchor="evidence",
        )
        return redirect(where, 303)
    return _page(kind, subject, given), given.status


def _entries(kind: str, subject: str) -> Sequence[Entry]:
    """What a file may show of a record.

    :raises UnknownRecord: where there is none.
    :raises NotAllowed: where the role may not attach to it.
    """
    label = KINDS[kind].label if kind in KINDS else kind[:40]
    stream = services().ledger.stream(one_station(), kind, subject) if kind in KINDS else None
    if stream is None:
        raise UnknownRecord(id=subject, kind=label)
    refuse_unless_attached_by(kind)
    return list(stream.active())


def _page(kind: str, subject: str, given: Given) -> str:
    return render_template(
        "pages/evidence_form.html", kind=kind, subject=subject, kind_label=KINDS[kind].label,
        entries=_entries(kind, subject), given=given, evidence_kinds=list(EvidenceKind),
    )
