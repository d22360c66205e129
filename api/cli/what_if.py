"""Which other definitions does a file give, and do they close with the rows beside them?"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from api.cli.common import CommandFailedError
from domain.indicators import Indicator, refuse_faults
from domain.shapes import shape_said
from projections.evaluation.cycles import cycle_set
from projections.histories import Histories
from projections.indicator_checks import faults_of, set_faults

MOST_BYTES: Final = 1024 * 1024


def definitions_in(file: Path) -> tuple[Indicator, ...]:
    """The definitions of a file: a list, or an object that has one as ``definitions``.

    :raises CommandFailedError: where it is no such file.
    :raises BadIndicator: where a definition cannot be counted.
    """
    if file.stat().st_size > MOST_BYTES:
        raise CommandFailedError(f"{file} 过大")
    try:
        said: Any = msgspec.json.decode(file.read_bytes())
        given = said["definitions"] if isinstance(said, dict) else said
        definitions = msgspec.convert(given, tuple[Indicator, ...])
    except KeyError as error:
        raise CommandFailedError(f"{file} 不是口径的 JSON 文件：缺少“definitions”") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CommandFailedError(f"{file} 不是口径的 JSON 文件：{shape_said(error)}") from error
    for number, row in enumerate(definitions):
        refuse_faults(faults_of(row), f"/definitions/{number}")
    return definitions


def refuse_unfit_at(
    connection: Connection, histories: Histories, station: str, cycle: str,
    definitions: tuple[Indicator, ...],
) -> None:
    """Refuse definitions that do not close with the other rows of a cycle's set.

    :raises BadIndicator: for the first such definition.
    """
    if definitions:
        chosen = cycle_set(connection, histories, station, cycle)
        refuse_faults(set_faults(chosen.defining(definitions).indicators), "/definitions")
