"""Aggregates in two stages: what each shard computes, and what is computed from that.

The fragment groups as the statement does (and, for DISTINCT aggregates, by their argument as well); the finish
combines the partial results and evaluates what the statement computes from aggregates.  Whatever depends on group
columns alone is computed by the shard and *carried*.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from outgrow.plan.cutting.meaning import Meaning
from outgrow.plan.refusals import refused
from outgrow.plan.spec import Aggregate, Combine, Constant, Final, Given, How, Position
from outgrow.plan.walking import children, within_block
from outgrow.statement.tree import (
    Call,
    CallKind,
    Case,
    Cast,
    ColumnRef,
    Expr,
    Item,
    Literal,
    Parameter,
    Query,
    Select,
)

_DISTINCT = {"count": How.COUNT_DISTINCT, "sum": How.SUM_DISTINCT, "avg": How.AVG_DISTINCT}


@dataclass(frozen=True, slots=True)
class _Slot(Final):
    """A column of the combined row, before its position is known."""

    part: str  # "key", "carried", "aggregate"
    index: int


class Splitter:
    """Splits one grouped block.  `covered(exprs)` says whether expressions determine the shard."""

    def __init__(
        self, select: Select, meaning: Meaning, covered: Callable[[tuple[Expr, ...]], bool], key_columns: str
    ) -> None:
        self.select = select
        self.meaning = meaning
        self.covered = covered
        self.key_columns = key_columns
        self.group = tuple(_constant_typed(expr) for expr in select.group)
        self.carried: list[Expr] = []
        self.partials: list[Expr] = []
        #: Arguments of DISTINCT aggregates: the fragment groups by them too.
        self.apart: list[Expr] = []
        self.aggregates: list[tuple[How, tuple[tuple[str, int], ...], str, bool]] = []
        #: Group keys that must not turn out to be text.
        self.suspect = tuple(at for at, expr in enumerate(select.group) if not meaning.check_equality(expr))
        #: One DISTINCT argument that needs the fragment to group by it makes all of them do: partial results of a
        #: DISTINCT aggregate only add up over groups that cannot share a value.
        self._all_apart = any(
            node.distinct and node.name in _DISTINCT and not covered(node.args)
            for part in (*select.items, select.having, *select.order, *select.distinct_on)
            if part is not None
            for node in within_block(part)
            if isinstance(node, Call) and node.kind is CallKind.AGGREGATE and node.over is None
        )

    # --- the statement's expressions -------------------------------------------------------------------------------

    def final(self, expr: Expr) -> Final:
        """The expression over combined rows."""
        if expr in self.select.group:
            return _Slot("key", self.select.group.index(expr))
        if isinstance(expr, Literal):
            return Constant(expr.kind, expr.text)
        if isinstance(expr, Parameter):
            return Given(expr.index)
        if isinstance(expr, Call) and expr.kind is CallKind.AGGREGATE and expr.over is None:
            return self._aggregate(expr)
        if not self._aggregates_below(expr):
            return self._carry(expr)
        return self.meaning.translate(expr, self.final)

    def _aggregates_below(self, expr: Expr) -> bool:
        return any(
            isinstance(node, Call) and node.kind is CallKind.AGGREGATE and node.over is None
            for node in within_block(expr)
        )

    def _carry(self, expr: Expr) -> Final:
        """Something over group columns: each shard computes it, any row of a group will do."""
        rest: list[Any] = [expr]
        while rest:
            node = rest.pop()
            if node in self.select.group:
                continue
            if isinstance(node, ColumnRef):
                raise refused("expression", f"the column {node.name}, which is not in GROUP BY,")
            if isinstance(node, Query):
                raise refused("expression", "a subquery")
            rest.extend(children(node))
        self.meaning.check_carried(expr, self.select)
        if expr not in self.carried:
            self.carried.append(expr)
        return _Slot("carried", self.carried.index(expr))

    # --- aggregates ------------------------------------------------------------------------------------------------

    def _aggregate(self, call: Call) -> Final:
        shown = f"{call.name}({'DISTINCT ' if call.distinct else ''}…)"
        if not call.builtin or call.within_group or call.order or call.variadic:
            raise refused("aggregate", f"the aggregate {shown}", self.key_columns)
        how = self.meaning.aggregates.get(call.name)
        if how is None or len(call.args) > 1:
            raise refused("aggregate", f"the aggregate {shown}", self.key_columns)
        if how in (How.SUM, How.AVG):
            self.meaning.check_added(call, shown, self.key_columns)
        if call.distinct and call.name in _DISTINCT and self._all_apart:
            return self._apart(call, shown)
        if how is How.AVG:
            summed = dataclasses.replace(_renamed(call, "sum"), args=(self.meaning.summed(call.args[0]),))
            return self._add(how, (self._partial(summed), self._partial(_renamed(call, "count"))), shown)
        least = how in (How.MIN, How.MAX)
        by_bytes = self.meaning.check_least(call, shown, self.key_columns) if least else True
        return self._add(how, (self._partial(call),), shown, by_bytes)

    def _apart(self, call: Call, shown: str) -> Final:
        argument = call.args[0]
        if isinstance(argument, Literal | Parameter):
            raise refused("distinct aggregate", shown, self.key_columns)
        argument = self.meaning.told_by(argument)
        if call.filter is not None:
            argument = Case(None, ((call.filter, argument),), None)
        if argument not in self.apart:
            self.apart.append(argument)
        return self._add(_DISTINCT[call.name], (("apart", self.apart.index(argument)),), shown)

    def _partial(self, call: Call) -> tuple[str, int]:
        call = dataclasses.replace(call, type=None)
        if call not in self.partials:
            self.partials.append(call)
        return "partial", self.partials.index(call)

    def _add(self, how: How, inputs: tuple[tuple[str, int], ...], shown: str, by_bytes: bool = True) -> Final:
        aggregate = (how, inputs, shown, by_bytes)
        if aggregate not in self.aggregates:
            self.aggregates.append(aggregate)
        return _Slot("aggregate", self.aggregates.index(aggregate))

    # --- results ---------------------------------------------------------------------------------------------------

    def fragment(self) -> Select:
        """What each shard runs: group columns, carried ones, arguments to tell apart, partial results."""
        whole = not self.select.group
        if whole and self.apart and self.carried:
            raise refused("expression", "a computed constant beside a DISTINCT aggregate")
        columns = (*self.group, *self.carried, *self.apart, *self.partials)
        items = tuple(Item(expr, f"c{number}", f"c{number}") for number, expr in enumerate(columns, 1))
        if not items:
            items = (Item(Call("count", builtin=True, star=True, kind=CallKind.AGGREGATE), "c1", "c1"),)
        return dataclasses.replace(
            self.select,
            items=items,
            group=(*self.group, *self.apart),
            having=None,
            distinct=False,
            distinct_on=(),
            order=(),
            limit=None,
            offset=None,
            windows=(),
        )

    def combine(self) -> Combine:
        keys = len(self.group)
        base = {"apart": keys + len(self.carried), "partial": keys + len(self.carried) + len(self.apart)}
        return Combine(
            tuple(range(keys)),
            tuple(range(keys, keys + len(self.carried))),
            tuple(
                Aggregate(how, tuple(base[part] + index for part, index in inputs), shown, by_bytes)
                for how, inputs, shown, by_bytes in self.aggregates
            ),
            whole=not self.select.group,
        )

    def placed(self, final: Final) -> Final:
        """The same with positions in the combined row."""
        if isinstance(final, _Slot):
            first = {"key": 0, "carried": len(self.group), "aggregate": len(self.group) + len(self.carried)}
            return Position(first[final.part] + final.index)
        changes = {}
        for each in dataclasses.fields(final):  # type: ignore[arg-type]
            value = getattr(final, each.name)
            if isinstance(value, Final):
                changes[each.name] = self.placed(value)
            elif isinstance(value, tuple):
                changes[each.name] = tuple(self.placed(item) for item in value)  # type: ignore[assignment]
        return dataclasses.replace(final, **changes) if changes else final  # type: ignore[type-var]


def _renamed(call: Call, name: str) -> Call:
    return dataclasses.replace(call, name=name)


def _constant_typed(expr: Expr) -> Expr:
    """A bare constant in GROUP BY would be read as a position."""
    if isinstance(expr, Literal):
        types = {"string": "text", "boolean": "bool", "null": "text"}
        return Cast(
            expr, types.get(expr.kind) or ("int4" if expr.text.isdigit() and len(expr.text) < 10 else "numeric")
        )
    return expr
