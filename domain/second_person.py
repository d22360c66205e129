"""Which decisions need two persons? One proposes, another one approves."""

from __future__ import annotations

from domain.kernel import Context, Refused


class SecondPersonNeeded(
    Refused, code="second_person_needed", status=403, title="须由另一人核准",
    detail="此事由 {proposed_by} 提出，须由另一人核准，提出人不能自己核准。",
):
    """Whoever proposes a merge or an erasure does not approve it."""


def refuse_the_same_person(proposed_by: str, context: Context) -> None:
    """Let only somebody else than the proposer go on.

    :raises SecondPersonNeeded: where the actor is the one who proposed.
    """
    if context.actor == proposed_by:
        raise SecondPersonNeeded(proposed_by=proposed_by)
