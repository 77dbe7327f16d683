"""The hash of MariaDB and MySQL: CRC32 of a key's text, which Python's `zlib` computes as well.

    slot = COALESCE(CRC32(text) & (slots - 1), 0)       text of several columns: joined by a zero byte

`text` is what the server writes for a value of the type, the same for every column of that type: `01` in a ZEROFILL
column is `1`, latin1 is converted.  A NULL among a key's columns makes it slot 0.
"""

from __future__ import annotations

import datetime
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from outgrow.errors import NotSupportedError
from outgrow.keyspace.hash import Key, check_slots
from outgrow.topology import Splits

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from outgrow.keyspace.columns import Column

_EPOCH_DAY = datetime.date(2000, 1, 1).toordinal()
_EPOCH = datetime.datetime(2000, 1, 1)


def _date(days: int) -> bytes:
    return datetime.date.fromordinal(_EPOCH_DAY + days).isoformat().encode()


def _moment(microseconds: int) -> bytes:
    try:
        moment = _EPOCH + datetime.timedelta(microseconds=microseconds)
    except OverflowError:
        # PostgreSQL's infinity, which no row here can hold: wherever it is looked for, it is not found.
        return b""
    return moment.isoformat(" ", "microseconds").encode()


_INTEGER: tuple[str, Callable[[Any], bytes]] = ("{k} + 0", lambda value: b"%d" % value)
_TEXT: tuple[str, Callable[[Any], bytes]] = ("CONVERT({k} USING utf8mb4)", str.encode)

#: Type → SQL of its text, and the same in Python of a value that `coerce` has seen.
_TEXTS: dict[str, tuple[str, Callable[[Any], bytes]]] = {
    **dict.fromkeys(("int2", "int4", "int8"), _INTEGER),
    **dict.fromkeys(("text", "varchar"), _TEXT),
    "uuid": ("{k}", lambda value: str(value).encode()),
    "date": ("{k}", _date),
    "timestamp": ("{k}", _moment),
}


class Crc32:
    """Keys of given types into a power-of-two number of slots, with the methods of `Hash`.

    Raises NotSupportedError OG-KEY-008 for a type whose equal values may differ in their text.
    """

    __slots__ = ("_texts", "slot", "slots", "types")

    #: The slot of one key, whose values have been through `coerce`; NULL columns are None.
    slot: Callable[[Key], int]

    def __init__(self, types: tuple[str, ...], slots: int) -> None:
        check_slots(slots)
        self.types = types
        self.slots = slots
        self._texts = tuple(_text_of(type) for type in types)
        self.slot = _slot_of(tuple(text for _, text in self._texts), slots - 1)

    def slot_column(self, columns: Sequence[Column | Sequence[Any]]) -> npt.NDArray[np.uint16]:
        """The slots of many keys, given column by column."""
        import numpy

        from outgrow.keyspace.columns import listed

        values = [listed(column, type == "uuid") for column, type in zip(columns, self.types, strict=True)]
        keys = zip(*values, strict=True)
        return numpy.fromiter((self.slot(key) for key in keys), dtype=numpy.uint16)

    def sql(self, columns: Sequence[str]) -> str:
        """The slot as SQL text over these columns: a number from 0 to slots - 1."""
        if len(columns) != len(self._texts):
            raise ValueError(f"{len(self._texts)} key columns, but {len(columns)} given")
        texts = [sql.format(k=column) for (sql, _), column in zip(self._texts, columns, strict=True)]
        whole = texts[0] if len(texts) == 1 else "CONCAT(" + ", X'00', ".join(texts) + ")"
        return f"COALESCE(CRC32({whole}) & {self.slots - 1}, 0)"

    def between(self, low: Any, high: Any, high_open: bool) -> None:
        """A hash keeps no order."""


def mariadb_range(column: str, splits: Splits, first: int) -> str:
    """`Range.sql` of MariaDB: as many split points as are not greater than the key."""
    if splits.type in ("text", "varchar"):
        column = f"(CONVERT({column} USING utf8mb4) COLLATE utf8mb4_nopad_bin)"
    # In hexadecimal, whatever the session makes of backslashes.
    points = [f"CONVERT(X'{point.encode().hex()}' USING utf8mb4)" for point in splits.points]
    if splits.type in ("int2", "int4", "int8"):
        points = list(splits.points)
    return f"COALESCE({' + '.join(f'({column} >= {point})' for point in points) or 0}, 0) + {first}"


def _text_of(type: str) -> tuple[str, Callable[[Any], bytes]]:
    known = _TEXTS.get(type)
    if known is None:
        cure = f"shard by a column of one of {', '.join(_TEXTS)}"
        if "collate" in type:
            cure = "ALTER TABLE … MODIFY the column with COLLATE utf8mb4_nopad_bin: others make equal what differs"
        raise NotSupportedError("OG-KEY-008", f"a column of type {type} cannot be a MariaDB shard key", cure=cure)
    return known


def _slot_of(texts: tuple[Callable[[Any], bytes], ...], mask: int) -> Callable[[Key], int]:
    crc32 = zlib.crc32
    if len(texts) == 1:
        text = texts[0]

        def slot(key: Key) -> int:
            value = key[0]
            return 0 if value is None else crc32(text(value)) & mask

        return slot

    def compound_slot(key: Key) -> int:
        if None in key:
            return 0
        return crc32(b"\0".join([text(value) for text, value in zip(texts, key, strict=True)])) & mask

    return compound_slot
