"""Partial results of one group, one per shard and argument, become the group's row.

Rows are only gathered by group while they arrive; then each column of all groups is folded at once, which is several
times faster than merging row by row.  When many rows have gathered, the groups are folded early to bound memory: the
result of a fold may be folded again.  NULL is neutral for every aggregate here.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import reduce
from itertools import islice
from operator import and_, itemgetter, or_, truediv, xor
from typing import Any, NamedTuple, Protocol

from outgrow.plan.spec import Aggregate, Combine, How

from .compare import Ranker, equality_ranker, order_ranker
from .errors import out_of_range, unvetted_type
from .numeric import add, average

Row = tuple[Any, ...]
#: The values of one column, by group → one value of the same kind for each group.
Fold = Callable[[Sequence[Sequence[Any]]], list[Any]]
#: The folded columns → the column of an aggregate's results.
Final = Callable[[list[list[Any]]], list[Any]]

#: Rows gathered beyond the number of groups before an early fold.
GATHERED_MAX = 50_000
#: So many groups are turned into columns at once.
BLOCK = 1024

_INT8 = 1 << 63
_WORD = (1 << 64) - 1


class Kind(NamedTuple):
    """Of a combined row's column: its type, the digits behind the point that it shows, and whether it has others."""

    type: str
    scale: int = 0
    hidden: bool = False


class FieldLike(Protocol):
    @property
    def type(self) -> str: ...
    @property
    def typmod(self) -> int: ...


class Numbers(NamedTuple):
    """How a language adds and averages."""

    #: Result types of DISTINCT sums by the argument's.
    summed: dict[str, str]
    #: What an average of such a sum is, and the division of a sum by a count.
    averaged: Callable[[Kind], tuple[Kind, Callable[[Any, int], Any]]]


def _averaged(total: Kind) -> tuple[Kind, Callable[[Any, int], Any]]:
    return (Kind("float8"), truediv) if total.type == "float8" else (Kind("numeric"), average)


POSTGRESQL = Numbers(
    {"int2": "int8", "int4": "int8", "int8": "numeric", "numeric": "numeric", "float8": "float8"}, _averaged
)


def _kind(field: FieldLike) -> Kind:
    known = field.type == "numeric" and field.typmod >= 4
    return Kind(field.type, (field.typmod - 4) & 0xFFFF if known else 0)


def _there(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _by_group(fold: Callable[[list[Any]], Any]) -> Fold:
    """NULL where a group has no other value."""

    def folded(groups: Sequence[Sequence[Any]]) -> list[Any]:
        return [fold(there) if (there := _there(values)) else None for values in groups]

    return folded


def _sum_ints(groups: Sequence[Sequence[Any]]) -> list[Any]:
    try:
        return [sum(values) if values else None for values in groups]
    except TypeError:  # a NULL among them
        return _by_group(sum)(groups)


def _counts(groups: Sequence[Sequence[int]]) -> list[int]:
    return list(map(sum, groups))


def _sum_numerics(there: Iterable[Any]) -> Any:
    return reduce(add, there)


def _sum_floats(there: Sequence[Any]) -> float:
    total = sum(there)
    if not math.isfinite(total) and all(map(math.isfinite, there)):
        raise out_of_range("double precision")
    return float(total)


_BITS: dict[How, tuple[Callable[[int, int], int], int]] = {
    How.BIT_AND: (and_, _WORD),
    How.BIT_OR: (or_, 0),
    How.BIT_XOR: (xor, 0),
}

_SUMS: dict[str, Fold] = {"int8": _sum_ints, "numeric": _by_group(_sum_numerics), "float8": _by_group(_sum_floats)}


def _summing(type: str, aggregate: Aggregate) -> Fold:
    fold = _SUMS.get(type)
    if fold is None:
        raise unvetted_type(type, f"added ({aggregate.shown})")
    return fold


def _extreme(type: str, bytes_order: bool, least: bool) -> Fold:
    ranker = order_ranker(type, bytes_order)
    choose: Callable[..., Any] = min if least else max
    return _by_group(lambda there: choose(there, key=ranker))


def _telling(ranker: Ranker | None) -> Fold:
    """The distinct values, by what tells them apart; a dict among the values is an earlier fold's result."""

    def told(values: Sequence[Any]) -> dict[Any, Any]:
        distinct: dict[Any, Any] = {}
        for value in values:
            if isinstance(value, dict):
                for rank, each in value.items():
                    distinct.setdefault(rank, each)
            elif value is not None:
                distinct.setdefault(value if ranker is None else ranker(value), value)
        return distinct

    return lambda groups: [told(values) for values in groups]


class Folding:
    """What is done to the groups of one statement, whoever executes it."""

    def __init__(
        self, spec: Combine, fields: Sequence[FieldLike], enums: frozenset[str], numbers: Numbers = POSTGRESQL
    ) -> None:
        self.spec = spec
        self.numbers = numbers
        self.inputs = [_kind(field) for field in fields]
        types = [field.type for field in fields]
        self.rankers = [equality_ranker(types[key], enums) for key in spec.keys]
        #: The keys' only column, where its values tell themselves apart.
        self.plain_key = spec.keys[0] if len(spec.keys) == 1 and self.rankers[0] is None else None
        #: Fragment column, kind and fold, each once; `finals` read the folded columns by their place in this list.
        self.folds: list[tuple[int, str, Fold]] = []
        self.finals: list[Final] = []
        #: Of the combined row.
        self.kinds = [self.inputs[at] for at in (*spec.keys, *spec.carried)]
        for aggregate in spec.aggregates:
            self._prepare(aggregate, enums)

    def _prepare(self, aggregate: Aggregate, enums: frozenset[str]) -> None:
        at = aggregate.inputs[0]
        kind = self.inputs[at]
        type = kind.type
        match aggregate.how:
            case How.COUNT:
                self._result(Kind("int8"), itemgetter(self._fold(at, "sum", _counts)))
            case How.SUM:
                place = self._fold(at, "sum", _summing(type, aggregate))
                self._result(kind, (lambda state: _bigints(state[place])) if type == "int8" else itemgetter(place))
            case How.MIN | How.MAX:
                least = aggregate.how is How.MIN
                place = self._fold(at, aggregate.how, _extreme(type, aggregate.bytes_order, least))
                self._result(kind, itemgetter(place))
            case How.ALL | How.ANY:
                place = self._fold(at, aggregate.how, _by_group(all if aggregate.how is How.ALL else any))
                self._result(Kind("bool"), itemgetter(place))
            case How.AVG:
                total = self._fold(at, "sum", _summing(type, aggregate))
                count = self._fold(aggregate.inputs[1], "sum", _counts)
                self._average(kind, itemgetter(total), itemgetter(count))
            case How.BIT_AND | How.BIT_OR | How.BIT_XOR:
                operator, none = _BITS[aggregate.how]
                fold: Fold = lambda groups: [reduce(operator, values, none) for values in groups]  # noqa: E731
                self._result(kind, itemgetter(self._fold(at, aggregate.how, fold)))
            case _:
                self._distinct(aggregate, at, kind, enums)

    def _fold(self, at: int, kind: str, fold: Fold) -> int:
        """The place of the folded column; one column is folded in one way."""
        for place, (column, other, _) in enumerate(self.folds):
            if column == at:
                assert other == kind, f"column {at} is folded as {other} and as {kind}"
                return place
        self.folds.append((at, kind, fold))
        return len(self.folds) - 1

    @property
    def types(self) -> list[str]:
        """Of the combined row."""
        return [kind.type for kind in self.kinds]

    def _result(self, kind: Kind, final: Final) -> None:
        self.kinds.append(kind)
        self.finals.append(final)

    def _average(self, total: Kind, totals: Final, counts: Final) -> None:
        kind, divide = self.numbers.averaged(total)
        self._result(
            kind,
            lambda state: [
                divide(total, count) if count else None
                for total, count in zip(totals(state), counts(state), strict=True)
            ],
        )

    def _distinct(self, aggregate: Aggregate, at: int, given: Kind, enums: frozenset[str]) -> None:
        type = given.type
        distinct = itemgetter(self._fold(at, "distinct", _telling(equality_ranker(type, enums))))

        def counts(state: list[list[Any]]) -> list[int]:
            return list(map(len, distinct(state)))

        if aggregate.how is How.COUNT_DISTINCT:
            self._result(Kind("int8"), counts)
            return
        kind = self.numbers.summed.get(type)
        if kind is None:
            raise unvetted_type(type, f"added ({aggregate.shown})")

        def totals(state: list[list[Any]]) -> list[Any]:
            values = [list(told.values()) for told in distinct(state)]
            if kind == "numeric":
                values = [list(map(Decimal, told)) for told in values]
            return _bigints(_sum_ints(values)) if kind == "int8" else _SUMS[kind](values)

        if aggregate.how is How.SUM_DISTINCT:
            self._result(given._replace(type=kind), totals)
        else:
            self._average(given._replace(type=kind), totals, counts)


class Groups:
    """All groups of one execution; memory grows with their number (and with distinct values)."""

    def __init__(self, folding: Folding) -> None:
        self._folding = folding
        self._groups: defaultdict[Any, list[Row]] = defaultdict(list)
        self._gathered = 0

    def feed(self, rows: list[Row]) -> None:
        groups, plain_key = self._groups, self._folding.plain_key
        if plain_key is not None:
            for row in rows:
                groups[row[plain_key]].append(row)
        else:
            for row in rows:
                groups[self._key(row)].append(row)
        self._gathered += len(rows)
        if self._gathered > GATHERED_MAX + 2 * len(groups):
            self._condense()

    def _key(self, row: Row) -> tuple[Any, ...]:
        made: list[Any] = []
        for at, ranker in zip(self._folding.spec.keys, self._folding.rankers, strict=True):
            value = row[at]
            made.append(value if ranker is None or value is None else ranker(value))
        return tuple(made)

    def _condense(self) -> None:
        """One row for each group."""
        for groups in _blocks(self._groups.values()):
            columns = list(zip(*[row for rows in groups for row in rows[:1]], strict=True))
            by_group = [list(zip(*rows, strict=True)) for rows in groups]
            for at, _, fold in self._folding.folds:
                columns[at] = tuple(fold([each[at] for each in by_group]))
            for rows, row in zip(groups, zip(*columns, strict=True), strict=True):
                rows[:] = [row]
        self._gathered = len(self._groups)

    def rows(self) -> list[Row]:
        """One row per group: keys, carried, aggregates."""
        folding = self._folding
        if folding.spec.whole and not self._groups:
            return self._finished([[()] * len(folding.inputs)])
        finished: list[Row] = []
        for groups in _blocks(self._groups.values()):
            finished += self._finished([list(zip(*rows, strict=True)) for rows in groups])
        return finished

    def _finished(self, by_group: list[list[tuple[Any, ...]]]) -> list[Row]:
        """The groups' rows, each group given as its columns."""
        folding = self._folding
        folded = [fold([columns[at] for columns in by_group]) for at, _, fold in folding.folds]
        made = [[columns[at][0] for columns in by_group] for at in (*folding.spec.keys, *folding.spec.carried)]
        made += [final(folded) for final in folding.finals]
        return list(zip(*made, strict=True)) if made else [()] * len(by_group)


def _blocks(groups: Iterable[list[Row]]) -> Iterable[list[list[Row]]]:
    rest = iter(groups)
    while block := list(islice(rest, BLOCK)):
        yield block


def _bigints(values: list[Any]) -> list[Any]:
    for value in values:
        if value is not None and not -_INT8 <= value < _INT8:
            raise out_of_range("int8")
    return values
