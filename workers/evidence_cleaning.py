"""What is an uploaded file, by its contents, and what is left of it without metadata?

A picture is decoded, turned as its camera was held, and written anew, so that place, time
and device do not come along; a PDF is cleaned by ``workers/evidence_papers.py``. Files that
somebody sent are cleaned in a process of their own (``workers/evidence_apart.py``).
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from domain.evidence import MOST_BYTES, MediaType
from domain.kernel import Refused

LONGEST_EDGE: Final = 2560
"""Pixels: a sheet of paper stays readable."""
MOST_PIXELS: Final = 60_000_000
"""Of a JPEG, which is read at the half, a quarter or an eighth of its size."""
MOST_PIXELS_WHOLE: Final = 16_000_000
"""Of any other picture, which is read as large as it is."""
MOST_PAGES: Final = 100
THUMBNAIL_EDGE: Final = 320
QUALITY: Final = 85
_BEGINS_WITH: Final = {
    b"\xff\xd8\xff": MediaType.JPEG, b"\x89PNG\r\n\x1a\n": MediaType.PNG, b"%PDF-": MediaType.PDF,
}


class EvidenceEmpty(
    Refused, code="evidence_empty", title="没有选择文件", detail="请先拍照，或选择照片、PDF 文件。",
):
    """A form that was sent without a file."""


class EvidenceTooLarge(
    Refused, code="evidence_too_large", status=413, title="文件太大",
    detail="文件太大：最多 {most}，JPEG 照片最多 {pixels} 万像素，PNG 图片最多 {whole} 万像素，"
    "PDF 最多 {pages} 页，其中的图片也不能过大。",
):
    """A file that would fill the disk or the memory."""


def too_large() -> EvidenceTooLarge:
    """Every limit is said: which one was passed does not help more."""
    return EvidenceTooLarge(
        most=f"{MOST_BYTES >> 20} MB", pixels=MOST_PIXELS // 10_000,
        whole=MOST_PIXELS_WHOLE // 10_000, pages=MOST_PAGES,
    )


class EvidenceType(
    Refused, code="evidence_type", title="不收这种文件",
    detail="只收 JPEG、PNG 图片和 PDF 文件（看内容，不看文件名）；"
    "请另存为其中一种，或用相机直接拍照。",
):
    """A file of another type, whatever it is called."""


class EvidenceUnreadable(
    Refused, code="evidence_unreadable", title="文件读不出来",
    detail="文件已损坏、不完整、有密码，或含有无法检查的图片，无法去除其中的拍摄地点等信息；"
    "请重新拍照或另存后再试。",
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


def media_type_of(content: bytes) -> MediaType:
    """What an uploaded file is, by its first bytes; the rest is not looked at.

    :raises EvidenceEmpty: for no bytes.
    :raises EvidenceTooLarge: for too many bytes.
    :raises EvidenceType: for what is neither JPEG, PNG nor PDF.
    """
    if not content:
        raise EvidenceEmpty
    if len(content) > MOST_BYTES:
        raise too_large()
    media_type = next((t for b, t in _BEGINS_WITH.items() if content.startswith(b)), None)
    if media_type is None:
        raise EvidenceType
    return media_type


# ---- pictures ----


def clean_picture(content: bytes, media_type: MediaType) -> bytes:
    """A picture written anew, at most as large as is read on a screen.

    :raises EvidenceTooLarge: for too many pixels.
    :raises EvidenceUnreadable: for what is damaged.
    """
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
            most = MOST_PIXELS if found.format == "JPEG" else MOST_PIXELS_WHOLE
            if found.width * found.height > most:
                raise too_large()
            found.draft("RGB", (LONGEST_EDGE, LONGEST_EDGE))
            upright = ImageOps.exif_transpose(found)
            plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_large() from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise EvidenceUnreadable from error
    plain.info.clear()
    return plain
