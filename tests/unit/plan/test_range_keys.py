"""Which shards a statement needs where keys lie by range: what narrows, and what must not."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest

from outgrow.errors import DataError

from .ranged import ranged_located, ranged_plan, ranged_where

ALL = "s1 s2 s3"
UTC = dt.UTC
EAST = dt.timezone(dt.timedelta(hours=9))

# customer_id below 10: s1; 10 to 19: s2; 20 to 29: s3; from 30 on: s1 again, another range.
ORDERS = "SELECT * FROM orders WHERE "
CONDITIONS = [
    ("customer_id < 10", "s1"), ("customer_id <= 10", "s1 s2"), ("customer_id < 11", "s1 s2"),
    ("customer_id > 9 AND customer_id < 20", "s2"), ("customer_id >= 10 AND customer_id <= 19", "s2"),
    ("customer_id >= 30", "s1"), ("customer_id > 29", "s1"), ("customer_id > 28", "s1 s3"),
    ("10 > customer_id", "s1"), ("20 <= customer_id AND 30 > customer_id", "s3"),
    ("customer_id BETWEEN 10 AND 19", "s2"), ("customer_id BETWEEN 5 AND 15", "s1 s2"),
    ("customer_id BETWEEN 25 AND 40", "s1 s3"), ("customer_id BETWEEN 10 AND 19 AND qty > 3", "s2"),
    ("customer_id < 5 OR customer_id BETWEEN 20 AND 29", "s1 s3"),
    ("(customer_id < 5 AND qty = 1) OR (customer_id = 25 AND qty = 2)", "s1 s3"),
    ("customer_id IN (1, 12) AND customer_id > 10", "s1 s2"),  # values alone are looked at where all are known
    ("customer_id = 12", "s2"), ("customer_id = 12 OR customer_id > 28", ALL), ("customer_id IN (12, 13)", "s2"),
    ("customer_id IS NULL", "s1"), ("customer_id IS NULL OR customer_id BETWEEN 10 AND 12", "s1 s2"),
    ("customer_id > 15 AND customer_id < 5", "s1"),  # no row: the home shard makes the empty result
    ("customer_id BETWEEN 15 AND 5", "s1"), ("customer_id < NULL", "s1"), ("customer_id BETWEEN NULL AND 5", "s1"),
    ("customer_id < -5", "s1"), ("customer_id >= '10' AND customer_id < '20'", "s2"),
    ("customer_id::int8 >= 20 AND customer_id < 30", "s3"), ("customer_id >= 9.5 AND customer_id < 19.5", "s1 s2"),
    ("customer_id >= 10::int8 AND customer_id <= 19::numeric", "s2"), ("customer_id > 1e30", "s1"),
    ("customer_id < 99999999999999999999", ALL), ("(customer_id < 10) IS TRUE", "s1"),
    ("customer_id > 'NaN'::numeric", "s1"),
    # What only looks as if it narrowed.
    ("NOT (customer_id >= 10)", ALL), ("NOT customer_id BETWEEN 10 AND 19", ALL),
    ("customer_id NOT BETWEEN 10 AND 19", ALL),
    ("(customer_id < 10) IS NOT TRUE", ALL), ("(customer_id < 10) IS NOT FALSE", ALL),
    ("(customer_id < 10) IS NULL", ALL),
    ("CASE WHEN customer_id < 10 THEN true ELSE false END", ALL), ("CASE WHEN customer_id < 10 THEN qty > 1 END", ALL),
    ("coalesce(customer_id < 10, true)", ALL), ("customer_id < 10 OR qty = 1", ALL), ("customer_id <> 5", ALL),
    ("customer_id IS NOT NULL", ALL), ("customer_id + 1 < 10", ALL), ("customer_id::text < '10'", ALL),
    ("customer_id < qty", ALL), ("customer_id < 10 + 1", ALL), ("customer_id BETWEEN SYMMETRIC 19 AND 10", ALL),
    ("(customer_id, qty) < (10, 1)", ALL), ("customer_id < ALL (ARRAY[10, 11])", ALL),
    ("5 BETWEEN customer_id AND 40", "s1"),
    ("25 BETWEEN customer_id AND qty", ALL), ("25 BETWEEN qty AND customer_id", "s1 s3"),
    ("customer_id BETWEEN qty AND 5", "s1"), ("25 BETWEEN customer_id AND customer_id", "s3"),
    ("customer_id < (SELECT 10)", ALL), ("customer_id::numeric < 10", ALL), ("(customer_id < 10) = (qty > 3)", ALL),
    ("customer_id < 'x'", ALL),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS)
def test_conditions_on_integers(condition: str, expected: str) -> None:
    assert ranged_where(ORDERS + condition) == expected


STATEMENTS = [
    # Along equalities, into outer joins, never out of them.
    ("SELECT * FROM orders o JOIN items i USING (customer_id) WHERE i.customer_id BETWEEN 10 AND 19", "s2"),
    ("SELECT * FROM orders o JOIN customers c ON c.customer_id = o.customer_id AND c.customer_id < 10", "s1"),
    ("SELECT * FROM orders o LEFT JOIN items i ON i.customer_id = o.customer_id WHERE o.customer_id >= 30", "s1"),
    ("SELECT * FROM orders o LEFT JOIN items i ON i.customer_id = o.customer_id AND o.customer_id < 10", ALL),
    ("SELECT * FROM orders o LEFT JOIN items i ON i.customer_id = o.customer_id AND i.customer_id < 10", ALL),
    ("SELECT * FROM orders o FULL JOIN items i ON i.customer_id = o.customer_id WHERE o.customer_id < 10", "s1"),
    ("SELECT * FROM orders o LEFT JOIN items i ON i.customer_id = o.customer_id WHERE i.customer_id < 10", "s1"),
    # Through subqueries.
    ("SELECT * FROM (SELECT customer_id AS k, count(*) FROM orders GROUP BY 1) o WHERE k BETWEEN 10 AND 19", "s2"),
    ("SELECT * FROM (SELECT * FROM orders LIMIT 5) o WHERE customer_id < 10", ALL),
    ("SELECT * FROM (SELECT customer_id AS k FROM orders UNION ALL SELECT customer_id FROM items) o"
     " WHERE k BETWEEN 10 AND 19", "s2"),
    ("WITH o AS (SELECT * FROM orders) SELECT * FROM o WHERE customer_id < 10", "s1"),
    ("SELECT * FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.customer_id"
     " AND o.customer_id BETWEEN 10 AND 19)", "s2"),
    ("SELECT * FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.customer_id"
     " AND o.customer_id BETWEEN 10 AND 19)", ALL),
    ("SELECT sum(qty) FILTER (WHERE customer_id < 10) FROM orders", ALL),
    ("SELECT count(*) FROM orders GROUP BY customer_id HAVING customer_id < 10", ALL),
    # A compound key lies where its first column says.
    ("SELECT * FROM events WHERE device = 12", "s2"), ("SELECT * FROM events WHERE device = 12 AND sort = 'x'", "s2"),
    ("SELECT * FROM events WHERE device BETWEEN 10 AND 15 AND n = 3", "s2"),
    ("SELECT * FROM events WHERE sort = 'x'", ALL),
    ("SELECT * FROM events WHERE sort < 'x'", ALL), ("SELECT * FROM events WHERE (device, sort) = (25, 'x')", "s3"),
    ("SELECT * FROM events WHERE device IS NULL", "s1"),
    # Changes.
    ("UPDATE orders SET qty = 1 WHERE customer_id BETWEEN 10 AND 19", "s2"),
    ("DELETE FROM orders WHERE customer_id >= 30", "s1"),
    ("INSERT INTO orders (customer_id) VALUES (12), (13)", "s2"),
    ("INSERT INTO orders (customer_id) VALUES (NULL)", "s1"),
    ("INSERT INTO orders (customer_id) SELECT customer_id FROM items WHERE customer_id BETWEEN 10 AND 19", "s2"),
    ("INSERT INTO orders (customer_id) SELECT customer_id FROM items WHERE customer_id > 5 AND customer_id = 12", "s2"),
    ("INSERT INTO docs (slug) SELECT code FROM countries WHERE code > 'A' AND code = 'DE'", "s1"),
    # Text by its bytes.
    ("SELECT * FROM docs WHERE slug < 'f'", "s1"), ("SELECT * FROM docs WHERE slug >= 'f' AND slug < 'p'", "s2"),
    ("SELECT * FROM docs WHERE slug BETWEEN 'f' AND 'oz'", "s2"), ("SELECT * FROM tags WHERE slug::text > 'q'", "s3"),
    ("SELECT * FROM docs WHERE slug >= 'ä'", "s3"),
    ("SELECT * FROM docs d JOIN tags t ON t.slug = d.slug WHERE t.slug < 'f'", "s1"),
    ("SELECT * FROM docs WHERE slug LIKE 'a%'", ALL), ("SELECT * FROM docs WHERE slug < 'f' COLLATE \"C\"", ALL),
    ("SELECT * FROM words WHERE word = 'x'", "s3"), ("SELECT * FROM words WHERE word < 'f'", ALL),
    ("SELECT * FROM words WHERE word BETWEEN 'f' AND 'g'", ALL), ("SELECT * FROM docs WHERE slug < 'f'::char(3)", ALL),
    ("SELECT * FROM (SELECT slug AS s FROM docs UNION ALL SELECT slug FROM tags) x WHERE s < 'f'", ALL),
    ("SELECT * FROM (SELECT slug AS s FROM docs) x WHERE s < 'f'", "s1"),
    # Days and moments.
    ("SELECT * FROM days WHERE day >= '2024-01-01' AND day < '2025-01-01'", "s2"),
    ("SELECT * FROM days WHERE day BETWEEN DATE '2024-01-01' AND DATE '2024-12-31'", "s2"),
    ("SELECT * FROM days WHERE day < 'infinity'", ALL), ("SELECT * FROM days WHERE day >= 'infinity'", "s3"),
    ("SELECT * FROM days WHERE day <= '-infinity'", "s1"),
    ("SELECT * FROM days WHERE day BETWEEN '2025-05-05' AND 'infinity'", "s3"),
    ("SELECT * FROM days WHERE day >= timestamp '2024-12-31 12:00:00'", "s2 s3"),
    ("SELECT * FROM days WHERE day < timestamp '2024-01-01 00:00:00'", "s1"),
    ("SELECT * FROM days WHERE day < timestamp '2024-01-01 00:00:01'", "s1 s2"),
    ("SELECT * FROM days WHERE day < timestamptz '2024-06-01 00:00:00Z'", "s1 s2"),
    ("SELECT * FROM days WHERE day < current_date", ALL), ("SELECT * FROM days WHERE day < 'tomorrow'", ALL),
    ("SELECT * FROM days WHERE day < 'Jan 1, 2023'", ALL),
    ("SELECT * FROM stays WHERE since >= '2024-01-01' AND since < '2025-01-01'", "s2"),
    ("SELECT * FROM stays WHERE since > 'infinity'", "s3"),
    ("SELECT * FROM stays WHERE since < DATE '2024-01-01'", "s1"),
    ("SELECT * FROM moments WHERE at >= '2024-01-01 00:00:00Z' AND at < '2025-01-01 00:00:00Z'", "s2"),
    ("SELECT * FROM moments WHERE at >= timestamptz '2024-01-01 09:00:00+09' AND at < '2025-01-01 00:00:00Z'", "s2"),
    # Without a zone it is the session's that counts: a week on either side.
    ("SELECT * FROM moments WHERE at >= '2024-02-01' AND at < '2024-12-01'", "s2"),
    ("SELECT * FROM moments WHERE at >= '2024-01-01' AND at < '2024-12-01'", "s1 s2"),
    ("SELECT * FROM moments WHERE at >= '2024-02-01' AND at < timestamp '2024-12-30'", "s2 s3"),
    ("SELECT * FROM moments WHERE at < DATE '2023-12-01'", "s1"), ("SELECT * FROM moments WHERE at < now()", ALL),
    # Numbers and uuids.
    ("SELECT * FROM prices WHERE price < 9.95", "s1"), ("SELECT * FROM prices WHERE price <= 9.95", "s1 s2"),
    ("SELECT * FROM prices WHERE price >= 9.950 AND price < 1e2", "s2"),
    ("SELECT * FROM prices WHERE price > 5::int4", ALL),
    ("SELECT * FROM prices WHERE price >= 'NaN'", "s3"), ("SELECT * FROM prices WHERE price < 5::float8", ALL),
    ("SELECT * FROM prices WHERE price > 'Infinity'", "s3"), ("SELECT * FROM prices WHERE price = 'NaN'", "s3"),
    ("SELECT * FROM visits WHERE token < '40000000-0000-0000-0000-000000000000'", "s1"),
    ("SELECT * FROM visits WHERE token BETWEEN '50000000-0000-0000-0000-000000000000' AND"
     " '7fffffff-ffff-ffff-ffff-ffffffffffff'", "s2"),
    # No ranges for this type: by its hash, as ever.
    ("SELECT * FROM flags WHERE flag < true", ALL),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), STATEMENTS)
def test_statements(sql: str, expected: str) -> None:
    assert ranged_where(sql) == expected


PARAMETERS: list[tuple[str, list[Any], str]] = [
    (ORDERS + "customer_id BETWEEN $1 AND $2", [10, 19], "s2"),
    (ORDERS + "customer_id BETWEEN $1 AND $2", [35, 10], "s1"),
    (ORDERS + "customer_id < $1", [None], "s1"), (ORDERS + "customer_id >= $1", [None], "s1"),
    (ORDERS + "customer_id < $1", [Decimal("9.5")], "s1"), (ORDERS + "customer_id >= $1", [30.5], "s1"),
    (ORDERS + "customer_id < $1", [float("nan")], ALL), (ORDERS + "customer_id > $1", [float("inf")], "s1"),
    (ORDERS + "customer_id < $1", [2.0**60], ALL), (ORDERS + "customer_id < $1", [True], ALL),
    (ORDERS + "customer_id < $1", ["10"], "s1"), (ORDERS + "customer_id < $1", ["ten"], ALL),
    (ORDERS + "customer_id < $1", [10**30], ALL), (ORDERS + "customer_id > $1", [10**30], "s1"),
    (ORDERS + "customer_id >= $1 OR customer_id = $2", [30, 12], "s1 s2"),
    (ORDERS + "customer_id < $1::int4", [10], "s1"), (ORDERS + "customer_id < $1::int4", [10.5], ALL),
    ("SELECT * FROM docs WHERE slug >= $1", ["p"], "s3"), ("SELECT * FROM docs WHERE slug >= $1", [5], ALL),
    ("SELECT * FROM days WHERE day >= $1", [dt.date(2025, 1, 1)], "s3"),
    ("SELECT * FROM days WHERE day < $1", [dt.datetime(2024, 1, 1)], "s1"),
    ("SELECT * FROM days WHERE day < $1", [dt.datetime(2024, 1, 1, 12)], "s1 s2"),
    ("SELECT * FROM days WHERE day < $1", [dt.datetime(2023, 12, 1, tzinfo=UTC)], "s1"),
    ("SELECT * FROM days WHERE day < $1", [dt.datetime(2023, 12, 28, tzinfo=UTC)], "s1 s2"),
    ("SELECT * FROM days WHERE day < $1", ["infinity"], ALL), ("SELECT * FROM days WHERE day > $1", ["-infinity"], ALL),
    ("SELECT * FROM moments WHERE at < $1", [dt.datetime(2024, 1, 1, 9, tzinfo=EAST)], "s1"),
    ("SELECT * FROM moments WHERE at <= $1", [dt.datetime(2024, 1, 1, 9, tzinfo=EAST)], "s1 s2"),
    ("SELECT * FROM moments WHERE at < $1", [dt.datetime(2024, 1, 1)], "s1 s2"),
    ("SELECT * FROM moments WHERE at < $1", [dt.datetime(2023, 12, 1)], "s1"),
    ("SELECT * FROM moments WHERE at >= $1", ["infinity"], "s3"),
    ("SELECT * FROM moments WHERE at >= $1::timestamptz", ["2025-02-01"], "s3"),
    ("SELECT * FROM stays WHERE since >= $1", [dt.datetime(2025, 2, 1, tzinfo=UTC)], "s3"),
    ("SELECT * FROM prices WHERE price < $1", [Decimal("9.95")], "s1"),
    ("SELECT * FROM prices WHERE price < $1", [9.95], ALL),
    ("SELECT * FROM visits WHERE token >= $1", [uuid.UUID(int=1 << 127)], "s3"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "params", "expected"), PARAMETERS)
def test_parameters(sql: str, params: list[Any], expected: str) -> None:
    assert ranged_where(sql, params) == expected


def test_rows_are_given_to_their_shards() -> None:
    located = ranged_located("INSERT INTO orders (customer_id, qty) VALUES ($1, 1), (12, 2), (NULL, 3), (35, 4)", [25])
    assert located.rows == ("s3", "s2", "s1", "s1")


def test_an_insert_that_knows_no_key_reads_its_rows_first() -> None:
    sql = "INSERT INTO orders (customer_id) SELECT qty FROM items, orders WHERE qty BETWEEN 10 AND 19"
    made, located = ranged_plan(sql), ranged_located(sql)
    assert made.delivery is not None
    assert " ".join(located.shards) == ALL
    assert located.scatter


def test_a_wrong_key_is_an_error_and_a_wrong_bound_the_servers_affair() -> None:
    with pytest.raises(DataError, match="OG-KEY-005"):
        ranged_where(ORDERS + "customer_id = $1", ["ten"])
    assert ranged_where(ORDERS + "customer_id > $1", ["ten"]) == ALL


def test_keys_of_one_kind_are_co_located_and_others_are_not() -> None:
    assert ranged_plan("SELECT * FROM orders o JOIN items i ON i.customer_id = o.customer_id").refusal is None
    apart = ranged_plan("SELECT * FROM days d JOIN stays s ON s.since = d.day").refusal
    assert apart is not None and apart.code == "OG-PLAN-010"
