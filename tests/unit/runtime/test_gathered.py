"""The arrays of several shards, laid end to end."""

from __future__ import annotations

import pytest

from outgrow.errors import NotSupportedError
from outgrow.nodes import Rows
from outgrow.plan.bringing.brought import Bring
from outgrow.plan.writes.change import Piece
from outgrow.runtime.measuring import Came
from outgrow.runtime.reading.gathered import Gathering


def bring(alias: str, *columns: str) -> Bring:
    return Bring((), alias, columns, Piece(("",)), Piece(("",)))


#: What the arrays of two columns hold, and of one.
TWO, ONE = ["int8[]", "text[]"], ["text[]"]


def answer(*cells: object) -> Rows:
    return Rows((), [(True, *cells)], "SELECT", 1)


def test_what_comes_later_is_laid_behind_what_was_there() -> None:
    gathering = Gathering([bring("b1", "c1", "c2"), bring("b2", "c1")], 10, 1_000)
    assert gathering.arrays() == ["{}", "{}", "{}"]
    gathering.take([0, 1], answer(2, "{1,NULL}", '{"a,b",c}', TWO, 0, None, ONE))
    assert gathering.arrays() == ["{1,NULL}", '{"a,b",c}', "{}"]
    gathering.take([0], answer(1, "{3}", '{"}"}', TWO))
    gathering.take([1], answer(1, "{x}", ONE))
    for _ in range(2):
        assert gathering.arrays() == ["{1,NULL,3}", '{"a,b",c,"}"}', "{x}"]
    assert gathering.rows == 4
    assert gathering.came() == [Came("b1", 3, 23), Came("b2", 1, 3)]
    assert gathering.came([4.0, 5.0])[1] == Came("b2", 1, 3, 5.0)


def test_the_limits() -> None:
    with pytest.raises(NotSupportedError, match="OG-RUN-100"):
        Gathering([bring("b1", "c1")], 1, 1_000).take([0], answer(2, "{1,2}", ONE))
    with pytest.raises(NotSupportedError, match="OG-RUN-136"):
        Gathering([bring("b1", "c1")], 10, 4).take([0], answer(2, "{1,2}", ONE))
