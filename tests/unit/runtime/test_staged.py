"""Arrays of values that narrow what others bring."""

from __future__ import annotations

from outgrow.runtime.reading.staged import distinct


def test_each_value_is_sent_once_and_null_never() -> None:
    assert distinct("{3,1,NULL,3,1}") == "{3,1}"
    assert distinct("{}") == "{}"
    assert distinct("{NULL}") == "{}"


def test_values_in_quotes_are_left_as_they_are() -> None:
    """A comma among them would part a value."""
    assert distinct('{"a,b",NULL,c,c}') == '{"a,b",NULL,c,c}'
    assert distinct('{"NULL",NULL}') == '{"NULL",NULL}'
