"""One statement's parts on the branches of several shards: all at once, or so that copies stay alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outgrow.errors import OperationalError
from outgrow.nodes import Rows, together
from outgrow.plan import Part, Plan
from outgrow.runtime.transaction.branches import Transaction
from outgrow.waits import Steps


def parts_steps(
    transaction: Transaction, shards: Sequence[str], todo: Sequence[Part], until: float | None
) -> Steps[list[Rows]]:
    """The answers in the order of the parts; shards at once, parts of one shard one after another."""
    answers: dict[int, Rows] = {}

    def shard_steps(shard: str) -> Steps[None]:
        for at, part in enumerate(todo):
            if part.shard == shard:
                (answers[at],) = yield from transaction.run_steps([(shard, part.sql)], part.params or None, True, until)

    yield from transaction.open_steps(shards, until)
    yield from together([shard_steps(shard) for shard in shards])
    return [answers[at] for at in range(len(todo))]


def alike_steps(
    transaction: Transaction,
    plan: Plan,
    pairs: Sequence[tuple[str, str]],
    params: Sequence[Any] | None,
    until: float | None,
) -> Steps[Rows]:
    """The home shard first: who would change the same rows waits there, and not crosswise on two shards for ever."""
    (first,) = yield from transaction.run_steps(pairs[:1], params, True, until)
    others = yield from transaction.run_steps(pairs[1:], params, True, until)
    if any(other.count != first.count for other in others):
        counts = (f"{shard} {rows.count}" for (shard, _), rows in zip(pairs, (first, *others), strict=True))
        error = OperationalError(
            "OG-RUN-035",
            f"the copies of {plan.statement.writes[0]} have drifted apart: rows changed: {', '.join(counts)}",
            cure="bring the copies to the same rows, shard by shard: execute(sql, shard=…); nothing was changed",
        )
        transaction.fail(error)
        raise error
    return first
