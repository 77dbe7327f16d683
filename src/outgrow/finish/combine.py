"""Partial results of one group, one per shard and argument, become the group's row.

The first row of a group *is* its state; every later one is merged into it, column by column.  NULL is neutral for
every aggregate here.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from outgrow.plan.spec import Aggregate, Combine, How

from .compare import equality_ranker, order_ranker
from .errors import out_of_range, unvetted_type
from .numeric import add, average

Row = tuple[Any, ...]
Merge = Callable[[Any, Any], Any]
#: Result types of DISTINCT sums by the argument's.
_SUMMED = {"int2": "int8", "int4": "int8", "int8": "numeric", "numeric": "numeric", "float8": "float8"}
_AVERAGED = {"int2": "numeric", "int4": "numeric", "int8": "numeric", "numeric": "numeric", "float8": "float8"}
_INT8 = 1 << 63


def _add_floats(one: float, other: float) -> float:
    total = one + other
    if math.isinf(total) and not (math.isinf(one) or math.isinf(other)):
        raise out_of_range("double precision")
    return total


_ADDERS: dict[str, Merge] = {"int8": operator.add, "numeric": add, "float8": _add_floats}


def _extreme(type: str, bytes_order: bool, least: bool) -> Merge:
    ranker = order_ranker(type, bytes_order)
    if ranker is None:
        return min if least else max
    if least:
        return lambda one, other: other if ranker(other) < ranker(one) else one
    return lambda one, other: other if ranker(one) < ranker(other) else one


class Groups:
    """All groups of one statement; memory grows with their number (and with distinct values)."""

    def __init__(self, spec: Combine, types: Sequence[str], enums: frozenset[str]) -> None:
        self.spec = spec
        self._types = types
        self._rankers = [equality_ranker(types[key], enums) for key in spec.keys]
        self._merges: list[tuple[int, Merge]] = []
        #: Column → how its values are told apart, for DISTINCT aggregates.
        self._sets: dict[int, Any] = {}
        self._finals: list[Callable[[list[Any]], Any]] = []
        self.types: list[str] = [types[at] for at in (*spec.keys, *spec.carried)]
        for aggregate in spec.aggregates:
            self._prepare(aggregate, enums)
        self._groups: dict[Any, list[Any]] = {}
        self._plain_key = spec.keys[0] if len(spec.keys) == 1 and self._rankers[0] is None else None

    # --- preparation -----------------------------------------------------------------------------------------------

    def _prepare(self, aggregate: Aggregate, enums: frozenset[str]) -> None:
        at = aggregate.inputs[0]
        type = self._types[at]
        match aggregate.how:
            case How.COUNT:
                self._merge(at, operator.add)
                self._result("int8", lambda state: 0 if state[at] is None else state[at])
            case How.SUM:
                self._merge(at, self._adder(type, aggregate))
                self._result(type, _checked(at) if type == "int8" else operator.itemgetter(at))
            case How.MIN | How.MAX:
                self._merge(at, _extreme(type, aggregate.bytes_order, aggregate.how is How.MIN))
                self._result(type, operator.itemgetter(at))
            case How.ALL | How.ANY:
                self._merge(at, operator.and_ if aggregate.how is How.ALL else operator.or_)
                self._result("bool", operator.itemgetter(at))
            case How.AVG:
                self._merge(at, self._adder(type, aggregate))
                self._merge(aggregate.inputs[1], operator.add)
                self._average(type, at, aggregate.inputs[1])
            case _:
                self._distinct(aggregate, at, type, enums)

    def _adder(self, type: str, aggregate: Aggregate) -> Merge:
        adder = _ADDERS.get(type)
        if adder is None:
            raise unvetted_type(type, f"added ({aggregate.shown})")
        return adder

    def _merge(self, at: int, merge: Merge) -> None:
        if all(column != at for column, _ in self._merges):
            self._merges.append((at, merge))

    def _result(self, type: str, final: Callable[[list[Any]], Any]) -> None:
        self.types.append(type)
        self._finals.append(final)

    def _average(self, type: str, total: int, count: int) -> None:
        if type == "float8":
            self._result("float8", lambda state: state[total] / state[count] if state[count] else None)
        else:
            self._result("numeric", lambda state: average(state[total], state[count]) if state[count] else None)

    def _distinct(self, aggregate: Aggregate, at: int, type: str, enums: frozenset[str]) -> None:
        self._sets[at] = equality_ranker(type, enums)
        if aggregate.how is How.COUNT_DISTINCT:
            self._result("int8", lambda state: len(state[at]))
            return
        kind = (_SUMMED if aggregate.how is How.SUM_DISTINCT else _AVERAGED).get(type)
        if kind is None:
            raise unvetted_type(type, f"added ({aggregate.shown})")
        adder = _ADDERS["numeric" if kind == "numeric" else _SUMMED[type]]

        def total(values: dict[Any, Any]) -> Any:
            result: Any = None
            for value in values.values():
                value = Decimal(value) if kind == "numeric" else value
                result = value if result is None else adder(result, value)
            return result

        if aggregate.how is How.SUM_DISTINCT:
            self._result(kind, lambda state: _bigint(total(state[at])) if kind == "int8" else total(state[at]))
        elif kind == "float8":
            self._result(kind, lambda state: total(state[at]) / len(state[at]) if state[at] else None)
        else:
            self._result(kind, lambda state: average(total(state[at]), len(state[at])) if state[at] else None)

    # --- rows ------------------------------------------------------------------------------------------------------

    def feed(self, rows: list[Row]) -> None:
        groups, merges, sets = self._groups, self._merges, self._sets
        plain_key, spec_keys = self._plain_key, self.spec.keys
        for row in rows:
            key: Any = row[plain_key] if plain_key is not None else self._key(row, spec_keys)
            state = groups.get(key)
            if state is None:
                state = groups[key] = list(row)
                if sets:
                    self._start_sets(state, row)
                continue
            for at, merge in merges:
                new = row[at]
                if new is not None:
                    old = state[at]
                    state[at] = new if old is None else merge(old, new)
            for at, ranker in sets.items():
                new = row[at]
                if new is not None:
                    state[at].setdefault(new if ranker is None else ranker(new), new)

    def _key(self, row: Row, keys: tuple[int, ...]) -> tuple[Any, ...]:
        made: list[Any] = []
        for at, ranker in zip(keys, self._rankers, strict=True):
            value = row[at]
            made.append(value if ranker is None or value is None else ranker(value))
        return tuple(made)

    def _start_sets(self, state: list[Any], row: Row) -> None:
        for at, ranker in self._sets.items():
            value = row[at]
            state[at] = {} if value is None else {(value if ranker is None else ranker(value)): value}

    def rows(self) -> list[Row]:
        """One row per group: keys, carried, aggregates."""
        groups = list(self._groups.values())
        if self.spec.whole and not groups:
            empty: list[Any] = [None] * len(self._types)
            self._start_sets(empty, tuple(empty))
            groups = [empty]
        front = (*self.spec.keys, *self.spec.carried)
        finals = self._finals
        if len(front) == 1:
            first = front[0]
            return [(state[first], *[final(state) for final in finals]) for state in groups]
        return [(*[state[at] for at in front], *[final(state) for final in finals]) for state in groups]


def _bigint(value: int | None) -> int | None:
    if value is not None and not -_INT8 <= value < _INT8:
        raise out_of_range("int8")
    return value


def _checked(at: int) -> Callable[[list[Any]], Any]:
    return lambda state: _bigint(state[at])
