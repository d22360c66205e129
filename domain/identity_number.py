"""Is this a possible citizen ID number (GB 11643)?

Only the check character and the birth date are judged. The region code is not:
the library's own ``validate()`` refuses every 370102 number born before 1983, that
is, the station's elderly clients, because the code was later abolished.
"""

from __future__ import annotations

from datetime import date

from stdnum.cn import ric
from stdnum.exceptions import ValidationError

from domain.kernel import Refused


class BadIdNumber(
    Refused, code="bad_id_number", title="身份证号不正确",
    detail="身份证号{problem}，请对照证件核对。",
):
    """An ID number that no card can bear; the number itself is not repeated."""


def check_id_number(number: str, today: date) -> None:
    """Refuse a number with a wrong form, birth date or check character.

    :raises BadIdNumber: saying what is wrong, without repeating the number.
    """
    if len(number) != 18 or not number[:17].isdigit() or not number.isascii():
        raise BadIdNumber(problem="应为 18 位：17 位数字加 1 位校验码")
    try:
        born = ric.get_birth_date(number)
    except ValidationError:
        raise BadIdNumber(problem="中的出生日期不存在") from None
    if born > today:
        raise BadIdNumber(problem="中的出生日期晚于今天")
    if ric.calc_check_digit(number) != number[-1].upper():
        raise BadIdNumber(problem="的校验码不符")
