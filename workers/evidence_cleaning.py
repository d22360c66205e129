"""What is an uploaded file, by its contents, and what is left of it without metadata?

A picture is decoded, turned as its camera was held, and written anew, so that place, time
and device do not come along. A PDF loses its particulars, scripts, embedded files and
comments' authors; what its annotations show is drawn into the page first.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pikepdf
from PIL import Image, ImageOps, UnidentifiedImageError

from domain.evidence import MOST_BYTES, MediaType
from domain.kernel import Refused

LONGEST_EDGE: Final = 2560
"""Pixels: a sheet of paper stays readable."""
MOST_PIXELS: Final = 60_000_000
MOST_PAGES: Final = 100
THUMBNAIL_EDGE: Final = 320
QUALITY: Final = 85
_BEGINS_WITH: Final = {
    b"\xff\xd8\xff": MediaType.JPEG, b"\x89PNG\r\n\x1a\n": MediaType.PNG, b"%PDF-": MediaType.PDF,
}
_OF_DOCUMENT: Final = (
    "/Metadata", "/PieceInfo", "/OpenAction", "/AA", "/Names", "/AcroForm", "/AF", "/Collection",
)
_OF_OBJECT: Final = ("/Metadata", "/PieceInfo", "/AA", "/LastModified", "/Thumb", "/Annots", "/AF")


class EvidenceEmpty(
    Refused, code="evidence_empty", title="没有选择文件", detail="请先拍照，或选择照片、PDF 文件。",
):
    """A form that was sent without a file."""


class EvidenceTooLarge(
    Refused, code="evidence_too_large", status=413, title="文件太大",
    detail="文件太大：最多 {most}，照片最多 {pixels} 万像素，PDF 最多 {pages} 页。",
):
    """A file that would fill the disk or the memory."""


def _too_large() -> EvidenceTooLarge:
    """Every limit is said: which one was passed does not help more."""
    return EvidenceTooLarge(
        most=f"{MOST_BYTES >> 20} MB", pixels=MOST_PIXELS // 10_000, pages=MOST_PAGES
    )


class EvidenceType(
    Refused, code="evidence_type", title="不收这种文件",
    detail="只收 JPEG、PNG 图片和 PDF 文件（看内容，不看文件名）；"
    "请另存为其中一种，或用相机直接拍照。",
):
    """A file of another type, whatever it is called."""


class EvidenceUnreadable(
    Refused, code="evidence_unreadable", title="文件读不出来",
    detail="文件已损坏、不完整或有密码，无法去除其中的拍摄地点等信息；请重新拍照或另存后再试。",
):
    """What cannot be cleaned is not kept."""


@dataclass(frozen=True, slots=True)
class CleanFile:
    """A file as it is kept."""

    media_type: MediaType
    content: bytes

    @property
    def digest(self) -> str:
        """Its SHA-256, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def cleaned(content: bytes) -> CleanFile:
    """An uploaded file without metadata.

    :raises EvidenceEmpty: for no bytes.
    :raises EvidenceTooLarge: for too many bytes, pixels or pages.
    :raises EvidenceType: for what is neither JPEG, PNG nor PDF.
    :raises EvidenceUnreadable: for what is damaged or encrypted.
    """
    if not content:
        raise EvidenceEmpty
    if len(content) > MOST_BYTES:
        raise _too_large()
    media_type = next((t for b, t in _BEGINS_WITH.items() if content.startswith(b)), None)
    if media_type is None:
        raise EvidenceType
    clean = _pdf(content) if media_type is MediaType.PDF else _picture(content, media_type)
    if len(clean) > MOST_BYTES:
        raise _too_large()
    return CleanFile(media_type, clean)


# ---- pictures ----


def _picture(content: bytes, media_type: MediaType) -> bytes:
    picture = _opened(content)
    picture.thumbnail((LONGEST_EDGE, LONGEST_EDGE))
    out = io.BytesIO()
    if media_type is MediaType.PNG:
        picture.save(out, "PNG")
    else:
        picture.convert("RGB").save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def thumbnail(content: bytes) -> bytes:
    """A small JPEG of a picture that is kept."""
    picture = _opened(content)
    picture.thumbnail((THUMBNAIL_EDGE, THUMBNAIL_EDGE))
    out = io.BytesIO()
    on_white = Image.new("RGB", picture.size, "white")
    on_white.paste(picture, mask=picture.getchannel("A") if picture.mode == "RGBA" else None)
    on_white.save(out, "JPEG", quality=70)
    return out.getvalue()


def _opened(content: bytes) -> Image.Image:
    """A picture upright, in plain colours, with nothing beside its pixels."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as found:
            if found.width * found.height > MOST_PIXELS:
                raise _too_large()
            found.draft("RGB", (LONGEST_EDGE, LONGEST_EDGE))
            upright = ImageOps.exif_transpose(found)
            plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large() from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise EvidenceUnreadable from error
    plain.info.clear()
    return plain


# ---- papers ----


def _pdf(content: bytes) -> bytes:
    out = io.BytesIO()
    try:
        with pikepdf.open(io.BytesIO(content)) as paper:
            if paper.is_encrypted:
                raise EvidenceUnreadable
            if len(paper.pages) > MOST_PAGES:
                raise _too_large()
            paper.flatten_annotations()
            _strip(paper)
            paper.save(out, deterministic_id=True)
    except pikepdf.PdfError as error:
        raise EvidenceUnreadable from error
    return out.getvalue()


def _strip(paper: pikepdf.Pdf) -> None:
    """Leave what the pages show, and nothing about who made it, when and with what."""
    if "/Info" in paper.trailer:
        del paper.trailer.Info
    _without(paper.Root, _OF_DOCUMENT)
    for part in paper.objects:
        if isinstance(part, pikepdf.Stream | pikepdf.Dictionary):
            _without(part, _OF_OBJECT)
        if isinstance(part, pikepdf.Stream) and part.get("/Filter") == pikepdf.Name.DCTDecode:
            told = b"".join(_segments(part.read_raw_bytes()))
            part.write(told, filter=pikepdf.Name.DCTDecode)


def _without(part: pikepdf.Object, names: tuple[str, ...]) -> None:
    for name in names:
        if name in part:
            del part[name]


def _segments(jpeg: bytes) -> Iterator[bytes]:
    """A JPEG's segments (ITU T.81 B.1) but for those in which cameras and programs write.

    APP0 (JFIF) and APP14 (Adobe) say how to read the colours, and stay.
    """
    yield jpeg[:2]
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != 0xDA:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4])
        is_told = (0xE1 <= marker <= 0xEF and marker != 0xEE) or marker == 0xFE
        if not is_told:
            yield jpeg[at : at + 2 + length]
        at += 2 + length
    yield jpeg[at:]
