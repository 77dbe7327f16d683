"""A key move: an UPDATE that gives rows another key, and with it, for some, another shard.

The rows are read and locked with the values that they get, computed by their own server.  Those that stay are updated
where they are; the others leave their shard and arrive on their new one.  Values travel as text, each cast back to the
type that it had, so that the column's own assignment cast is the one that one PostgreSQL applies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outgrow.errors import Error
from outgrow.plan.rendering import filled
from outgrow.plan.writes.change import Piece
from outgrow.statement import name_sql
from outgrow.topology import TableName

#: The rows that are handed over, as a relation; no name of a program looks like it.
ROWS = '"outgrow rows"'
#: What a row's text may depend on is set so that it can be read back exactly.
FAITHFUL = (
    "current_setting('extra_float_digits')::int > 0 AND current_setting('datestyle') LIKE 'ISO%' "
    "AND current_setting('intervalstyle') IN ('postgres', 'iso_8601')"
)
#: What `pg_typeof` calls types whose bare names would mean a length of 1.
_SHORT = {"character": "pg_catalog.bpchar", "bit": 'pg_catalog."bit"'}


@dataclass(frozen=True, slots=True)
class Assigned:
    """A column that the UPDATE sets: to a constant, or to what was computed for each row."""

    column: str
    type: str
    constant: Piece | None = None


@dataclass(frozen=True, slots=True)
class KeyMove:
    table: TableName
    #: The target as UPDATE and DELETE name it, as INSERT names it, and its alias; as SQL.
    target: str
    into: str
    alias: str
    #: Of the key columns.
    types: tuple[str, ...]
    typmods: tuple[int, ...]
    assigned: tuple[Assigned, ...]
    #: (column, its type as SQL) of what a row takes along unchanged.
    carried: tuple[tuple[str, str], ...]
    #: RETURNING …, or nothing.
    returning: Piece
    #: What refers to the table, "" for nothing.
    referred: str = ""
    #: Raised when a row would really go to another shard.
    obstacle: Error | None = None

    @property
    def computed(self) -> tuple[Assigned, ...]:
        """What is read for each row, in the order of the columns read."""
        return tuple(each for each in self.assigned if each.constant is None)

    def stay(self, types: Sequence[str]) -> tuple[str, list[int]]:
        """The UPDATE of the rows that stay, and which of the statement's parameters it takes before its arrays.

        Its arrays are those of `tableoid`, `ctid` and the computed columns.
        """
        sets = [Piece(("UPDATE " + self.target + " SET ",))]
        number = 0
        for place, each in enumerate(self.assigned):
            sets.append(Piece((f"{', ' if place else ''}{name_sql(each.column)} = ",)))
            if each.constant is not None:
                sets.append(each.constant)
                continue
            sets.append(Piece((f"{ROWS}.c{number}::{types[number]}",)))
            number += 1
        names = ["o", "c", *(f"c{at}" for at in range(number))]
        sql, params = filled((*sets, Piece((" FROM ",)), _mark(names), Piece((self._same(),)), self.returning))
        return _with_arrays(sql, params, names), params

    def leave(self) -> tuple[str, list[int]]:
        """The DELETE of the rows that move, which gives what they take along as text, each with its number."""
        names = ["o", "c", "n"]
        items = [f"{ROWS}.n", *(f"{self.alias}.{name_sql(column)}::text" for column, _ in self.carried)]
        sql = f"DELETE FROM {self.target} USING {_HOLE}{self._same()} RETURNING {', '.join(items)}"
        return _with_arrays(sql, [], names), []

    def arrive(self, types: Sequence[str]) -> tuple[str, list[int]]:
        """The INSERT of moved rows; its arrays are a number, the computed and the carried columns."""
        columns = [each.column for each in self.assigned] + [column for column, _ in self.carried]
        parts = [Piece((f"INSERT INTO {self.into} ({', '.join(map(name_sql, columns))}) OVERRIDING SYSTEM VALUE ",))]
        number = 0
        for place, each in enumerate(self.assigned):
            parts.append(Piece(("SELECT " if not place else ", ",)))
            if each.constant is not None:
                parts.append(each.constant)
                continue
            parts.append(Piece((f"{ROWS}.c{number}::{types[number]}",)))
            number += 1
        carried = "".join(f", {ROWS}.k{at}::{type_}" for at, (_, type_) in enumerate(self.carried))
        names = ["n", *(f"c{at}" for at in range(number)), *(f"k{at}" for at in range(len(self.carried)))]
        sql, params = filled((*parts, Piece((carried + " FROM ",)), _mark(names), self.returning))
        return _with_arrays(sql, params, names), params

    def _same(self) -> str:
        return f" WHERE {self.alias}.tableoid = {ROWS}.o::oid AND {self.alias}.ctid = {ROWS}.c::tid"

    def describe(self) -> list[str]:
        """What explain shows, one plain phrase a step."""
        steps = [
            "read and lock the rows, one shard after another, with what they are set to",
            "update those whose key stays on its shard; delete the others there and insert them on their new shard",
        ]
        if self.obstacle is not None:
            steps.append(f"refused when a row would leave its shard: {self.obstacle.message}")
        return steps


_HOLE = "\0arrays\0"


def _mark(names: Sequence[str]) -> Piece:
    return Piece((_HOLE,))


def _with_arrays(sql: str, params: Sequence[int], names: Sequence[str]) -> str:
    """The arrays as a relation, numbered behind the statement's own parameters."""
    arrays = ", ".join(f"${len(params) + at}::text[]" for at in range(1, len(names) + 1))
    return sql.replace(_HOLE, f"ROWS FROM (unnest({arrays})) AS {ROWS} ({', '.join(names)})")


def type_from(shown: str) -> str:
    """A type as `pg_typeof` shows it, as SQL that takes values as they are."""
    element = shown.removesuffix("[]")
    return shown if element not in _SHORT else _SHORT[element] + shown[len(element) :]
