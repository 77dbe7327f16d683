"""What outgrow renders means what the user wrote: the same rows, column names and types from a real server."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest

from outgrow.errors import Error
from outgrow.schema import Schema, build, queries
from outgrow.statement import Kind, bind, render, type_of
from outgrow.statement.functions import FALLBACK, RANK, lookup
from outgrow.statement.lexer import lex, significant
from outgrow.statement.tree import CallKind
from tests.servers import Servers
from tests.unit.statement.corpus import CHANGES, QUERIES
from tests.unit.statement.shop import DDL

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture(scope="module")
def connection(fleet_servers: Servers) -> Iterator[Connection]:
    topology = fleet_servers.fresh()
    with psycopg.connect(topology.domains[0].home.primary.dsn, autocommit=True) as opened:
        opened.execute(DDL)
        yield opened
    fleet_servers.drop(topology)


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


def type_name(connection: Connection, oid: int) -> str:
    row = connection.execute("SELECT typname FROM pg_type WHERE oid = %s", [oid]).fetchone()
    assert row is not None
    return str(row[0])


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
        for item, (_, oid, _) in zip(items, fields, strict=True):
            inferred = type_of(item.expr)
            assert inferred is None or type_name(connection, oid) == inferred.replace("unknown", "text"), item


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


def spoilt(chance: random.Random, texts: list[list[str]]) -> str:
    """A query with a token lost, doubled, exchanged or taken from another."""
    tokens = list(chance.choice(texts))
    at = chance.randrange(len(tokens))
    other = chance.choice(texts)
    match chance.randrange(5):
        case 0 if len(tokens) > 2:
            del tokens[at]
        case 1:
            tokens.insert(at, chance.choice(tokens))
        case 2:
            tokens[at] = chance.choice(other)
        case 3:
            second = chance.randrange(len(tokens))
            tokens[at], tokens[second] = tokens[second], tokens[at]
        case _:
            start = chance.randrange(len(other))
            tokens[at:at] = other[start : start + chance.randint(1, 4)]
    return " ".join(tokens)


def result(connection: Connection, sql: str) -> object:
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL statement_timeout = '3s'")
            fields, rows = answer(connection, sql)
            return fields, sorted(map(repr, rows))
    except psycopg.Error:
        return None


def test_spoilt_queries_are_not_misread(connection: Connection, schema: Schema, seed: int) -> None:
    """Whatever the server takes, outgrow reads the same way, or not at all; it blames nothing that the server takes."""
    chance = random.Random(seed)
    texts = [[token.text for token in significant(lex(query))] for query in QUERIES if "current" not in query.lower()]
    same = 0
    for _ in range(2500):
        text = spoilt(chance, texts)
        try:
            bound = bind(text, schema, parameters=False)
        except Error as error:
            assert result(connection, text) is None, f"seed {seed}: {text}: {error}"
            continue
        if bound.tree is None or (said := result(connection, text)) is None:
            continue
        rendered = render(bound.tree)
        assert result(connection, rendered) == said, f"seed {seed}: {text}\n→ {rendered}"
        same += 1
    assert same > 50, f"seed {seed}: only {same} were still queries"


def test_operators_group_as_the_server_groups_them(connection: Connection, schema: Schema, seed: int) -> None:
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


def test_the_built_in_table_of_functions_is_as_careful_as_the_catalogue(connection: Connection, schema: Schema) -> None:
    """Without a snapshot of functions the room's own table serves: never less volatile, and of the same kind."""
    windows = (CallKind.WINDOW, CallKind.AGGREGATE)  # rank() and its kin are both
    wrong = []
    for name in sorted(FALLBACK.keys() & schema.functions.keys()):
        own, real = FALLBACK[name], lookup(schema, name)
        same_kind = own.kind is real.kind or (own.kind in windows and real.kind in windows)
        if not same_kind or RANK[own.volatility] < RANK[real.volatility] or own.type not in (None, real.type):
            wrong.append((name, own, real))
    assert not wrong
    assert len(FALLBACK.keys() & schema.functions.keys()) > 250
