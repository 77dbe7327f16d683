"""The hash strategy: key → slot, exactly as the server's `PARTITION BY HASH` numbers its partitions.

    slot = COALESCE(((h & m) + (C & m)) & m, 0)         m = slots - 1

with `h` the type's seeded hash and `C` the constant that PostgreSQL combines hashes with (`hash_combine64`).  A NULL
key is slot 0, as in `PARTITION BY HASH`, where a bare formula would say NULL and a row filter lose the row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from outgrow.errors import ConfigurationError, NotSupportedError
from outgrow.keyspace.jenkins import COMBINE, MASK64, int_slot, text_slot
from outgrow.keyspace.kinds import Kind, hash_text, kind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from outgrow.keyspace.columns import Column

SLOTS_MAX = 65536

#: What a key's values are once `coerce` has seen them: int, str, uuid.UUID, bool, Decimal or None.
Key = tuple[Any, ...]


class Hash:
    """Keys of given types into a power-of-two number of slots.  Pure: the same everywhere and for ever.

    `types` are type names as in `schema.Column.type`, one for each key column.  Raises NotSupportedError OG-KEY-001
    for a type that cannot be hashed, OG-KEY-002 for more columns than SQL can combine in 64 bits, and
    ConfigurationError OG-KEY-003 for a wrong number of slots.
    """

    __slots__ = ("_kinds", "slot", "slots", "types")

    #: The slot of one key, whose values have been through `coerce`; NULL columns are None.
    slot: Callable[[Key], int]

    def __init__(self, types: tuple[str, ...], slots: int) -> None:
        check_slots(slots)
        if not types:
            raise NotSupportedError("OG-KEY-002", "a shard key needs at least one column", cure="name its columns")
        self.types = types
        self.slots = slots
        self._kinds = tuple(kind(type) for type in types)
        if _width(slots, len(types)) > 54:
            most = (54 - slots.bit_length() + 1) // 7 + 1
            raise NotSupportedError(
                "OG-KEY-002",
                f"a shard key of {len(types)} columns is too wide for {slots} slots",
                cure=f"use at most {most} columns: fewer columns co-locate more tables anyway",
            )
        self.slot = _slot_of(self._kinds, slots - 1)

    def slot_column(self, columns: Sequence[Column | Sequence[Any]]) -> npt.NDArray[np.uint16]:
        """The slots of many keys: one column for each key column, as `columns` has them or as lists of values."""
        # numpy is imported by those who hash columns only.
        from outgrow.keyspace.slots import slots

        if len(columns) != len(self._kinds):
            raise ValueError(f"{len(self._kinds)} key columns, but {len(columns)} given")
        return slots(self._kinds, columns, self.slots - 1)

    def sql(self, columns: Sequence[str]) -> str:
        """The slot as SQL text over these columns, which are quoted where they need it: a bigint from 0 to slots - 1.

        Only built-in immutable functions: it may stand in a CHECK, an index and a publication's row filter.
        """
        if len(columns) != len(self._kinds):
            raise ValueError(f"{len(self._kinds)} key columns, but {len(columns)} given")
        mask = self.slots - 1
        hashes = [known.sql.format(k=column) for known, column in zip(self._kinds, columns, strict=True)]
        if len(hashes) == 1:
            return f"COALESCE((({hashes[0]} & {mask}) + {COMBINE & mask}) & {mask}, 0)"
        # Each step loses the seven highest bits that are still right, so begin with as many more than needed.
        wide = (1 << _width(self.slots, len(hashes))) - 1
        seen = ""
        for text in hashes:
            if not seen:
                seen = f"COALESCE(({text} & {wide}) + {COMBINE & wide}, 0)"
            else:
                seen = f"({seen} # COALESCE(({text} & {wide}) + {COMBINE & wide} + (({seen} >> 7) & {wide}), 0))"
        return f"({seen} & {mask})"

    def between(self, low: Any, high: Any, high_open: bool) -> None:
        """A hash has no order: keys between two others may have any slot."""
        return


def check_slots(slots: int) -> None:
    """ConfigurationError OG-KEY-003 unless `slots` is a power of two from 1 to 65536."""
    if not 1 <= slots <= SLOTS_MAX or slots & (slots - 1):
        nearest = min(1 << max(slots - 1, 0).bit_length(), SLOTS_MAX)
        raise ConfigurationError(
            "OG-KEY-003", f"{slots} slots: not a power of two from 1 to {SLOTS_MAX}", cure=f"write slots: {nearest}"
        )


def _width(slots: int, columns: int) -> int:
    """Bits of a hash that SQL must keep so that the slot's bits are right after combining these columns."""
    return slots.bit_length() - 1 + 7 * (columns - 1)


def _slot_of(kinds: tuple[Kind, ...], mask: int) -> Callable[[Key], int]:
    if len(kinds) > 1:
        return _compound_slot(tuple(known.hash for known in kinds), mask)
    single = kinds[0]
    if single.shape == "integers":
        return cast(Callable[[Key], int], int_slot(mask))
    if single.hash is hash_text:
        return cast(Callable[[Key], int], text_slot(mask))
    hash_value, combine = single.hash, COMBINE & mask

    def slot(key: Key) -> int:
        value = key[0]
        return 0 if value is None else hash_value(value) + combine & mask

    return slot


def _compound_slot(hashes: tuple[Callable[[Any], int], ...], mask: int) -> Callable[[Key], int]:
    def slot(key: Key) -> int:
        seen = 0
        for hash_value, value in zip(hashes, key, strict=True):
            if value is not None:
                seen ^= hash_value(value) + COMBINE + (seen << 54) + (seen >> 7) & MASK64
        return seen & mask

    return slot
