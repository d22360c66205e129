"""What is left of a PDF that shows what its pages show, and nothing else?

It loses its particulars, scripts, bookmarks, embedded files and comments' authors; what its
annotations show is drawn into the page first. The photos within lose what cameras and
programs wrote into them; a photo whose packing cannot be looked into is refused.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

import pikepdf

from domain.evidence import MOST_BYTES
from workers.evidence_cleaning import MOST_PAGES, EvidenceUnreadable, too_large

_OF_DOCUMENT: Final = (
    "/Metadata", "/PieceInfo", "/OpenAction", "/AA", "/Names", "/AcroForm", "/AF", "/Collection",
    "/Outlines", "/Threads", "/StructTreeRoot", "/SpiderInfo", "/URI", "/Perms", "/Legal", "/DSS",
)
_OF_PAGE: Final = ("/B", "/VP")
"""Article beads, and the geography of what a page shows."""
_OF_OBJECT: Final = (
    "/Metadata", "/PieceInfo", "/LastModified", "/Thumb", "/Annots", "/AF", "/OPI", "/JS",
)
_OF_ACTIONS: Final = ("/A", "/AA", "/EF")
"""Actions and embedded files. A stream of that name is a letter of a drawn font."""
_SHORT: Final = {"/DCT": "/DCTDecode", "/Fl": "/FlateDecode"}
_PHOTO: Final = {"/DCTDecode", "/JPXDecode"}
_NEXT_MARKER: Final = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
"""Where a JPEG's scan ends: bytes of a scan and its restart markers are none of these."""


def clean_paper(content: bytes) -> bytes:
    """A PDF without what it says of who made it, when and with what.

    :raises EvidenceTooLarge: for too many pages, or a photo that unpacks to too much.
    :raises EvidenceUnreadable: for what is damaged, encrypted or cannot be looked into.
    """
    out = io.BytesIO()
    try:
        with pikepdf.open(io.BytesIO(content)) as paper:
            if paper.is_encrypted:
                raise EvidenceUnreadable
            if len(paper.pages) > MOST_PAGES:
                raise too_large()
            paper.flatten_annotations()
            _strip(paper)
            paper.save(out, deterministic_id=True)
    except pikepdf.PdfError as error:
        raise EvidenceUnreadable from error
    return out.getvalue()


def _strip(paper: pikepdf.Pdf) -> None:
    if "/Info" in paper.trailer:
        del paper.trailer.Info
    _without(paper.Root, _OF_DOCUMENT)
    for page in paper.pages:
        _without(page.obj, _OF_PAGE)
    for part in paper.objects:
        for inner in _dictionaries(part):
            _without(inner, _OF_OBJECT)
            _without(inner, [n for n in _OF_ACTIONS if not _is_stream(inner.get(n))])
        if isinstance(part, pikepdf.Stream):
            _strip_stream(part)


def _dictionaries(part: Any) -> Iterator[Any]:
    """An object and those within it that have no number of their own."""
    left = [part]
    while left:
        match left.pop():
            case pikepdf.Dictionary() | pikepdf.Stream() as found:
                yield found
                left += [v for _name, v in found.items() if _is_within(v)]
            case pikepdf.Array() as found:
                left += [v for v in found if _is_within(v)]


def _is_within(value: Any) -> bool:
    is_several = isinstance(value, pikepdf.Dictionary | pikepdf.Array)
    return is_several and not value.is_indirect


def _is_stream(value: Any) -> bool:
    return isinstance(value, pikepdf.Stream)


def _without(part: Any, names: Iterable[str]) -> None:
    for name in names:
        if name in part:
            del part[name]


# ---- photos within ----


def _strip_stream(part: pikepdf.Stream) -> None:
    """Take from a stream that is a photo what is no picture.

    :raises EvidenceUnreadable: where it is packed in a way that is not looked into.
    """
    packing = [_SHORT.get(str(name), str(name)) for name in _several(part.get("/Filter"))]
    if not _PHOTO.intersection(packing):
        return
    told, raw = _several(part.get("/DecodeParms")), part.read_raw_bytes()
    match packing:
        case ["/DCTDecode"]:
            pass
        case ["/FlateDecode", "/DCTDecode"] if not (told and told[0]):
            raw = _inflated(raw)
        case _:
            raise EvidenceUnreadable
    of_photo = told[-1] if len(told) == len(packing) else None
    part.write(
        b"".join(_segments(raw)), filter=pikepdf.Name.DCTDecode, decode_parms=of_photo
    )


def _several(value: Any) -> list[Any]:
    """What a key of a stream says, once or several times."""
    if value is None:
        return []
    return list(value) if isinstance(value, pikepdf.Array) else [value]


def _inflated(packed: bytes) -> bytes:
    try:
        found = zlib.decompressobj().decompress(packed, MOST_BYTES + 1)
    except zlib.error as error:
        raise EvidenceUnreadable from error
    if len(found) > MOST_BYTES:
        raise too_large()
    return found


def _segments(jpeg: bytes) -> Iterator[bytes]:
    """A JPEG's segments and scans (ITU T.81 B.1), to its end and not beyond, but for those
    in which cameras and programs write.

    APP0 (JFIF) and APP14 (Adobe) say how to read the colours, and stay.
    """
    at = jpeg.find(b"\xff\xd8") + 2
    yield b"\xff\xd8"
    while at + 4 <= len(jpeg) and jpeg[at + 1] != 0xD9:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4])
        if jpeg[at] != 0xFF or length < 2:
            raise EvidenceUnreadable
        if marker == 0xFF:  # one of several that fill up
            at += 1
            continue
        end = at + 2 + length
        if marker == 0xDA:
            found = _NEXT_MARKER.search(jpeg, end)
            end = found.start() if found else len(jpeg)
        if not ((0xE1 <= marker <= 0xEF and marker != 0xEE) or marker == 0xFE):
            yield jpeg[at:end]
        at = end
    yield b"\xff\xd9"
