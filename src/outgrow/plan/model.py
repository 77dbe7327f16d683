"""What to run where, how to finish, and why.  No servers, no clocks."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from outgrow.errors import Error
from outgrow.plan.bringing.brought import Brought
from outgrow.plan.narrowing.keyset import Everything, KeySet, Nothing, describe_key_set, parameters_of
from outgrow.plan.numbers.drawing import Drawing
from outgrow.plan.refusals import refuse
from outgrow.plan.spec import Finish
from outgrow.plan.writes.change import Change, describe_change
from outgrow.plan.writes.delivery import Delivery
from outgrow.plan.writes.keymove import KeyMove
from outgrow.plan.writes.merge import Merging
from outgrow.plan.writes.relay import Relay
from outgrow.plan.writes.selection import Selection
from outgrow.statement import View
from outgrow.statement.model import Kind, Statement
from outgrow.topology import TableName

if TYPE_CHECKING:
    from outgrow.plan.domains.foreign import Across


class Placer(Protocol):
    """key → shard, by the domain's shard map; the consumer's view of `keyspace` and `topology.ShardMap`.

    Raises `keyspace.Lookup` for a key that stands in the directory and has not been looked up.
    """

    @property
    def shards(self) -> tuple[str, ...]:
        """All shards of the domain in their declared order; the first is the home shard."""
        ...

    def shards_for(self, types: tuple[str, ...], key: tuple[object, ...]) -> str:
        """The shard of one key: values already coerced, None for NULL."""
        ...

    @property
    def owners(self) -> tuple[str, ...]:
        """slot → its shard."""
        ...

    def slot(self, types: tuple[str, ...], key: tuple[object, ...]) -> int:
        """The slot of one key."""
        ...

    def slots_between(self, types: tuple[str, ...], low: Any, high: Any, high_open: bool) -> range | None:
        """The slots of keys between two places in their order (None: open); None where any slot can have them."""
        ...


@dataclass(frozen=True, slots=True)
class Reason:
    """One decision: `who` decided ("plan.keys"), `what` in a plain sentence."""

    who: str
    what: str


class Where(enum.StrEnum):
    #: One shard, or several, by the scans' keys and the single tables' shards.
    KEYS = "keys"
    #: Any one shard (only copied tables, or no table): prefer the session's.
    ANY = "any"
    #: The domain's first shard (advisory locks, volatile calls without a table, catalogue queries).
    HOME = "home"
    #: Every shard, in order (DDL).
    ALL = "all"
    #: The session itself decides (BEGIN, SET, …) and no shard is chosen here.
    SESSION = "session"
    #: Only a shard that the user chose explicitly.
    CHOSEN = "chosen"
    #: Several domains: each gives rows, and a shard of the session's domain makes the answer of them.
    ACROSS = "across"


@dataclass(frozen=True, slots=True)
class ScanKeys:
    """One occurrence of a sharded table, and the keys it can need."""

    table: TableName
    alias: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    typmods: tuple[int, ...]
    keys: KeySet
    #: "reads", "writes", or "inserts into".
    role: str = "reads"

    def describe(self) -> str:
        return f"{self.role} {self.table} as {self.alias}: {describe_key_set(self.keys, self.columns)}"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """An UPDATE that assigns key columns: where both key sets are the same one key, nothing moves."""

    table: TableName
    types: tuple[str, ...]
    typmods: tuple[int, ...]
    before: KeySet
    after: KeySet


@dataclass(frozen=True, slots=True)
class Quick:
    """The whole question is one key that is one parameter: `params[index]`."""

    index: int
    type: str
    types: tuple[str]


@dataclass(frozen=True, slots=True)
class Plan:
    statement: Statement
    #: "read" may run on a replica, "write" goes to primaries.
    access: str
    where: Where
    scans: tuple[ScanKeys, ...] = ()
    #: Shards that hold single tables of the statement.
    fixed: tuple[str, ...] = ()
    key_changes: tuple[KeyChange, ...] = ()
    quick: Quick | None = None
    #: What each shard runs when more than one is needed, its placeholders $1 … $n ...
    fragment_sql: str | None = None
    #: ... where $i is the statement's parameter `fragment_params[i - 1]` (1-based).
    fragment_params: tuple[int, ...] = ()
    #: Parameters behind the statement's own, each the sum of two of those (LIMIT and OFFSET).
    sums: tuple[tuple[int, int], ...] = ()
    finish: Finish | None = None
    #: How a write (or a locking read) over several shards is done; None for plain reads.
    change: Change | None = None
    #: Of a change that gathers by `Gather.MOVE`.
    move: KeyMove | None = None
    #: Of a change that gathers by `Gather.DELIVER`.
    delivery: Delivery | None = None
    #: Of a change that gathers by `Gather.MERGE`.
    merging: Merging | None = None
    #: Of a change that gathers by `Gather.RELAY`.
    relay: Relay | None = None
    #: Queries that are answered before a change; their rows are parameters behind those computed once.
    answers: tuple[Selection, ...] = ()
    #: Raised when more than one shard turns out to be needed.
    refusal: Error | None = None
    #: How a query that is refused is answered all the same: its rows come to one server.
    brought: Brought | None = None
    reasons: tuple[Reason, ...] = ()
    #: Numbers that become parameters behind the user's, before any shard is chosen.
    drawing: Drawing | None = None
    #: Keys of its scans stand in the directory.
    listed: bool = False
    #: Views whose SELECT stands in the statement's tree, innermost first.
    views: tuple[View, ...] = ()
    #: Of a query over several domains: what each gives, and what is made of it.
    across: Across | None = None

    @property
    def is_brought(self) -> bool:
        """Over several shards it is answered by one server, to which the rows come."""
        return self.brought is not None

    @property
    def needs_shard(self) -> bool:
        """Only runs where the user chose a shard explicitly."""
        return self.where is Where.CHOSEN

    @property
    def keyed_by_draws(self) -> bool:
        """Its shards are known only once its numbers are drawn."""
        if self.drawing is None:
            return False
        given = self.statement.placeholders.count - self.drawing.count
        return any(index > given for scan in self.scans for index in parameters_of(scan.keys))

    def fragment_values(self, params: Sequence[Any]) -> list[Any]:
        """The fragment's parameters out of the statement's (with the values of `change.once` behind them)."""
        if self.sums:
            params = [*params, *(_sum(params[one - 1], params[other - 1]) for one, other in self.sums)]
        return [params[index - 1] for index in self.fragment_params]

    def describe(self) -> dict[str, Any]:
        """What explain shows: the same values that execution uses."""
        shown: dict[str, Any] = {
            "statement": self.statement.text,
            "kind": str(self.statement.kind),
            "access": self.access,
            "where": str(self.where),
            "scans": [scan.describe() for scan in self.scans],
        }
        if self.fixed:
            shown["single"] = list(self.fixed)
        if self.drawing is not None:
            shown["draws"] = list(self.drawing.shown)
            shown["drawn"] = self.statement.sql
        if self.fragment_sql is not None:
            shown["fragment"] = self.fragment_sql
            shown["fragment_params"] = list(self.fragment_params)
        if self.finish is not None and (self.change is None or self.statement.kind is Kind.QUERY):
            shown["finish"] = describe_finish(self.finish)
        if self.change is not None:
            shown["change"] = describe_change(self.change)
        if self.move is not None:
            shown["key_move"] = self.move.describe()
        if self.across is not None:
            shown["across"] = self.across.describe()
            if self.across.keyed is not None:
                shown["first tried"] = self.across.keyed.describe()
        if self.merging is not None:
            shown["merge"] = self.merging.describe()
        if self.relay is not None:
            shown["relay"] = self.relay.describe()
        if self.answers:
            shown["answered"] = [step for answer in self.answers for step in answer.describe()]
        if self.delivery is not None:
            shown["delivery"] = self.delivery.describe()
        if self.brought is not None:
            shown["brought"] = self.brought.describe()
        elif self.refusal is not None:
            shown["refused_if_several"] = {"code": self.refusal.code, "message": self.refusal.message}
        shown["reasons"] = [f"{reason.who}: {reason.what}" for reason in self.reasons]
        return shown


@dataclass(frozen=True, slots=True)
class Located:
    """Where one execution goes.  One shard runs the statement as written, several run the fragment."""

    shards: tuple[str, ...]
    scatter: bool = False
    #: Any other shard would do as well: take the one that suits the session.
    any: bool = False
    #: The shard of each row, of an INSERT whose rows go to several.
    rows: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()


def describe_finish(finish: Finish) -> list[str]:
    """The finish, one plain phrase a step."""
    steps: list[str] = []
    if finish.combine is not None:
        combine = finish.combine
        by = f" by column {', '.join(str(key + 1) for key in combine.keys)}" if combine.keys else ""
        parts = ", ".join(f"{aggregate.how} {aggregate.shown}".strip() for aggregate in combine.aggregates)
        steps.append(f"combine groups{by}" + (f": {parts}" if parts else ""))
    if finish.having is not None:
        steps.append("keep groups by HAVING")
    if finish.distinct is not None:
        steps.append("drop duplicates of column " + ", ".join(str(column + 1) for column in finish.distinct))
    if finish.sort:
        keys = ", ".join(
            f"{key.column + 1}{' desc' if key.descending else ''}{' nulls first' if key.nulls_first else ''}"
            for key in finish.sort
        )
        steps.append(f"{'merge' if finish.merged else 'sort'} by column {keys}")
    if finish.offset is not None:
        steps.append("skip OFFSET rows")
    if finish.limit is not None:
        steps.append("stop after LIMIT rows")
    if len(finish.outputs) > finish.visible:
        steps.append(f"cut {len(finish.outputs) - finish.visible} hidden column(s)")
    return steps or ["concatenate"]


__all__ = [
    "Everything",
    "KeyChange",
    "Located",
    "Nothing",
    "Placer",
    "Plan",
    "Reason",
    "ScanKeys",
    "Where",
    "describe_finish",
]


def _sum(limit: Any, offset: Any) -> int:
    if type(limit) is not int or type(offset) is not int:
        raise refuse("limit", "LIMIT or OFFSET that is no whole number")
    return limit + offset
