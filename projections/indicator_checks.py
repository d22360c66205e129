"""Can an indicator be counted, and if not, where is the fault?

Every fault is a JSON pointer into the definition and a Chinese sentence. The check is
registered with the domain, so that no definition comes into the ledger without it,
whichever way it comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from domain.code_lists import code_list
from domain.indicators import (
    CHECKS,
    Aggregation,
    Counted,
    Fault,
    Indicator,
    PeriodRule,
    Without,
)
from domain.vocabulary import Unit
from projections.measures import MEASURES, CodeSource, Kind, Measure
from projections.postings import ENVELOPE_DIMENSIONS

AGGREGATION: Final = {
    Kind.FLOW: Aggregation.SUM,
    Kind.STOCK: Aggregation.AT_END,
    Kind.DISTINCT: Aggregation.DISTINCT,
    Kind.DURATION: Aggregation.AVERAGE,
}
"""How a measure of a kind adds up where an indicator says nothing else."""
POSSIBLE: Final[Mapping[Kind, tuple[Aggregation, ...]]] = {
    Kind.FLOW: (Aggregation.SUM, Aggregation.COUNT),
    Kind.STOCK: (Aggregation.AT_END, Aggregation.MONTHLY_MEAN),
    Kind.DISTINCT: (Aggregation.DISTINCT, Aggregation.COUNT),
    Kind.DURATION: (Aggregation.AVERAGE, Aggregation.SUM, Aggregation.COUNT),
}
CONVERTED: Final = {(Unit.MINUTE, 60): Unit.HOUR, (Unit.YUAN, 100): Unit.YUAN}
"""What a measure's unit becomes when it is divided; money is posted in fen."""
ALSO_PRINTED_AS: Final = {Unit.TIMES: (Unit.EVENT,)}
"""An activity is counted in 次 and may be printed as 场."""
UNITS_OF_COUNT: Final = (
    Unit.TIMES, Unit.EVENT, Unit.SESSION, Unit.ITEM, Unit.PIECE, Unit.FILE,
    Unit.HOUSEHOLD_TIMES, Unit.PERSON_TIMES,
)


def aggregation_of(row: Indicator) -> Aggregation | None:
    """How the row's postings add up; ``None`` for a remainder."""
    if row.measure is None:
        return None
    return row.aggregation or AGGREGATION[MEASURES[row.measure].kind]


def kind_of(row: Indicator) -> str:
    """The kind of the row's measure, or ``remainder``."""
    return MEASURES[row.measure].kind.value if row.measure else "remainder"


def faults_of(row: Indicator, _set_code: str | None = None) -> Iterator[Fault]:
    """What is wrong with a definition in itself."""
    if (row.measure is None) == (row.remainder_of is None):
        yield Fault("/measure", "须且只须填写 measure（计量）或 remainder_of（余数）之一")
        return
    if row.measure is None:
        yield from _of_remainder(row)
        return
    if row.minus:
        yield Fault("/minus", "只有余数（remainder_of）才能相减")
    places = ("", *(f"/plus/{number}" for number in range(len(row.plus))))
    terms: list[tuple[str, Counted | Without]] = list(zip(places, row.terms, strict=True))
    terms += [("/without", row.without)] if row.without else []
    unknown = [place for place, term in terms if term.measure not in MEASURES]
    for place, term in terms:
        if place in unknown:
            yield Fault(f"{place}/measure", f"没有名为“{term.measure}”的计量")
        else:
            yield from _of_filter(place, term)
    if not unknown:
        yield from _of_counting(row)


def _of_remainder(row: Indicator) -> Iterator[Fault]:
    stated = {
        "filter": row.filter, "plus": row.plus, "without": row.without,
        "aggregation": row.aggregation,
    }
    for name, value in stated.items():
        if value:
            yield Fault(f"/{name}", "余数由其他指标相减得出，不能另有计量条件")
    if row.divide_by != 1:
        yield Fault("/divide_by", "余数由其他指标相减得出，不再换算单位")


def _of_filter(place: str, term: Counted | Without) -> Iterator[Fault]:
    measure = MEASURES[term.measure]
    free: dict[str, CodeSource] = dict.fromkeys(ENVELOPE_DIMENSIONS, "")
    dimensions = {**measure.by, **free}
    for dimension, wanted in term.filter.items():
        where = f"{place}/filter/{dimension.replace('~', '~0').replace('/', '~1')}"
        if dimension not in dimensions:
            known = "、".join(dimensions)
            yield Fault(where, f"计量“{measure.label}”没有“{dimension}”这一维，可用：{known}")
            continue
        codes = codes_of(dimensions[dimension])
        for value in (wanted,) if isinstance(wanted, str) else wanted:
            if codes and value not in codes:
                yield Fault(where, f"“{value}”不在代码表中，可用：{'、'.join(codes)}")


def codes_of(source: CodeSource) -> tuple[str, ...]:
    """The codes that a dimension may have; none where it is free."""
    if isinstance(source, str):
        return tuple(code_list(source)) if source else ()
    return tuple(member.value for member in source)


def _of_counting(row: Indicator) -> Iterator[Fault]:
    measures = [MEASURES[term.measure] for term in row.terms]
    kind, aggregation = measures[0].kind, aggregation_of(row)
    for number, measure in enumerate(measures[1:]):
        if measure.kind is not kind:
            kinds = f"“{kind.label}”与“{measure.kind.label}”"
            yield Fault(f"/plus/{number}/measure", f"两种计量（{kinds}）不能相加")
    if aggregation not in POSSIBLE[kind]:
        known = "、".join(f"{a.value}（{a.label}）" for a in POSSIBLE[kind])
        yield Fault(
            "/aggregation", f"“{kind.label}”的计量不能按“{row.aggregation}”汇总，可用：{known}"
        )
    if kind is Kind.STOCK and row.over is not PeriodRule.PERIOD:
        yield Fault("/over", "存量总是期末数，不能另定起算日")
    for measure in measures:
        if not fits_unit(row, measure):
            yield Fault(
                "/unit", f"单位“{row.unit.label}”（除以 {row.divide_by}）与计量“{measure.label}”"
                f"的单位“{measure.unit.label}”不符",
            )
            break
    if row.without is not None:
        yield from _of_absence(row, measures)


def fits_unit(row: Indicator, measure: Measure) -> bool:
    """Whether what is counted can be printed in the row's unit."""
    if aggregation_of(row) is Aggregation.COUNT:
        return row.unit in UNITS_OF_COUNT and row.divide_by == 1
    converted = CONVERTED.get((measure.unit, row.divide_by))
    if converted is not None:
        return row.unit is converted
    if row.divide_by != 1 or measure.unit is Unit.YUAN:
        return False
    is_one_occasion = row.is_fact and measure.unit is Unit.PERSON_TIMES
    also = (*ALSO_PRINTED_AS.get(measure.unit, ()), *((Unit.PERSON,) if is_one_occasion else ()))
    return row.unit in (measure.unit, *also)


def _of_absence(row: Indicator, measures: list[Measure]) -> Iterator[Fault]:
    assert row.without is not None
    other = MEASURES[row.without.measure]
    if row.plus:
        yield Fault("/plus", "“若干天内没有”（without）不能与其他计量相加")
    if measures[0].kind is not Kind.STOCK or not measures[0].entities:
        yield Fault("/without", f"“若干天内没有”只能用于逐户在册的存量，“{measures[0].label}”不是")
    elif other.entities != measures[0].entities or other.kind is Kind.STOCK:
        yield Fault("/without/measure", f"“{other.label}”不按{measures[0].label}逐一计数")


# ---- rows together ----


def set_faults(indicators: Sequence[Indicator]) -> Iterator[Fault]:
    """What is wrong with rows together: doubled codes, rows that are missing, cycles."""
    by_code: dict[str, Indicator] = {}
    for number, row in enumerate(indicators):
        if row.code in by_code:
            yield Fault(f"/{number}/code", f"编号“{row.code}”出现两次")
        by_code[row.code] = row
    for number, row in enumerate(indicators):
        for where, code in _references(row):
            place = f"/{number}/{where}"
            other = by_code.get(code)
            if other is None:
                yield Fault(place, f"引用了集中没有的指标“{code}”")
            elif where != "part_of" and other.unit is not row.unit:
                units = f"“{row.unit.label}”与“{other.unit.label}”"
                yield Fault(place, f"与“{code}”的单位不同（{units}），不能相减")
        cycle = _cycle(row.code, by_code)
        if cycle:
            yield Fault(f"/{number}/remainder_of", f"余数循环引用：{' → '.join(cycle)}")


def _references(row: Indicator) -> Iterator[tuple[str, str]]:
    """The other rows that a row refers to, with the field that does."""
    if row.part_of:
        yield "part_of", row.part_of
    if row.remainder_of:
        yield "remainder_of", row.remainder_of
    for number, code in enumerate(row.minus):
        yield f"minus/{number}", code


def _cycle(code: str, by_code: dict[str, Indicator], path: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The way by which a remainder leads back to itself; empty where it does not."""
    if code in path:
        return (*path[path.index(code) :], code) if code == path[0] else ()
    row = by_code.get(code)
    wanted = (*filter(None, [row.remainder_of]), *row.minus) if row else ()
    return next(filter(None, (_cycle(other, by_code, (*path, code)) for other in wanted)), ())


CHECKS.append(faults_of)
