"""Which citizen ID numbers are possible? All numbers here are invented."""

from __future__ import annotations

from datetime import date

import pytest
from domain_spec import refused

from domain.identity_number import BadIdNumber, IdentifyingId, check_id_number, refuse_identifying

TODAY = date(2024, 12, 5)


def numbered(seventeen: str) -> str:
    """The number with the check character that GB 11643 computes for it."""
    weights = [2 ** (17 - n) % 11 for n in range(17)]
    total = sum(int(digit) * weight for digit, weight in zip(seventeen, weights, strict=True))
    return seventeen + "10X98765432"[total % 11]


BORN_1949 = numbered("37010219490203001")
WITH_X = next(
    number
    for number in (numbered(f"37010219490203{n:03}") for n in range(1000))
    if number.endswith("X")
)


def test_a_number_of_1949_with_its_region_since_abolished_is_accepted() -> None:
    check_id_number(BORN_1949, TODAY)


def test_a_check_character_x_is_accepted_in_either_case() -> None:
    check_id_number(WITH_X, TODAY)
    check_id_number(WITH_X.lower(), TODAY)


def test_a_person_born_today_has_a_number() -> None:
    check_id_number(numbered("37010220241205001"), TODAY)


BAD = {
    "wrong check character": (BORN_1949[:-1] + str((int(BORN_1949[-1]) + 1) % 10), "校验码"),
    "impossible date": (numbered("37010219490230001"), "出生日期不存在"),
    "month 13": (numbered("37010219491301001"), "出生日期不存在"),
    "born tomorrow": (numbered("37010220241206001"), "晚于今天"),
    "17 characters": (BORN_1949[:-1], "18 位"),
    "19 characters": (BORN_1949 + "1", "18 位"),
    "empty": ("", "18 位"),
    "a letter within": ("3701021949020300A" + "1", "18 位"),
    "full-width digits": ("３" + BORN_1949[1:], "18 位"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_impossible_number_is_refused_without_being_repeated(case: str) -> None:
    number, problem = BAD[case]
    with refused("bad_id_number") as caught:
        check_id_number(number, TODAY)
    assert isinstance(caught.value, BadIdNumber)
    assert problem in str(caught.value)
    if number:
        assert number not in str(caught.value)
        assert number not in repr(caught.value.facts)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("identifier", [
    "110105184001011230", "11010518400101123X", "13800138000", "p-13800138000", "hu_13800138000.2",
])
def test_an_id_that_identifies_somebody_is_refused(identifier: str) -> None:
    with pytest.raises(IdentifyingId) as refusal:
        refuse_identifying(identifier)
    assert identifier not in str(refusal.value)


@pytest.mark.parametrize("identifier", [
    "p1", "20241105001", "1a13800138000b", "6f13800138000f1d2a5c8e9b7a1d3c4e", "2024-11-05-12",
])
def test_any_other_id_is_not(identifier: str) -> None:
    refuse_identifying(identifier)
