"""What window functions of a block are partitioned by."""

from __future__ import annotations

from collections.abc import Iterator

from outgrow.plan.walking import within_block
from outgrow.statement.tree import Call, Expr, Select, Window


def partitions(select: Select) -> Iterator[tuple[str, tuple[Expr, ...]]]:
    """Each window call's name and the PARTITION BY that applies to it."""
    named = dict(select.windows)
    for part in (*select.items, *select.order, *select.distinct_on):
        for node in within_block(part):
            if isinstance(node, Call) and node.over is not None:
                yield node.name, _partition(node.over, named)


def _partition(window: Window, named: dict[str, Window]) -> tuple[Expr, ...]:
    """`OVER w`, `OVER (w ORDER BY …)` and windows that extend others take over the PARTITION BY."""
    seen: set[str] = set()
    while not window.partition and window.name in named and window.name not in seen:
        seen.add(window.name)
        window = named[window.name]
    return window.partition
