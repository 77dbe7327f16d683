"""Which shards a statement needs where keys stand in a directory: what must be looked up, and what has no shard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from outgrow.errors import Error
from outgrow.keyspace import Keyspace, Lookup, first_map
from outgrow.plan import Located, build, locate
from outgrow.statement import bind
from outgrow.topology import Listing

from .world import domain, schema

DOMAIN = replace(domain(), strategy="directory", directory=(Listing("int8", "hash"), Listing("text", "refuse")))
#: Three keys whose shards are known; 9 is known to be absent.
KNOWN = {1: "s1", 2: "s2", 3: "s3", 30: "s3"}
ABSENT = frozenset({("integer", 9), ("integer", 10)})
ALL = "s1 s2 s3"


def located(sql: str, params: Sequence[Any] = (), absent: frozenset[Any] = ABSENT) -> Located:
    described = schema()
    placed = Keyspace(DOMAIN.slots, first_map(DOMAIN))
    placed.book.page.known["integer"].add({key: placed.listed_slot(shard) for key, shard in KNOWN.items()})
    plan = build(bind(sql, described, parameters="$1" in sql), described, DOMAIN)
    assert plan.listed == ("countries" not in sql)
    return locate(replace(plan, refusal=None) if plan.access == "read" else plan, params, placed, absent)


def where(sql: str, params: Sequence[Any] = ()) -> str:
    return " ".join(located(sql, params).shards)


def wanted(sql: str, params: Sequence[Any] = (), absent: frozenset[Any] = frozenset()) -> tuple[set[Any], set[Any]]:
    with pytest.raises(Lookup) as info:
        located(sql, params, absent)
    return {key for _, key in info.value.keys}, {key for _, key in info.value.given}


READS = [
    ("customer_id = 2", "s2"), ("customer_id IN (1, 3)", "s1 s3"), ("customer_id IN (3, 30)", "s3"),
    ("customer_id = 9", "s1"), ("customer_id IN (9, 10)", "s1"),  # no row: the home shard gives the columns
    ("customer_id IN (9, 2)", "s2"), ("customer_id IS NULL", "s1"), ("customer_id = 2 OR customer_id IS NULL", "s1 s2"),
    ("customer_id = 2 AND qty > 1", "s2"), ("customer_id = 2 OR qty > 1", ALL), ("customer_id > 2", ALL),
    ("customer_id BETWEEN 2 AND 3", ALL), ("customer_id <> 2", ALL), ("qty = 1", ALL), ("customer_id = 2 + 0", ALL),
    ("customer_id = 2 AND customer_id = 3", "s1"), ("customer_id = 2.5", "s1"),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "expected"), READS)
def test_reads(condition: str, expected: str) -> None:
    assert where(f"SELECT * FROM orders WHERE {condition}") == expected


def test_parameters_and_joins() -> None:
    assert where("SELECT * FROM orders WHERE customer_id = $1", [3]) == "s3"
    assert where("SELECT * FROM orders WHERE customer_id = ANY ($1)", [[1, 2, 9]]) == "s1 s2"
    assert where("SELECT * FROM orders o JOIN items i USING (customer_id) WHERE i.customer_id = 2") == "s2"
    joined = "SELECT * FROM orders o LEFT JOIN items i ON i.customer_id = o.customer_id WHERE o.customer_id = "
    assert where(joined + "3") == "s3"
    assert where(joined + "9") == "s1"


def test_what_must_be_looked_up_is_told_at_once() -> None:
    assert wanted("SELECT * FROM orders WHERE customer_id IN (1, 7, 8)") == ({7, 8}, set())
    assert wanted("SELECT * FROM orders WHERE customer_id = $1", [7]) == ({7}, set())
    sql = "SELECT * FROM orders o, items i WHERE o.customer_id = 7 AND i.customer_id = 8"
    assert wanted(sql) == ({7, 8}, set())
    assert wanted("UPDATE orders SET qty = 1 WHERE customer_id = 7") == ({7}, set())
    assert wanted("DELETE FROM orders WHERE customer_id IN (7, 2)") == ({7}, set())


def test_keys_that_rows_are_given_for_must_be_assigned_also_where_they_are_known_to_be_absent() -> None:
    one = "INSERT INTO orders (customer_id, order_id) VALUES (7, 1)"
    assert wanted(one) == ({7}, {7})
    several = "INSERT INTO orders (customer_id, order_id) VALUES (1, 1), (9, 2), (7, 3)"
    assert wanted(several, absent=ABSENT) == ({9, 7}, {9, 7})
    both = "WITH gone AS (DELETE FROM items WHERE customer_id = 8) INSERT INTO orders (customer_id) VALUES (7)"
    assert wanted(both) == ({7, 8}, {7})
    assert located("INSERT INTO orders (customer_id, order_id) VALUES (1, 1), (3, 2), (1, 3)").rows == (
        "s1",
        "s3",
        "s1",
    )


def test_a_null_key_is_no_entry() -> None:
    assert where("INSERT INTO orders (customer_id, order_id) VALUES (NULL, 1)") == "s1"


def test_a_compound_key_lies_where_its_first_column_says() -> None:
    assert where("SELECT * FROM events WHERE device = 2") == "s2"
    assert where("SELECT * FROM events WHERE device = 2 AND sort = 'x'") == "s2"
    assert where("SELECT * FROM events WHERE device IN (2, 9) AND sort > 'x'") == "s2"
    assert where("SELECT * FROM events WHERE sort = 'x'") == ALL
    assert wanted("SELECT * FROM events WHERE device IN (2, 7) AND sort > 'x'") == ({7}, set())
    assert wanted("INSERT INTO events (device, sort) VALUES (7, 'a'), (7, 'b')") == ({7}, {7})


def test_copied_tables_are_not_looked_up() -> None:
    assert located("SELECT * FROM countries").any


def test_errors_of_values_stay_what_they_are() -> None:
    with pytest.raises(Error, match="OG-KEY-005"):
        located("SELECT * FROM orders WHERE customer_id = $1", [object()])
