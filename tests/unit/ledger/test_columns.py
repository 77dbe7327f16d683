"""Rows as arrays in the server's words: the driver's own reader finds the same values in them."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from outgrow.ledger import columns
from outgrow.nodes.arrays import elements

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.lists(TEXTS | st.none() | st.sampled_from(["", "NULL", "null", '"', "\\", "{a,b}", "a,b", " "]), min_size=1))
def test_texts(values: list[str | None]) -> None:
    (array,) = columns([(value,) for value in values])
    assert elements(array) == values


def test_others() -> None:
    id = UUID(int=7)
    assert columns([(1, id, True, 1.5), (None, id, False, None)]) == [
        "{1,NULL}",
        f"{{{id},{id}}}",
        "{True,False}",
        "{1.5,NULL}",
    ]


def test_a_zero_byte_stays_where_it_is() -> None:
    """No server takes it; it must not become two values before one says so."""
    assert columns([("a\0b",), ("c",)]) == ['{"a\0b","c"}']
