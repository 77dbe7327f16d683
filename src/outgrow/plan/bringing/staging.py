"""In which order rows are brought, so that few rows say which of many matter.

Decided from estimates that the servers gave (`expected_of`), at each execution: they say nothing about what is right,
only what is quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from outgrow.plan.bringing.brought import Bring, Brought, Keys, narrowed
from outgrow.plan.walking import everything_below
from outgrow.plan.writes.change import Piece
from outgrow.plan.writes.moments import says_moment, tells_time
from outgrow.statement import Statement

#: Fewer rows than this are brought at once: asking in two trips costs more.
FEW_ROWS = 1_000
#: What is to be narrowed has at least so many times the rows of what narrows it.
TIMES_FEWER = 2
#: Rows that a shard finds by so much work (in its planner's units) weigh as much as one that is brought.
COST_OF_A_ROW = 10
#: More values than this are not sent to other shards.
KEYS_MAX = 50_000


class Turn(NamedTuple):
    """One bring of a stage, and what narrows it."""

    bring: int
    keys: tuple[Keys, ...] = ()


Stage = tuple[Turn, ...]


class Expected(NamedTuple):
    """What servers' planners expect of one bring, all of its shards together."""

    rows: float
    cost: float = 0.0

    @property
    def weight(self) -> float:
        """Few rows may be dear: of subqueries and groups a planner knows the work better than what they leave."""
        return max(self.rows, self.cost / COST_OF_A_ROW)


def estimate(bring: Bring) -> list[Piece]:
    """What a shard is asked for its estimate."""
    return [Piece(("EXPLAIN (FORMAT JSON) ",)), *narrowed(bring, ())]


def expected_of(plan: Any, shards: int) -> Expected:
    """The rows below the top of such a plan, which makes one row of them; on so many shards."""
    (whole,) = plan
    below = whole["Plan"].get("Plans")
    rows = float(below[0]["Plan Rows"] if below else whole["Plan"]["Plan Rows"])
    return Expected(rows * shards, float(whole["Plan"]["Total Cost"]) * shards)


def top_rows(plan: Any) -> float:
    """The rows that such a plan itself gives."""
    return float(plan[0]["Plan"]["Plan Rows"])


def stages(brought: Brought, expected: Sequence[Expected]) -> list[Stage]:
    """Those that weigh little, or with nobody to narrow them, first."""
    weights = [each.weight for each in expected]
    # Who narrows stands before whom it narrows, so nothing goes round.
    order = sorted(range(len(weights)), key=lambda number: weights[number])
    usable = {
        number: tuple(
            keys
            for keys in bring.keys
            if weights[number] >= FEW_ROWS
            and order.index(keys.source) < order.index(number)
            and weights[keys.source] * TIMES_FEWER <= weights[number]
            and expected[keys.source].rows <= KEYS_MAX
        )
        for number, bring in enumerate(brought.brings)
    }
    depth: dict[int, int] = {}
    for number in order:
        depth[number] = max((depth[keys.source] + 1 for keys in usable[number]), default=0)
    return [
        tuple(Turn(number, usable[number]) for number in sorted(depth) if depth[number] == at)
        for at in range(max(depth.values(), default=-1) + 1)
    ]


def timeless(statement: Statement, values: Sequence[Any]) -> bool:
    """Nothing in it, nor in its parameters, is the moment at which its transaction began."""
    tree = statement.tree
    if tree is None or any(says_moment(value) for value in values):
        return False
    return not any(tells_time(node) for node in everything_below(tree))


def settings(brought: Brought, put_back: bool) -> tuple[list[str], list[str]]:
    """What the finishing server is told of its planner before the query, and behind it; nothing that changes a result.

    It knows how many rows arrays have, but not how many values: it takes joins for selective that are not, sorts what
    they yield, or goes through one array for each row of another.  Hashing is never far off.

    It holds for the transaction; `put_back`: what was set comes back behind the query.
    """
    names = ["enable_mergejoin", *(["enable_nestloop"] if brought.alone else [])]
    off = "SELECT " + ", ".join(f"set_config('{name}', 'off', true)" for name in names)
    if not put_back:
        return [off], []
    kept = "SELECT " + ", ".join(f"set_config('outgrow.{name}', current_setting('{name}'), true)" for name in names)
    back = "SELECT " + ", ".join(f"set_config('{name}', current_setting('outgrow.{name}'), true)" for name in names)
    return [kept, off], [back]


def describe_stages(brought: Brought, expected: Sequence[Expected], turns: Sequence[Stage]) -> list[str]:
    """What explain shows: who comes when, and why."""
    lines = []
    for at, stage in enumerate(turns, 1):
        for number, keys in stage:
            narrowing = " and ".join(each.shown for each in keys)
            told = f", narrowed to {narrowing}" if narrowing else ""
            lines.append(f"{at}. {brought.brings[number].alias}: some {expected[number].rows:,.0f} rows{told}")
    return lines
