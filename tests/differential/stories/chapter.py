"""A chapter: some sixty statements, alone and in transactions, that begin with the same rows every time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.differential.block import Block, Case
from tests.differential.stories.changes import Changes
from tests.differential.stories.inserts import Inserts
from tests.differential.stories.parts import Parts
from tests.differential.stories.wide import Wide

#: construct → weight
WEIGHTS = {
    "rows": 18, "copied": 5, "conflict": 12, "selected": 7, "updated": 18, "deleted": 10, "moved": 10, "locked": 4,
    "read": 4, "cte": 10, "truncated": 1, "delivered": 12, "supplied": 12, "merged": 8, "relayed": 8,
}  # fmt: skip
STATEMENTS = 60
ISOLATIONS = ("", "", "", "", " ISOLATION LEVEL REPEATABLE READ", " ISOLATION LEVEL SERIALIZABLE")


@dataclass(frozen=True, slots=True)
class Act:
    """One thing done to both sides: "statement", "begin", "commit", "rollback", or "savepoint" for all about those."""

    kind: str
    case: Case


def command(kind: str, text: str) -> Act:
    return Act(kind, Case(Block(raw=text), (), kind))


def chapter(seed: int, number: int) -> Iterator[Act]:
    """The acts of a chapter; the same for the same numbers.

    Savepoints are drawn as if nothing failed; who plays a chapter leaves out what a failed transaction cannot do.
    """
    rng = random.Random(f"chapter/{seed}/{number}")
    left = STATEMENTS
    while left > 0:
        if rng.random() < 0.45:
            left -= 1
            yield written(rng)
            continue
        length = rng.choice((1, 2, 3, 4, 6))
        left -= length
        yield command("begin", f"BEGIN{rng.choice(ISOLATIONS)}")
        yield from _inside(rng, length)
        yield command("rollback", "ROLLBACK") if rng.random() < 0.2 else command("commit", "COMMIT")


def _inside(rng: random.Random, length: int) -> Iterator[Act]:
    open_: list[str] = []
    for _ in range(length):
        roll = rng.random()
        if roll < 0.3 or (length > 2 and not open_ and roll < 0.6):
            open_.append(rng.choice("abc"))
            yield command("savepoint", f"SAVEPOINT {open_[-1]}")
        yield written(rng)
        roll = rng.random()
        if open_ and roll < 0.2:
            yield command("savepoint", f"ROLLBACK TO SAVEPOINT {open_[-1]}")
        elif open_ and roll < 0.3:
            yield command("savepoint", f"RELEASE SAVEPOINT {open_.pop()}")


def written(rng: random.Random) -> Act:
    """One statement."""
    parts = Parts(rng)
    construct = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    forms = next(each for each in (Inserts(parts), Changes(parts), Wide(parts)) if hasattr(each, construct))
    text, order = getattr(forms, construct)()
    keys = (0,) if order == "keys" else ()
    style = rng.choice(("%s", "%s", "$"))
    case = Case(Block(raw=text), tuple(parts.values), construct, order, keys, style)
    return Act("statement", case)
