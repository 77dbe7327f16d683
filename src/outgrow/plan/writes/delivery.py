"""An INSERT whose rows a query gives, and which are written elsewhere than where they are read.

The query's rows come as text, each value with the type that it had, and go to the shards of their keys in portions:
`runtime` asks for them, learns their types once, and has `Delivery.insert` say what each shard runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outgrow.plan.rendering import filled
from outgrow.plan.writes.change import Piece
from outgrow.plan.writes.keymove import ROWS
from outgrow.plan.writes.selection import Selection
from outgrow.schema import SequenceDefinition
from outgrow.statement import name_sql
from outgrow.topology import TableName


@dataclass(frozen=True, slots=True)
class Drawn:
    """A column that the INSERT leaves out and a sequence of the fleet fills."""

    column: str
    type: str
    sequence: SequenceDefinition


@dataclass(frozen=True, slots=True)
class Delivery:
    """The INSERT as `runtime` carries it out."""

    table: TableName
    #: What gives the rows: the columns, then each key column that is selected, as a value of the key's type.
    selection: Selection
    #: The columns written, and which of the source's each of them is.
    columns: tuple[tuple[str, int], ...]
    #: Of the key columns: types and modifiers, and where each one's value stands: behind the columns of the source,
    #: or (negative, from -1) among the numbers drawn.
    types: tuple[str, ...]
    typmods: tuple[int, ...]
    keys: tuple[int, ...]
    drawn: tuple[Drawn, ...]
    #: (column, SQL, type) of what one server computes for each row, because every copy must have the same.
    each: tuple[tuple[str, str, str], ...]
    #: Columns with a value that is the same for all rows.
    constants: tuple[tuple[str, Piece], ...]
    #: `INSERT INTO t AS a`, the OVERRIDING clause, and what stands behind the rows.
    head: str
    overriding: str
    tail: Piece
    #: The shard that all rows go to; "" where their keys say it, or every shard gets all.
    shard: str
    copied: bool
    #: All rows of a shard must stand in one statement, and then there may be this many.
    whole: bool
    rows_max: int

    def insert(self, types: Sequence[str]) -> tuple[str, list[int]]:
        """The INSERT of some rows, and which of the statement's parameters it takes before its arrays.

        Its arrays are those of `columns`, `drawn` and `each`, in this order; `types` are of the source's columns.
        """
        names = [name for name, _ in self.columns] + [each.column for each in self.drawn]
        names += [name for name, _, _ in self.each]
        shown = [types[at] for _, at in self.columns] + [each.type for each in self.drawn]
        shown += [type_ for _, _, type_ in self.each]
        values = [f"{ROWS}.c{at}::{type_}" for at, type_ in enumerate(shown)]
        written = ", ".join(map(name_sql, [*names, *(name for name, _ in self.constants)]))
        pieces = [Piece((f"{self.head} ({written}){self.overriding} SELECT {', '.join(values)}",))]
        for at, (_, value) in enumerate(self.constants):
            pieces += [Piece((", " if values or at else "",)), value]
        count = max(1, len(values))
        rows = ", ".join(f"c{at}" for at in range(count))
        sql, params = filled([*pieces, Piece((f" FROM {_HOLE} AS {ROWS} ({rows})",)), self.tail])
        arrays = ", ".join(f"${len(params) + at}::text[]" for at in range(1, count + 1))
        return sql.replace(_HOLE, f"ROWS FROM (unnest({arrays}))"), params

    def describe(self) -> list[str]:
        """What explain shows, one plain phrase a step."""
        where = "to every shard" if self.copied else f"to {self.shard}" if self.shard else "to the shards of their keys"
        steps = self.selection.describe()
        steps += [f"draw {each.column} from {each.sequence.name} for each of them" for each in self.drawn]
        steps += [f"compute {name} as {sql} for each of them" for name, sql, _ in self.each]
        return [*steps, f"send them {where}, {'all together' if self.whole else 'in portions'}"]


_HOLE = "\0arrays\0"
