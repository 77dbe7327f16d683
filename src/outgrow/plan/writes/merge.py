"""A MERGE as `runtime` carries it out: its source is read, and each row goes to the shard of its key."""

from __future__ import annotations

from dataclasses import dataclass

from outgrow.plan.writes.delivery import Drawn
from outgrow.plan.writes.selection import Selection
from outgrow.topology import TableName


@dataclass(frozen=True, slots=True)
class Merging:
    table: TableName
    #: The source's columns, then what each key column is compared with, as a value of the key's type.
    selection: Selection
    #: Of the key columns; () where all rows go to `shard`, or to every shard.
    types: tuple[str, ...]
    typmods: tuple[int, ...]
    #: Numbers that an INSERT may need, drawn for each row of the source; arrays behind its columns.
    drawn: tuple[Drawn, ...]
    #: The shard that all rows go to; "" where their keys say it, or every shard gets all.
    shard: str
    copied: bool
    #: Shards without rows of the source take part as well: WHEN NOT MATCHED BY SOURCE.
    everywhere: bool
    rows_max: int

    @property
    def arrays(self) -> int:
        """How many parameters are arrays, one at least: it counts the rows."""
        return max(1, self.selection.width + len(self.drawn))

    def describe(self) -> list[str]:
        """What explain shows, one plain phrase a step."""
        where = f"on {self.shard}" if self.shard else "on the shards of their keys" if self.types else "on every shard"
        drawn = [f"draw {each.column} from {each.sequence.name} for each of them" for each in self.drawn]
        return [*self.selection.describe(), *drawn, f"merge them {where}"]
