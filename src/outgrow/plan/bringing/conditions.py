"""What a block's conditions say of some of its tables alone, and which columns they make equal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from outgrow.plan.cutting.vetting import vet_alike
from outgrow.plan.walking import conjuncts, everything_below
from outgrow.statement.tree import Call, CallKind, ColumnRef, Expr, Literal, Operation, Query
from outgrow.statement.walk import columns_of

Column = tuple[str, str]


def together(operator: str, operands: Iterable[Expr]) -> Expr | None:
    """All of them by AND or OR; None for none."""
    known = tuple(operands)
    return known[0] if len(known) == 1 else Operation(operator, known) if known else None


def disjuncts(expr: Expr) -> Iterator[Expr]:
    """The operands of nested ORs."""
    if isinstance(expr, Operation) and expr.operator == "or":
        for operand in expr.operands:
            yield from disjuncts(operand)
    else:
        yield expr


def factored(condition: Expr | None) -> list[Expr]:
    """The conjuncts, with what all arms of an OR have in common as conjuncts of their own.

    (a AND b) OR (a AND c) is a AND (b OR c) for NULLs too.
    """
    found: list[Expr] = []
    for conjunct in conjuncts(condition):
        arms = [list(conjuncts(arm)) for arm in disjuncts(conjunct)]
        common = [each for each in arms[0] if all(each in arm for arm in arms[1:])] if len(arms) > 1 else []
        if not common:
            found.append(conjunct)
            continue
        found += common
        rests = [[each for each in arm if each not in common] for arm in arms]
        if all(rests):
            rest = together("or", [both for arm in rests if (both := together("and", arm)) is not None])
            assert rest is not None
            found.append(rest)
    return found


def speaks_of(expr: Expr, aliases: Collection[str]) -> bool:
    """It speaks of columns of these FROM items, and of nothing else outside of itself."""
    mentioned = False
    for ref, depth in columns_of(expr):
        if depth or ref.relation not in aliases:
            return False
        mentioned = True
    return mentioned


def plain(expr: Expr) -> bool:
    """No subquery, and the same on every shard at any moment."""
    for node in everything_below(expr):
        if isinstance(node, Query) or (isinstance(node, Call) and (node.kind is not CallKind.SCALAR or node.over)):
            return False
    return vet_alike(expr)


def implied(conjunct: Expr, aliases: Collection[str]) -> Expr | None:
    """What an OR says of these tables alone, whichever of its arms holds; None where some arm says nothing."""
    arms = list(disjuncts(conjunct))
    if len(arms) < 2:
        return None
    said: list[Expr] = []
    for arm in arms:
        both = together("and", (each for each in conjuncts(arm) if speaks_of(each, aliases) and plain(each)))
        if both is None:
            return None
        if both not in said:
            said.append(both)
    return together("or", said)


class Classes:
    """Columns that are equal in every row that matters, and what was said to make them so."""

    def __init__(self) -> None:
        self._of: dict[Column, list[ColumnRef]] = {}

    def equate(self, one: ColumnRef, other: ColumnRef) -> None:
        first, second = self._class(one), self._class(other)
        if first is not second:
            first += second
            for ref in second:
                self._of[ref.relation, ref.name] = first

    def _class(self, ref: ColumnRef) -> list[ColumnRef]:
        return self._of.setdefault((ref.relation, ref.name), [ref])

    def all(self) -> list[list[ColumnRef]]:
        return list({id(each): each for each in self._of.values()}.values())

    def equal_to(self, column: Column) -> list[ColumnRef]:
        return self._of.get(column, [])

    def same(self, one: Column, other: Column) -> bool:
        return one == other or any((ref.relation, ref.name) == other for ref in self.equal_to(one))


def equated(conjunct: Expr) -> tuple[Expr, Expr] | None:
    if isinstance(conjunct, Operation) and conjunct.operator == "=" and len(conjunct.operands) == 2:
        return conjunct.operands[0], conjunct.operands[1]
    return None


def equalities(known: Iterable[Expr], alike: Callable[[ColumnRef, ColumnRef], bool]) -> Classes:
    """The classes that conjuncts of two columns of this block make."""
    classes = Classes()
    for conjunct in known:
        sides = equated(conjunct)
        if sides is None:
            continue
        one, other = sides
        if not isinstance(one, ColumnRef) or not isinstance(other, ColumnRef) or one.depth or other.depth:
            continue
        if alike(one, other):
            classes.equate(one, other)
    return classes


TRUE = Literal("boolean", "true")
