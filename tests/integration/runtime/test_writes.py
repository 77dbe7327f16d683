"""Statements that several shards do together answer and end as one PostgreSQL would have them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import outgrow
from outgrow import Result
from tests.integration.runtime.both import Both, both_sides
from tests.servers import Servers


@pytest.fixture(scope="module")
def sides(fleet_servers: Servers) -> Iterator[Both]:
    with both_sides(fleet_servers) as sides:
        yield sides


@pytest.fixture
def both(sides: Both) -> Both:
    """Both sides as every test finds them."""
    sides.forget()
    begin(sides)
    return sides


def begin(sides: Both) -> None:
    sides.same("TRUNCATE customers, orders, readings, loud, countries, cities, noted")
    sides.same("INSERT INTO countries (code, name) VALUES ('DE', 'Germany'), ('FR', 'France'), ('XX', NULL)")
    sides.same(
        "INSERT INTO customers (customer_id, name, country) VALUES (1, 'a', 'DE'), (2, 'b', 'FR'), (3, 'c', 'DE'),"
        " (4, %s, NULL), (5, upper('e'), %s), (6, DEFAULT, 'DE')",
        ["d", "XX"],
    )


OLD = "2020-01-01"
UNLIKE = ("made", "expires", "token", "at")


def test_rows_of_one_insert_find_their_shards(both: Both) -> None:
    both.agree(*UNLIKE)
    result = both.same(
        "INSERT INTO orders VALUES (6, 1, 1.5), (1, 1, 2.25), (4, 1, %s), (2, 1, 10), (1, 2, 7), (3, 1, 0)"
        " RETURNING order_id, customer_id, total * 2 AS double, *",
        [3],
    )
    assert isinstance(result, Result)
    assert len(result.nodes) == 2
    both.same("INSERT INTO readings (day, device) VALUES ('2024-01-01', 1), (%s, 2), (NULL, 3)", ["2024-02-02"])
    both.agree(*UNLIKE)


def test_one_moment_for_all_shards(both: Both) -> None:
    rows = both.session.execute("SELECT made, expires - made FROM customers").fetchall()
    assert len(set(rows)) == 1
    both.session.execute("UPDATE customers SET made = now(), expires = current_timestamp")
    assert both.session.execute("SELECT count(DISTINCT made), bool_and(made = expires) FROM customers").fetchall() == [
        (1, True)
    ]
    with both.session.transaction():
        [(then,)] = both.session.execute("UPDATE customers SET made = now() WHERE customer_id = 1 RETURNING made")
        found = both.session.execute("UPDATE customers SET made = now() RETURNING made, now()").fetchall()
        assert set(found) == {(then, then)}
    tokens = both.session.execute("SELECT count(DISTINCT token) FROM customers").fetchall()
    assert tokens == [(6,)]


CONFLICTS = [
    "INSERT INTO customers (customer_id, name) VALUES (1, 'x'), (7, 'g'), (2, 'y'), (8, 'h'), (7, 'g') "
    "ON CONFLICT DO NOTHING RETURNING customer_id, name",
    "INSERT INTO customers (customer_id, name) VALUES (1, 'x'), (7, 'g'), (2, 'y'), (8, 'h') "
    "ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name || customers.name RETURNING customer_id, name",
    "INSERT INTO customers (customer_id, name) VALUES (1, 'x'), (7, 'g'), (2, 'y'), (8, 'h') "
    "ON CONFLICT (customer_id) DO UPDATE SET name = 'z', made = DEFAULT WHERE customers.name = 'a'",
    # A row twice: 21000, which a statement for each run of rows would not have noticed.
    "INSERT INTO customers (customer_id, name) VALUES (9, 'x'), (10, 'g'), (11, 'y'), (12, 'h'), (9, 'h') "
    "ON CONFLICT (customer_id) DO UPDATE SET name = 'z'",
    # Rows of one shard stand together, so the order of what is left of them is known.
    "INSERT INTO customers (customer_id, name) VALUES (1, 'x'), (2, 'y'), (12, 'm'), (3, 'z'), (7, 'z') "
    "ON CONFLICT (customer_id) DO UPDATE SET name = 'z' WHERE customers.name <> 'a' RETURNING customer_id, name",
    "INSERT INTO customers (customer_id, country) VALUES (1, 'DE'), (7, 'nowhere'), (2, 'FR') ON CONFLICT DO NOTHING",
    "INSERT INTO orders SELECT customer_id, 1, 5 FROM customers WHERE name < 'c' ON CONFLICT DO NOTHING",
]


@pytest.mark.parametrize("sql", CONFLICTS)
def test_conflicts(both: Both, sql: str) -> None:
    both.same(sql)
    both.agree(*UNLIKE)


CHANGES: list[tuple[str, list[Any] | None]] = [
    ("UPDATE orders SET total = total + 1", None),
    ("UPDATE orders SET total = total * %s, note = 'x' WHERE total > %s RETURNING *", [2, 3]),
    ("UPDATE orders SET (total, note) = (SELECT 7, name FROM countries WHERE code = 'XX')", None),
    ("UPDATE orders o SET note = c.name FROM customers c WHERE c.customer_id = o.customer_id RETURNING c.name,"
     " o.*", None),
    ("UPDATE orders SET note = k.code FROM customers c JOIN countries k ON k.code = c.country"
     " WHERE c.customer_id = orders.customer_id", None),
    ("UPDATE customers SET name = DEFAULT WHERE customer_id IN (1, 2, 3)", None),
    ("UPDATE customers SET name = 'z' WHERE customer_id = ANY(%s) RETURNING customer_id", [[1, 2, 5]]),
    ("UPDATE customers SET country = NULL WHERE NOT EXISTS (SELECT FROM orders o WHERE o.customer_id ="
     " customers.customer_id)", None),
    ("UPDATE customers SET name = (SELECT max(note) FROM orders o WHERE o.customer_id = customers.customer_id)", None),
    ("WITH c AS (SELECT code FROM countries WHERE name IS NULL) UPDATE customers SET name = 'w' WHERE country IN"
     " (SELECT code FROM c)", None),
    ("UPDATE customers SET name = NULL WHERE customer_id > 100", None),
    ("DELETE FROM orders", None),
    ("DELETE FROM orders WHERE customer_id IN (1, 2, 6) AND total < 9 RETURNING customer_id, order_id", None),
    ("DELETE FROM orders USING customers c WHERE c.customer_id = orders.customer_id AND c.name = 'b' RETURNING c.name",
     None),
    ("DELETE FROM customers WHERE name <> 'a' RETURNING loudly", None),
    ("DELETE FROM customers c USING countries k WHERE k.code = c.country AND k.name IS NULL", None),
    ("INSERT INTO orders (customer_id, order_id, total) SELECT customer_id, 90, count(*) FROM orders GROUP BY 1", None),
    ("INSERT INTO orders (total, customer_id, order_id) SELECT 3, customer_id, 91 FROM customers UNION ALL"
     " SELECT total, customer_id, order_id + 1000 FROM orders RETURNING customer_id, order_id", None),
    ("INSERT INTO readings SELECT device, day, 1 FROM readings WHERE false", None),
    # Errors.
    ("UPDATE orders SET total = total - 2", None),
    ("UPDATE orders SET note = 'far too long' WHERE total > 0", None),
    ("UPDATE orders SET order_id = 1", None),
    ("INSERT INTO orders VALUES (1, 50, 1), (2, 50, 1), (3, 50, -1), (4, 50, 1)", None),
    ("INSERT INTO orders VALUES (1, 51, 1), (2, 51, 1), (77, 51, 1), (4, 51, 1)", None),
    ("INSERT INTO orders VALUES (1, 52, 'x'), (2, 52, 1), (3, 52, 1)", None),
    ("INSERT INTO orders (customer_id, order_id) VALUES (1, 53), (2, 53), (3, %s)", ["x"]),
]  # fmt: skip


ORDERS = "INSERT INTO orders VALUES (1, 1, 5, 'n'), (1, 2, 0, NULL), (2, 1, 7, 'm'), (3, 9, 1, NULL), (6, 1, 8, 'x')"


def test_changes_of_several_shards(both: Both) -> None:
    for sql, params in CHANGES:
        begin(both)
        both.same(ORDERS)
        both.same(sql, params, ordered=False)
        both.agree(*UNLIKE)


def test_changes_of_several_shards_in_transactions(both: Both) -> None:
    """Every statement between others; a third of them undone by a savepoint."""
    both.same(ORDERS)
    for number, (sql, params) in enumerate(CHANGES):
        for command in ("BEGIN", "UPDATE customers SET name = name || '.'", "SAVEPOINT one"):
            both.same(command)
        failed = isinstance(both.same(sql, params, ordered=False), str)
        if failed or number % 3 == 0 or sql.startswith("DELETE"):
            both.same("ROLLBACK TO SAVEPOINT one")
        both.same("UPDATE orders SET total = total + 1 WHERE customer_id IN (1, 2)")
        both.same("COMMIT")
        both.agree(*UNLIKE)


def test_a_failure_on_one_shard_undoes_the_others(both: Both) -> None:
    before = both.contents()
    assert both.same("INSERT INTO orders VALUES (1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, -1)") == "23514"
    assert both.contents() == before
    both.same("INSERT INTO orders VALUES (1, 1, 1)")
    with both.session.transaction():
        both.session.execute("UPDATE orders SET total = 9")
        with pytest.raises(outgrow.IntegrityError), both.session.transaction():
            both.session.execute("INSERT INTO orders VALUES (1, 1, 1), (2, 1, 1), (3, 1, 1)")
        assert both.session.execute("SELECT total FROM orders").fetchall() == [(9,)]


def test_row_triggers_skip_rows_and_keep_the_order(both: Both) -> None:
    both.same("INSERT INTO loud VALUES (1, 1), (2, -1), (3, 3), (4, 4), (5, -5), (6, 6) RETURNING id, n")
    both.same("INSERT INTO loud VALUES (11, 1), (12, -1), (13, 3)")
    both.agree(*UNLIKE)
    both.session.execute("CREATE TRIGGER all_at_once AFTER UPDATE ON loud FOR EACH STATEMENT EXECUTE FUNCTION skip()")
    both.refused("UPDATE loud SET n = 1", "OG-PLAN-031")


def test_more_parameters_than_one_server_takes(both: Both) -> None:
    columns = "customer_id, name, country, made, expires, token"
    rows = [(key, None, None, None, None, None) for key in range(100, 11100)]
    sql = f"INSERT INTO customers ({columns}) VALUES {', '.join(['(%s, %s, %s, %s, %s, %s)'] * len(rows))}"
    result = both.session.execute(sql, [value for row in rows for value in row])
    assert (result.rowcount, len(result.nodes)) == (len(rows), 2)
    assert both.session.execute("SELECT count(*) FROM customers WHERE made IS NULL").fetchall() == [(len(rows),)]


def test_volatile_functions_go_row_by_row(both: Both) -> None:
    both.session.execute("UPDATE customers SET name = random()::text, token = gen_random_uuid()")
    found = both.session.execute("SELECT count(DISTINCT name), count(DISTINCT token) FROM customers").fetchall()
    assert found == [(6, 6)]
    both.refused("UPDATE customers SET name = (SELECT random()::text)", "OG-PLAN-018")
    both.refused("UPDATE customers SET name = nextval('s')::text", "OG-PLAN-018")


REFUSED = [
    ("UPDATE customers SET name = 'x' WHERE made < 'yesterday'", "OG-PLAN-017"),
    ("UPDATE customers SET name = (SELECT max(r.ctid::text) FROM readings r)", "OG-PLAN-019"),
    ("INSERT INTO orders SELECT order_id, customer_id, random() FROM orders", "OG-PLAN-018"),
    ("INSERT INTO orders (order_id, customer_id, note) VALUES (1, 1, 'a'), (2, 2, 'b') RETURNING (SELECT count(*) FROM"
     " orders)", "OG-PLAN-012"),
    ("INSERT INTO orders (order_id, customer_id) SELECT customer_id, order_id FROM orders RETURNING (SELECT count(*)"
     " FROM readings)", "OG-PLAN-012"),
    ("UPDATE orders SET customer_id = (SELECT max(device) FROM readings)", "OG-PLAN-012"),
    ("INSERT INTO orders (customer_id, order_id) VALUES (1, 1) ON CONFLICT (order_id) DO NOTHING", "OG-PLAN-050"),
    ("INSERT INTO customers (customer_id, name) VALUES (1, 'x'), (3, 'y'), (2, 'z'), (4, 'z') ON CONFLICT"
     " (customer_id) DO UPDATE SET name = 'x' WHERE customers.name <> 'a' RETURNING *", "OG-PLAN-032"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "code"), REFUSED)
def test_what_is_refused_changes_nothing(both: Both, sql: str, code: str) -> None:
    both.refused(sql, code)


def test_awaited_as_well(both: Both) -> None:
    async def change() -> list[Any]:
        async with both.fleet.async_session(level="strong") as session:
            await session.execute("INSERT INTO orders VALUES (1, 1, 1), (2, 1, 2), (3, 1, 3), (4, 1, 4)")
            async with session.transaction():
                await session.execute("UPDATE countries SET name = 'x'")
                return (await session.execute("UPDATE orders SET total = 0 RETURNING order_id")).fetchall()

    assert asyncio.run(change()) == [(1,)] * 4
    assert both.contents()["countries"][0][1] == "x"


def test_a_cancelled_change_leaves_nothing(both: Both) -> None:
    """The server sleeps in a trigger; the time limit undoes what the other shard has done."""
    before = both.contents()
    with pytest.raises(outgrow.OperationalError):
        both.session.execute(
            "UPDATE customers SET name = name || CASE WHEN customer_id = 1 THEN repeat('x', 10) ELSE '' END"
            " FROM (SELECT count(*) FROM generate_series(1, 100000000)) AS slow",
            timeout_seconds=0.3,
        )
    assert both.contents() == before
    assert not both.session.in_transaction


# --- locks ---------------------------------------------------------------------------------------------------------


def test_a_locking_read_returns_as_one_server_would(both: Both) -> None:
    both.same("INSERT INTO orders VALUES (1, 1, 5), (2, 1, 7), (3, 1, 1), (6, 1, 8)")
    for clause in ("FOR UPDATE", "FOR SHARE OF o", "FOR NO KEY UPDATE NOWAIT", "FOR KEY SHARE SKIP LOCKED"):
        both.same(
            f"SELECT customer_id, total FROM orders o WHERE total > 1 AND %s < now() ORDER BY total {clause}",
            ["2020-01-01"],
        )
    both.refused("SELECT * FROM orders ORDER BY total LIMIT 1 FOR UPDATE", "OG-PLAN-020")
    both.same("SELECT o.total, k.code FROM orders o JOIN countries k ON k.code < 'X' ORDER BY 1, 2 FOR UPDATE OF o")
    with pytest.raises(outgrow.NotSupportedError, match="OG-RUN-036"):
        list(both.session.stream("SELECT * FROM orders FOR UPDATE"))


def test_locks_hold_until_the_transaction_ends(both: Both) -> None:
    with both.fleet.session() as other:
        with both.session.transaction():
            assert len(both.session.execute("SELECT * FROM customers FOR UPDATE").fetchall()) == 6
            with pytest.raises(outgrow.OperationalError) as caught:
                other.execute("SELECT * FROM customers FOR UPDATE NOWAIT")
            assert caught.value.sqlstate == "55P03"
            assert other.execute("SELECT * FROM customers FOR UPDATE SKIP LOCKED").fetchall() == []
        assert len(other.execute("SELECT * FROM customers FOR UPDATE NOWAIT").fetchall()) == 6


def test_two_locking_reads_do_not_meet_crosswise(both: Both) -> None:
    done: list[int] = []

    def lock() -> None:
        with both.fleet.session() as session:
            for _ in range(15):
                with session.transaction():
                    session.execute("SELECT * FROM customers FOR UPDATE")
                    session.execute("UPDATE customers SET name = name || 'x'")
                done.append(1)

    threads = [threading.Thread(target=lock) for _ in range(4)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 60, f"{len(done)} of 60 in {time.monotonic() - began:.1f} s"
