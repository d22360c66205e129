"""In which letters may a name be typed? 王秀兰 as wxl, wangxiulan, xiulan, wangxl, …

What is typed matches where it begins, one after another, some of a name's characters: of each
at least the first letter of one of its readings. A character is read in every way that it can
be, so that surnames with a reading of their own (单 shan, 曾 zeng, 尉迟 yuchi) need no list.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import islice, product
from pathlib import Path
from typing import Final

import msgspec

from workers.keyring_tables import comparable

MOST_READINGS: Final = 4
"""Of a character, the usual ones first; only rare characters have more."""
MOST_SPELLINGS: Final = 24
"""Of a name: a name of three characters with two readings each has eight."""
MOST_SYLLABLES: Final = 16
"""So much of a name is spelled: one that is longer is found by how it begins."""
MOST_LETTERS: Final = 40
_TONES: Final = str.maketrans(
    "āáǎàēéěèêīíǐìōóǒòūúǔùüǖǘǚǜńňǹḿ", "aaaaeeeeeiiiioooouuuuvvvvvnnnm"
)
_LETTERS: Final = re.compile(r"[a-z]+")
_TYPED: Final = re.compile(r"[a-z][a-z0-9]*")
_SYLLABLE: Final = re.compile(r"[a-z]+|.")


def folded(said: str) -> str:
    """A name, or a part of one, as it is compared: letters, characters and digits only."""
    return "".join(c for c in comparable(said) if c.isalnum())


def is_spelled(said: str) -> bool:
    """Whether a folded text begins as letters, so that it may be meant as pinyin."""
    return bool(_TYPED.fullmatch(said.translate(_TONES)))


def spellings(name: str) -> str:
    """Each way to read a folded name: a line each, its syllables divided by a space."""
    syllables = _SYLLABLE.findall(name.translate(_TONES))[:MOST_SYLLABLES]
    ways = product(*(_readings(one) for one in syllables))
    return "\n".join(" ".join(way) for way in islice(ways, MOST_SPELLINGS))


def typed(said: str) -> str:
    """What finds a folded text among spellings, as a regular expression.

    Between two letters the rest of a syllable may have been left out.
    """
    return r"(?:[a-z]* )?".join(said.translate(_TONES)[:MOST_LETTERS])


def _readings(syllable: str) -> tuple[str, ...]:
    """How a character is read, without tones; letters and what has no reading are themselves.

    Of characters alone it is kept how they are read: letters are a name as it was written.
    """
    return _read(syllable) if len(syllable) == 1 else (syllable,)


@lru_cache(maxsize=10_000)
def _read(character: str) -> tuple[str, ...]:
    said = _dictionary().get(str(ord(character)), "")
    plain = (one.translate(_TONES) for one in said.split(","))
    found = dict.fromkeys(one for one in plain if _LETTERS.fullmatch(one))
    return tuple(found)[:MOST_READINGS] or (character,)


@cache
def _dictionary() -> dict[str, str]:
    """The readings of some 42,000 characters, by their numbers, the usual ones first.

    Of pypinyin the data alone: its code would hold a list of phrases besides, ten times as much.
    """
    spec = find_spec("pypinyin")
    assert spec is not None, "pypinyin is installed with this program"
    assert spec.origin is not None, "it is a folder with files"
    content = (Path(spec.origin).parent / "pinyin_dict.json").read_bytes()
    return msgspec.json.decode(content, type=dict[str, str])
