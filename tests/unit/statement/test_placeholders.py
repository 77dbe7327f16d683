"""psycopg's placeholders and `$n`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.errors import Error, ProgrammingError
from outgrow.statement.model import Placeholders
from outgrow.statement.placeholders import prepare


@pytest.mark.parametrize(
    ("text", "sql", "placeholders"),
    [
        ("SELECT 1", "SELECT 1", Placeholders(0)),
        ("SELECT %s, %s", "SELECT $1, $2", Placeholders(2)),
        ("SELECT %s,%b,%t", "SELECT $1,$2,$3", Placeholders(3)),
        ("SELECT %(a)s, %(b)s, %(a)s", "SELECT $1, $2, $1", Placeholders(2, ("a", "b"))),
        ("SELECT %(a b)s", "SELECT $1", Placeholders(1, ("a b",))),
        ("SELECT 5 %% 3", "SELECT 5 % 3", Placeholders(0)),
        ("SELECT '100%%', %s", "SELECT '100%', $1", Placeholders(1)),
        ("SELECT a %%> %s", "SELECT a %> $1", Placeholders(1)),
        ("SELECT $1,$2", "SELECT $1,$2", Placeholders(2)),
        ("SELECT $3", "SELECT $3", Placeholders(3)),
        ("SELECT 'a%' LIKE $1", "SELECT 'a%' LIKE $1", Placeholders(1)),
        ("SELECT $$ $9 $$", "SELECT $$ $9 $$", Placeholders(0)),
        ("SELECT %s -- 100% sure", "SELECT $1 -- 100% sure", Placeholders(1)),
        ("SELECT /* 5 %% 3 */ %s", "SELECT /* 5 % 3 */ $1", Placeholders(1)),
    ],
)
def test_with_parameters(text: str, sql: str, placeholders: Placeholders) -> None:
    prepared = prepare(text, True)
    assert prepared.sql == sql
    assert prepared.placeholders == placeholders


@pytest.mark.parametrize("text", ["SELECT 5 % 3", "SELECT '100%'", "SELECT 5 %% 3", "SELECT '%s'"])
def test_without_parameters_percent_is_just_a_character(text: str) -> None:
    assert prepare(text, False).sql == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SELECT 5 % 3, %s", "OG-STMT-005"),
        ("SELECT '100%'", "OG-STMT-005"),
        ("SELECT 'a%", "OG-STMT-005"),
        ("SELECT %d", "OG-STMT-005"),
        ("SELECT %(a", "OG-STMT-005"),
        ("SELECT %(a)d", "OG-STMT-005"),
        ("SELECT 5 %", "OG-STMT-005"),
        ("SELECT '%s'", "OG-STMT-006"),
        ("SELECT LIKE '%%%s'", "OG-STMT-006"),
        ('SELECT "%s"', "OG-STMT-006"),
        ("SELECT $$ %s $$", "OG-STMT-006"),
        ("SELECT 1 -- %s", "OG-STMT-006"),
        ("SELECT a%s", "OG-STMT-006"),
        ("SELECT %s, %(a)s", "OG-STMT-007"),
        ("SELECT %s, $1", "OG-STMT-007"),
    ],
)
def test_wrong_placeholders_are_refused_with_a_cure(text: str, code: str) -> None:
    with pytest.raises(ProgrammingError) as caught:
        prepare(text, True)
    assert caught.value.code == code
    assert caught.value.cure


@given(st.text(alphabet="%s()ab$1'\"-/* \n"), st.booleans())
def test_any_text_is_prepared_or_refused(text: str, parameters: bool) -> None:
    try:
        prepared = prepare(text, parameters)
    except Error:
        return
    assert "".join(token.text for token in prepared.tokens) == prepared.sql


@pytest.mark.parametrize("literal", ["'%b%'", "'100%'", "'%s'", "$x$ %t $x$", '"a%s"'])
def test_beside_native_placeholders_a_percent_sign_in_quotes_is_itself(literal: str) -> None:
    text = f"SELECT $1, {literal} FROM t WHERE a = $2"
    found = prepare(text, True)
    assert found.sql == text
    assert found.placeholders.count == 2


def test_both_styles_outside_of_quotes_are_an_error() -> None:
    with pytest.raises(ProgrammingError, match="OG-STMT-007"):
        prepare("SELECT $1, %s FROM t WHERE a LIKE '%b%%'", True)
