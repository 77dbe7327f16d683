"""Which shards a statement needs: what narrows, and what must not."""

from __future__ import annotations

import pytest

from outgrow.errors import DataError

from .world import SHARDS, where

ALL = SHARDS

# customer_id n lives on s(n % 3 + 1): 0 → s1, 1 → s2, 2 → s3.
NARROWING = [
    ("SELECT * FROM orders WHERE customer_id = 1", "s2"),
    ("SELECT * FROM orders WHERE 1 = customer_id", "s2"),
    ("SELECT * FROM orders WHERE customer_id = '1'", "s2"),
    ("SELECT * FROM orders WHERE customer_id = '1'::int8", "s2"),
    ("SELECT * FROM orders WHERE customer_id = 1.0", "s2"),
    ("SELECT * FROM orders WHERE customer_id IN (1, 4)", "s2"),
    ("SELECT * FROM orders WHERE customer_id IN (1, 2)", "s2 s3"),
    ("SELECT * FROM orders WHERE customer_id IN (1, NULL)", "s2"),
    ("SELECT * FROM orders WHERE customer_id = ANY (ARRAY[1, 4])", "s2"),
    ("SELECT * FROM orders WHERE customer_id = ANY (ARRAY['1', '2']::int8[])", "s2 s3"),
    ("SELECT * FROM orders WHERE customer_id = 1 OR customer_id = 2", "s2 s3"),
    ("SELECT * FROM orders WHERE (customer_id = 1 AND qty = 3) OR (customer_id = 4 AND qty = 5)", "s2"),
    ("SELECT * FROM orders WHERE customer_id = 1 AND (qty = 2 OR status = 'x')", "s2"),
    ("SELECT * FROM orders WHERE customer_id IS NULL", "s1"),
    ("SELECT * FROM orders WHERE customer_id::int8 = 1", "s2"),
    ("SELECT * FROM items WHERE customer_id::int8 = 1", "s2"),
    ("SELECT * FROM orders WHERE customer_id = -1", "s3"),
    ("SELECT * FROM flags WHERE flag", "s2"),
    ("SELECT * FROM flags WHERE NOT flag", "s1"),
    ("SELECT * FROM flags WHERE flag IS TRUE", "s2"),
    ("SELECT * FROM flags WHERE flag IS FALSE", "s1"),
    ("SELECT * FROM flags WHERE flag = 'on'", "s2"),
    ("SELECT * FROM docs WHERE slug = 'ab'", "s3"),
    ("SELECT * FROM tags WHERE slug::text = 'ab'", "s3"),
    ("SELECT * FROM events WHERE device = 1 AND sort = 'ab'", "s1"),
    ("SELECT * FROM events WHERE (device, sort) = (1, 'ab')", "s1"),
    ("SELECT * FROM events WHERE (device, sort) IN ((1, 'ab'), (4, 'ab'))", "s1"),
    ("SELECT * FROM events WHERE device = 1 AND sort IN ('ab', 'a')", "s1 s3"),
    ("SELECT * FROM events WHERE device IS NULL AND sort = 'ab'", "s3"),
    # Through joins.
    ("SELECT * FROM orders o JOIN customers c ON c.customer_id = o.customer_id WHERE o.customer_id = 1", "s2"),
    ("SELECT * FROM orders o JOIN items i USING (customer_id) WHERE i.customer_id = 1", "s2"),
    ("SELECT * FROM orders o NATURAL JOIN items i WHERE o.customer_id = 1", "s2"),
    ("SELECT * FROM orders o, items i WHERE o.customer_id = i.customer_id AND i.customer_id = 1", "s2"),
    ("SELECT * FROM orders o LEFT JOIN items i ON i.customer_id = o.customer_id WHERE o.customer_id = 1", "s2"),
    ("SELECT * FROM orders o LEFT JOIN items i ON i.customer_id = o.customer_id WHERE i.customer_id = 1", "s2"),
    ("SELECT * FROM items i RIGHT JOIN orders o ON i.customer_id = o.customer_id WHERE o.customer_id = 1", "s2"),
    ("SELECT * FROM orders a JOIN orders b ON a.customer_id = b.customer_id JOIN orders c"
     " ON c.customer_id = b.customer_id WHERE a.customer_id = 1", "s2"),
    ("SELECT * FROM orders a FULL JOIN orders b ON a.customer_id = b.customer_id"
     " WHERE a.customer_id = 1 AND b.customer_id = 1", "s2"),
    # Through subqueries, derived tables, CTEs.
    ("SELECT * FROM (SELECT * FROM orders) o WHERE o.customer_id = 1", "s2"),
    ("SELECT * FROM (SELECT customer_id AS k, count(*) FROM orders GROUP BY customer_id) o WHERE k = 1", "s2"),
    ("SELECT * FROM (SELECT DISTINCT customer_id AS k FROM orders) o WHERE k = 1", "s2"),
    ("SELECT * FROM (SELECT customer_id AS k FROM orders WHERE customer_id = 1 LIMIT 5) o", "s2"),
    ("WITH o AS (SELECT * FROM orders) SELECT * FROM o WHERE customer_id = 1", "s2"),
    ("WITH o AS (SELECT * FROM orders WHERE customer_id = 1) SELECT * FROM o a JOIN o b USING (order_id)", "s2"),
    ("SELECT * FROM orders o WHERE customer_id = 1 AND EXISTS"
     " (SELECT 1 FROM items i WHERE i.customer_id = o.customer_id)", "s2"),
    ("SELECT * FROM orders o WHERE customer_id = 1 AND NOT EXISTS"
     " (SELECT 1 FROM items i WHERE i.customer_id = o.customer_id)", "s2"),
    ("SELECT (SELECT count(*) FROM items i WHERE i.customer_id = o.customer_id) FROM orders o"
     " WHERE customer_id = 1", "s2"),
    ("SELECT * FROM orders WHERE customer_id IN (SELECT customer_id FROM items WHERE customer_id = 1)", "s2"),
    ("SELECT * FROM orders WHERE customer_id = 1 AND customer_id IN (SELECT customer_id FROM items)", "s2"),
    ("SELECT * FROM orders WHERE EXISTS (SELECT 1 FROM items i WHERE i.customer_id = 1"
     " AND i.customer_id = orders.customer_id)", "s2"),
    ("SELECT * FROM (SELECT customer_id FROM orders UNION ALL SELECT customer_id FROM items) u"
     " WHERE u.customer_id = 1", "s2"),
    ("SELECT * FROM orders WHERE customer_id = 1 UNION ALL SELECT * FROM orders WHERE customer_id = 4", "s2"),
    ("SELECT * FROM orders o CROSS JOIN LATERAL (SELECT * FROM items i WHERE i.customer_id = o.customer_id) x"
     " WHERE o.customer_id = 1", "s2"),
    # No row can match: the home shard answers with the columns.
    ("SELECT * FROM orders WHERE customer_id = 1 AND customer_id = 2", "s1"),
    ("SELECT * FROM orders WHERE customer_id = NULL", "s1"),
    ("SELECT * FROM orders WHERE customer_id = 42.5", "s1"),
    ("SELECT * FROM orders WHERE customer_id IN (1, 2) AND customer_id IN (2, 3)", "s3"),
    ("SELECT * FROM orders WHERE false", "s1"),
]  # fmt: skip

#: The famous traps, and everything else that only looks like a restriction.
WIDE = [
    "SELECT * FROM orders",
    "SELECT * FROM orders WHERE customer_id > 1",
    "SELECT * FROM orders WHERE customer_id <> 1",
    "SELECT * FROM orders WHERE NOT customer_id = 1",
    "SELECT * FROM orders WHERE NOT (customer_id = 1 AND qty = 2)",
    "SELECT * FROM orders WHERE customer_id NOT IN (1)",
    "SELECT * FROM orders WHERE (customer_id = 1) IS NOT TRUE",
    "SELECT * FROM orders WHERE (customer_id = 1) = false",
    "SELECT * FROM orders WHERE customer_id = 1 OR qty = 2",
    "SELECT * FROM orders WHERE CASE WHEN customer_id = 1 THEN true ELSE qty > 0 END",
    "SELECT CASE WHEN customer_id = 1 THEN 1 END FROM orders",
    "SELECT count(*) FILTER (WHERE customer_id = 1) FROM orders",
    "SELECT *, (SELECT max(qty) FROM orders o WHERE o.customer_id = 1) FROM orders",
    "SELECT * FROM orders WHERE qty = (SELECT max(qty) FROM orders o WHERE o.customer_id = 1)",
    "SELECT * FROM orders WHERE coalesce(customer_id, 1) = 1",
    "SELECT * FROM orders WHERE customer_id + 0 = 1",
    "SELECT * FROM orders WHERE abs(customer_id) = 1",
    "SELECT * FROM orders WHERE customer_id::text = '1'",
    "SELECT * FROM orders WHERE customer_id::numeric = 1",
    "SELECT * FROM orders WHERE customer_id = qty",
    "SELECT * FROM orders WHERE customer_id = ALL (ARRAY[1])",
    "SELECT * FROM orders WHERE customer_id IS NOT DISTINCT FROM NULL",
    "SELECT * FROM orders WHERE customer_id BETWEEN 1 AND 1",
    "SELECT * FROM orders HAVING count(*) FILTER (WHERE customer_id = 1) > 0",
    "SELECT * FROM orders ORDER BY customer_id = 1",
    # The preserved side of an outer join is not narrowed by ON.
    "SELECT * FROM orders o LEFT JOIN items i ON i.customer_id = o.customer_id AND o.customer_id = 1",
    "SELECT * FROM orders o LEFT JOIN items i ON i.customer_id = o.customer_id AND i.customer_id = 1",
    "SELECT * FROM items i RIGHT JOIN orders o ON i.customer_id = o.customer_id AND o.customer_id = 1",
    "SELECT * FROM orders o FULL JOIN items i ON i.customer_id = o.customer_id AND i.customer_id = 1",
    "SELECT * FROM orders o FULL JOIN items i USING (customer_id) WHERE customer_id = 1",
    # IS NULL over padding says nothing about the table.
    "SELECT * FROM orders o LEFT JOIN items i ON i.customer_id = o.customer_id WHERE i.customer_id IS NULL",
    "SELECT * FROM orders o LEFT JOIN (SELECT * FROM items) i ON i.customer_id = o.customer_id"
    " WHERE i.customer_id IS NULL",
    "SELECT * FROM orders o LEFT JOIN LATERAL (SELECT * FROM items i WHERE i.customer_id = o.customer_id"
    " AND i.customer_id = 1) x ON true",
    # One arm of a set operation, one use of a CTE.
    "SELECT * FROM orders WHERE customer_id = 1 UNION ALL SELECT * FROM orders",
    "SELECT * FROM orders EXCEPT SELECT * FROM orders WHERE customer_id = 1",
    "WITH o AS (SELECT * FROM orders) SELECT * FROM o WHERE customer_id = 1 UNION ALL SELECT * FROM o",
    # Conditions over what a block computed do not move below it.
    "SELECT * FROM (SELECT customer_id AS k FROM orders ORDER BY order_id LIMIT 3) o WHERE k = 1",
    "SELECT * FROM (SELECT customer_id AS k, row_number() OVER (ORDER BY qty) FROM orders) o WHERE k = 1",
    "SELECT * FROM (SELECT DISTINCT ON (qty) customer_id AS k FROM orders) o WHERE k = 1",
    "SELECT * FROM (SELECT max(customer_id) AS k FROM orders) o WHERE k = 1",
    "SELECT * FROM (SELECT qty, max(customer_id) AS k FROM orders GROUP BY qty) o WHERE k = 1",
    "SELECT * FROM (SELECT customer_id + 0 AS k FROM orders) o WHERE k = 1",
    "SELECT * FROM orders WHERE customer_id NOT IN (SELECT customer_id FROM items WHERE customer_id = 1)",
    "SELECT * FROM orders WHERE customer_id IN (SELECT customer_id FROM items WHERE customer_id = 1) OR qty = 1",
    "SELECT * FROM orders WHERE EXISTS (SELECT count(*) FROM items i WHERE i.customer_id = 1"
    " AND i.customer_id = orders.customer_id)",
    "SELECT * FROM events WHERE device = 1",
    "SELECT * FROM events WHERE sort = 'a' OR device = 1",
    "SELECT * FROM loud WHERE word = 'a'",
    "SELECT * FROM docs WHERE slug = 'a'::char(3)",
    "SELECT * FROM docs WHERE lower(slug) = 'a'",
    "SELECT * FROM docs WHERE slug LIKE 'a'",
    "SELECT * FROM docs WHERE slug = 'abc'::varchar(1)",
    "SELECT * FROM docs WHERE slug COLLATE \"C\" = 'a'",
    "SELECT * FROM orders WHERE customer_id = 1.5::int8",
    "SELECT * FROM orders WHERE customer_id = 1::float8 AND false IS NOT NULL OR true",
]


@pytest.mark.parametrize(("sql", "shards"), NARROWING, ids=lambda value: value[:100])
def test_narrows(sql: str, shards: str) -> None:
    assert where(sql) == tuple(shards.split())


@pytest.mark.parametrize("sql", WIDE, ids=lambda value: value[:100])
def test_does_not_narrow(sql: str) -> None:
    assert where(sql) == ALL


def test_nullable_side_is_narrowed_by_on() -> None:
    """Only the nullable side: the copied side asks one shard for it."""
    sql = "SELECT * FROM countries c LEFT JOIN orders o ON o.customer_id = 1"
    assert where(sql) == ("s2",)


@pytest.mark.parametrize(
    ("sql", "params", "shards"),
    [
        ("SELECT * FROM orders WHERE customer_id = $1", [1], "s2"),
        ("SELECT * FROM orders WHERE customer_id = $1", ["1"], "s2"),
        ("SELECT * FROM orders WHERE customer_id = $1", [None], "s1"),
        ("SELECT * FROM orders WHERE customer_id = $1", [1.5], "s1"),
        ("SELECT * FROM orders WHERE customer_id = $1", [2.0**60], "s1 s2 s3"),
        ("SELECT * FROM orders WHERE customer_id = $1::int8", ["1"], "s2"),
        ("SELECT * FROM orders WHERE customer_id = $1::int8", [1.5], "s1 s2 s3"),
        ("SELECT * FROM orders WHERE customer_id = $1::text::int8", ["1"], "s1 s2 s3"),
        ("SELECT * FROM orders WHERE customer_id = ANY($1)", [[1, 2, None]], "s2 s3"),
        ("SELECT * FROM orders WHERE customer_id = ANY($1)", [[]], "s1"),
        ("SELECT * FROM orders WHERE customer_id = ANY($1)", [None], "s1"),
        ("SELECT * FROM orders WHERE customer_id = ANY($1::int8[])", [[1]], "s2"),
        ("SELECT * FROM orders WHERE customer_id = ANY($1)", ["{1,2}"], "s1 s2 s3"),
        ("SELECT * FROM orders WHERE customer_id IN ($1, $2)", [1, 4], "s2"),
        ("SELECT * FROM orders WHERE customer_id = $1 AND customer_id = $2", [1, 2], "s1"),
        ("SELECT * FROM orders WHERE customer_id = $1 OR customer_id = $2", [1, 2], "s2 s3"),
        ("SELECT * FROM orders WHERE customer_id = $1 OR $2", [1, True], "s1 s2 s3"),
        ("SELECT * FROM orders WHERE customer_id IS NOT DISTINCT FROM $1", [1], "s1 s2 s3"),
        ("SELECT * FROM events WHERE device = $1 AND sort = $2", [1, "ab"], "s1"),
        ("SELECT * FROM flags WHERE flag = $1", [True], "s2"),
    ],
)
def test_parameters(sql: str, params: list[object], shards: str) -> None:
    assert where(sql, *params) == tuple(shards.split())


def test_int4_column_met_by_an_int8_constant() -> None:
    """A value beyond int4 has no row there, whatever the other column's type takes."""
    sql = "SELECT * FROM orders o JOIN items i USING (customer_id) WHERE o.customer_id = '99999999999'"
    assert where(sql) == ("s1",)


def test_wrong_typed_key_is_a_data_error() -> None:
    with pytest.raises(DataError) as caught:
        where("SELECT * FROM orders WHERE customer_id = 'five'")
    assert caught.value.code == "OG-KEY-005"


def test_many_row_values_stay_bounded() -> None:
    rows = ", ".join(f"({n}, 'ab')" for n in range(0, 600, 3))
    assert where(f"SELECT * FROM events WHERE (device, sort) IN ({rows})") == ("s3",)
