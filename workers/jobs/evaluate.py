"""How is a station's project cycle evaluated in the background?"""

from __future__ import annotations

from datetime import UTC, date, datetime

from rq import get_current_job

from domain.kernel import Context, Refused
from projections.evaluation.evaluating import Question
from projections.moments import parse_known_at
from workers import runtime
from workers.evaluating import Workshop, run_evaluation
from workers.queues import EvaluationAsked


def evaluate(station: str, *said: str | None) -> dict[str, object]:
    """Evaluate one station and record the run, with the progress on the job.

    A job that is tried again after its worker was killed records no second run.
    """
    asked = EvaluationAsked(*said)  # type: ignore[arg-type]  # as workers.queues handed it over
    job = get_current_job()
    assert job is not None

    def progress(done: int, total: int) -> None:
        job.meta.update(done=done, total=total)
        job.save_meta()  # type: ignore[no-untyped-call]

    here = runtime.current()
    now = datetime.now(UTC)  # noqa: TID251 - a job is an edge
    try:
        run = run_evaluation(
            Workshop(here.settings, here.ledger, here.read_models), asked.identity,
            question_of(asked), context_of(station, asked, now), progress,
        )
    except Refused as refusal:  # asked again, it would be refused again
        return {"station": station, "problem": str(refusal), "refused": refusal.code}
    return {"station": station, "points": str(sum(h.points for h in run.heads)), "code": run.code}


def question_of(asked: EvaluationAsked) -> Question:
    """What is asked, read from its texts."""
    return Question(
        asked.cycle, date.fromisoformat(asked.as_of) if asked.as_of else None,
        parse_known_at(asked.known_at) if asked.known_at else None,
    )


def context_of(station: str, asked: EvaluationAsked, now: datetime) -> Context:
    """Who evaluates: whoever asked, at the station that is evaluated."""
    key = f"evaluation-{asked.identity}"
    return Context(
        now=now, actor=asked.actor, role=asked.role, station=station, request_id=key,
        idempotency_key=key,
    )
