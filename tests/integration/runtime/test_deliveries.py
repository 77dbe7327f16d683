"""Writes that need rows of other shards than those they change: INSERT … SELECT, UPDATE … FROM, subqueries."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import outgrow
from outgrow.plan import builder, refuse
from outgrow.plan.writes import answers, supplying
from outgrow.runtime.transaction import deliveries, homes, merges, sources, writes
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


UNLIKE = ("made", "expires", "token", "at")


def begin(both: Both) -> None:
    both.same("TRUNCATE customers, orders, readings, loud, countries, cities, noted")
    both.same("TRUNCATE settings")
    both.same("INSERT INTO countries (code, name) VALUES ('DE', 'Germany'), ('FR', 'France'), ('XX', NULL)")
    both.same("INSERT INTO cities VALUES (1, 'DE', 'b'), (2, 'FR', 'a')")
    both.same("INSERT INTO settings VALUES ('s', '5'), ('DE', '7'), ('t', NULL)")
    both.same(
        "INSERT INTO customers (customer_id, name, country) VALUES (1, 'a', 'DE'), (2, 'b', 'FR'), (3, 'c', 'DE'),"
        " (4, 'd', NULL), (5, NULL, 'XX'), (6, DEFAULT, 'DE')"
    )
    both.same(
        "INSERT INTO orders VALUES (1, 1, 5.25, 'n'), (1, 2, 0, NULL), (2, 1, 7, 'm'), (3, 9, 1, NULL), (6, 1, 8, 'x')"
    )
    both.same(
        "INSERT INTO readings VALUES (1, '2024-01-01', 1.5), (2, '2024-02-29', NULL), (NULL, NULL, 7), (3, NULL, 2)"
    )


#: Each of them is the whole of a test: what it says, and what is held afterwards.
WRITES = """
INSERT INTO orders SELECT order_id, customer_id + 10, total FROM orders WHERE order_id < 7 RETURNING *;
INSERT INTO orders SELECT customer_id, order_id + 20 FROM orders ORDER BY total, 1, 2 LIMIT 2 RETURNING *;
INSERT INTO orders (customer_id, order_id, total) SELECT total, 70, total * 1.005 FROM orders WHERE total > 1;
INSERT INTO orders (customer_id, order_id, note) SELECT customer_id, 71, 'far too long' FROM readings, customers;
INSERT INTO orders (customer_id, order_id) SELECT name, 1 FROM customers;
INSERT INTO orders (customer_id, order_id) SELECT name, 1 FROM customers WHERE false;
INSERT INTO readings (device, day) SELECT 3, '2024-05-05' FROM customers WHERE customer_id < 3;
INSERT INTO readings (day, value) SELECT now()::date - now()::date + date '2024-01-01', count(*) FROM orders;
INSERT INTO customers (customer_id) SELECT device + 50 FROM readings WHERE device > 0 RETURNING name, loudly;
INSERT INTO customers (customer_id, name) SELECT 2 * order_id, note FROM orders ON CONFLICT DO NOTHING;
INSERT INTO customers (customer_id, name) SELECT max(order_id), 'z' FROM orders ON CONFLICT (customer_id) DO
    UPDATE SET name = excluded.name || '!' RETURNING customer_id, name;
INSERT INTO customers (customer_id, name) SELECT 2, note FROM orders ON CONFLICT (customer_id) DO UPDATE SET
    name = 'y';
INSERT INTO orders (customer_id, order_id) SELECT g % 5 + 1, g + 30 FROM generate_series(1, 2500) AS g;
INSERT INTO orders (customer_id, order_id) SELECT customer_id, order_id + 50 FROM orders UNION SELECT 1, 99;
INSERT INTO orders (customer_id, order_id, total) VALUES (1, 60, 1), (2, (SELECT count(*) + 60 FROM orders), 2);
INSERT INTO orders (customer_id, order_id) VALUES ((SELECT max(customer_id) FROM customers), abs(-66));
INSERT INTO loud SELECT order_id + 40, customer_id - 2 FROM orders WHERE customer_id < 4;
INSERT INTO settings SELECT 'n' || customer_id, name FROM customers RETURNING *;
INSERT INTO settings SELECT name, code FROM countries ON CONFLICT DO NOTHING;
INSERT INTO customers (customer_id, name) SELECT length(name) + 80, value FROM settings WHERE name = 'DE';
INSERT INTO countries (code, name) SELECT 'c' || customer_id, name FROM customers;
INSERT INTO countries (code, name) SELECT 'DE', 'x' UNION ALL SELECT 'FR', 'y' ON CONFLICT (code) DO UPDATE SET
    name = excluded.name RETURNING code, name;
INSERT INTO cities SELECT id + 100 FROM cities ORDER BY name LIMIT 1 RETURNING *;
INSERT INTO cities SELECT row_number() OVER (ORDER BY id) + 100 FROM cities;
INSERT INTO cities SELECT id FROM cities ON CONFLICT DO NOTHING;
INSERT INTO cities (id, name) SELECT 60, string_agg(name, '' ORDER BY id) FROM cities;
INSERT INTO cities SELECT customer_id FROM customers;
INSERT INTO cities (name) SELECT name FROM customers;
UPDATE customers SET name = (SELECT max(note) FROM orders) RETURNING customer_id, name;
UPDATE customers SET name = r.value::text FROM readings r WHERE r.device = customer_id RETURNING r.day, name;
UPDATE orders SET total = (SELECT max(total) FROM orders) - total;
UPDATE orders o SET note = x.name FROM (SELECT name, customer_id FROM customers ORDER BY name LIMIT 2) x WHERE
    x.customer_id = o.order_id;
UPDATE customers SET name = 'none' WHERE NOT EXISTS (SELECT FROM orders o WHERE o.order_id = customer_id);
UPDATE orders SET note = 'x' WHERE order_id NOT IN (SELECT device FROM readings);
UPDATE orders SET (total, note) = (SELECT value, 'v' FROM readings r WHERE r.device = order_id);
UPDATE orders SET total = total + s.value::int FROM settings s WHERE s.name = 'DE' AND total > 1;
UPDATE settings SET value = c.name FROM customers c WHERE c.country = settings.name AND c.customer_id = 3;
UPDATE settings SET value = (SELECT count(*) FROM orders);
UPDATE countries SET name = s.value FROM settings s WHERE s.name = code;
WITH t AS (SELECT sum(total) AS all FROM orders) UPDATE customers SET name = t.all::text FROM t;
DELETE FROM orders USING readings r WHERE r.device = order_id AND r.value > 1 RETURNING r.value, orders.*;
DELETE FROM orders WHERE total < (SELECT avg(total) FROM orders) RETURNING *;
DELETE FROM orders WHERE total IN (SELECT total FROM orders ORDER BY total DESC LIMIT 2);
DELETE FROM countries WHERE code NOT IN (SELECT country FROM customers WHERE country IS NOT NULL);
DELETE FROM customers WHERE customer_id > ALL (SELECT order_id FROM orders);
DELETE FROM settings USING customers c WHERE c.country = settings.name AND c.name = 'c';
MERGE INTO orders o USING (SELECT device, count(*) AS n FROM readings GROUP BY 1) r ON o.customer_id = r.device AND
    o.order_id = r.n WHEN MATCHED THEN UPDATE SET total = r.n WHEN NOT MATCHED AND r.device < 3 THEN INSERT
    (customer_id, order_id, note) VALUES (r.device, r.n + 5, 'new');
MERGE INTO customers c USING orders o ON c.customer_id = o.order_id WHEN MATCHED AND o.total > 5 THEN UPDATE SET name =
    o.note WHEN NOT MATCHED THEN INSERT (customer_id, name) VALUES (o.order_id, DEFAULT);
MERGE INTO customers c USING readings r ON r.value = length(c.name) WHEN MATCHED THEN UPDATE SET name = c.name || '+';
MERGE INTO orders USING customers c ON c.customer_id = orders.customer_id WHEN MATCHED AND c.name = 'a' THEN DELETE;
MERGE INTO settings s USING customers c ON c.name = s.name WHEN MATCHED THEN DELETE WHEN NOT MATCHED AND c.name > ''
    THEN INSERT VALUES (c.name, c.customer_id::text);
MERGE INTO countries c USING orders o ON o.note = c.code WHEN NOT MATCHED AND o.note > '' THEN INSERT (code, name, at,
    token) VALUES (o.note, o.total::text, NULL, NULL);
MERGE INTO orders o USING (VALUES (1, 1), (NULL, 3), (5, 3)) v (a, b) ON o.customer_id = v.a AND o.order_id = v.b
    WHEN MATCHED THEN DELETE WHEN NOT MATCHED AND v.a > 0 THEN INSERT (customer_id, order_id) VALUES (v.a, v.b);
MERGE INTO orders o USING (VALUES (1, 1), (1, 1)) v (a, b) ON o.customer_id = v.a AND o.order_id = v.b
    WHEN MATCHED THEN DELETE;
MERGE INTO orders o USING (VALUES (1.4, 1), (99999999999999999999, 1)) v (a, b) ON o.customer_id = v.a::int8
    WHEN MATCHED THEN DELETE;
"""
GIVEN: list[tuple[str, list[Any]]] = [
    ("INSERT INTO readings (device, day, value) SELECT 4, %s, %s FROM customers", ["2024-05-06", "1.25"]),
    ("INSERT INTO orders (customer_id, order_id, note) VALUES (abs(-2), 66, DEFAULT), (3, 66, lower(%s))", ["X"]),
    ("UPDATE customers SET name = 'big' WHERE customer_id IN (SELECT order_id FROM orders WHERE total > %s)", [2]),
]
ALL = [*((sql, None) for sql in WRITES.strip("\n;").split(";\n")), *GIVEN]


@pytest.mark.parametrize(("sql", "params"), ALL)
def test_they_end_as_on_one_server(both: Both, sql: str, params: list[Any] | None) -> None:
    both.same(sql, params, ordered="ORDER BY total, 1" in sql)
    both.agree(*UNLIKE)
    begin(both)
    # What the transaction has written before is seen, and a savepoint takes all of it back.
    before = ("BEGIN", "UPDATE orders SET total = total + 1", "DELETE FROM readings WHERE value = 7", "SAVEPOINT s")
    for command in before:
        both.same(command)
    failed = isinstance(both.same(sql, params, ordered=False), str)
    if failed or sql.startswith("DELETE"):
        both.same("ROLLBACK TO SAVEPOINT s")
    both.same("UPDATE orders SET note = 'y' WHERE customer_id IN (1, 2)")
    both.same("COMMIT")
    both.agree(*UNLIKE)


def test_rows_come_in_portions_and_do_not_meet_themselves(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cursors see the rows from before the statement, however many portions are written in between."""
    monkeypatch.setattr(sources, "PORTION", 3)
    both.same("INSERT INTO orders (customer_id, order_id) SELECT 1, g FROM generate_series(100, 140) AS g")
    both.same("INSERT INTO orders (customer_id, order_id) SELECT customer_id + 1, order_id + 1000 FROM orders")
    both.same("INSERT INTO orders (customer_id, order_id) SELECT order_id % 6 + 1, order_id + 9000 FROM orders WHERE"
              " order_id > 99 RETURNING order_id", ordered=False)  # fmt: skip
    both.agree(*UNLIKE)


def test_a_failure_in_a_later_portion_takes_all_back(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PORTION", 2)
    before = both.contents()
    sql = (
        "INSERT INTO orders (customer_id, order_id, total) SELECT g % 5 + 1, g + 20, 30 - g"
        " FROM generate_series(1, 40) AS g"
    )
    assert both.same(sql) == "23514"
    assert both.contents() == before
    with pytest.raises(outgrow.OperationalError, match="OG-RUN-020"), both.session.transaction():
        with pytest.raises(outgrow.IntegrityError):
            both.session.execute(sql)
        # Part of it stands on some shards.
        with pytest.raises(outgrow.OperationalError, match="OG-RUN-023"):
            both.session.execute("SELECT 1")
    assert both.contents() == before


def stopped_between_portions(both: Both, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a transaction can go on in which outgrow itself stopped an INSERT that had written a part of its rows."""
    monkeypatch.setattr(sources, "PORTION", 2)
    real, calls = homes._homes, iter(range(100))

    def stopping(*args: Any) -> Any:
        if next(calls) == 3:
            raise refuse("insert key unknown", "orders", "its key")
        return real(*args)

    monkeypatch.setattr(homes, "_homes", stopping)
    both.session.execute("BEGIN")
    with pytest.raises(outgrow.NotSupportedError, match="OG-PLAN-025"):
        both.session.execute(
            "INSERT INTO orders (customer_id, order_id) SELECT g % 5 + 1, g + 20 FROM generate_series(1, 40) AS g"
        )
    try:
        both.session.execute("COMMIT")
    except outgrow.OperationalError as error:
        assert error.code == "OG-RUN-020"
        return False
    return True


def test_what_stops_between_portions_fails_the_transaction(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """What outgrow itself finds wrong is no error of a server, and part of the rows is written."""
    before = both.contents()
    assert not stopped_between_portions(both, monkeypatch)
    assert both.contents() == before


def test_more_rows_than_are_held_at_once_are_refused(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = (
        "INSERT INTO orders (customer_id, order_id) SELECT g % 5 + 1, g FROM generate_series(1, 40) AS g"
        " ON CONFLICT (customer_id, order_id) DO UPDATE SET note = 'x'"
    )
    both.same(sql)
    real = deliveries._Delivering.__init__

    def limited(self: Any, *args: Any) -> None:
        real(self, *args)
        self.delivery = replace(self.delivery, rows_max=39)

    monkeypatch.setattr(deliveries._Delivering, "__init__", limited)
    both.refused(sql, "OG-RUN-102")


def test_text_that_does_not_say_all_is_refused(both: Both) -> None:
    both.session.execute("SET extra_float_digits = 0")
    try:
        both.refused("INSERT INTO orders (order_id, customer_id) SELECT device, 5 FROM readings", "OG-RUN-101")
        both.refused("UPDATE orders SET total = (SELECT max(value) FROM readings)", "OG-RUN-101")
    finally:
        both.session.execute("RESET extra_float_digits")


def test_on_asyncio(both: Both) -> None:
    async def run() -> list[tuple[Any, ...]]:
        async with both.fleet.async_session() as session:
            result = await session.execute(
                "INSERT INTO orders (customer_id, order_id) SELECT order_id, customer_id + 70 FROM orders"
                " WHERE total > 1 AND order_id = 1 RETURNING order_id"
            )
            return sorted(result.fetchall())

    assert asyncio.run(run()) == [(71,), (72,), (76,)]


# --- protections, switched off ---------------------------------------------------------------------------------------


def notes_chosen(both: Both, more: str) -> int:
    """How many notes a subquery with LIMIT gives, whose rows lie otherwise on the second shard; `more` makes the text
    another one."""
    both.session.execute("UPDATE countries SET name = name WHERE code = 'DE'", shard="s2")
    both.session.execute(
        f"UPDATE orders SET note = (SELECT c.code FROM countries c CROSS JOIN readings r WHERE {more} LIMIT 1)"
    )
    return int(both.session.execute("SELECT count(DISTINCT note) FROM orders").fetchall()[0][0])


def test_mutant_choices_left_to_each_shard(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    assert notes_chosen(both, "true") == 1
    monkeypatch.setattr(answers, "_is_worth", lambda query, places: False)
    with pytest.raises(outgrow.NotSupportedError, match="OG-PLAN-012"):
        notes_chosen(both, "1 = 1")
    monkeypatch.setattr(supplying, "_check_choices", lambda tree: None)
    assert notes_chosen(both, "2 = 2") == 2


def test_mutant_a_failure_that_is_not_remembered(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction would commit the portions from before the one that was stopped."""
    monkeypatch.setattr(writes, "whole", contextlib.nullcontext)
    before = both.contents()
    assert stopped_between_portions(both, monkeypatch)
    assert both.contents() != before


def test_mutant_cursors_that_see_what_is_written(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a cursor that stands before the first portion is written, the INSERT meets its own rows."""
    monkeypatch.setattr(sources, "PORTION", 4)
    sql = "INSERT INTO orders (customer_id, order_id) SELECT customer_id % 6 + 1, order_id + 1000 FROM orders"
    assert both.session.execute(sql).rowcount == 5
    real = sources.Source.more_steps
    asked: list[str] = []

    def anew(self: Any) -> Any:
        rows = yield from real(self)
        if rows is not None and len(asked) < 3:
            # As if the query were asked again for each portion.
            asked.append("again")
            yield from self._close_steps()
            yield from self._open_steps()
        return rows

    monkeypatch.setattr(sources.Source, "more_steps", anew)
    with pytest.raises(outgrow.IntegrityError):
        both.session.execute(sql.replace("1000", "9000"))


def test_mutant_a_copy_that_draws_for_itself(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """`contents` finds copies that differ."""
    both.session.execute("INSERT INTO countries (code) SELECT 'n' || customer_id FROM customers")
    both.contents()
    real = deliveries._Delivering.__init__

    def careless(self: Any, *args: Any) -> None:
        real(self, *args)
        self.delivery = replace(self.delivery, each=())

    monkeypatch.setattr(deliveries._Delivering, "__init__", careless)
    both.session.execute("INSERT INTO countries (code) SELECT 'm' || customer_id FROM customers")
    with pytest.raises(AssertionError):
        both.contents()


def test_mutant_a_row_that_meets_one_on_another_shard(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """ON CONFLICT on a unique key without the shard key would find nothing there, and write it twice."""
    for shard in ("s1", "s2"):
        both.session.execute("CREATE UNIQUE INDEX orders_once ON orders (order_id) WHERE order_id >= 500", shard=shard)
    sql = "INSERT INTO orders (customer_id, order_id) VALUES (%s, 500) ON CONFLICT (order_id) WHERE order_id >= 500"
    try:
        both.refused(f"{sql} DO NOTHING", "OG-PLAN-050", [1])
        monkeypatch.setattr(builder, "check_meeting", lambda tree, places: None)
        for key in (1, 2, 3, 4):
            both.session.execute(f"{sql}  DO NOTHING", [key])
        assert both.session.execute("SELECT count(*) FROM orders WHERE order_id = 500").fetchall() == [(2,)]
    finally:
        for shard in ("s1", "s2"):
            both.session.execute("DROP INDEX orders_once", shard=shard)


def test_mutant_a_merge_that_every_shard_does(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not match on a shard would be inserted there, though its key belongs elsewhere."""
    sql = (
        "MERGE INTO orders o USING (SELECT customer_id, 800 AS b FROM customers) c ON o.customer_id = c.customer_id"
        " AND o.order_id = c.b WHEN NOT MATCHED THEN INSERT (customer_id, order_id) VALUES (c.customer_id, c.b)"
    )
    assert both.session.execute(sql).rowcount == 6
    both.contents()

    def everywhere(conversation: Any, plan: Any, shards: Any, rows: Any, until: Any) -> Any:
        yield from ()
        return {shard: list(range(len(rows))) for shard in shards}

    monkeypatch.setattr(merges, "_places_steps", everywhere)
    with pytest.raises(outgrow.IntegrityError):
        # Their customers are elsewhere.
        both.session.execute(sql.replace("800", "801"))
