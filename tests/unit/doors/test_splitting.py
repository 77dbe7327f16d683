"""Statements end at semicolons, and only at those."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.doors.cli.splitting import split


@pytest.mark.parametrize(
    ("text", "statements", "unfinished"),
    [
        ("", [], False),
        (" \n;; ;", [], False),
        ("SELECT 1", ["SELECT 1"], True),
        ("SELECT 1;", ["SELECT 1"], False),
        ("SELECT 1; SELECT 2 ;\n", ["SELECT 1", "SELECT 2"], False),
        ("SELECT ';''', \";\"\"\"; x", ["SELECT ';''', \";\"\"\"", "x"], True),
        ("SELECT E'\\';' ; x;", ["SELECT E'\\';'", "x"], False),
        ("SELECT '\\';' ; x;", ["SELECT '\\'", "' ; x;"], True),
        ("SELECT $$;$$; SELECT $a$ $$;$b$ $a$;", ["SELECT $$;$$", "SELECT $a$ $$;$b$ $a$"], False),
        ("SELECT $1; SELECT a$1$;$1$;", ["SELECT $1", "SELECT a$1$", "$1$"], False),
        ("-- one;\nSELECT 1 -- two;\n;", ["-- one;\nSELECT 1 -- two;"], False),
        ("SELECT /* ; */ 1;", ["SELECT /* ; */ 1"], False),
        ("-- only a comment;\n;", [], False),
        ("SELECT 'a", ["SELECT 'a"], True),
        ("SELECT 1; SELECT /* a;", ["SELECT 1", "SELECT /* a;"], True),
        ("SELECT $a$ ; $b$", ["SELECT $a$ ; $b$"], True),
    ],
)
def test_split(text: str, statements: list[str], unfinished: bool) -> None:
    assert split(text) == (statements, unfinished)


@given(st.lists(st.text(st.sampled_from("ab1 \n'\"$;-/*\\"), max_size=12), max_size=5))
def test_nothing_is_lost(parts: list[str]) -> None:
    text = ";".join(parts)
    statements, _ = split(text)
    rest = text
    for statement in statements:
        _, found, rest = rest.partition(statement)
        assert found
    assert not set("ab1") & set(rest) or "-" in text or "/" in text
