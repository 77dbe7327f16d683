"""Arrays of PostgreSQL's as Arrow has text: with and without quotes in them the same."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.finish import duckdb_missing, texts
from outgrow.nodes import elements

pytestmark = pytest.mark.skipif(bool(duckdb_missing()), reason=duckdb_missing())


@pytest.mark.parametrize(
    "array",
    [
        "{}",
        "{1}",
        "{NULL}",
        "{1,NULL,-3}",
        "{NULL,NULL,1.50,NaN,-Infinity}",
        "{t,f,NULL}",
        "{2024-01-01,NULL}",
        "{ä,é,NULL,ß}",
        "{null_,NULLS,xNULL}",
        '{"",NULL,"NULL"}',
        '{"a b","c,d","{x}"}',
        r'{"back\\slash","quo\"te",plain}',
        '{"2024-01-01 00:00:00+00"}',
    ],
)
@pytest.mark.parametrize("piece", [1, 2, 3, 7, texts._PIECE])
def test_both_ways_give_the_same(array: str, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_PIECE", piece)
    found = texts.column_of(array, elements)
    found.validate(full=True)
    assert found.to_pylist() == elements(array)


@given(
    st.lists(st.none() | st.text(st.sampled_from('ab, "NUL{}é€\\'), max_size=6), max_size=400),
    st.integers(1, 40),
)
def test_whatever_the_elements_are(values: list[str | None], piece: int) -> None:
    def written(value: str | None) -> str:
        if value is None:
            return "NULL"
        if not value or value.upper() == "NULL" or set(value) & set(', "{}\\'):
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return value

    array = "{" + ",".join(map(written, values)) + "}"
    with mock.patch.object(texts, "_PIECE", piece):
        found = texts.column_of(array, elements)
    found.validate(full=True)
    assert found.to_pylist() == values == elements(array)


def test_no_object_is_made_for_a_value() -> None:
    def never(array: str) -> list[str | None]:
        raise AssertionError(array)

    assert texts.column_of('{1,NULL,"a,b"}', never).to_pylist() == ["1", None, "a,b"]
    with pytest.raises(AssertionError):
        texts.column_of(r'{"\\"}', never)
