"""How values of a type are ordered and told apart, as PostgreSQL does it.

A *ranker* makes of a value (never None) something that Python orders as PostgreSQL orders the value; None means that
the value itself will do.  Equal ranks are equal values.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from outgrow.plan.spec import ORDERED_TYPES, TEXT_TYPES, Sort

from .errors import unvetted_type

Ranker = Callable[[Any], Any]
Row = tuple[Any, ...]


def _number(value: Any) -> Any:
    """NaN is greater than every number and equal to itself; -0 equals 0 by itself."""
    return (0, value) if value == value else (1, 0)


def _padded(value: str) -> str:
    return value.rstrip(" ")


def _moment(value: datetime.datetime) -> datetime.datetime:
    """Two moments in one zone compare by the clock on the wall, which is wrong when it is put back."""
    return value.astimezone(datetime.UTC)


_RANKERS: dict[str, Ranker] = {
    "numeric": _number,
    "float4": _number,
    "float8": _number,
    "bpchar": _padded,
    "timestamptz": _moment,
}


def order_ranker(type: str, bytes_order: bool) -> Ranker | None:
    """Raises NotSupportedError OG-FINISH-002 for types (and text) whose order only a server knows."""
    if type not in ORDERED_TYPES or (type in TEXT_TYPES and not bytes_order):
        raise unvetted_type(type, "ordered")
    return _RANKERS.get(type)


def _same(value: Any) -> Any:
    return value if value == value else "NaN"


_TELLERS: dict[str, Ranker] = {**_RANKERS, "numeric": _same, "float4": _same, "float8": _same}


def equality_ranker(type: str, enums: frozenset[str]) -> Ranker | None:
    """Like `order_ranker` where only equality matters: any deterministic text and enum labels too."""
    if type not in ORDERED_TYPES and type.rpartition(".")[2] not in enums:
        raise unvetted_type(type, "compared")
    return _TELLERS.get(type)


class _Falling:
    """Turns the order of what it holds round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: _Falling) -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Falling) and bool(self.value == other.value)

    __hash__ = None  # type: ignore[assignment]


class Order:
    """The order of rows by several columns."""

    def __init__(self, sort: Sequence[Sort], types: Sequence[str]) -> None:
        self.parts = [
            (key.column, order_ranker(types[key.column], key.bytes_order), key.descending, key.nulls_first)
            for key in sort
        ]

    def key(self, row: Row) -> tuple[Any, ...]:
        """A key that orders whole rows, one against another."""
        made: list[Any] = []
        for column, ranker, descending, nulls_first in self.parts:
            value = row[column]
            if value is None:
                made.append((0,) if nulls_first else (2,))
                continue
            rank = ranker(value) if ranker is not None else value
            made.append((1, _Falling(rank) if descending else rank))
        return tuple(made)

    def sort(self, rows: list[Row]) -> list[Row]:
        """The rows in order; rows that compare equal keep theirs."""
        for column, ranker, descending, nulls_first in reversed(self.parts):
            rows = _sorted(rows, column, ranker, descending, nulls_first)
        return rows


def _sorted(rows: list[Row], column: int, ranker: Ranker | None, descending: bool, nulls_first: bool) -> list[Row]:
    if ranker is None:
        try:
            return sorted(rows, key=itemgetter(column), reverse=descending)
        except TypeError:
            pass  # a NULL among them
    # Descending sorts backwards, flags included.
    null_flag = 0 if nulls_first != descending else 1

    def key(row: Row) -> tuple[Any, ...]:
        value = row[column]
        if value is None:
            return (null_flag,)
        return (1 - null_flag, ranker(value) if ranker is not None else value)

    return sorted(rows, key=key, reverse=descending)
