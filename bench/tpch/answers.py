"""When two answers to one of the queries are the same."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

#: Queries whose ORDER BY leaves rows that it cannot tell apart in any order: the columns that it orders by.
TIES = {3: (1, 2), 5: (1,), 10: (2,), 11: (1,), 18: (4, 3)}


class Answer(NamedTuple):
    columns: list[tuple[str, int]]
    rows: list[tuple[Any, ...]]


def differs(number: int, expected: Answer, answer: Answer) -> str:
    """What is otherwise: names, types, values with their scale, the order that is asked for; "" where nothing is."""
    if expected.columns != answer.columns:
        return f"columns {answer.columns} instead of {expected.columns}"
    if len(expected.rows) != len(answer.rows):
        return f"{len(answer.rows)} rows instead of {len(expected.rows)}"
    # repr, because 1.0 == 1.00
    shown, wanted = [repr(row) for row in answer.rows], [repr(row) for row in expected.rows]
    if shown == wanted:
        return ""
    by = TIES.get(number)
    if by is None or Counter(shown) != Counter(wanted):
        wrong = next((one, other) for one, other in zip(shown, wanted, strict=True) if one != other)
        return f"{wrong[0]} instead of {wrong[1]}"
    same = all(one[at] == other[at] for one, other in zip(answer.rows, expected.rows, strict=True) for at in by)
    return "" if same else "the rows stand in another order"
