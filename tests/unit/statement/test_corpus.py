"""Every statement of the corpus is understood, and its rendering is a fixpoint."""

from __future__ import annotations

import pytest

from outgrow.statement import Kind, bind, render
from tests.unit.statement.corpus import CHANGES, QUERIES
from tests.unit.statement.shop import SCHEMA


@pytest.mark.parametrize("text", QUERIES + CHANGES)
def test_rendering_is_a_fixpoint(text: str) -> None:
    bound = bind(text, SCHEMA, parameters=False)
    assert bound.tree is not None, bound.effects
    again = bind(render(bound.tree), SCHEMA, parameters=False)
    assert again.tree == bound.tree, again.effects
    assert render(again.tree) == render(bound.tree)
    assert (again.kind, again.reads, again.writes) == (bound.kind, bound.reads, bound.writes)


@pytest.mark.parametrize("text", QUERIES)
def test_queries_may_run_on_a_replica(text: str) -> None:
    bound = bind(text, SCHEMA, parameters=False)
    assert bound.kind is Kind.QUERY
    assert bound.read_only, bound.effects


@pytest.mark.parametrize("text", CHANGES)
def test_changes_may_not(text: str) -> None:
    bound = bind(text, SCHEMA, parameters=False)
    assert bound.kind is Kind.WRITE
    assert bound.writes
    assert not bound.read_only


def test_the_corpus_is_large_enough() -> None:
    assert len(QUERIES) + len(CHANGES) >= 200
