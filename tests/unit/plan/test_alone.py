"""What shards are not told, because each would make something else of it; what is not shared by different askers."""

from __future__ import annotations

import pytest

from outgrow.plan.bringing.brought import Bring

from .world import plan

MET = "(SELECT o.total, e.n FROM orders o JOIN events e ON o.qty = e.device)"
JOINED = "SELECT c.name, o.qty FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND "


def brings(sql: str) -> tuple[Bring, ...]:
    made = plan(sql)
    assert made.is_brought, sql
    assert made.brought is not None
    return made.brought.brings


def test_rows_are_shared_only_if_what_narrows_them_is_the_same() -> None:
    """One use of the join is narrowed by `flags`, the other needs all of its rows."""
    found = brings(
        f"SELECT (SELECT sum(total) FROM {MET} v WHERE n IN (SELECT n FROM flags)), (SELECT sum(total) FROM {MET} v)"
    )
    assert [str(each.tables[0]) for each in found] == ["orders", "events", "flags", "orders", "events"]
    narrowing = [{keys.source for keys in each.keys} for each in found]
    assert narrowing == [{1}, {0, 2}, {1}, {4}, {3}]


def test_rows_are_shared_by_equal_uses() -> None:
    found = brings(f"SELECT a.total FROM {MET} a UNION ALL SELECT b.total FROM {MET} b")
    assert [str(each.tables[0]) for each in found] == ["orders", "events"]


@pytest.mark.parametrize(
    "sql",
    [
        JOINED + "o.day < now()",
        "WITH flags AS (SELECT n FROM flags WHERE flag) " + JOINED + "o.qty IN (SELECT n FROM flags)",
        "WITH f AS (SELECT n FROM flags WHERE flag) " + JOINED + "o.qty IN (SELECT n FROM f)",
        "SELECT e.n FROM events e WHERE EXISTS (SELECT 1 FROM customers c LEFT JOIN orders o"
        " ON o.customer_id = c.customer_id AND o.qty = e.n WHERE c.score > o.total OR o.total IS NULL)",
    ],
)
def test_an_outer_join_goes_to_shards_only_with_an_on_that_they_can_judge(sql: str) -> None:
    assert not [each.shown for each in brings(sql) if "JOIN" in each.shown]


def test_an_outer_join_on_the_key_is_still_one_bundle() -> None:
    (bundle, _) = brings("WITH f AS (SELECT n FROM flags WHERE flag) " + JOINED + "o.qty > 1 JOIN f ON f.n = c.score")
    assert "LEFT JOIN" in bundle.shown


@pytest.mark.parametrize(
    "sql",
    [
        "WITH a AS (SELECT code FROM countries LIMIT 3) SELECT qty FROM orders WHERE status IN (SELECT code FROM a)",
        "WITH a AS (SELECT code, row_number() OVER () AS r FROM countries)"
        " SELECT o.qty FROM orders o JOIN a ON a.code = o.status WHERE a.r < 3",
        "WITH a AS (SELECT DISTINCT ON (eu) code FROM countries), b AS (SELECT code FROM a)"
        " SELECT qty FROM orders WHERE status IN (SELECT code FROM b)",
        "SELECT qty FROM orders WHERE status IN (SELECT code FROM countries TABLESAMPLE BERNOULLI (50))",
        "SELECT o.qty FROM orders o WHERE EXISTS (SELECT 1 FROM countries c WHERE c.name = o.status"
        " AND c.code IN (SELECT code FROM countries LIMIT 2))",
        "SELECT o.qty FROM orders o, LATERAL (SELECT code FROM countries LIMIT 2) c",
    ],
)
def test_copied_rows_that_each_shard_would_choose_for_itself(sql: str) -> None:
    assert plan(sql).is_brought


@pytest.mark.parametrize("table", ["totals", "watched"])
def test_copies_that_depend_on_who_asks_or_where(table: str) -> None:
    """A materialized view is as old as its shard's REFRESH; row security looks at who asks."""
    made = plan(f"SELECT o.total FROM orders o WHERE o.qty IN (SELECT qty FROM {table})")
    assert made.fragment_sql is None
    assert not made.is_brought


def test_copied_rows_chosen_for_one_row_are_its_shards_own_choice() -> None:
    made = plan("SELECT o.qty, (SELECT code FROM countries c WHERE c.name = o.status LIMIT 1) FROM orders o")
    assert made.fragment_sql is not None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT (SELECT count(c.vip)) FROM customers c",
        "SELECT EXISTS (SELECT 1 FROM countries x HAVING sum(o.qty) > 10) FROM orders o",
        "SELECT d.n FROM (SELECT (SELECT count(c.vip)) AS n FROM customers c) d",
        "SELECT 1 FROM orders o ORDER BY (SELECT max(o.qty))",
        "SELECT DISTINCT ON (row_number() OVER (ORDER BY total) / 10) total FROM orders",
    ],
)
def test_aggregates_and_windows_wherever_they_stand(sql: str) -> None:
    assert plan(sql).is_brought


def test_an_aggregate_of_a_block_between_is_no_aggregate_outside() -> None:
    made = plan("SELECT o.qty, (SELECT count(c.code) FROM countries c WHERE c.name = o.status) FROM orders o")
    assert made.fragment_sql is not None


@pytest.mark.parametrize("item", ["count(o.qty)", "(SELECT count(o.qty))"])
def test_exists_keeps_an_aggregate_of_the_block_outside(item: str) -> None:
    made = plan(f"SELECT EXISTS (SELECT {item} FROM countries) FROM orders o").brought
    assert made is not None
    assert "count(b1.c1)" in made.sql


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT d.nick, count(*) FROM (SELECT nick FROM customers) d GROUP BY d.nick",
        "SELECT DISTINCT d.nick FROM (SELECT nick FROM customers) d",
        "SELECT DISTINCT ON (d.nick) d.nick FROM (SELECT nick FROM customers) d",
        "SELECT count(DISTINCT d.nick) FROM (SELECT nick FROM customers) d",
        "WITH d AS (SELECT nick FROM customers) SELECT DISTINCT nick FROM d",
        "SELECT DISTINCT x.b FROM customers x (a, n, c, b)",
        "SELECT nick FROM customers UNION SELECT nick FROM customers",
        "SELECT DISTINCT d.x FROM (SELECT name COLLATE blind AS x FROM customers) d",
        "SELECT count(DISTINCT name COLLATE blind) FROM customers",
        "SELECT word, count(*) FROM loud GROUP BY word",
    ],
)
def test_equal_text_of_unequal_bytes_is_compared_by_one_server(sql: str) -> None:
    made = plan(sql)
    assert made.fragment_sql is None
    assert made.is_brought


def test_a_row_hides_what_its_columns_are() -> None:
    assert plan("SELECT DISTINCT (c).nick FROM customers c").fragment_sql is None
    by_city = plan("SELECT name FROM customers c ORDER BY (c).city").finish
    assert by_city is not None
    assert not by_city.sort[0].bytes_order


def test_other_columns_of_such_a_table_are_told_apart_as_ever() -> None:
    made = plan("SELECT d.name, count(*) FROM (SELECT name, score FROM customers) d GROUP BY d.name")
    assert made.fragment_sql is not None


def test_the_order_of_a_subquery_is_that_of_its_first_rows() -> None:
    made = plan("SELECT t.order_id FROM (SELECT order_id, total FROM orders ORDER BY total DESC) t LIMIT 10")
    assert made.fragment_sql is not None
    assert made.fragment_sql.endswith("ORDER BY t.total DESC LIMIT 10")
    assert made.finish is not None
    assert [(each.column, each.descending) for each in made.finish.sort] == [(1, True)]


@pytest.mark.parametrize(
    "sql",
    [
        "WITH t (i, much) AS (SELECT order_id, total FROM orders ORDER BY total DESC) SELECT x.i FROM t x LIMIT 3",
        "SELECT u.i FROM (SELECT t.order_id AS i, t.total AS much FROM (SELECT order_id, total FROM orders"
        " ORDER BY total DESC) t WHERE t.total > 1) u OFFSET 3",
    ],
)
def test_an_order_is_handed_on(sql: str) -> None:
    made = plan(sql)
    assert made.fragment_sql is not None
    assert ".much DESC" in made.fragment_sql


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT t.order_id FROM (SELECT order_id FROM orders ORDER BY total DESC) t LIMIT 10",
        "SELECT t.qty FROM (SELECT qty FROM orders UNION ALL SELECT n FROM events ORDER BY 1) t LIMIT 10",
        "SELECT DISTINCT ON (t.qty) t.qty, t.total FROM (SELECT qty, total FROM orders ORDER BY qty, total) t",
    ],
)
def test_the_first_rows_in_an_order_that_nobody_sees(sql: str) -> None:
    assert plan(sql).is_brought


def test_an_order_that_chooses_nothing_costs_nothing() -> None:
    made = plan("SELECT t.order_id FROM (SELECT order_id, total FROM orders ORDER BY total DESC) t")
    assert made.finish is not None
    assert not made.finish.sort
