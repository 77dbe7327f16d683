"""What outgrow renders means what the user wrote: the same rows, column names and types from a real server."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest
from tests.integration import launcher
from tests.unit.statement.corpus import CHANGES, QUERIES
from tests.unit.statement.shop import DDL

from outgrow.schema import Schema, build, queries
from outgrow.statement import Kind, bind, render

SERVERS = [*launcher.INSTALLED[:1], None]
Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture(scope="module", params=SERVERS, ids=lambda p: "embedded" if p is None else p.parent.name)
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with launcher.server(request.param or launcher.embedded()) as dsn, psycopg.connect(dsn, autocommit=True) as opened:
        opened.execute(DDL)
        yield opened


@pytest.fixture(scope="module")
def schema(connection: Connection) -> Schema:
    return build("sales", 1, {name: connection.execute(sql).fetchall() for name, sql in queries().items()})


def answer(connection: Connection, sql: str) -> tuple[list[tuple[str, int, int]], list[tuple[object, ...]]]:
    """Names, types and modifiers of the columns, and the rows."""
    cursor = psycopg.RawCursor(connection)
    cursor.execute(sql.encode())
    if cursor.description is None:
        return [], [(cursor.rowcount,)]
    result = cursor.pgresult
    assert result is not None
    fields = [(column.name, column.type_code, result.fmod(at)) for at, column in enumerate(cursor.description)]
    return fields, cursor.fetchall()


@pytest.mark.parametrize("text", QUERIES)
def test_a_query_renders_to_the_same_answer(connection: Connection, schema: Schema, text: str) -> None:
    bound = bind(text, schema, parameters=False)
    assert bound.kind is Kind.QUERY and bound.tree is not None, bound.effects
    fields, rows = answer(connection, text)
    rendered_fields, rendered_rows = answer(connection, render(bound.tree))
    assert rendered_fields == fields
    # Some queries leave the order open.
    assert rendered_rows == rows or Counter(map(repr, rendered_rows)) == Counter(map(repr, rows))
    items = getattr(bound.tree, "items", None)
    if items is not None and all(item.name != "*" for item in items):
        assert [item.name for item in items] == [name for name, _, _ in fields]


@pytest.mark.parametrize("text", CHANGES)
def test_a_change_renders_to_the_same_change(connection: Connection, schema: Schema, text: str) -> None:
    bound = bind(text, schema, parameters=False)
    assert bound.kind is Kind.WRITE and bound.tree is not None, bound.effects

    def after(sql: str) -> list[object]:
        seen: list[object] = []
        with connection.transaction(force_rollback=True):
            seen.append(answer(connection, sql))
            for table in ("customers", "orders", "items", "countries", '"Odd name"', "side.notes"):
                seen.append(sorted(map(repr, answer(connection, f"SELECT * FROM {table}")[1])))
        return seen

    assert after(render(bound.tree)) == after(text)


OPERANDS = ["id", "customer_id", "1", "2", "NULL", "note", "'x'", "true", "(id = 1)", "spare", "total"]
BINARY = ["+", "-", "*", "/", "%", "^", "=", "<>", "<", ">=", "||", "AND", "OR", "IS DISTINCT FROM",
          "IS NOT DISTINCT FROM", "LIKE", "NOT LIKE", "&", "<<", "~", "BETWEEN 1 AND", "NOT BETWEEN 2 AND"]  # fmt: skip
PREFIX = ["NOT", "-", "+", "~", "@"]
POSTFIX = ["IS NULL", "IS NOT NULL", "IS TRUE", "IS NOT FALSE", "::text", "::int", "IN (1, 2)", "NOT IN (3)",
           "ISNULL", 'COLLATE "C"', "AT TIME ZONE 'UTC'"]  # fmt: skip


def expression(chance: random.Random) -> str:
    """Operators in a row without parentheses: precedence alone decides."""
    words = []
    for at in range(chance.randint(2, 5)):
        if at:
            words.append(chance.choice(BINARY))
        if chance.random() < 0.25:
            words.append(chance.choice(PREFIX))
        words.append(chance.choice(OPERANDS))
        if chance.random() < 0.25:
            words.append(chance.choice(POSTFIX))
    return " ".join(words)


def meaning(connection: Connection, sql: str) -> str | None:
    """How the server understood a query: its definition as a view; None where it does not take it."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(f"CREATE VIEW meaning AS {sql}".encode())
            row = connection.execute("SELECT pg_get_viewdef('meaning'::regclass)").fetchone()
            assert row is not None
            return str(row[0])
    except psycopg.Error:
        return None


def outcome(connection: Connection, sql: str) -> object:
    """The answer, or the error's code."""
    try:
        return answer(connection, sql + " ORDER BY id")
    except psycopg.Error as error:
        return error.sqlstate


def test_operators_group_as_the_server_groups_them(connection: Connection, schema: Schema) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    understood = taken = 0
    for _ in range(1500):
        text = f"SELECT {expression(chance)} AS x FROM orders JOIN customers USING (customer_id)"
        said = meaning(connection, text)
        if said is None:
            continue
        taken += 1
        bound = bind(text, schema, parameters=False)
        if bound.tree is None:
            continue
        understood += 1
        # NOT BETWEEN and NOT (… BETWEEN …) are one and the same to outgrow; then the answers decide.
        rendered = render(bound.tree)
        same = meaning(connection, rendered) == said or outcome(connection, rendered) == outcome(connection, text)
        assert same, f"seed {seed}: {text}\n→ {rendered}"
    assert taken > 20
    assert understood > taken * 0.7, f"seed {seed}: only {understood} of {taken} understood"
