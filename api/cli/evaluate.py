"""How does a project cycle score, recounted from the log? ``taizhang evaluate``.

One station or all; what-if by a file of definitions or another moment of knowing. Without
``--actor`` nothing is recorded. With it the runs stand in the ledger, and where the
service runs its workers share the stations.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from api.cli.common import (
    CommandFailedError,
    json_option,
    needs_ledger,
    only_station,
    print_json,
    read_settings,
)
from api.cli.evaluate_bundle import Asked, evaluate_bundle
from api.cli.imports import progress_bar
from api.cli.score_sheets import Files, print_beside, print_runs, print_sheet, write_files
from api.cli.what_if import definitions_in, refuse_unfit_at
from api.evaluation_data import beside_data, sheet_data
from api.identity import new_id
from api.report_data import KNOWN_AT_HELP
from domain.evaluation import EvaluationRun
from domain.indicators import Indicator
from domain.kernel import Refused
from domain.vocabulary import Role
from projections.evaluation.evaluating import Question
from projections.moments import KnownAt, known_at_text, parse_known_at, refuse_ahead
from projections.stations import station_codes
from projections.timeline import records_of_kind
from workers.evaluating import Workshop, evaluate, run_evaluation, run_of, sheet_of, what_if
from workers.jobs.evaluate import context_of
from workers.queues import (
    ENDED,
    EvaluationAsked,
    QueueUnavailableError,
    Wakeups,
    evaluation_job,
)
from workers.runtime import Runtime
from workers.score_sheet_proof import proof_of
from workers.service import running

A_DAY: Final = click.DateTime(["%Y-%m-%d"])
A_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
TO_WRITE: Final = click.Path(dir_okay=False, path_type=Path)
WAIT_SECONDS: Final = 3600.0
PAUSE_SECONDS: Final = 0.2


@click.command("evaluate")
@click.argument("bundle", required=False, type=A_FILE)
@click.option("--key", "key_text", metavar="公钥", help="公钥，或存有公钥的文件（复算导出包用）。")
@click.option("--station", help="社工站编号（只有一个站时可省略）。")
@click.option("--all", "is_all", is_flag=True, help="全部社工站。")
@click.option(
    "--cycle", metavar="周期",
    help="如 2024-2025；省略为最近一份任务书的周期（各站不同时须写明）。",
)
@click.option("--as-of", type=A_DAY, metavar="日期", help="截至哪一天的服务（中期评估）。")
@click.option("--known-at", type=parse_known_at, metavar="时刻", help=f"{KNOWN_AT_HELP}。")
@click.option(
    "--what-if", "file", type=A_FILE,
    help="另一套口径的 JSON 文件（写法同 /indicators/preview 的 definitions），并列重算。",
)
@click.option(
    "--what-if-known-at", "other_known_at", type=parse_known_at, metavar="时刻",
    help="按另一时刻所知并列重算。",
)
@click.option("--actor", help="评估人；给出时把这次评估记入台账，否则什么也不保存。")
@click.option("--docx", type=TO_WRITE, help="把评分表写成 Word 文件（含图表）。")
@click.option("--xlsx", type=TO_WRITE, help="把评分表写成 Excel 文件（含图表和全部明细）。")
@json_option
def evaluate_command(
    *, bundle: Path | None, key_text: str | None, docx: Path | None, xlsx: Path | None,
    station: str | None, is_all: bool, cycle: str | None, as_of: datetime | None,
    known_at: KnownAt | None, file: Path | None, other_known_at: KnownAt | None,
    actor: str | None, as_json: bool,
) -> None:
    """从台账重算一个项目周期，按任务书评分；给出 BUNDLE 时离线复算导出包。

    复算导出包只需要该文件和公钥（--key），不读取任何设置和数据库。
    """
    files = Files(docx, xlsx)
    is_beside = file is not None or other_known_at is not None
    if files and (is_all or is_beside):
        raise click.UsageError("--docx、--xlsx 不能与 --all、--what-if 或 --what-if-known-at 同用")
    if bundle is not None:
        if station or is_all or actor:
            raise click.UsageError("复算导出包时不用 --station、--all、--actor")
        evaluate_bundle(bundle, key_text, Asked(
            cycle, as_of.date() if as_of else None, known_at, file, other_known_at, files, as_json,
        ))
        return
    settings = read_settings()
    needs_ledger(settings)
    if is_all and (station or is_beside):
        raise click.UsageError("--all 不能与 --station、--what-if 或 --what-if-known-at 同用")
    runtime = Runtime(settings)
    try:
        for moment in (known_at, other_known_at):
            refuse_ahead(moment, runtime.ledger.head())
        runtime.read_models.advance(runtime.ledger)
        stations = _stations(runtime, station, is_all=is_all)
        asked = Question(
            cycle or _newest_cycle(runtime, stations), as_of.date() if as_of else None, known_at
        )
        if is_all:
            _all(runtime, stations, asked, actor, as_json=as_json)
        elif is_beside:
            given = _definitions(runtime, stations[0], asked.cycle, file) if file else ()
            _beside(runtime, stations[0], asked, given, other_known_at, as_json=as_json)
        else:
            _one(runtime, stations[0], asked, actor, files, as_json=as_json)
    finally:
        runtime.close()


def _stations(runtime: Runtime, station: str | None, *, is_all: bool) -> list[str]:
    with runtime.read_models.engine.connect() as connection:
        codes = station_codes(connection)
    if is_all and codes:
        return codes
    return [station or only_station(codes)]


def _newest_cycle(runtime: Runtime, stations: list[str]) -> str:
    """The cycle of the task book that was drafted last, where it is the same at all stations."""
    with runtime.read_models.engine.connect() as connection:
        newest = [
            records_of_kind(connection, station, "task_book", topic="task_book.drafted", limit=1)
            for station in stations
        ]
    cycles = sorted({str(book.data["cycle"]) for drafted in newest for book in drafted})
    if not cycles:
        where = f"社工站 {stations[0]}" if len(stations) == 1 else "各社工站"
        raise click.UsageError(f"{where}还没有任务书，请用 --cycle 指明项目周期")
    if len(cycles) > 1:
        raise click.UsageError(
            f"各社工站最近的任务书不是同一周期（{'、'.join(cycles)}），请用 --cycle 指明项目周期"
        )
    return cycles[0]


def workshop_of(runtime: Runtime) -> Workshop:
    """What evaluating works with."""
    return Workshop(runtime.settings, runtime.ledger, runtime.read_models)


def _one(
    runtime: Runtime, station: str, asked: Question, actor: str | None, files: Files, *,
    as_json: bool,
) -> None:
    shop = workshop_of(runtime)
    if actor is None:
        sheet = evaluate(shop, station, asked)
    else:
        said = _asked(asked, actor)
        now = datetime.now(UTC)  # noqa: TID251 - the command line is an edge
        run_evaluation(shop, said.identity, asked, context_of(station, said, now))
        sheet = sheet_of(shop, station, said.identity)
    if files:
        proof = proof_of(runtime.settings, runtime.seals)
        write_files(files, sheet, proof, runtime.settings.home / "templates")
    if as_json:
        print_json(sheet_data(sheet))
    else:
        print_sheet(sheet)


def _asked(asked: Question, actor: str) -> EvaluationAsked:
    """Whoever sits at the machine acts as a reviewer, under the name that he gives."""
    said = known_at_text(asked.known_at)
    return EvaluationAsked(
        new_id(), asked.cycle, asked.as_of.isoformat() if asked.as_of else None,
        None if said is None else str(said), actor, Role.REVIEWER.value,
    )


# ---- what if ----


def _beside(
    runtime: Runtime, station: str, asked: Question, definitions: Sequence[Indicator],
    other_known_at: KnownAt | None, *, as_json: bool,
) -> None:
    other = Question(
        asked.cycle, asked.as_of, asked.known_at if other_known_at is None else other_known_at,
        tuple(definitions),
    )
    found = what_if(workshop_of(runtime), station, asked, other)
    if as_json:
        print_json(beside_data(found))
    else:
        print_beside(found)


def _definitions(
    runtime: Runtime, station: str, cycle: str, file: Path
) -> tuple[Indicator, ...]:
    """The definitions of a file, which close with the rows of the station's set."""
    definitions = definitions_in(file)
    with runtime.read_models.engine.connect() as connection:
        refuse_unfit_at(connection, runtime.ledger, station, cycle, definitions)
    return definitions


# ---- all stations ----


def _all(
    runtime: Runtime, stations: list[str], asked: Question, actor: str | None, *, as_json: bool
) -> None:
    begun = time.perf_counter()
    service = running(runtime.settings)
    redis_url = runtime.settings.redis_url or (service.redis_url if service else None)
    if actor is not None and redis_url is not None and service is not None:
        found = _by_workers(runtime, redis_url, stations, _asked(asked, actor))
    else:
        found = _here(runtime, stations, asked, actor)
    if as_json:
        print_json({"cycle": asked.cycle, "stations": found})
    else:
        print_runs(asked.cycle, found, time.perf_counter() - begun)
    if any("problem" in row for row in found):
        raise CommandFailedError("有的社工站没有评估成功")


def _here(
    runtime: Runtime, stations: list[str], asked: Question, actor: str | None
) -> list[dict[str, Any]]:
    """One after the other in this process."""
    shop, found = workshop_of(runtime), list[dict[str, Any]]()
    said = _asked(asked, actor or "")
    with progress_bar("评估") as progress:
        for number, station in enumerate(stations, start=1):
            now = datetime.now(UTC)  # noqa: TID251 - the command line is an edge
            try:
                if actor is None:
                    sheet = evaluate(shop, station, asked)
                    found.append(_row(station, sheet.weight, sheet.judged_weight, sheet.points))
                else:
                    context = context_of(station, said, now)
                    run = run_evaluation(shop, said.identity, asked, context)
                    found.append(_run_row(station, run))
            except Refused as refusal:
                found.append({"station": station, "problem": str(refusal)})
            progress(number, len(stations))
    return found


def _by_workers(
    runtime: Runtime, redis_url: str, stations: list[str], said: EvaluationAsked
) -> list[dict[str, Any]]:
    """A job a station, shared by the service's workers; ended early, what waits is taken back."""
    wakeups = Wakeups(redis_url)
    try:
        with progress_bar("评估") as progress:
            jobs = wakeups.evaluate(said, stations)
            try:
                _wait(wakeups, jobs, progress)
            except KeyboardInterrupt:
                wakeups.cancel(jobs)
                raise
        states = wakeups.jobs(jobs)
    finally:
        wakeups.close()
    found: list[dict[str, Any]] = []
    for station in stations:
        run = run_of(runtime.ledger, station, said.identity)
        state = states.get(evaluation_job(said.identity, station))
        problem = state.result.get("problem") if state and isinstance(state.result, dict) else None
        found.append(
            _run_row(station, run) if run
            else {"station": station, "problem": problem or (state.status if state else "unknown")}
        )
    return found


def _wait(wakeups: Wakeups, jobs: list[str], progress: Any) -> None:
    """Wait, bounded, until every job has ended."""
    until = time.monotonic() + WAIT_SECONDS
    ended = {status.value for status in ENDED}
    while time.monotonic() < until:
        try:
            states = wakeups.jobs(jobs)
        except QueueUnavailableError:  # the jobs go on; whoever waits asks again
            time.sleep(PAUSE_SECONDS)
            continue
        done = sum(job not in states or states[job].status in ended for job in jobs)
        progress(done, len(jobs))
        if done == len(jobs):
            return
        time.sleep(PAUSE_SECONDS)


def _run_row(station: str, run: EvaluationRun) -> dict[str, Any]:
    weight, judged = (sum(getattr(h, n) for h in run.heads) for n in ("weight", "judged_weight"))
    return _row(station, weight, judged, sum(h.points for h in run.heads)) | {"code": run.code}


def _row(station: str, weight: int, judged_weight: int, points: object) -> dict[str, Any]:
    return {
        "station": station, "weight": weight, "judged_weight": judged_weight,
        "points": str(points),
    }
