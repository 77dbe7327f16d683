"""What a statement over several domains is, once planned: values for `runtime`, and where they come from.

Every domain gives a *portion*: of each occurrence of its tables the columns and rows that the statement can need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outgrow.plan.domains.pushing import Check, fits
from outgrow.plan.model import Placer, ScanKeys
from outgrow.plan.narrowing.locate import NONE, Absent, shards_of
from outgrow.plan.rendering import filled
from outgrow.plan.writes.change import Piece
from outgrow.topology import FinishLimits, TableName

#: More rows than this do not say which rows of others are wanted.
KEYS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one occurrence of a table.

    On PostgreSQL `piece` is a query of one row: their number, then each column's values as the text of one array.  On
    MariaDB it is what follows SELECT in a query of texts.
    """

    table: TableName
    alias: str
    columns: tuple[str, ...]
    piece: Piece
    #: The same without conditions, for parameters that are not what `checks` says.
    whole: Piece
    checks: tuple[Check, ...] = ()
    #: Which of the portion's scans say where its keys lie ...
    scans: tuple[int, ...] = ()
    #: ... or the shard that has all of a single table; "": any shard has all of a copied one.
    shard: str = ""
    #: What is asked of the rows, as SQL; "" for all.
    condition: str = ""
    #: Where more than KEYS_MAX rows come, the plan that does not need them is taken.
    few: bool = False

    def asked(self, values: Sequence[Any]) -> Piece:
        return self.piece if fits(self.checks, values) else self.whole

    def describe(self) -> str:
        where = f" where {self.condition}" if self.condition else ""
        return f"{self.table} as {self.alias} ({', '.join(self.columns)}){where}"


@dataclass(frozen=True, slots=True)
class Portion:
    """What one domain gives."""

    domain: str
    engine: str
    parts: tuple[Part, ...]
    scans: tuple[ScanKeys, ...]
    #: Keys of its scans stand in the directory.
    listed: bool = False

    def locate(
        self, values: Sequence[Any], placer: Placer, any_shard: str, absent: Absent = NONE
    ) -> tuple[frozenset[str], ...]:
        """The shards that have rows of each part."""
        places = [shards_of(scan, values, placer, absent) for scan in self.scans]
        return tuple(
            frozenset().union(*(places[at] for at in part.scans))
            if part.scans
            else frozenset((part.shard or any_shard,))
            for part in self.parts
        )

    def question(self, numbers: Sequence[int], values: Sequence[Any]) -> tuple[str, list[int]]:
        """What a shard is asked for these parts, and which of the statement's values are its parameters.

        One statement, so that its rows are of one moment.
        """
        parts = [self.parts[number] for number in numbers]
        return filled((_stacked if self.engine == "mariadb" else _beside)(parts, values))


def _beside(parts: Sequence[Part], values: Sequence[Any]) -> list[Piece]:
    pieces = [Piece((_EXACT,))]
    for number, part in enumerate(parts, 1):
        pieces += [Piece((", (",)), part.asked(values), Piece((f") AS b{number}",))]
    return pieces


def _stacked(parts: Sequence[Part], values: Sequence[Any]) -> list[Piece]:
    """Rows of all parts under each other: the part's number, then texts, the last ones its own."""
    widest = max(len(part.columns) for part in parts)
    pieces: list[Piece] = []
    for number, part in enumerate(parts):
        before = "" if not number else " UNION ALL "
        padding = "NULL, " * (widest - len(part.columns))
        pieces += [Piece((f"{before}(SELECT {number}, {padding}",)), part.asked(values), Piece((")",))]
    return pieces


@dataclass(frozen=True, slots=True)
class Across:
    """A query over what several domains give, and what the session's domain has itself.

    Its `$i` is `params[i - 1]` (1-based) of the statement's values with the arrays of all portions behind them.
    """

    portions: tuple[Portion, ...]
    sql: str
    params: tuple[int, ...]
    #: What the result's columns are called.
    names: tuple[str, ...]
    #: The shard of the session's domain that runs it; "" for any.
    shard: str
    limits: FinishLimits
    #: How many of the portions come at once, one stage after another.
    stages: tuple[int, ...] = ()
    #: The same with fewer rows, where those that say which ones are few themselves: it is tried first.
    keyed: Across | None = None

    def describe(self) -> list[str]:
        brought = [f"bring from {p.domain}: {part.describe()}" for p in self.portions for part in p.parts]
        return [*brought, f"then {self.sql}"]


#: Whether text says every value exactly, also to a server with other settings.
_EXACT = (
    "SELECT * FROM (SELECT current_setting('DateStyle') LIKE 'ISO%' AND current_setting('extra_float_digits')::int > 0"
    " AND current_setting('IntervalStyle') IN ('postgres', 'iso_8601')) AS exact"
)
