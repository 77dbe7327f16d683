"""The grammar: the same seed draws the same, and what it draws is valid."""

from __future__ import annotations

from collections import Counter

from tests.differential.block import Block, Case, hole, smaller
from tests.differential.corpus import corpus
from tests.differential.statements import WEIGHTS, statement
from tests.differential.world import BY_NAME, TABLES, rows_of


def test_the_same_seed_draws_the_same_statement() -> None:
    drawn = [statement(5, number).render() for number in range(200)]
    assert drawn == [statement(5, number).render() for number in range(200)]
    assert drawn != [statement(6, number).render() for number in range(200)]


def test_every_construct_is_drawn_and_statements_differ() -> None:
    cases = [statement(1, number) for number in range(2000)]
    assert set(Counter(case.construct for case in cases)) == set(WEIGHTS)
    assert len({case.render()[0] for case in cases}) > 1800
    assert {case.order for case in cases} == {"none", "total", "keys"}


def test_rows_are_the_same_every_time_and_full_of_nulls() -> None:
    for table in TABLES:
        rows = rows_of(table, 1)
        assert rows == rows_of(table, 1)
        assert len(rows) == table.rows
        assert len({row[0] for row in rows}) == table.rows
    orders = rows_of(BY_NAME["orders"], 1)
    assert sum(row[1] is None for row in orders) > 3


def test_holes_become_placeholders_in_order_of_appearance() -> None:
    block = Block(items=[hole(1)], source="t", where=[f"a = {hole(0)}", "b % 2 = 1"], limit="3")
    case = Case(block, ("zero", "one"), "select")
    assert case.render() == ("SELECT %s FROM t WHERE (a = %s) AND (b %% 2 = 1) LIMIT 3", ["one", "zero"])
    dollars = Case(block, ("zero", "one"), "select", style="$")
    assert dollars.render(unlimited=True) == ("SELECT $1 FROM t WHERE (a = $2) AND (b % 2 = 1)", ["one", "zero"])
    assert Case(Block(items=["5 % 2"]), (), "select").render() == ("SELECT 5 % 2", None)


def test_smaller_cases_lack_one_part_each() -> None:
    block = Block(items=["a", "b"], source="t", where=["x", "y"], order=["1"], limit="3", having="h")
    texts = [case.render()[0] for case in smaller(Case(block, (), "select"))]
    assert len(texts) == len(set(texts)) == 5
    assert all(len(text) < len(block.sql()) for text in texts)


def test_the_corpus_is_read_whole() -> None:
    cases = list(corpus())
    assert len(cases) > 150
    assert any(case.order == "total" for _, case, _ in cases)
    assert all(case.render()[0].split()[0].isupper() or case.render()[0].startswith("(") for _, case, _ in cases)
