"""Fingerprints: the same for what differs in values alone, different for what differs otherwise, and never a value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.events import Fingerprint
from outgrow.statement import bind, fingerprint, fingerprint_of, string_sql
from outgrow.statement.lexer import Lex, lex
from tests.unit.statement.shop import SCHEMA


def of(text: str, parameters: bool = False) -> Fingerprint:
    return fingerprint_of(text, parameters, "postgresql")


@pytest.mark.parametrize(
    "texts",
    [
        (
            "SELECT * FROM t WHERE a = 1",
            "select *\n  from T where a = 'x' -- and b = 2",
            "SELECT * FROM t WHERE a = $1;",
        ),
        ("SELECT * FROM t WHERE a IN (1)", "SELECT * FROM t WHERE a IN ($1, -2, 3.5e6, B'01', $$x$$)"),
        ("INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, E'c\\'')"),
        ("INSERT INTO t VALUES (1, DEFAULT, now())", "INSERT INTO t VALUES (1, DEFAULT, now()), (2, DEFAULT, now())"),
        ("SELECT a = ANY(ARRAY[1])", "SELECT a = ANY (ARRAY[1, 2, 3])"),
        ("SELECT 1 /* hint */", "SELECT 2"),
        ("SELECT 'a'", "SELECT 'a'\n'b'", "SELECT U&'d\\0061'", "SELECT true", "SELECT 0xff"),
        ("SET search_path TO a", "SET search_path TO b, c", "set SEARCH_PATH to 'd'"),
        ("UPDATE t SET a = -5", "UPDATE t SET a = 5"),
    ],
)
def test_values_layout_and_comments_do_not_matter(texts: tuple[str, ...]) -> None:
    assert len({of(text) for text in texts}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t", "SELECT b FROM t"),
        ('SELECT "A" FROM t', "SELECT a FROM t"),
        ("SELECT a IS TRUE", "SELECT a IS FALSE"),
        ("SELECT a IS NULL", "SELECT a IS NOT NULL"),
        ("SELECT a - 1", "SELECT a + 1"),
        ("SELECT f(1)", "SELECT f(1, 2)"),
        ("SELECT a FROM t LIMIT 1", "SELECT a FROM t LIMIT ALL"),
        ("SELECT g(1), (2)", "SELECT g(1)"),
    ],
)
def test_what_says_something_else_has_another(one: str, other: str) -> None:
    assert of(one).id != of(other).id


def test_placeholders_of_every_style_are_values() -> None:
    wanted = of("SELECT a FROM t WHERE b = 'x' AND c = 1")
    assert of("SELECT a FROM t WHERE b = %s AND c = %s", True) == wanted
    assert of("SELECT a FROM t WHERE b = %(b)s AND c = %(c)s", True) == wanted
    assert of("SELECT a FROM t WHERE b = $1 AND c = $2", True) == wanted


def test_it_is_the_same_everywhere_and_for_ever() -> None:
    """Dashboards and files hold these: a change of the spelling breaks them."""
    found = of("SELECT name FROM customers WHERE customer_id = 42 AND country IN ('DE', 'FR')")
    assert found.text == "select name from customers where customer_id = ? and country in (?)"
    assert found.id == "af5fc54562cdc1e2"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("SET search_path TO tenant42, public", "set search_path to ?"),
        ("SET LOCAL app.password = hunter2", "set local app.password = ?"),
        ("SET ROLE bob", "set role ?"),
        ("SET TIME ZONE utc", "set time zone ?"),
        ("ALTER ROLE bob PASSWORD 'hunter2'", "alter role bob password ?"),
        ("DO $x$ BEGIN PERFORM 'secret'; END $x$", "do ?"),
        ("SELECT date '2020-01-01', interval '1 day'", "select date ?, interval ?"),
        ("SELECT 'never ends", "(unreadable)"),
        ("", ""),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert of(text).text == shown


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("SELECT name FROM customers c JOIN orders o USING (customer_id)", "SELECT customers orders"),
        ("INSERT INTO orders (id, customer_id) SELECT 1, customer_id FROM customers",
         "INSERT orders SELECT customers"),
        ("UPDATE customers SET name = 'x'", "UPDATE customers"),
        ("COMMIT", "COMMIT"),
        ("TRUNCATE customers", "TRUNCATE customers"),
    ],
)  # fmt: skip
def test_the_summary_names_operations_and_tables(text: str, summary: str) -> None:
    found = fingerprint(bind(text, SCHEMA))
    assert found.summary == summary
    assert found == Fingerprint(of(text).id, of(text).text, summary)


def test_a_summary_is_short() -> None:
    names = ", ".join(f'customers "{"x" * 40}{n}"' for n in range(9))
    assert len(fingerprint(bind(f"SELECT 1 FROM {names}", SCHEMA)).summary) <= 255


def test_a_text_is_cut_but_not_its_id() -> None:
    one, other = (of(f"SELECT {', '.join(f'a{n}' for n in range(9000))}, {last}") for last in "bc")
    assert one.text == other.text and one.text.endswith(" …") and len(one.text) < 8100
    assert one.id != other.id


secrets = st.text(st.characters(categories=["L", "N", "P", "S", "Z"]), min_size=1, max_size=12).map(
    lambda text: f"zq{text}qz"
)


@given(secrets, st.integers(10**6, 10**12), st.sampled_from(["", "E", "N", "U&"]))
def test_no_value_gets_through(secret: str, number: int, prefix: str) -> None:
    quoted = prefix + string_sql(secret).removeprefix("E") if "\\" not in secret else string_sql(secret)
    text = f"SELECT a, {quoted}, {number}, $z${secret}$z$ /* {secret.replace('*', '')} */ FROM t WHERE b IN ({quoted})"
    try:
        lex(text)
    except Exception:
        return
    found = of(text)
    assert "zq" not in found.text
    assert str(number) not in found.text
    assert not any(token.kind in (Lex.STRING, Lex.NUMBER) for token in lex(found.text))
