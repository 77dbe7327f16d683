"""Columns that the input lacks and the fleet's sequences fill: each row gets the next numbers, in the input's order."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from struct import error as OutOfRange
from struct import pack
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from outgrow.errors import DataError, NotSupportedError
from outgrow.keyspace import Lookup
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.moving.load_layout import LoadFormat
    from outgrow.moving.load_records import Records

#: Types that a number can have, with their binary forms.
BINARY = {"int2": (2, "h"), "int4": (4, "i"), "int8": (8, "q")}


class Draw(NamedTuple):
    """Steps to be run before whoever gave this is asked for more."""

    steps: Steps[None]


#: Finds out where the keys lie that rows are given for.
LookUp = Callable[[Lookup], Steps[None]]


@dataclass(frozen=True, slots=True)
class Numbered:
    """A column with where its numbers come from; `take_steps` gives as many as it is asked for."""

    name: str
    #: "int2", "int4" or "int8".
    type: str
    take_steps: Callable[[int], Steps[list[int]]]


class Numbering:
    """The fields that are added at the end of each row.  Numbers are drawn for a block's rows when they are counted."""

    def __init__(self, columns: Sequence[Numbered], format: LoadFormat) -> None:
        self.columns = columns
        self._format = format
        self._drawn: dict[str, list[int]] = {}
        marks = format.delimiter + (format.quote + format.escape if format.kind == "csv" else "")
        like = any(re.fullmatch(r"-?\d+", text) for text in (format.null, format.default or ""))
        if format.kind != "binary" and (like or set(marks) & set("-0123456789")):
            raise NotSupportedError(
                "OG-COPY-019",
                f"{columns[0].name} is drawn from a sequence, and the format takes some numbers for something else",
                cure="let delimiter, quote, NULL and DEFAULT be no digits and no -, or give the column in the input",
            )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def draw(self, rows: int) -> Draw:
        """What has to be run before the rows are numbered."""
        return Draw(self._draw_steps(rows))

    def _draw_steps(self, rows: int) -> Steps[None]:
        for column in self.columns:
            self._drawn[column.name] = yield from column.take_steps(rows)

    def of(self, name: str) -> list[int]:
        """One column of the rows that were drawn for last."""
        return self._drawn[name]

    def header(self, line: bytes) -> bytes:
        """A header line with the added names."""
        bare = line.rstrip(b"\r\n")
        delimiter = self._format.delimiter.encode()
        names = [name.encode() for name in self.names]
        if self._format.kind == "csv":
            quote, escape = self._format.quote.encode(), self._format.escape.encode()
            names = [quote + name.replace(quote, escape + quote) + quote for name in names]
        return delimiter.join([bare, *names]) + line[len(bare) :]

    def gather(
        self, records: Records, owners: npt.NDArray[np.uint16] | None, shards: int, crlf: bool
    ) -> tuple[list[bytes | memoryview], list[int]]:
        """As `load_gather.gather`; without owners every shard gets everything."""
        end = b"\r\n" if crlf else b"\n"
        delimiter = self._format.delimiter
        tail = (delimiter + delimiter.join(["%d"] * len(self.columns))).encode() + end
        drawn = zip(*(self._drawn[name] for name in self.names), strict=True)
        rows = [row[: -len(end)] + tail % numbers for row, numbers in zip(records.rows(), drawn, strict=True)]
        if owners is None:
            return [b"".join(rows)] * shards, [len(rows)] * shards
        parts: list[bytes | memoryview] = [
            b"".join(compress(rows, (owners == shard).tobytes())) for shard in range(shards)
        ]
        return parts, np.bincount(owners, minlength=shards + 1)[:shards].tolist()

    def binary(self, row: bytes, at: int) -> bytes:
        """The row at this place among those drawn for, with its fields in binary."""
        (width,) = np.frombuffer(row[:2], dtype=">i2").tolist()
        fields = [pack(">h", width + len(self.columns)), row[2:]]
        for column in self.columns:
            size, code = BINARY[column.type]
            try:
                fields.append(pack(f">i{code}", size, self._drawn[column.name][at]))
            except OutOfRange:
                raise DataError(
                    "OG-COPY-020",
                    f"the sequence of {column.name} is beyond what {column.type} holds",
                    cure="make the column a bigint",
                    sqlstate="22003",
                ) from None
        return b"".join(fields)
