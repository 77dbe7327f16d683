"""What makes a statement more than a plain read."""

from __future__ import annotations

import pytest

from outgrow.schema import Volatility
from outgrow.statement import Kind, bind
from tests.unit.statement.shop import SCHEMA, with_functions

V, S, I = Volatility.VOLATILE, Volatility.STABLE, Volatility.IMMUTABLE  # noqa: E741


def effects(text: str) -> set[str]:
    return {effect.kind for effect in bind(text, SCHEMA, parameters=False).effects}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT nextval('s')", "volatile"),
        ("SELECT id FROM orders WHERE random() < 0.5", "volatile"),
        ("SELECT id FROM orders ORDER BY random()", "volatile"),
        ("SELECT * FROM orders o, LATERAL (SELECT setval('s', o.id)) x", "volatile"),
        ("WITH x AS (SELECT gen_random_uuid()) SELECT * FROM x", "volatile"),
        ("SELECT set_config('a.b', 'x', true)", "volatile"),
        ("SELECT pg_sleep(1)", "volatile"),
        ("SELECT pg_notify('c', 'x')", "volatile"),
        ("SELECT lo_create(0)", "volatile"),
        ("SELECT txid_current()", "volatile"),
        ("SELECT clock_timestamp()", "volatile"),
        ("SELECT nobody_knows(1)", "volatile"),
        ("SELECT public.lower('x')", "volatile"),
        ("SELECT * FROM dblink('x', 'y') AS t", "volatile"),
        ("SELECT last_value FROM ticket", "volatile"),
        ("SELECT pg_advisory_lock(1)", "advisory"),
        ("SELECT pg_try_advisory_xact_lock(1)", "advisory"),
        ("SELECT * FROM orders FOR UPDATE", "locking"),
        ("SELECT * FROM (SELECT * FROM orders FOR KEY SHARE OF orders NOWAIT) x", "locking"),
        ("WITH x AS (DELETE FROM orders RETURNING id) SELECT * FROM x", "writes"),
        ("INSERT INTO orders (id) VALUES (1)", "writes"),
    ],
)
def test_these_keep_off_replicas(text: str, kind: str) -> None:
    assert kind in effects(text)
    assert not bind(text, SCHEMA, parameters=False).read_only


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SELECT * FROM pg_class", "catalogue"),
        ("SELECT * FROM information_schema.tables t JOIN orders o ON o.note = t.table_name", "catalogue"),
        ("SELECT ctid FROM orders", "local"),
        ("SELECT o.xmin FROM orders o", "local"),
        ("SELECT pg_backend_pid()", "local"),
        ("SELECT current_setting('x')", "local"),
        ("SELECT * FROM json_to_record('{}') AS x", "opaque-function"),
    ],
)
def test_these_only_keep_out_of_scatters(text: str, kind: str) -> None:
    bound = bind(text, SCHEMA, parameters=False)
    if kind == "opaque-function":
        bound = bind(text.replace("json_to_record", "jsonb_to_recordset"), SCHEMA, parameters=False)
    assert kind in {effect.kind for effect in bound.effects}
    assert bound.read_only


@pytest.mark.parametrize("text", ["SELECT now(), lower('x'), count(*) FROM orders", "SELECT current_timestamp"])
def test_plain_reads_have_none(text: str) -> None:
    assert effects(text) == set()


def test_the_most_volatile_overload_counts() -> None:
    schema = with_functions(("pg_catalog", "f", I, True), ("public", "f", V, False), ("public", "g", S, False))
    assert {e.kind for e in bind("SELECT f(1)", schema).effects} == {"volatile"}
    assert bind("SELECT pg_catalog.f(1)", schema).effects == ()
    assert {e.kind for e in bind("SELECT g(1)", schema).effects} == {"opaque-function"}
    assert bind("SELECT g(1)", schema).read_only


def test_a_written_with_makes_a_write() -> None:
    bound = bind("WITH x AS (UPDATE orders SET note = 'x' RETURNING id) SELECT id FROM x, customers", SCHEMA)
    assert bound.kind is Kind.WRITE
    assert bound.command == "SELECT"
    assert [str(t) for t in bound.writes] == ["orders"]
    assert [str(t) for t in bound.reads] == ["customers"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM orders TABLESAMPLE other (1)",
        "SELECT * FROM orders TABLESAMPLE system (id)",
        "SELECT * FROM orders TABLESAMPLE system (1, 2)",
        "SELECT * FROM orders TABLESAMPLE system (1) REPEATABLE",
        "SELECT * FROM (SELECT id FROM orders) o TABLESAMPLE system (1)",
        "WITH o AS (SELECT id FROM orders) SELECT * FROM o TABLESAMPLE system (1)",
        "SELECT id FROM orders ORDER BY id USING >",
        "SELECT * FROM ROWS FROM (generate_series(1, 2), generate_series(1, 3))",
        "SELECT * FROM json_to_record('{}') AS x (a int)",
        "SELECT xmlelement(name foo)",
        "SELECT json_value('{}', '$.a')",
        "SELECT * FROM JSON_TABLE('{}', '$' COLUMNS (a int)) t",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION SELECT n + 1 FROM t) SEARCH DEPTH FIRST BY n SET o SELECT * FROM t",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION SELECT n + 1 FROM t) CYCLE n SET c USING p SELECT * FROM t",
        "SELECT * FROM (orders o JOIN customers c USING (customer_id)) AS j",
        "SELECT * FROM orders JOIN customers USING (customer_id) AS j",
        "UPDATE orders SET tags[1] = 'x'",
        "DELETE FROM orders WHERE CURRENT OF c",
        "SELECT collation for (note) FROM orders",
        "SELECT sum(id) OVER (ROWS $1 PRECEDING) FROM orders",
        "SELECT U&'!0041' UESCAPE '!'",
        "SELECT * FROM orders LIMIT 1, 2",
        "SELECT id, FROM orders",
        "SELECT * FROM orders JOIN customers",
        "SELECT CASE WHEN true 1 END",
        "SELECT count(*) FILTER (true) FROM orders",
        "SELECT id FROM orders WHERE id BETWEEN 1 2",
        "SELECT id FROM orders GROUP BY ALL",
        "SELECT GROUP_CONCAT(id SEPARATOR ',') FROM orders",
        "SELECT * EXCEPT (id) FROM orders",
        "SELECT id FROM orders QUALIFY row_number() OVER () = 1",
        "FROM orders SELECT id",
        "SELECT id::int:x FROM orders",
        "SELECT 1 FROM orders PIVOT (sum(id) FOR note IN ('a'))",
        "SELECT og$k1 FROM orders",
        'SELECT "og$k0" FROM orders',
        "SELECT (",
        "SELECT id FROM orders WHERE",
        "SELECT * FROM orders AT TIME ZONE 'UTC'",
        "(SELECT 1) x",
        "SELECT 1 +",
        "INSERT INTO orders SET id = 1",
        "UPDATE orders SET id = 1 LIMIT 1",
        "DELETE orders WHERE id = 1",
        "SELECT " + "(" * 3000 + "1" + ")" * 3000,
        "SELECT " + " + ".join("1" * 3000),
    ],
)
def test_what_is_not_understood_is_opaque_with_a_reason(text: str) -> None:
    bound = bind(text, SCHEMA, parameters=False)
    assert bound.kind is Kind.OPAQUE
    assert [effect.kind for effect in bound.effects] == ["unvetted"]
    assert "og$" not in bound.effects[0].what.replace("begins with og$", "").replace("'og$k1'", "").replace(
        "'og$k0'", ""
    )
    assert not bound.read_only
