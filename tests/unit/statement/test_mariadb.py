"""MariaDB's language: its tokens, what is not understood, and how fragments are spelt."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from outgrow.errors import ProgrammingError
from outgrow.schema import FUNCTIONS, Column, Order, Schema, Table, TableKind
from outgrow.statement import (
    UNNAMED,
    Kind,
    Unvetted,
    bind,
    fingerprint,
    fingerprint_of,
    numbers_written,
    render,
    respelt,
    rows_written,
)
from outgrow.statement.lexer import Lex
from outgrow.statement.mariadb_lexer import lex
from outgrow.statement.tree import Item, Operation, Select, SetOperation, Template
from outgrow.topology import TableName

NAME = TableName("public", "t")
COLUMNS = (Column("id", "int8"), Column("Name", "varchar", order=Order.BYTES), Column("key", "int4"))
SCHEMA = Schema(
    "d", 1, ("public",), {NAME: Table(NAME, TableKind.TABLE, COLUMNS)}, functions=FUNCTIONS, engine="mariadb"
)


def test_strings_quotes_and_comments_are_mariadbs() -> None:
    tokens = [token for token in lex("SELECT 'a\\'b', \"c\"\"d\", `e``f` # x\n, 1 --1, '\\%' -- end") if token.kind > 1]
    assert [token.value for token in tokens if token.kind is Lex.STRING] == ["a'b", 'c"d', "\\%"]
    assert [token.value for token in tokens if token.kind is Lex.QUOTED] == ["e`f"]
    assert [token.text for token in tokens if token.kind is Lex.OP] == ["-", "-"]
    with pytest.raises(ProgrammingError, match="run as SQL"):
        lex("SELECT 1 /*!50000 + 1 */")


def test_case_matters_for_names_alone() -> None:
    words = [token.value for token in lex("SELECT Name, COUNT(*) FROM T") if token.kind is Lex.WORD]
    assert words == ["select", "Name", "count", "from", "T"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM t FULL JOIN t u ON true",
        "SELECT _latin1'x' FROM t",
        "SELECT id 'alias' FROM t",
        "SELECT STRAIGHT_JOIN id FROM t",
        "SELECT DIV 2 FROM t",
        "SELECT INTERVAL(1, 2, 3) FROM t",
        "SELECT INTERVAL 1 FROM t",
        "SELECT CAST(id AS BLOB) FROM t",
        "SELECT CAST(id AS SIGNED, 1) FROM t",
        "SELECT EXTRACT(CENTURY FROM d) FROM t",
        "SELECT TIMESTAMPDIFF(id, 1, 2) FROM t",
        "SELECT id FROM t LIMIT id, 2",
        "SELECT id FROM t FOR UPDATE OF t",
        "SELECT id FROM t LOCK TABLES",
        "SELECT GROUP_CONCAT(id SEPARATOR id) FROM t",
        "SELECT id XOR 1 FROM t",
        "SELECT !id FROM t",
        "SELECT id & 1 FROM t",
        "SELECT 0x41 FROM t",
        "SELECT N'x' FROM t",
        "SELECT SUM(id) OVER (ORDER BY id ROWS UNBOUNDED FOLLOWING $1) FROM t",
        "SELECT NEXT VALUE FOR s",
        "REPLACE LOW_PRIORITY INTO t VALUES (1)",
        "REPLACE INTO t (id) VALUES (1) ON DUPLICATE KEY UPDATE id = 2",
        "INSERT INTO t (id) SELECT id FROM u ON DUPLICATE KEY UPDATE id = u.id",
        "INSERT INTO t SET id := 1",
        "XA START 'a'",
        "TRUNCATE t, u",
        "TRUNCATE t NOWAIT",
        "SET sql_mode = ''",
    ],
)
def test_what_is_not_understood_is_opaque(sql: str) -> None:
    assert bind(sql, SCHEMA).kind is Kind.OPAQUE


@pytest.mark.parametrize(
    ("sql", "rendered"),
    [
        ("SELECT id DIV 2 * 3, id * 4 DIV 5 FROM t", "SELECT t.id DIV 2 * 3, (t.id * 4) DIV 5 FROM t"),
        ("SELECT id + 1 DIV (2 + 3) FROM t", "SELECT t.id + 1 DIV (2 + 3) FROM t"),
        ("SELECT id MOD 3, MOD(id, 3) FROM t", "SELECT t.id % 3, mod(t.id, 3) FROM t"),
        ("SELECT id <=> NULL FROM t", "SELECT t.id IS NOT DISTINCT FROM NULL FROM t"),
        ("SELECT id FROM t WHERE id = 1 || id = 2 && NOT id",
         "SELECT t.id FROM t WHERE t.id = 1 OR t.id = 2 AND NOT t.id"),
        ("SELECT id FROM t WHERE name NOT REGEXP 'b'", "SELECT t.id FROM t WHERE t.\"Name\" NOT REGEXP 'b'"),
        ("SELECT id FROM t WHERE 1 = name RLIKE 'b'", "SELECT t.id FROM t WHERE 1 = (t.\"Name\" REGEXP 'b')"),
        ("SELECT id FROM t LIMIT 3, 4", "SELECT t.id FROM t OFFSET 3 LIMIT 4"),
        ("SELECT NOW() - INTERVAL id + 1 DAY FROM t", "SELECT now() - INTERVAL (t.id + 1) DAY FROM t"),
        ("SELECT DATE_ADD(id, INTERVAL '1:2' HOUR_MINUTE) FROM t",
         "SELECT date_add(t.id, INTERVAL '1:2' HOUR_MINUTE) FROM t"),
        ("SELECT CAST(id + 1 AS DECIMAL(10, 2)) FROM t", "SELECT CAST((t.id + 1) AS DECIMAL(10, 2)) FROM t"),
        ("SELECT CONVERT(name USING latin1) FROM t", "SELECT CONVERT(t.\"Name\" USING LATIN1) FROM t"),
        ("SELECT CONVERT(id, CHAR(5)) FROM t", "SELECT CONVERT(t.id, CHAR(5)) FROM t"),
        ("SELECT TIMESTAMPDIFF(day, id, 5) FROM t", "SELECT TIMESTAMPDIFF(DAY, t.id, 5) FROM t"),
        ("SELECT EXTRACT(day_hour FROM id) FROM t", "SELECT EXTRACT(DAY_HOUR FROM t.id) FROM t"),
        ("SELECT TRIM(LEADING 'x' FROM name) FROM t", "SELECT TRIM(LEADING 'x' FROM t.\"Name\") FROM t"),
        ("SELECT ABS (id), IF (id, 1, 2), LEFT(name, 1) FROM t",
         'SELECT abs(t.id), if(t.id, 1, 2), "left"(t."Name", 1) FROM t'),
        ("SELECT CURRENT_DATE FROM DUAL", "SELECT \"current_date\"()"),
        ("SELECT TRUE, id IS TRUE FROM t", "SELECT 1, t.id IS TRUE FROM t"),
        ("SELECT id FROM t FOR UPDATE SKIP LOCKED", "SELECT t.id FROM t FOR UPDATE SKIP LOCKED"),
        ("SELECT id FROM t LOCK IN SHARE MODE", "SELECT t.id FROM t FOR SHARE"),
        ("SELECT X'41', 1e3 FROM t", "SELECT X'41', 1e3 FROM t"),
        ("SELECT name COLLATE utf8mb4_nopad_bin FROM t", 'SELECT t."Name" COLLATE utf8mb4_nopad_bin FROM t'),
        ("SELECT SUM(id) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t",
         "SELECT sum(t.id) OVER (ORDER BY t.id NULLS FIRST ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t"),
    ],
)  # fmt: skip
def test_what_only_mariadb_writes_so_is_read(sql: str, rendered: str) -> None:
    statement = bind(sql, SCHEMA)
    assert statement.tree is not None, statement.effects
    tree = replace(
        statement.tree, items=tuple(replace(item, alias=None, name="?column?") for item in items(statement.tree))
    )
    assert re.sub(r' AS "\?column\?"', "", render(tree)) == rendered


def items(tree: object) -> tuple[Item, ...]:
    assert isinstance(tree, Select)
    return tree.items


def test_columns_have_no_case_and_keep_the_one_they_are_written_in() -> None:
    tree = bind("SELECT ID, t.NAME, T2.`KEY` FROM t JOIN t T2 USING (id) WHERE T2.nAmE = 'x'", SCHEMA).tree
    assert [(item.name, item.expr.name) for item in items(tree)] == [("ID", "id"), ("NAME", "Name"), ("KEY", "key")]
    with pytest.raises(ProgrammingError, match="OG-STMT-012"):
        bind("SELECT T.id FROM t", SCHEMA)


def test_having_and_order_by_see_aliases() -> None:
    tree = bind(
        "SELECT `key` AS n, SUM(id) AS id FROM t GROUP BY n HAVING id > 2 AND SUM(id) > 1 ORDER BY id + 1", SCHEMA
    ).tree
    assert isinstance(tree, Select)
    sums = "sum(t.id) > 2 AND sum(t.id) > 1"
    assert render(tree.having) == sums and render(tree.order[0].expr) == "t.id + 1"
    tree = bind("SELECT id + 1 AS more FROM t GROUP BY more + 0 HAVING MORE > 1 ORDER BY more * 2", SCHEMA).tree
    assert isinstance(tree, Select)
    assert render(tree.group[0]) == "t.id + 1 + 0" and render(tree.order[0].expr) == "(t.id + 1) * 2"


def test_keys_are_not_narrowed_by_what_is_no_plain_constant() -> None:
    """A double equals several integers, and bytes are no text."""
    tree = bind("SELECT id FROM t WHERE id = 9007199254740993e0", SCHEMA).tree
    assert isinstance(tree, Select) and isinstance(tree.where, Operation)
    assert isinstance(tree.where.operands[1], Template)


def test_an_unknown_function_is_no_read() -> None:
    assert bind("SELECT COUNT(*) FROM t", SCHEMA).read_only
    assert not bind("SELECT sleep(1) FROM t", SCHEMA).read_only


def test_expressions_are_named_by_their_text() -> None:
    tree = bind("SELECT id, COUNT( * ), `Name` AS n, key+1 FROM t", SCHEMA).tree
    assert tree is None
    tree = bind("SELECT id, COUNT( * ), `Name` AS n, `key`+1 FROM t GROUP BY id", SCHEMA).tree
    assert tree is not None and [item.name for item in tree.items] == ["id", "COUNT( * )", "n", "`key`+1"]
    tree = bind("WITH x AS (SELECT 1) SELECT x.*, 'a', '🙂', (id) FROM t, x UNION SELECT 1, 2, 3, 4", SCHEMA).tree
    assert isinstance(tree, SetOperation)
    assert [item.name for item in items(tree.left)] == [UNNAMED + "1", "a", "?", "id"]
    tree = bind("SELECT id + %s, COUNT(*) FROM t", SCHEMA).tree
    assert [item.name for item in items(tree)] == [UNNAMED + "1", "COUNT(*)"]
    tree = bind("SELECT (TRUE), ((1)), ( 'a' ), null, (-1), (id + 1) FROM t", SCHEMA).tree
    assert [item.name for item in items(tree)] == ["TRUE", "1", "a", "NULL", "(-1)", "(id + 1)"]


def test_truncate_is_a_write_of_one_table() -> None:
    for sql in ("TRUNCATE t", "truncate table `t`"):
        statement = bind(sql, SCHEMA)
        assert (statement.kind, statement.command, [name.name for name in statement.writes]) == (
            *(Kind.WRITE, "TRUNCATE", ["t"]),
        )


def test_numbers_are_written_into_the_text_of_an_insert() -> None:
    sql = "INSERT INTO t (a, `b`) VALUES (f(1, 2), ','), /* ) */ ('(', $1) ON DUPLICATE KEY UPDATE a = VALUES(a)"
    assert numbers_written(sql, "i`d", None, [2, 3]) == (
        "INSERT INTO t (a, `b`, `i``d`) VALUES (f(1, 2), ',', $2), /* ) */ ('(', $1, $3) "
        "ON DUPLICATE KEY UPDATE a = VALUES(a)"
    )
    assert numbers_written("REPLACE t VALUES (NULL, 1), ((1 + 1), 2), (DEFAULT, 3)", None, 0, [7, None, 8]) == (
        "REPLACE t VALUES ($7, 1), ((1 + 1), 2), ($8, 3)"
    )
    assert numbers_written("INSERT INTO t () VALUES ()", "id", None, [1]) == "INSERT INTO t (`id`) VALUES ($1)"
    assert numbers_written("INSERT INTO t VALUES ()", "id", None, [1]) is None
    assert numbers_written("INSERT INTO t SET a = 1", "id", None, [1]) is None


def test_nulls_sort_first() -> None:
    tree = bind("SELECT id FROM t ORDER BY id, `key` DESC", SCHEMA).tree
    assert tree is not None and [key.nulls_first for key in tree.order] == [True, False]


def test_a_fragment_is_spelt_as_mariadb_wants_it() -> None:
    sql = """SELECT t.id, count(*) AS "COUNT( * )" FROM public.t AS t WHERE t.name = 'it''s \\ it' AND (t.key > $1)
             GROUP BY t.id ORDER BY t.id NULLS FIRST, t.key DESC NULLS LAST LIMIT 5"""
    assert respelt(sql) == (
        "SELECT `t`.`id`, count(*) AS `COUNT( * )` FROM `t` AS `t` WHERE `t`.`name` = 'it\\'s \\\\ it' AND "
        "(`t`.`key` > $1) GROUP BY `t`.`id` ORDER BY `t`.`id`, `t`.`key` DESC LIMIT 5"
    )
    for text in ("SELECT t.a || t.b FROM t", "SELECT t.a FROM t OFFSET 3", "SELECT t.a FROM t LIMIT 1 + 2"):
        with pytest.raises(Unvetted):
            respelt(text)


def test_words_that_only_postgresql_knows_are_names() -> None:
    table = Table(NAME, TableKind.TABLE, (Column("at", "timestamp"), Column("user", "varchar", order=Order.BYTES)))
    schema = Schema("d", 1, ("public",), {NAME: table}, functions=FUNCTIONS, engine="mariadb")
    tree = bind("SELECT at, user FROM t WHERE user = 'x' ORDER BY at", schema).tree
    assert tree is not None and [item.name for item in tree.items] == ["at", "user"]


@pytest.mark.parametrize(
    "text", ['SELECT `Name` FROM t WHERE `Name` = "s3cret"', "SELECT `Name` FROM t WHERE `Name` = 'it\\'s'"]
)
def test_a_fingerprint_shows_no_value_in_this_languages_quotes(text: str) -> None:
    wanted = "select `Name` from t where `Name` = ?"
    assert fingerprint(bind(text, SCHEMA)).text == wanted
    assert fingerprint_of(text, False, "mariadb").text == wanted


@pytest.mark.parametrize(
    ("sql", "columns", "conflict", "manner"),
    [
        ("INSERT t VALUES (1)", ("id",), "", ""),
        ("INSERT INTO t SET id = 1, `key` = IF(1, 2, 3)", ("id", "key"), "", ""),
        ("REPLACE t (id) VALUE (1), (2)", ("id",), "update", "replace"),
        ("REPLACE INTO t SET id = (SELECT 1)", ("id",), "update", "replace"),
        ("INSERT IGNORE INTO t (id) VALUES (1)", ("id",), "nothing", "ignore"),
        ("INSERT INTO t (id) VALUES (1) ON DUPLICATE KEY UPDATE `key` = VALUES(`key`)", ("id",), "update", "update"),
    ],
)
def test_every_way_to_insert_is_read(sql: str, columns: tuple[str, ...], conflict: str, manner: str) -> None:
    bound = bind(sql, SCHEMA)
    assert bound.kind is Kind.WRITE and bound.argument == manner
    assert bound.tree.columns == columns and bound.tree.conflict == conflict
    assert bound.sql == sql


def test_rows_are_cut_as_they_are_written() -> None:
    sql = "INSERT INTO `values` (id, n) VALUES ($1, f($2)), (3, '),(') ON DUPLICATE KEY UPDATE n = VALUES(n) + $3"
    head, rows, tail = rows_written(sql)
    assert head == (("INSERT INTO `values` (id, n) VALUES ",), ())
    assert rows == (((("(", ", f(", "))"), (1, 2))), (("(3, '),(')",), ()))
    assert tail == ((" ON DUPLICATE KEY UPDATE n = VALUES(n) + ", ""), (3,))
    assert rows_written("INSERT INTO t SET id = 1") is None
    assert rows_written("INSERT INTO t SELECT id FROM u") is None
