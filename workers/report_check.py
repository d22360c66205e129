"""Is a given Word file a report that was published, word for word?

The file is read as text: its printed code finds the publication, which is rendered once
more from its frozen snapshot and compared paragraph by paragraph. The file is somebody
else's: it is read in bounds, and nothing in it is run or fetched.
"""

from __future__ import annotations

import io
import lzma
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, Final

from docx.oxml import parse_xml
from docx.oxml.ns import qn

from domain.kernel import Refused
from domain.vocabulary import Labelled
from projections.published_reports import Publication
from workers.published_documents import write_published
from workers.restatement_document import Sources, write_restatement

MOST_FILE_BYTES: Final = 1 << 20
MOST_PART_BYTES: Final = 8 << 20
"""Of the document itself, unpacked; a report has about 100 KiB."""
MOST_MEMBERS: Final = 500
MOST_PARTS: Final = 20
MOST_PARAGRAPHS: Final = 5_000
MOST_DIFFERENCES: Final = 10
_BODY: Final = "word/document.xml"
_FOOTERS: Final = re.compile(r"word/footer\d*\.xml")
_CODE: Final = re.compile(r"\b([0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4})\b")
_SCORE_SHEET: Final = re.compile(r"(\d{4}-\d{4}) 项目周期评估得分表\s*评估码 ([0-9A-F-]{14})")


UNREADABLE: Final = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, NotImplementedError,
    EOFError, OSError, RuntimeError, ValueError, SyntaxError,
)
"""All that unpacking and parsing raise for a file that is no Word file."""


class NotAWordFile(
    Refused, code="not_a_word_file", title="不是可以核对的 Word 文件",
    detail="这个文件不是可以核对的 Word 文件（.docx）：{problem}。",
):
    """Another kind of file, a damaged one, or one that unpacks to far more than a report."""


class ScoreSheetGiven(
    Refused, code="score_sheet_given", title="这是评估得分表，不是月报",
    detail="这个文件是{sheet}，不是发布的报告。得分表按评估码核对：请在本站用 "
    "taizhang evaluate --cycle {cycle}，或离线用 taizhang evaluate 导出包 --key 公钥 重算，"
    "对照评估码 {code}。",
):
    """A score sheet names the reports that it compares, and is none of them."""


class Verdict(Labelled):
    """What a file was found to be."""

    IDENTICAL = "identical", "与发布的报告逐字一致"
    DIFFERS = "differs", "与发布的报告不一致"
    UNKNOWN_CODE = "unknown_code", "文件中的快照码不属于任何已发布的报告"
    NO_CODE = "no_code", "文件中没有快照码"


@dataclass(frozen=True, slots=True)
class Differing:
    """A place where a file and the publication differ; ``None`` where one has nothing there."""

    paragraph: int
    published: str | None
    given: str | None


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of a file."""

    verdict: Verdict
    codes: tuple[str, ...] = ()
    publication: Publication | None = None
    differing: tuple[Differing, ...] = ()
    newest: Publication | None = None
    """The publication that counts today, where that is a later one."""


@dataclass(frozen=True, slots=True)
class Text:
    """The text of a Word file: its paragraphs, those of tables in their place, and footers."""

    paragraphs: tuple[str, ...]
    footers: tuple[str, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes that the file prints, those of its footers first."""
        said = (*self.footers, *self.paragraphs)
        return tuple(dict.fromkeys(code for text in said for code in _CODE.findall(text)))


# ---- reading ----


def read_text(content: bytes) -> Text:
    """The text of a Word file.

    :raises NotAWordFile: for any other file, and for one that is out of bounds.
    """
    if len(content) > MOST_FILE_BYTES:
        raise NotAWordFile(problem=f"大于 {MOST_FILE_BYTES // 1024} KiB")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return _read(packed)
    except UNREADABLE as error:
        raise NotAWordFile(problem=f"文件已损坏或格式不对（{type(error).__name__}）") from error


def _read(packed: zipfile.ZipFile) -> Text:
    names = packed.namelist()
    if _BODY not in names:
        raise NotAWordFile(problem=f"其中没有 {_BODY}")
    if len(names) > MOST_MEMBERS or len(set(names)) != len(names):
        raise NotAWordFile(problem="其中的文件过多或重名")
    footers = [name for name in sorted(names) if _FOOTERS.fullmatch(name)]
    found = [text for name in footers[:MOST_PARTS] for text in _paragraphs(packed, name)]
    return Text(tuple(_paragraphs(packed, _BODY)), tuple(dict.fromkeys(found)))


def _paragraphs(packed: zipfile.ZipFile, name: str) -> Iterator[str]:
    """The paragraphs of a part that are not empty, whatever runs they are divided into."""
    with packed.open(name) as part:  # a header may lie about the size: what counts is what comes
        unpacked = part.read(MOST_PART_BYTES + 1)
    if len(unpacked) > MOST_PART_BYTES:
        raise NotAWordFile(problem=f"{name} 解开后大于 {MOST_PART_BYTES >> 20} MiB")
    if b"<!DOCTYPE" in unpacked or b"<!ENTITY" in unpacked or b"\0" in unpacked:
        raise NotAWordFile(problem=f"{name} 中有不该有的内容")
    root: Any = parse_xml(unpacked)
    texts = (_text(paragraph) for paragraph in root.iter(qn("w:p")))
    found = list(islice(filter(None, texts), MOST_PARAGRAPHS + 1))
    if len(found) > MOST_PARAGRAPHS:
        raise NotAWordFile(problem=f"{name} 的段落多于 {MOST_PARAGRAPHS}")
    yield from found


def _text(paragraph: Any) -> str:
    """A paragraph's own text, with white space as one blank, as a reader sees it."""
    said = [
        (element.text or "") if element.tag == qn("w:t") else " "
        for element in paragraph.iter(qn("w:t"), qn("w:tab"), qn("w:br"))
    ]
    return " ".join("".join(said).split())


# ---- comparing ----

Find = Callable[[Sequence[str]], Sequence[tuple[str, str, int]]]
"""Which publications have a printed code: station, period, number; those of the first first."""


def check(content: bytes, find: Find, sources: Sources, *, tells_reasons: bool) -> Checked:
    """Whether a Word file says what was published under the code that it prints.

    A restatement is compared with its records' reasons; they are told only where
    ``tells_reasons``.

    :raises NotAWordFile: where it cannot be read.
    :raises ScoreSheetGiven: for the score sheet of an evaluation.
    """
    given = read_text(content)
    _refuse_score_sheet(given)
    if not given.codes:
        return Checked(Verdict.NO_CODE)
    places = find(given.codes)
    if not places:
        return Checked(Verdict.UNKNOWN_CODE, given.codes)
    return min(
        (_compared(place, given, sources, tells_reasons=tells_reasons) for place in places),
        key=_how_far,
    )


def _refuse_score_sheet(given: Text) -> None:
    """Refuse what its own footer calls a score sheet."""
    for footer in given.footers:
        if form := _SCORE_SHEET.search(footer):
            cycle, code = form.groups()
            raise ScoreSheetGiven(sheet=f" {cycle} 项目周期评估得分表", cycle=cycle, code=code)


def _how_far(found: Checked) -> int:
    return len(found.differing)


def _compared(
    place: tuple[str, str, int], given: Text, sources: Sources, *, tells_reasons: bool
) -> Checked:
    """A file beside the nearest of a publication's own files."""
    station, period, number = place
    chain = sources.chain(station, period)
    found: list[Checked] = []
    for text, told in _rendered(chain, number, sources, tells_reasons=tells_reasons):
        differing = tuple(_differing(text, given, told))
        verdict = Verdict.DIFFERS if differing else Verdict.IDENTICAL
        newest = chain[-1] if number < len(chain) else None
        found.append(Checked(verdict, given.codes, chain[number - 1], differing, newest))
    return min(found, key=_how_far)


def _rendered(
    chain: Sequence[Publication], number: int, sources: Sources, *, tells_reasons: bool
) -> Iterator[tuple[Text, Text]]:
    """The texts of a publication's files: the report, and of a restatement the explanation.

    Each with what is told of it, paragraph by paragraph the same but for the reasons.
    """
    published = chain[number - 1]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "published.docx"
        write_published(published, target, sources.templates)
        report = read_text(target.read_bytes())
        yield report, report
        if published.is_restatement:
            write_restatement(chain, number, sources, target)
            whole = told = read_text(target.read_bytes())
            if not tells_reasons:
                write_restatement(chain, number, sources, target, tells_reasons=False)
                told = read_text(target.read_bytes())
            yield whole, told


def _differing(published: Text, given: Text, told: Text) -> Iterator[Differing]:
    """The first places where two texts differ; paragraphs are counted from 1."""
    yield from islice(
        (
            *_places(published.paragraphs, given.paragraphs, told.paragraphs),
            *_places(published.footers, given.footers, told.footers),
        ),
        MOST_DIFFERENCES,
    )


def _places(
    published: Sequence[str], given: Sequence[str], told: Sequence[str]
) -> Iterator[Differing]:
    matcher = SequenceMatcher(None, published, given, autojunk=False)
    for what, first, last, begin, end in matcher.get_opcodes():
        if what != "equal":
            pairs = zip_longest(told[first:last], given[begin:end])
            for number, (was, reads) in enumerate(pairs, start=first + 1):
                yield Differing(number, was, reads)
