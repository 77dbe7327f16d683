"""The range strategy: key → slot by split points, each range one slot, behind the domain's hash slots.

    slot = first + how many split points are not greater than the key

So a range begins with its split point and ends before the next.  A NULL key lies in the first range, as does whatever
is below all points.  A compound key lies where its first column says.  Text is cut in the order of its bytes, whatever
the column's collation is: equality is the same under all that are deterministic, and this order never changes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from outgrow.keyspace.hash import Key
from outgrow.keyspace.kinds import kind
from outgrow.keyspace.values import coerce
from outgrow.topology import Splits

if TYPE_CHECKING:
    import numpy.typing as npt
    from numpy import uint16

    from outgrow.keyspace.columns import Column

#: What the split points are cast to: the widest of a family, so that any column of it compares.
_WIDE = {"int2": "int8", "int4": "int8", "varchar": "text"}
#: Spells the slot over a key's first column, for the split points of its type and the slot of its first range.
Spelling = Callable[[str, Splits, int], str]


class Range:
    """Keys of given types, of which the first is cut by `splits`, into slots from `first` on.  Pure, like `Hash`.

    Raises NotSupportedError OG-KEY-001 for a type that cannot be a key's.
    """

    __slots__ = ("_points", "_spelt", "first", "slot", "slots", "splits", "types")

    #: The slot of one key, whose values have been through `coerce`; NULL columns are None.
    slot: Callable[[Key], int]

    def __init__(self, types: tuple[str, ...], splits: Splits, first: int, spelt: Spelling | None = None) -> None:
        for type in types:
            kind(type)
        self._spelt = spelt or _width_bucket
        self.types = types
        self.splits = splits
        self.first = first
        self.slots = splits.count
        self._points: list[Any] = [coerce(splits.type, point) for point in splits.points]
        self.slot = _slot_of(self._points, first, splits.type == "numeric")

    def slot_column(self, columns: Sequence[Column | Sequence[Any]]) -> npt.NDArray[uint16]:
        """The slots of many keys: one column for each key column, as `columns` has them or as lists of values."""
        # numpy is imported by those who place columns only.
        from outgrow.keyspace.range_columns import slots

        if len(columns) != len(self.types):
            raise ValueError(f"{len(self.types)} key columns, but {len(columns)} given")
        return slots(columns[0], self._points, self.first, self.slot)

    def sql(self, columns: Sequence[str]) -> str:
        """The slot as SQL text over these columns, which are quoted where they need it: a bigint.

        Only built-in immutable functions: it may stand in a CHECK, an index and a publication's row filter.
        """
        if len(columns) != len(self.types):
            raise ValueError(f"{len(self.types)} key columns, but {len(columns)} given")
        return self._spelt(columns[0], self.splits, self.first)

    def between(self, low: Any, high: Any, high_open: bool) -> range:
        """The slots that can have keys from `low` to `high`, places as `bounds` has them; None for an open end."""
        first = 0 if low is None else bisect_right(self._points, low)
        if high is None:
            last = len(self._points)
        else:
            last = (bisect_left if high_open else bisect_right)(self._points, high)
        return range(self.first + first, self.first + last + 1)


def _width_bucket(column: str, splits: Splits, first: int) -> str:
    wide = _WIDE.get(splits.type, splits.type)
    if wide == "text":
        column = f'({column})::text COLLATE "C"'
    return f"(COALESCE(width_bucket({column}, {_array(splits.points)}::{wide}[]), 0) + {first})::int8"


def _array(points: Sequence[str]) -> str:
    """An array's text as an SQL literal that means the same whatever `standard_conforming_strings` is."""
    quoted = ('"' + point.replace("\\", "\\\\").replace('"', '\\"') + '"' for point in points)
    text = "{" + ", ".join(quoted) + "}"
    text = text.replace("'", "''")
    return "E'" + text.replace("\\", "\\\\") + "'" if "\\" in text else f"'{text}'"


def _slot_of(points: list[Any], first: int, numeric: bool) -> Callable[[Key], int]:
    def slot(key: Key) -> int:
        value = key[0]
        return first if value is None else first + bisect_right(points, value)

    def numeric_slot(key: Key) -> int:
        value: Decimal | None = key[0]
        # NaN, which nothing compares with in Python, is the greatest numeric.
        return first + len(points) if value is not None and value.is_nan() else slot(key)

    return numeric_slot if numeric else slot
