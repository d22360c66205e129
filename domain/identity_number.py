"""Is this a possible citizen ID number (GB 11643)?

Only the check character and the birth date are judged. The region code is not:
the library's own ``validate()`` refuses every 370102 number born before 1983, that
is, the station's elderly clients, because the code was later abolished.
"""

from __future__ import annotations

import re
from datetime import date

from stdnum.cn import ric
from stdnum.exceptions import ValidationError

from domain.kernel import Refused


class BadIdNumber(
    Refused, code="bad_id_number", title="身份证号不正确",
    detail="身份证号{problem}，请对照证件核对。",
):
    """An ID number that no card can bear; the number itself is not repeated."""


_IDENTIFYING = re.compile(r"(?<![0-9A-Za-z])(?:\d{17}[\dXx]|1[3-9]\d{9})(?![0-9A-Za-z])")
"""An ID number or a mobile telephone's number, standing alone: in a random id it may occur."""


class IdentifyingId(
    Refused, code="identifying_id", title="编号中不能有证件号码或手机号码",
    detail="编号“{got}”含有证件号码或手机号码。编号不加密、也不能删除，请另用不透露身份的编号。",
):
    """Ids stand open in the ledger for ever: they identify nobody to a stranger."""


def refuse_identifying(identifier: str) -> None:
    """Refuse an id that is, or holds, an ID number or a mobile number.

    :raises IdentifyingId: where it does; its answer shows it in part only.
    """
    if found := _IDENTIFYING.search(identifier):
        raise IdentifyingId(got=f"{found.group()[:3]}…{found.group()[-2:]}")


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
