"""Tokens: what they carry, who may read them, and the arithmetic of log positions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.errors import InterfaceError
from outgrow.route import Position, Token, format_lsn, level_of, parse_lsn, reachable

SECRET = b"correct horse"
positions = st.builds(Position, st.integers(0, 9), st.integers(0, 2**60))
names = st.text(min_size=1)
tokens = st.builds(
    Token,
    st.dictionaries(names, positions),
    st.dictionaries(names, st.integers(0, 99)),
    st.dictionaries(names, st.lists(names, min_size=1, unique=True).map(tuple)),
    st.frozensets(names),
)


@given(tokens)
def test_signed_text_carries_the_token(token: Token) -> None:
    assert Token.read(token.sign(SECRET), SECRET) == token


@given(tokens, st.data())
def test_changed_text_is_refused(token: Token, data: st.DataObject) -> None:
    text = token.sign(SECRET)
    at = data.draw(st.integers(0, len(text) - 2))
    changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    with pytest.raises(InterfaceError) as caught:
        Token.read(changed, SECRET)
    assert caught.value.code == "OG-ROUTE-003"


def test_another_secret_is_refused() -> None:
    with pytest.raises(InterfaceError, match="OG-ROUTE-003"):
        Token.read(Token().sign(SECRET), b"other")


@given(tokens, tokens)
def test_merging_is_the_pointwise_maximum(a: Token, b: Token) -> None:
    merged = a.merged(b)
    assert merged == b.merged(a)
    for token in (a, b):
        assert all(merged.floors[shard] >= position for shard, position in token.floors.items())
        assert merged.ahead >= token.ahead
        assert all(set(names) <= set(merged.pending[shard]) for shard, names in token.pending.items())


@given(st.integers(0, 2**64 - 1))
def test_lsn_text_round_trips(lsn: int) -> None:
    assert parse_lsn(format_lsn(lsn)) == lsn


def test_a_place_right_behind_a_page_header_is_rounded_down() -> None:
    assert reachable(8192 * 5 + 24) == 8192 * 5
    assert reachable(16 * 1024 * 1024 * 3 + 40) == 16 * 1024 * 1024 * 3
    assert reachable(8192 * 5 + 40) == 8192 * 5 + 40
    assert reachable(8192 * 5 + 32) == 8192 * 5 + 32


@pytest.mark.parametrize("text", ["bounded(0)", "strict", "bounded(-1)", ""])
def test_unknown_levels_are_refused(text: str) -> None:
    with pytest.raises(InterfaceError, match="OG-ROUTE-00"):
        level_of(text)


def test_bounded_levels_read_back() -> None:
    assert str(level_of("bounded(2.5)")) == "bounded(2.5)"
