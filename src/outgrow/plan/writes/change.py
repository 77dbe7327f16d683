"""A write over several shards: what each of them runs, and how their answers become the one answer."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from outgrow.plan.narrowing.keyset import KeySet


class Gather(enum.StrEnum):
    """How the shards' answers to a change become one."""

    #: Each shard changes its own rows: counts add up, returned rows follow each other.
    SUM = "sum"
    #: Each given row goes to its shard: counts add up, returned rows stand in the order in which they were given.
    ROWS = "rows"
    #: Every shard does the same to its copy: all counts must agree, and the home shard answers.
    SAME = "same"
    #: One shard after another, always in the same order, because it waits for locks.
    TURN = "turn"
    #: Each shard changes its own rows, and what is selected from them is finished like a query.
    FINISH = "finish"
    #: Rows get other keys, and go to the shards of those.
    MOVE = "move"
    #: Rows that a query gives are read first, and then go where they belong.
    DELIVER = "deliver"
    #: Rows of a MERGE's source are read first, and merged where their keys lie.
    MERGE = "merge"
    #: Writing parts run one after another, and hand their rows on.
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Piece:
    """SQL with holes for parameters: `texts` has one more entry than `params`, the statement's numbers (1-based)."""

    texts: tuple[str, ...]
    params: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class GivenRows:
    """An INSERT … VALUES taken apart: what stands before the rows, each row, and what stands behind them."""

    head: Piece
    rows: tuple[Piece, ...]
    tail: Piece
    #: The key of each row.
    keys: tuple[KeySet, ...]
    #: A statement for each run of rows of one shard, not one for each shard: a row may be skipped, and what comes
    #: back must stand in the order of the rows given.
    runs: bool = False
    #: All rows of a shard must stand in one statement.
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    gather: Gather
    #: Expressions that one shard evaluates beforehand, as text; their values are parameters behind the statement's.
    once: tuple[str, ...] = ()
    #: Of `Gather.ROWS`.
    given: GivenRows | None = None
    #: Parameters that must be no word such as 'now': each shard would read its own moment from it.
    timed: tuple[int, ...] = ()
    #: The columns of RETURNING; 0 without it.
    returns: int = 0
    #: A query that one shard answers beforehand, with the moment that all of them are told; "" where none is needed.
    moment: str = ""
    #: Also where one shard has all that is read: where its rows go shows only then.
    always: bool = False


_SHOWN = {
    Gather.SUM: "each shard changes its own rows, the counts add up",
    Gather.ROWS: "each row goes to the shard of its key, the counts add up",
    Gather.SAME: "every shard changes its copy, the home shard first, and the counts must agree",
    Gather.TURN: "one shard after another, in their order",
    Gather.FINISH: "each shard changes its own rows, and what it selects is finished",
    Gather.MOVE: "rows that get the key of another shard go there",
    Gather.DELIVER: "the rows selected are read first, and then go where they belong",
    Gather.RELAY: "the parts run one after another, and hand on what they return",
    Gather.MERGE: "the source's rows are read first, and merged where their keys lie",
}
_RETURNED = {
    Gather.SUM: "shard by shard",
    Gather.ROWS: "in the order of the rows given",
    Gather.SAME: "as the home shard has them",
    Gather.TURN: "shard by shard",
    Gather.FINISH: "as the query says",
    Gather.MOVE: "shard by shard",
    Gather.DELIVER: "in the order of the rows selected, where none is skipped",
    Gather.MERGE: "shard by shard",
    Gather.RELAY: "as the last part does",
}


def describe_change(change: Change) -> list[str]:
    """What explain shows, one plain phrase a step."""
    steps = [f"{', '.join(change.once)}: evaluated once, the same for all shards"] if change.once else []
    if change.moment:
        steps.append("one shard says what time it is, for all of them")
    steps.append(_SHOWN[change.gather])
    if change.given is not None and change.given.runs:
        steps.append("rows that follow each other on one shard go together")
    if change.returns:
        steps.append(f"returned rows {_RETURNED[change.gather]}")
    return steps
