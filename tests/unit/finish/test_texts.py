"""Arrays of PostgreSQL's as Arrow has text: with and without quotes in them the same."""

from __future__ import annotations

import pytest

from outgrow.finish import duck, duckdb_missing
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
def test_both_ways_give_the_same(array: str) -> None:
    assert duck._texts(array, elements).to_pylist() == elements(array)


def test_without_quotes_no_object_is_made_for_a_value() -> None:
    def never(array: str) -> list[str | None]:
        raise AssertionError(array)

    assert duck._texts("{1,NULL,2}", never).to_pylist() == ["1", None, "2"]
    with pytest.raises(AssertionError):
        duck._texts('{"1"}', never)
