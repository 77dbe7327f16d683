"""What is brought to one server, and what that server runs over it: values for `runtime`, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outgrow.statement.tree import Query
from outgrow.topology import TableName

from .change import Piece
from .duck import Type


@dataclass(frozen=True, slots=True)
class Bring:
    """The rows that the query can need of one occurrence of a table.

    `piece` is a query of one row: their number, then each column's values as the text of one array.
    """

    table: TableName
    alias: str
    columns: tuple[str, ...]
    piece: Piece
    #: Which of the plan's scans say where its keys lie ...
    scans: tuple[int, ...] = ()
    #: ... or the shard that has all of a single table.
    shard: str = ""
    #: What is asked of the rows, as SQL; "" for all.
    condition: str = ""

    def describe(self) -> str:
        where = f" where {self.condition}" if self.condition else ""
        return f"{self.table} as {self.alias} ({', '.join(self.columns)}){where}"


@dataclass(frozen=True, slots=True)
class Brought:
    """A query over rows that were brought together.

    Its `$i` is `params[i - 1]` (1-based) of the statement's values with the arrays behind them.
    """

    brings: tuple[Bring, ...]
    sql: str
    params: tuple[int, ...]
    #: What the result's columns are called.
    names: tuple[str, ...]
    #: The shard that runs it; "" for any.
    shard: str
    #: More rows than this of one table are refused.
    rows_max: int
    #: The same query with every table replaced, for DuckDB: its `$n` above the user's are the columns of all brings,
    #: then of `near`, in this order and, as far as the catalogue tells, of these types ...
    tree: Query | None = None
    columns: tuple[Type, ...] = ()
    #: ... which are the tables that the server has.
    near: tuple[Bring, ...] = ()
    #: Text without a collation of its own compares by bytes.
    by_bytes: bool = False

    def describe(self) -> list[str]:
        return [*(f"bring {each.describe()}" for each in self.brings), f"then {self.sql}"]


def joined(brings: Sequence[Bring]) -> list[Piece]:
    """One query of one row for all of them: whether values were written exactly, then what each piece gives.

    One query, so that a shard's rows are of one moment.  Text says a value exactly unless the session had it cut.
    """
    pieces = [Piece((_EXACT,))]
    for number, bring in enumerate(brings, 1):
        pieces += [Piece((", (",)), bring.piece, Piece((f") AS b{number}",))]
    return pieces


_EXACT = (
    "SELECT * FROM (SELECT current_setting('DateStyle') LIKE 'ISO%' AND current_setting('extra_float_digits')::int > 0)"
    " AS exact"
)
