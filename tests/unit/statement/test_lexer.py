"""The lexer loses nothing and crashes on nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.errors import Error, ProgrammingError
from outgrow.statement.lexer import Lex, lex, significant


def kinds(text: str) -> list[tuple[Lex, str]]:
    return [(token.kind, token.value) for token in significant(lex(text))]


@given(st.text())
def test_any_text_is_lexed_without_loss_or_refused(text: str) -> None:
    try:
        tokens = lex(text)
    except Error as error:
        assert error.code in ("OG-STMT-003", "OG-STMT-004")
        return
    assert "".join(token.text for token in tokens) == text
    assert all(token.text for token in tokens)


PIECES = [
    "a", '"b ""c"', "'it''s'", "E'\\'x'", "$$a'b$$", "$x$ $$ $x$", "/* a /* b */ c */", "-- x\n", "1.5e3",
    "$1", "::", "<=>", "->>", ",", "(", ")", "%", " ", "\n", ";", "B'01'", "U&'\\0041'", "@>", "1_000", "0xFF",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES)))
def test_tokens_joined_are_the_text(pieces: list[str]) -> None:
    text = " ".join(pieces)
    assert "".join(token.text for token in lex(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT Ünïcode", [(Lex.WORD, "select"), (Lex.WORD, "Ünïcode")]),
        ('"A""b"', [(Lex.QUOTED, 'A"b')]),
        ("'a''b'", [(Lex.STRING, "a'b")]),
        (r"'a\'", [(Lex.STRING, "a\\")]),
        (r"e'a\'b\n\x41\u00e9\101'", [(Lex.STRING, "a'b\nAéA")]),
        (r"U&'\0041\+000042\\'", [(Lex.STRING, "AB\\")]),
        (r'U&"\0041"', [(Lex.QUOTED, "A")]),
        ("$$a $1 'b$$", [(Lex.STRING, "a $1 'b")]),
        ("$t$ $$ $t$", [(Lex.STRING, " $$ ")]),
        ("$1,$2", [(Lex.PARAM, "$1"), (Lex.PUNCT, ","), (Lex.PARAM, "$2")]),
        ("a$1", [(Lex.WORD, "a$1")]),
        ("/* a /* b */ c */ x -- y", [(Lex.WORD, "x")]),
        ("1..2", [(Lex.NUMBER, "1"), (Lex.OP, ".."), (Lex.NUMBER, "2")]),
        ("1.5e-3 .5 5. 1_000 0xff", [(Lex.NUMBER, t) for t in ("1.5e-3", ".5", "5.", "1_000", "0xff")]),
        # Operators end where PostgreSQL's do.
        ("a<-1", [(Lex.WORD, "a"), (Lex.OP, "<"), (Lex.OP, "-"), (Lex.NUMBER, "1")]),
        ("a@-1", [(Lex.WORD, "a"), (Lex.OP, "@-"), (Lex.NUMBER, "1")]),
        ("a*-1", [(Lex.WORD, "a"), (Lex.OP, "*"), (Lex.OP, "-"), (Lex.NUMBER, "1")]),
        ("a--1", [(Lex.WORD, "a")]),
        ("a+/* c */b", [(Lex.WORD, "a"), (Lex.OP, "+"), (Lex.WORD, "b")]),
        ("a<=>b", [(Lex.WORD, "a"), (Lex.OP, "<=>"), (Lex.WORD, "b")]),
        ("a::int", [(Lex.WORD, "a"), (Lex.OP, "::"), (Lex.WORD, "int")]),
        ("a[1:2]", [(Lex.WORD, "a"), (Lex.PUNCT, "["), (Lex.NUMBER, "1"), (Lex.PUNCT, ":"), (Lex.NUMBER, "2"),
                    (Lex.PUNCT, "]")]),
    ],
)  # fmt: skip
def test_tokens(text: str, expected: list[tuple[Lex, str]]) -> None:
    assert kinds(text) == expected


@pytest.mark.parametrize("text", ["'a", '"a', "/* a", "/* /* */", "$$a", "$t$ $$", "e'a\\'", "x'1", "U&'a"])
def test_what_never_ends_is_refused(text: str) -> None:
    with pytest.raises(ProgrammingError) as caught:
        lex("SELECT " + text)
    assert caught.value.code == "OG-STMT-003"
    assert caught.value.cure


def test_a_foreign_character_is_refused() -> None:
    with pytest.raises(ProgrammingError) as caught:
        lex("SELECT \x00")
    assert caught.value.code == "OG-STMT-004"
