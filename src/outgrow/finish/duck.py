"""DuckDB as the server that finishes: tables of what was brought, one query, rows as PostgreSQL's driver gives them.

One object is one query on a connection of its own, which leaves nothing behind.  It blocks, so whoever waits runs it on
a thread; `interrupt` may be called from any other.  DuckDB's own errors are of two kinds: what the limits forbid is
raised as OG-FINISH-010 to 012, everything else as `Unanswered`, for then PostgreSQL is asked, which has the answer or
the right error.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import importlib.util
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from outgrow.errors import OperationalError
from outgrow.plan import FAMILIES, ColumnType, Output, Rendered

from .columnar import Limits, connected
from .errors import spill_full, too_little_memory
from .numeric import divide, round_to
from .texts import column_of

#: What a value of the text that PostgreSQL gives is to DuckDB; the rest is a plain cast.
_READ = {
    "bpchar": "rtrim({0}, ' ')",
    "text": "{0}",
    "bytea": "unhex(substr({0}, 3))",
}
#: How many decimals each value of a column shows.
_DECIMALS = "CASE WHEN contains({0}, '.') THEN length({0}) - strpos({0}, '.') ELSE 0 END AS s{1}"
#: Digits that fit DuckDB's 64-bit decimals.
_SHORT = 18
_LONG = 38
VETTED_VERSION = "2.0."


class Unanswered(Exception):
    """DuckDB has no answer that could be given: ask PostgreSQL."""


@lru_cache(maxsize=1)
def missing() -> str:
    """What of the extra `duckdb` is not there, or of a version that was not vetted; "" if all is there."""
    if importlib.util.find_spec("duckdb") is None or importlib.util.find_spec("pyarrow") is None:
        return "DuckDB is not installed (pip install 'outgrow[duckdb]')"
    version = importlib.metadata.version("duckdb")
    return "" if version.startswith(VETTED_VERSION) else f"DuckDB {version} is not vetted ({VETTED_VERSION}x is)"


class DuckFinish:
    """Tables are filled one after another, then one query is run."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        with self._translated():
            self._connection = connected(limits)

    def fill(
        self, table: str, names: Sequence[str], columns: Sequence[str], unescaped: Callable[[str], Sequence[str | None]]
    ) -> list[ColumnType]:
        """Columns as the texts of PostgreSQL's arrays, of types by their names; what their values have in common.

        `unescaped` gives the elements of an array with backslashes in it.  Raises Unanswered for char(n) of several
        lengths.
        """
        import pyarrow

        arrays = [column_of(column, unescaped) for column in columns]
        types = [_shape(name, array) for name, array in zip(names, arrays, strict=True)]
        items = [
            f"{_read(type, array, f'c{number}')} AS c{number}"
            for number, (type, array) in enumerate(zip(types, arrays, strict=True), 1)
        ]
        items += [_DECIMALS.format(f"c{number}", number) for number, type in enumerate(types, 1) if type.varying]
        with self._translated():
            rows = pyarrow.table(arrays, names=[f"c{number}" for number in range(1, len(arrays) + 1)])
            self._connection.register("given", rows)
            self._connection.execute(f"CREATE TEMP TABLE {table} AS SELECT {', '.join(items)} FROM given")
            self._connection.unregister("given")
        return types

    def rows(self, rendered: Rendered, zone: datetime.tzinfo | None) -> list[tuple[Any, ...]]:
        """`zone` is where the driver shows moments."""
        with self._translated():
            found = self._connection.sql(rendered.sql).to_arrow_table()
        columns = [_values(output, found, zone) for output in rendered.outputs]
        return list(zip(*columns, strict=True))

    def interrupt(self) -> None:
        self._connection.interrupt()

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except duckdb.OutOfMemoryException as error:
            raise self._out_of_memory(error) from error
        except (duckdb.IOException, OSError) as error:
            raise spill_full(self._limits.directory, str(error)) from error
        except (duckdb.Error, OverflowError, ValueError) as error:
            raise Unanswered(str(error)) from error

    def _out_of_memory(self, error: Exception) -> OperationalError:
        text = str(error)
        if "max_temp_directory_size" in text:
            return spill_full(self._limits.directory, text.splitlines()[0])
        return too_little_memory(self._limits.memory_bytes, self._limits.directory)


def _shape(name: str, texts: Any) -> ColumnType:
    """What the values of a column have in common."""
    import pyarrow.compute as compute

    if name == "numeric":
        points = compute.find_substring(texts, ".")
        behind = compute.subtract(compute.binary_length(texts), compute.add(points, 1))
        low, high = _extremes(compute.if_else(compute.less(points, 0), 0, behind))
        return ColumnType("numeric", scale=high, varying=low != high)
    if name == "bpchar":
        low, high = _extremes(compute.utf8_length(texts))
        if low != high:
            raise Unanswered("a char column whose values have several lengths")
        return ColumnType("bpchar", width=high)
    if name not in FAMILIES:
        raise Unanswered(f"a column of type {name}")
    return ColumnType(name)


def _extremes(numbers: Any) -> tuple[int, int]:
    import pyarrow.compute as compute

    found = compute.min_max(numbers).as_py()
    return found["min"] or 0, found["max"] or 0


def _read(type: ColumnType, texts: Any, column: str) -> str:
    import pyarrow.compute as compute

    if type.name == "numeric":
        # Before the point, the sign included; NaN does not pass the cast.
        points = compute.find_substring(texts, ".")
        before = compute.if_else(compute.less(points, 0), compute.binary_length(texts), points)
        digits = (compute.max(before).as_py() or 1) + type.scale
        if digits > _LONG:
            raise Unanswered("numerics of so many digits")
        return f"CAST({column} AS DECIMAL({_SHORT if digits <= _SHORT else _LONG}, {type.scale}))"
    return _READ.get(type.family, f"CAST({{0}} AS {type.duckdb})").format(column)


def _check(output: Output, type: Any) -> None:
    """What DuckDB made is of the type that it was taken for: a decimal that became a double is no answer."""
    expected = f"decimal128({_LONG}, {output.scale})" if output.type == "numeric" else _ARROW[output.type]
    shown = str(type)
    if output.type == "numeric" and (output.divisor is not None or shown.endswith(f", {output.scale})")):
        expected = shown if shown.startswith("decimal128(") else expected
    if shown not in (expected, f"large_{expected}"):
        raise Unanswered(f"{shown} instead of {expected}")


def _values(output: Output, found: Any, zone: datetime.tzinfo | None) -> Sequence[Any]:
    _check(output, found.schema.field(output.column).type)
    try:
        values: list[Any] = found.column(output.column).to_pylist()
        if output.type == "timestamptz":
            return [None if value is None else value.astimezone(zone) for value in values]
    except (OverflowError, ValueError) as error:
        # Python has no such date; PostgreSQL's driver says so.
        raise Unanswered(str(error)) from error
    if output.shows is not None:
        values = _shown(values, found, output.shows)
    if output.divisor is not None:
        divisors = found.column(output.divisor).to_pylist()
        if output.divisor_shows is not None:
            divisors = _shown(divisors, found, output.divisor_shows)
        pairs = zip(values, divisors, strict=True)
        return [None if one is None or other is None else _divided(one, other) for one, other in pairs]
    if output.type == "bpchar":
        return [None if value is None else value.ljust(output.width) for value in values]
    made = _MADE.get(output.type)
    return values if made is None else [None if value is None else made(value) for value in values]


def _shown(values: Sequence[Any], found: Any, column: int) -> list[Any]:
    """Each with as many decimals as it shows; those that go are zeros."""
    decimals = found.column(column).to_pylist()
    return [value if value is None else round_to(value, digits) for value, digits in zip(values, decimals, strict=True)]


def _divided(dividend: Any, divisor: Any) -> Any:
    if not divisor:
        # An average of nothing has no sum either; what is left is an error, which is the server's.
        raise Unanswered("division by zero")
    return divide(dividend, divisor)


def _uuid(value: Any) -> uuid.UUID:
    """Arrow has it as text or as an object, by its version."""
    return value if isinstance(value, uuid.UUID) else uuid.UUID(value)


_ARROW = {
    "int2": "int16",
    "int4": "int32",
    "int8": "int64",
    "float8": "double",
    "text": "string",
    "varchar": "string",
    "bpchar": "string",
    "bool": "bool",
    "date": "date32[day]",
    "timestamp": "timestamp[us]",
    "timestamptz": "timestamp[us, tz=UTC]",
    "uuid": "string",
    "bytea": "binary",
}
_MADE: Mapping[str, Any] = {"uuid": _uuid}
