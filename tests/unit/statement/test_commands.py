"""Commands are known by their first words; none of them reaches the parser."""

from __future__ import annotations

import pytest

from outgrow.errors import Error
from outgrow.statement import Kind, bind
from tests.unit.statement.shop import SCHEMA

T, S, D, C, O = Kind.TRANSACTION, Kind.SESSION, Kind.DDL, Kind.COPY, Kind.OPAQUE  # noqa: E741


@pytest.mark.parametrize(
    ("text", "kind", "command", "argument"),
    [
        ("begin", T, "BEGIN", ""),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY", T, "BEGIN", "ISOLATION LEVEL SERIALIZABLE READ ONLY"),
        ("start transaction read only", T, "BEGIN", "read only"),
        ("COMMIT WORK", T, "COMMIT", ""),
        ("commit and chain", T, "COMMIT", "and chain"),
        ("END", T, "COMMIT", ""),
        ("rollback", T, "ROLLBACK", ""),
        ("ABORT TRANSACTION", T, "ROLLBACK", ""),
        ("SAVEPOINT s", T, "SAVEPOINT", "s"),
        ('savepoint "S x"', T, "SAVEPOINT", "S x"),
        ("RELEASE s", T, "RELEASE", "s"),
        ("release savepoint S", T, "RELEASE", "s"),
        ("ROLLBACK TO s", T, "ROLLBACK TO", "s"),
        ("ROLLBACK WORK TO SAVEPOINT s", T, "ROLLBACK TO", "s"),
        ("PREPARE TRANSACTION 'x'", T, "PREPARE TRANSACTION", "x"),
        ("COMMIT PREPARED 'x'", T, "COMMIT PREPARED", "x"),
        ("ROLLBACK PREPARED 'it''s'", T, "ROLLBACK PREPARED", "it's"),
        ("SET TRANSACTION READ ONLY", T, "SET TRANSACTION", "READ ONLY"),
        ("SET search_path = a, b", S, "SET", "search_path"),
        ("SET LOCAL Statement_Timeout TO 5", S, "SET LOCAL", "statement_timeout"),
        ("SET SESSION my.setting = 'x'", S, "SET", "my.setting"),
        ("SET TIME ZONE 'UTC'", S, "SET", "timezone"),
        ("SET SESSION AUTHORIZATION joe", S, "SET SESSION AUTHORIZATION", "joe"),
        ("RESET ALL", S, "RESET", "all"),
        ("SHOW TRANSACTION ISOLATION LEVEL", S, "SHOW", "transaction_isolation"),
        ("DISCARD ALL", S, "DISCARD", "all"),
        ("LISTEN c", O, "LISTEN", "c"),
        ("UNLISTEN *", O, "UNLISTEN", "*"),
        ("NOTIFY c, 'payload'", O, "NOTIFY", "c"),
        ("VACUUM orders", O, "VACUUM", "orders"),
        ("LOCK TABLE orders", O, "LOCK", "TABLE orders"),
        ("CALL p(1)", O, "CALL", "p ( 1 )"),
        ("DO $$ BEGIN DELETE FROM orders; END $$", O, "DO", "$$ BEGIN DELETE FROM orders; END $$"),
        ("EXPLAIN SELECT 1", O, "EXPLAIN", "SELECT 1"),
        ("PREPARE p AS SELECT 1", O, "PREPARE", "p AS SELECT 1"),
        ("gibberish here", O, "GIBBERISH", "here"),
        ("42", O, "", ""),
        ("COPY orders FROM STDIN", C, "COPY", "from"),
        ("COPY orders (id) TO STDOUT", C, "COPY", "to"),
        ("COPY (SELECT 1) TO STDOUT", C, "COPY", ""),
        ("ANALYZE;", O, "ANALYZE", ""),
    ],
)  # fmt: skip
def test_commands(text: str, kind: Kind, command: str, argument: str) -> None:
    bound = bind(text, SCHEMA, parameters=False)
    assert (bound.kind, bound.command, bound.argument) == (kind, command, argument)
    assert bound.tree is None
    assert not bound.read_only


@pytest.mark.parametrize(
    ("text", "writes", "options"),
    [
        ("TRUNCATE orders", "orders", ""),
        (
            "truncate table only orders *, side.notes restart identity cascade",
            "orders side.notes",
            "restart identity, cascade",
        ),
        ("TRUNCATE orders, orders CONTINUE IDENTITY RESTRICT;", "orders", "continue identity, restrict"),
        ("TRUNCATE unknown", "unknown", ""),
    ],
)
def test_truncate(text: str, writes: str, options: str) -> None:
    bound = bind(text, SCHEMA, parameters=False)
    assert (bound.kind, bound.command, bound.argument) == (Kind.WRITE, "TRUNCATE", options)
    assert [str(name) for name in bound.writes] == writes.split()
    assert not bound.read_only


@pytest.mark.parametrize("text", ["TRUNCATE", "TRUNCATE orders items", "TRUNCATE orders,", "TRUNCATE (orders)"])
def test_what_is_no_list_of_tables_is_not_truncated(text: str) -> None:
    assert bind(text, SCHEMA, parameters=False).kind is Kind.OPAQUE


@pytest.mark.parametrize(
    ("text", "command", "writes"),
    [
        ("CREATE TABLE t (a int)", "CREATE TABLE", "t"),
        ('create unlogged table if not exists "T x" (a int)', "CREATE TABLE", "T x"),
        ("CREATE TABLE side.t AS SELECT 1", "CREATE TABLE AS", "side.t"),
        ("CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY)", "CREATE TABLE", "t"),
        ("ALTER TABLE IF EXISTS ONLY orders ADD COLUMN x int", "ALTER TABLE", "orders"),
        ("DROP TABLE IF EXISTS orders CASCADE", "DROP TABLE", "orders"),
        ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY orders (id)", "CREATE INDEX", "orders"),
        ("CREATE INDEX ON side.notes (id)", "CREATE INDEX", "side.notes"),
        ("CREATE OR REPLACE TRIGGER t BEFORE INSERT ON orders EXECUTE FUNCTION f()", "CREATE TRIGGER", "orders"),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "CREATE VIEW", "v"),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY m", "REFRESH", "m"),
        ("SELECT 1 INTO t FROM orders", "SELECT INTO", "t"),
        ("SELECT * INTO UNLOGGED TABLE side.t FROM orders", "SELECT INTO", "side.t"),
        ("COMMENT ON TABLE orders IS 'x'", "COMMENT", ""),
        ("GRANT SELECT ON orders TO joe", "GRANT", ""),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END", "CREATE FUNCTION", ""),
        ("CREATE RULE r AS ON DELETE TO orders DO (SELECT 1; SELECT 2)", "CREATE RULE", ""),
    ],
)
def test_ddl(text: str, command: str, writes: str) -> None:
    bound = bind(text, SCHEMA, parameters=False)
    assert bound.kind is Kind.DDL
    assert bound.command == command
    if writes:
        assert str(bound.writes[0]) == writes
    assert any(effect.kind == "writes" for effect in bound.effects)


@pytest.mark.parametrize("text", ["CREATE TEMP TABLE t (a int)", "create local temporary table t as select 1",
                                  "SELECT 1 INTO TEMP t"])  # fmt: skip
def test_temporary_tables_are_flagged(text: str) -> None:
    assert any(effect.kind == "temporary" for effect in bind(text, SCHEMA).effects)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "OG-STMT-001"),
        (" ; ; -- nothing", "OG-STMT-001"),
        ("SELECT 1; SELECT 2", "OG-STMT-002"),
        ("SELECT 1; /* x */ DROP TABLE orders;", "OG-STMT-002"),
        ("CREATE TABLE t (a int); SELECT 1", "OG-STMT-002"),
    ],
)
def test_none_and_several_statements_are_refused(text: str, code: str) -> None:
    with pytest.raises(Error) as caught:
        bind(text, SCHEMA)
    assert caught.value.code == code


def test_a_trailing_semicolon_and_comments_do_no_harm() -> None:
    assert bind("SELECT 1 ; -- a ; b", SCHEMA).kind is Kind.QUERY
    assert bind("/* ; */ SELECT ';'", SCHEMA).kind is Kind.QUERY
