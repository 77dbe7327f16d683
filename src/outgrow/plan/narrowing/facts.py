"""What a condition says about columns: a disjunction of conjunctions of equalities, and of spans where order counts.

Only what must be *true* is read (a row counts when its condition is true, not when it is unknown), so nothing under
NOT, CASE, FILTER or a function is looked at.  What is not understood says nothing; so does a disjunction that grew
beyond `LIMIT`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

from outgrow.plan.blocks import Site, bare_column, family
from outgrow.plan.narrowing.keyset import Choice, Elements, Null, Span, Value
from outgrow.statement.tree import (
    ArrayOf,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Literal,
    Operation,
    Parameter,
    Quantified,
    Query,
    RowOf,
    Template,
)

#: Disjuncts that are kept apart; beyond it a condition says less, never more.
LIMIT = 64


@dataclass(frozen=True, slots=True)
class Conjunction:
    """Equalities that hold together: sites with their choices, and edges along which constants flow."""

    choices: tuple[tuple[Site, Choice], ...] = ()
    edges: tuple[tuple[Site, Site], ...] = ()


#: An empty disjunction is never true.
Facts = tuple[Conjunction, ...]

TRUE: Facts = (Conjunction(),)
NEVER: Facts = ()

#: Finds the site of a column as the condition's region sees it; None where it is no usable column.
Resolve = Callable[[ColumnRef], Site | None]
#: A site's type; None where equality is not understood.
TypeOf = Callable[[Site], str | None]
#: May `IS NULL` on this site be believed (it does not come from an outer join's padding)?
MayBeNull = Callable[[Site], bool]
#: A site's type if its keys lie by range, and it is compared in the order by which they are cut; else None.
OrderOf = Callable[[Site], str | None]

#: `constant OP column` as `column OP constant`.
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def all_of(parts: Iterable[Facts]) -> Facts:
    """The conjunction; a part that would multiply beyond the limit is left out (which only says less)."""
    result = TRUE
    for part in parts:
        if not part:
            return NEVER
        if len(result) * len(part) > LIMIT:
            continue
        result = tuple(
            Conjunction(left.choices + right.choices, left.edges + right.edges) for left, right in product(result, part)
        )
    return result


def any_of(parts: Iterable[Facts]) -> Facts:
    result: list[Conjunction] = []
    for part in parts:
        if Conjunction() in part:
            return TRUE
        result.extend(part)
    return tuple(result) if len(result) <= LIMIT else TRUE


def is_constant(expr: Expr) -> bool:
    """A literal, a parameter, or casts of either: its value is known once the parameters are."""
    while isinstance(expr, Cast):
        expr = expr.operand
    if isinstance(expr, Operation) and expr.operator == "-" and len(expr.operands) == 1:
        expr = expr.operands[0]
        return isinstance(expr, Literal) and expr.kind == "number"
    return isinstance(expr, Literal | Parameter)


def is_null_literal(expr: Expr) -> bool:
    while isinstance(expr, Cast):
        expr = expr.operand
    return isinstance(expr, Literal) and expr.kind == "null"


def is_default(expr: Expr) -> bool:
    """The word DEFAULT in the place of a value."""
    return isinstance(expr, Template) and not expr.holes and expr.pieces[0].strip().upper() == "DEFAULT"


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads conditions in one place of the statement."""

    resolve: Resolve
    type_of: TypeOf
    may_be_null: MayBeNull
    order_of: OrderOf = lambda site: None

    def site(self, expr: Expr) -> Site | None:
        column = bare_column(expr)
        return self.resolve(column) if column is not None else None

    def read(self, expr: Expr | None) -> Facts:
        match expr:
            case Literal(kind="boolean", text=text):
                return TRUE if text.lower() in ("true", "t") else NEVER
            case Literal(kind="null"):
                return NEVER
            case ColumnRef():
                return self._boolean(expr, "true")
            case Operation():
                return self._operation(expr)
            case InList(negated=False):
                return self._in_list(expr)
            case Quantified(operator="=", quantifier="any") if not isinstance(expr.of, Query):
                return self._any(expr.operand, expr.of)
        return TRUE

    def _operation(self, expr: Operation) -> Facts:
        operands = expr.operands
        match expr.operator:
            case "and":
                return all_of(self.read(operand) for operand in operands)
            case "or":
                return any_of([self.read(operand) for operand in operands])
            case "=":
                return self.equal(operands[0], operands[1])
            case "<" | "<=" | ">" | ">=":
                return self._ordered(expr.operator, operands[0], operands[1])
            case "between":
                low = self._ordered(">=", operands[0], operands[1])
                return self._narrower(low, self._ordered("<=", operands[0], operands[2]))
            case "not" | "is false":
                return self._boolean(operands[0], "false")
            case "is true":
                return self.read(operands[0])
            case "is null":
                site = self.site(operands[0])
                if site is None or not self.may_be_null(site) or family(self.type_of(site)) is None:
                    return TRUE
                return (Conjunction(((site, (Null(),)),)),)
            case "is not distinct from":
                left, right = operands
                known = next((o for o in operands if isinstance(o, Literal) and o.kind != "null"), None)
                return self.equal(left, right) if known is not None else TRUE
        return TRUE

    def equal(self, left: Expr, right: Expr) -> Facts:
        """`left = right` is true."""
        if isinstance(left, RowOf) and isinstance(right, RowOf):
            if len(left.items) != len(right.items):
                return TRUE
            return all_of(self.equal(one, other) for one, other in zip(left.items, right.items, strict=True))
        if is_null_literal(left) or is_null_literal(right):
            return NEVER
        one, other = self.site(left), self.site(right)
        if one is not None and other is not None:
            return self.joined(one, other)
        for site, side in ((one, right), (other, left)):
            if site is not None and is_constant(side):
                return self._says(site, (side,))
        return TRUE

    def _ordered(self, operator: str, left: Expr, right: Expr) -> Facts:
        """`left OP right` is true."""
        site, constant = self.site(left), right
        if site is None or not is_constant(right):
            site, constant, operator = self.site(right), left, _MIRRORED[operator]
        kind = self.order_of(site) if site is not None and is_constant(constant) else None
        if site is None or kind is None:
            return TRUE
        if is_null_literal(constant):
            return NEVER
        if operator in ("<", "<="):
            span = Span(kind, high=constant, high_open=operator == "<")
        else:
            span = Span(kind, low=constant, low_open=operator == ">")
        return (Conjunction(((site, (span,)),)),)

    def _narrower(self, low: Facts, high: Facts) -> Facts:
        """Both ends of one span in one choice, so that what flows further takes both along."""
        if low and high and TRUE not in (low, high):
            (site, (above,)), (_, (below,)) = low[0].choices[0], high[0].choices[0]
            # `5 BETWEEN a AND b` says `a <= 5` and `5 <= b`: ends of two columns.
            if isinstance(above, Span) and isinstance(below, Span) and above.low is not None and below.high is not None:
                return (Conjunction(((site, (Span(above.type, above.low, below.high),)),)),)
        return all_of([low, high])

    def joined(self, one: Site, other: Site) -> Facts:
        """Two columns are equal: constants flow both ways, if their types compare as their hashes do."""
        kind = family(self.type_of(one))
        if kind is None or kind != family(self.type_of(other)):
            return TRUE
        return (Conjunction((), ((one, other), (other, one))),)

    def _says(self, site: Site, values: Iterable[Expr]) -> Facts:
        """The site equals one of these constants."""
        kind = self.type_of(site)
        if kind is None or family(kind) is None:
            return TRUE
        choice = tuple(Value(value, kind) for value in values)
        return (Conjunction(((site, choice),)),) if choice else NEVER

    def _boolean(self, expr: Expr, text: str) -> Facts:
        site = self.resolve(expr) if isinstance(expr, ColumnRef) else None
        if site is None or self.type_of(site) != "bool":
            return TRUE
        return self._says(site, (Literal("boolean", text),))

    def _in_list(self, expr: InList) -> Facts:
        if isinstance(expr.operand, RowOf):
            return self._row_in_list(expr.operand, expr.items)
        return self._one_of(expr.operand, expr.items)

    def _one_of(self, operand: Expr, items: tuple[Expr, ...]) -> Facts:
        site = self.site(operand)
        if site is not None and all(is_constant(item) for item in items):
            return self._says(site, [item for item in items if not is_null_literal(item)])
        return any_of([self.equal(operand, item) for item in items])

    def _row_in_list(self, operand: RowOf, items: tuple[Expr, ...]) -> Facts:
        if not all(isinstance(item, RowOf) and len(item.items) == len(operand.items) for item in items):
            return TRUE
        rows = [item.items for item in items if isinstance(item, RowOf)]
        if len(rows) <= LIMIT // 4:
            return any_of([self.equal(operand, item) for item in items])
        # Many rows: each column among its own values.  That is a larger set, so it is right.
        return all_of(self._one_of(column, tuple(row[i] for row in rows)) for i, column in enumerate(operand.items))

    def _any(self, operand: Expr, array: Expr) -> Facts:
        inner = array.operand if isinstance(array, Cast) else array
        if isinstance(inner, ArrayOf):
            return self._one_of(operand, inner.items) if inner is array else self._casted(operand, array, inner)
        site = self.site(operand)
        kind = self.type_of(site) if site is not None else None
        if site is None or kind is None or family(kind) is None or not isinstance(inner, Parameter):
            return TRUE
        return (Conjunction(((site, (Elements(array, kind),)),)),)

    def _casted(self, operand: Expr, array: Expr, inner: ArrayOf) -> Facts:
        """`= ANY (ARRAY[…]::type[])`: each element is cast."""
        assert isinstance(array, Cast)
        if not array.type.endswith("[]"):
            return TRUE
        element = array.type.removesuffix("[]")
        return self._one_of(operand, tuple(Cast(item, element) for item in inner.items))


__all__ = ["NEVER", "TRUE", "Conjunction", "Facts", "Reader", "all_of", "any_of", "is_constant"]
