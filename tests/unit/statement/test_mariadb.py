"""MariaDB's language: its tokens, what is not understood, and how fragments are spelt."""

from __future__ import annotations

import pytest

from outgrow.errors import ProgrammingError
from outgrow.schema import FUNCTIONS, Column, Order, Schema, Table, TableKind
from outgrow.statement import Kind, Unvetted, bind, fingerprint, fingerprint_of, respelt
from outgrow.statement.lexer import Lex
from outgrow.statement.mariadb_lexer import lex
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
        "SELECT 7 DIV 2 FROM t",
        "SELECT 'a' || 'b' FROM t",
        "SELECT id <=> 1 FROM t",
        "SELECT _latin1'x' FROM t",
        "SELECT id 'alias' FROM t",
        "SELECT STRAIGHT_JOIN id FROM t",
        "SELECT id FROM t LIMIT 1, 2",
        "SELECT id FROM t LOCK IN SHARE MODE",
        "SELECT X'41' FROM t",
        "SELECT NEXT VALUE FOR s",
        "SELECT CAST(id AS SIGNED) FROM t",
        "REPLACE INTO t VALUES (1)",
        "INSERT INTO t (id) VALUES (1) ON DUPLICATE KEY UPDATE id = 2",
        "XA START 'a'",
        "TRUNCATE t",
        "SET sql_mode = ''",
    ],
)
def test_what_is_not_understood_is_opaque(sql: str) -> None:
    assert bind(sql, SCHEMA).kind is Kind.OPAQUE


def test_an_unknown_function_is_no_read() -> None:
    assert bind("SELECT COUNT(*) FROM t", SCHEMA).read_only
    assert not bind("SELECT sleep(1) FROM t", SCHEMA).read_only


def test_expressions_are_named_by_their_text() -> None:
    tree = bind("SELECT id, COUNT( * ), `Name` AS n, key+1 FROM t", SCHEMA).tree
    assert tree is None
    tree = bind("SELECT id, COUNT( * ), `Name` AS n, `key`+1 FROM t GROUP BY id", SCHEMA).tree
    assert tree is not None and [item.name for item in tree.items] == ["id", "COUNT( * )", "n", "`key`+1"]


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
