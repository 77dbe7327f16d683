"""The fast walk sees what the general one sees."""

from __future__ import annotations

import pytest

from outgrow.plan.walking import children
from outgrow.statement import children as all_children

from .test_fixtures import FILES, cases
from .world import plan


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_node_is_missed(path: object) -> None:
    from outgrow.errors import Error

    for _, sql, _ in cases(path):  # type: ignore[arg-type]
        try:
            tree = plan(sql).statement.tree
        except Error:
            continue
        stack: list[object] = [tree] if tree is not None else []
        while stack:
            node = stack.pop()
            expected = list(all_children(node))
            assert list(map(id, children(node))) == list(map(id, expected)), node
            stack.extend(expected)
