"""What finishing can fail with: codes OG-FINISH-NNN."""

from __future__ import annotations

from outgrow.errors import DataError, InternalError, NotSupportedError, OperationalError

#: The code of answers that are of different types.
DISAGREEMENT = "OG-FINISH-001"


def disagree(fragment: int, column: int, first: str, other: str) -> InternalError:
    return InternalError(
        DISAGREEMENT,
        f"column {column + 1} is {other} in fragment {fragment + 1} but {first} in the first one",
        cure="a shard has another definition of a table: compare their schemas (`outgrow schema diff`)",
    )


def brought_apart(what: str, first: str, other: str) -> InternalError:
    return InternalError(
        DISAGREEMENT,
        f"{what} is {other} on one shard but {first} on another",
        cure="a shard has another definition of a table: compare their schemas (`outgrow schema diff`)",
    )


def unvetted_type(type: str, purpose: str) -> NotSupportedError:
    return NotSupportedError(
        "OG-FINISH-002",
        f"values of type {type} cannot be {purpose} over several shards as one server would",
        cure='cast it to a plain type (text with a language\'s order: `COLLATE "C"`, in MariaDB '
        "`COLLATE utf8mb4_nopad_bin`), or restrict the statement to one key",
    )


def out_of_range(type: str) -> DataError:
    name = {"int2": "smallint", "int4": "integer", "int8": "bigint"}.get(type, type)
    return DataError("OG-FINISH-003", f"{name} out of range", cure="cast to numeric before adding", sqlstate="22003")


def division_by_zero() -> DataError:
    return DataError("OG-FINISH-004", "division by zero", cure="guard the divisor with nullif(…, 0)", sqlstate="22012")


def negative(clause: str) -> DataError:
    return DataError(
        "OG-FINISH-005",
        f"{clause} must not be negative",
        cure="pass zero or more",
        sqlstate="2201W" if clause == "LIMIT" else "2201X",
    )


def unvetted_expression(what: str) -> NotSupportedError:
    return NotSupportedError(
        "OG-FINISH-006",
        f"{what} over combined results is not vetted to mean the same as on one server",
        cure="select the aggregates alone and compute it in the application, or GROUP BY the shard key",
    )


def invalid_text(type: str, text: str) -> DataError:
    return DataError(
        "OG-FINISH-007", f"invalid input for type {type}: {text!r}", cure="correct the literal", sqlstate="22P02"
    )


def no_spill_directory(directory: str, why: str) -> OperationalError:
    return OperationalError(
        "OG-FINISH-010",
        f"{directory}, where a query that is finished by DuckDB puts what exceeds its memory, takes no files: {why}",
        cure="make the directory, or name another as the domain's finish: {spill_directory: …}",
    )


def spill_full(directory: str, why: str) -> OperationalError:
    return OperationalError(
        "OG-FINISH-011",
        f"a query that is finished by DuckDB could not put what exceeds its memory into {directory}: {why}",
        cure="make room there, name another as the domain's finish: {spill_directory: …}, or raise its memory",
    )


def too_little_memory(limit: int, directory: str) -> OperationalError:
    return OperationalError(
        "OG-FINISH-012",
        f"a query that is finished by DuckDB needs more than the {limit / 2**20:,.0f} MB that finish: memory allows, "
        f"though it may put rows into {directory}",
        cure="raise the domain's finish: {memory: …}, restrict the query, or set finish: {engine: postgresql}",
    )
