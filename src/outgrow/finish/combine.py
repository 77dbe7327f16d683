"""Partial results of one group, one per shard and argument, become the group's row.

Rows are only gathered by group while they arrive; then each column of a group is folded at once, which is several
times faster than merging row by row.  When many rows have gathered, the groups are folded early to bound memory: the
result of a fold may be folded again.  NULL is neutral for every aggregate here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import reduce
from operator import itemgetter
from typing import Any

from outgrow.plan.spec import Aggregate, Combine, How

from .compare import Ranker, equality_ranker, order_ranker
from .errors import out_of_range, unvetted_type
from .numeric import add, average

Row = tuple[Any, ...]
#: The values of one column in one group → the same kind of value.
Fold = Callable[[Sequence[Any]], Any]

#: Rows gathered beyond the number of groups before an early fold.
GATHERED_MAX = 50_000

#: Result types of DISTINCT sums and averages by the argument's.
_SUMMED = {"int2": "int8", "int4": "int8", "int8": "numeric", "numeric": "numeric", "float8": "float8"}
_AVERAGED = {"int2": "numeric", "int4": "numeric", "int8": "numeric", "numeric": "numeric", "float8": "float8"}
_INT8 = 1 << 63


def _there(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _sum_ints(values: Sequence[Any]) -> Any:
    try:
        return sum(values) if values else None
    except TypeError:
        there = _there(values)
        return sum(there) if there else None


def _sum_numerics(values: Iterable[Any]) -> Any:
    there = [value for value in values if value is not None]
    return reduce(add, there) if there else None


def _sum_floats(values: Iterable[Any]) -> Any:
    there = [value for value in values if value is not None]
    if not there:
        return None
    total = sum(there)
    if not math.isfinite(total) and all(map(math.isfinite, there)):
        raise out_of_range("double precision")
    return float(total)


_SUMS: dict[str, Fold] = {"int8": _sum_ints, "numeric": _sum_numerics, "float8": _sum_floats}


def _summing(type: str, aggregate: Aggregate) -> Fold:
    fold = _SUMS.get(type)
    if fold is None:
        raise unvetted_type(type, f"added ({aggregate.shown})")
    return fold


def _extreme(type: str, bytes_order: bool, least: bool) -> Fold:
    ranker = order_ranker(type, bytes_order)
    choose: Callable[..., Any] = min if least else max

    def fold(values: Sequence[Any]) -> Any:
        there = _there(values)
        return choose(there, key=ranker) if there else None

    return fold


def _logic(combine: Callable[[Iterable[Any]], bool]) -> Fold:
    def fold(values: Sequence[Any]) -> Any:
        there = _there(values)
        return combine(there) if there else None

    return fold


def _telling(ranker: Ranker | None) -> Fold:
    """The distinct values, by what tells them apart; a dict among the values is an earlier fold's result."""

    def fold(values: Sequence[Any]) -> Any:
        told: dict[Any, Any] = {}
        for value in values:
            if isinstance(value, dict):
                for rank, each in value.items():
                    told.setdefault(rank, each)
            elif value is not None:
                told.setdefault(value if ranker is None else ranker(value), value)
        return told

    return fold


class Groups:
    """All groups of one statement; memory grows with their number (and with distinct values)."""

    def __init__(self, spec: Combine, types: Sequence[str], enums: frozenset[str]) -> None:
        self.spec = spec
        self._types = types
        self._rankers = [equality_ranker(types[key], enums) for key in spec.keys]
        #: Fragment column and fold, each once; `finals` read the folded values by their place in this list.
        self._folds: list[tuple[int, str, Fold]] = []
        self._finals: list[Callable[[list[Any]], Any]] = []
        self.types: list[str] = [types[at] for at in (*spec.keys, *spec.carried)]
        for aggregate in spec.aggregates:
            self._prepare(aggregate, enums)
        self._groups: dict[Any, list[Row]] = {}
        self._gathered = 0
        self._plain_key = spec.keys[0] if len(spec.keys) == 1 and self._rankers[0] is None else None

    # --- preparation -----------------------------------------------------------------------------------------------

    def _prepare(self, aggregate: Aggregate, enums: frozenset[str]) -> None:
        at = aggregate.inputs[0]
        type = self._types[at]
        match aggregate.how:
            case How.COUNT:
                place = self._fold(at, "sum", sum)
                self._result("int8", itemgetter(place))
            case How.SUM:
                place = self._fold(at, "sum", _summing(type, aggregate))
                self._result(type, lambda state: _bigint(state[place]) if type == "int8" else state[place])
            case How.MIN | How.MAX:
                least = aggregate.how is How.MIN
                place = self._fold(at, aggregate.how, _extreme(type, aggregate.bytes_order, least))
                self._result(type, itemgetter(place))
            case How.ALL | How.ANY:
                place = self._fold(at, aggregate.how, _logic(all if aggregate.how is How.ALL else any))
                self._result("bool", itemgetter(place))
            case How.AVG:
                self._average(aggregate, type)
            case _:
                self._distinct(aggregate, at, type, enums)

    def _fold(self, at: int, kind: str, fold: Fold) -> int:
        """The place of the folded column; one column is folded in one way."""
        for place, (column, other, _) in enumerate(self._folds):
            if column == at:
                assert other == kind, f"column {at} is folded as {other} and as {kind}"
                return place
        self._folds.append((at, kind, fold))
        return len(self._folds) - 1

    def _result(self, type: str, final: Callable[[list[Any]], Any]) -> None:
        self.types.append(type)
        self._finals.append(final)

    def _average(self, aggregate: Aggregate, type: str) -> None:
        total = self._fold(aggregate.inputs[0], "sum", _summing(type, aggregate))
        count = self._fold(aggregate.inputs[1], "sum", sum)
        if type == "float8":
            self._result("float8", lambda state: state[total] / state[count] if state[count] else None)
        else:
            self._result("numeric", lambda state: average(state[total], state[count]) if state[count] else None)

    def _distinct(self, aggregate: Aggregate, at: int, type: str, enums: frozenset[str]) -> None:
        place = self._fold(at, "distinct", _telling(equality_ranker(type, enums)))
        if aggregate.how is How.COUNT_DISTINCT:
            self._result("int8", lambda state: len(state[place]))
            return
        kind = (_SUMMED if aggregate.how is How.SUM_DISTINCT else _AVERAGED).get(type)
        if kind is None:
            raise unvetted_type(type, f"added ({aggregate.shown})")

        def total(state: list[Any]) -> Any:
            values = state[place].values()
            if kind == "numeric":
                return _sum_numerics(map(Decimal, values))
            return _sum_floats(values) if kind == "float8" else _bigint(_sum_ints(list(values)))

        if aggregate.how is How.SUM_DISTINCT:
            self._result(kind, total)
        elif kind == "float8":
            self._result(kind, lambda state: total(state) / len(state[place]) if state[place] else None)
        else:
            self._result(kind, lambda state: average(total(state), len(state[place])) if state[place] else None)

    # --- rows ------------------------------------------------------------------------------------------------------

    def feed(self, rows: list[Row]) -> None:
        groups, plain_key, keys = self._groups, self._plain_key, self.spec.keys
        for row in rows:
            key: Any = row[plain_key] if plain_key is not None else self._key(row, keys)
            found = groups.get(key)
            if found is None:
                groups[key] = [row]
            else:
                found.append(row)
        self._gathered += len(rows)
        if self._gathered > GATHERED_MAX + 2 * len(groups):
            self._condense()

    def _key(self, row: Row, keys: tuple[int, ...]) -> tuple[Any, ...]:
        made: list[Any] = []
        for at, ranker in zip(keys, self._rankers, strict=True):
            value = row[at]
            made.append(value if ranker is None or value is None else ranker(value))
        return tuple(made)

    def _condense(self) -> None:
        """One row for each group."""
        for rows in self._groups.values():
            if len(rows) > 1:
                state = list(rows[0])
                for at, _, fold in self._folds:
                    state[at] = fold([row[at] for row in rows])
                rows[:] = [tuple(state)]
        self._gathered = len(self._groups)

    def rows(self) -> list[Row]:
        """One row per group: keys, carried, aggregates."""
        folds, finals = self._folds, self._finals
        groups: Iterable[list[Row]] = self._groups.values()
        if self.spec.whole and not self._groups:
            groups = [[]]
        front = (*self.spec.keys, *self.spec.carried)
        plain = [(at, fold) for at, _, fold in folds]
        finished: list[Row] = []
        for rows in groups:
            columns = list(zip(*rows, strict=True)) or [()] * len(self._types)
            state = [fold(columns[at]) for at, fold in plain]
            made = [columns[at][0] for at in front]
            for final in finals:
                made.append(final(state))
            finished.append(tuple(made))
        return finished


def _bigint(value: int | None) -> int | None:
    if value is not None and not -_INT8 <= value < _INT8:
        raise out_of_range("int8")
    return value
