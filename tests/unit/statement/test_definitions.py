"""What is read off a DDL text."""

from __future__ import annotations

import pytest

from outgrow.statement import DefinitionFacts, Form, IndexChange, NewTable, definition_facts


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        (
            "CREATE TABLE IF NOT EXISTS a.b (id int8 PRIMARY KEY, x numeric(10,2) DEFAULT (1+2), UNIQUE (x))",
            NewTable(("a", "b"), Form.PLAIN, (), True, ("id", "x"), ("id",)),
        ),
        (
            'create unlogged table "T" ("Check" int, b int[], constraint k primary key (b, "Check")) with (a=9)',
            NewTable((None, "T"), Form.PLAIN, (), False, ("Check", "b"), ("b", "Check")),
        ),
        ("CREATE TABLE t ()", NewTable((None, "t"), Form.PLAIN)),
        ("CREATE TABLE t (a int, LIKE u)", NewTable((None, "t"), Form.PLAIN, columns=None)),
        ("CREATE TABLE t OF u", NewTable((None, "t"), Form.PLAIN, columns=None)),
        ("CREATE TABLE t (a) AS SELECT 1", NewTable((None, "t"), Form.QUERY, columns=None)),
        ("CREATE TABLE t AS TABLE u WITH NO DATA", NewTable((None, "t"), Form.EMPTY, columns=None)),
        ("SELECT a INTO TABLE s.t FROM u", NewTable(("s", "t"), Form.QUERY, columns=None)),
        (
            "CREATE TABLE t PARTITION OF s.p FOR VALUES IN (1)",
            NewTable((None, "t"), Form.PARTITION, (("s", "p"),), columns=None),
        ),
        (
            "CREATE TABLE t (a int) INHERITS (p, s.q)",
            NewTable((None, "t"), Form.INHERITS, ((None, "p"), ("s", "q")), columns=None),
        ),
        ("CREATE VIEW v AS SELECT 1", None),
        ("CREATE TABLE", None),
    ],
)
def test_new_tables(sql: str, table: NewTable | None) -> None:
    assert definition_facts(sql).new_table == table


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s.t (a)",
            IndexChange(True, ("s", "t"), ((None, "i"),)),
        ),
        ("create index concurrently on t using gin (a)", IndexChange(True, (None, "t"))),
        ("DROP INDEX CONCURRENTLY IF EXISTS s.i", IndexChange(False, None, (("s", "i"),))),
        ("REINDEX TABLE CONCURRENTLY t", None),
        ("ALTER TABLE p DETACH PARTITION c CONCURRENTLY", None),
        ("CREATE DATABASE d", None),
        ("ALTER SYSTEM SET work_mem = '1MB'", None),
    ],
)
def test_what_refuses_transaction_blocks(sql: str, index: IndexChange | None) -> None:
    facts = definition_facts(sql)
    assert (facts.alone, facts.index) == (True, index)


@pytest.mark.parametrize(
    "sql", ["CREATE INDEX concurrently_made ON t (a)", "DROP INDEX i", "REINDEX TABLE t", "ALTER TYPE e ADD VALUE 'x'"]
)
def test_what_runs_in_a_block(sql: str) -> None:
    assert not definition_facts(sql).alone


@pytest.mark.parametrize(
    ("sql", "only"),
    [
        ("ALTER TABLE s.t ADD COLUMN a int", ("s", "t")),
        ("ALTER TABLE IF EXISTS ONLY t DROP COLUMN a", (None, "t")),
        ("CREATE INDEX i ON t (a)", (None, "t")),
        ("ALTER TABLE t DROP COLUMN a CASCADE", None),
        ("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u", None),
        ("ALTER TABLE t RENAME TO u", None),
        ("DROP TABLE t", None),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", None),
    ],
)
def test_the_one_table_that_changes(sql: str, only: tuple[str | None, str] | None) -> None:
    assert definition_facts(sql).only == only


def test_what_is_not_sql_says_nothing() -> None:
    assert definition_facts("'") == DefinitionFacts()
