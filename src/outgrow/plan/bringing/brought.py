"""What is brought to one server, and what that server runs over it: values for `runtime`, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from outgrow.plan.writes.change import Piece
from outgrow.statement.tree import Query
from outgrow.topology import TableName


@dataclass(frozen=True, slots=True)
class Keys:
    """Only rows with a value that another bring has had can matter."""

    #: That bring, and the parameter that is its array of values.
    source: int
    param: int
    #: The condition, to be followed by AND.
    piece: Piece
    #: As people read it.
    shown: str


@dataclass(frozen=True, slots=True)
class Bring:
    """Rows that the query can need: of one occurrence of a table, or of several that each shard can join alone.

    `before` and `behind` make a query of one row: their number, then each column's values as the text of one array, and
    the names of those arrays' types; conditions on keys go between them.
    """

    tables: tuple[TableName, ...]
    alias: str
    columns: tuple[str, ...]
    before: Piece
    behind: Piece
    #: Which of the plan's scans say where its rows lie: on a shard of some scan of every group ...
    scans: tuple[tuple[int, ...], ...] = ()
    #: ... or the shard that has all of a single table.
    shard: str = ""
    #: What is brought, as SQL.
    shown: str = ""
    keys: tuple[Keys, ...] = ()

    @property
    def of(self) -> str:
        return ", ".join(map(str, self.tables))

    def describe(self) -> list[str]:
        told = [f"  only those with {keys.shown}, where that is selective" for keys in self.keys]
        return [f"bring {self.shown}", *told]


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
    #: More rows than this of one bring are refused.
    rows_max: int
    #: It reads nothing else: no copied or single table.
    alone: bool = False
    #: The same query for DuckDB, every table replaced: its `$n` above the user's are the columns of all brings, then
    #: of `near` ...
    tree: Query | None = None
    #: ... which are the tables that the server has.
    near: tuple[Bring, ...] = ()
    #: Text without a collation of its own compares by bytes.
    by_bytes: bool = False

    @property
    def linked(self) -> bool:
        """What some brings bring may narrow what others do."""
        return any(bring.keys for bring in self.brings)

    def describe(self) -> list[str]:
        return [*(line for each in self.brings for line in each.describe()), f"then {self.sql}"]


def joined(brings: Sequence[Bring], keys: Mapping[int, Sequence[Keys]] = {}) -> list[Piece]:
    """One query of one row for all of them: whether values were written exactly, then what each bring gives.

    One query, so that a shard's rows are of one moment.  Text says a value exactly unless the session had it cut.
    `keys`: by position in `brings`, what narrows them.
    """
    pieces = [Piece((_EXACT,))]
    for number, bring in enumerate(brings, 1):
        pieces += [Piece((", (",)), *narrowed(bring, keys.get(number - 1, ())), Piece((f") AS b{number}",))]
    return pieces


def narrowed(bring: Bring, keys: Sequence[Keys]) -> list[Piece]:
    return [bring.before, *(each.piece for each in keys), bring.behind]


_EXACT = (
    "SELECT * FROM (SELECT current_setting('DateStyle') LIKE 'ISO%' AND current_setting('extra_float_digits')::int > 0)"
    " AS exact"
)
