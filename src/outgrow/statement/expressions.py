"""The parser's expressions → ours, bound to the names in reach."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from outgrow.errors import ProgrammingError
from outgrow.statement import calls
from outgrow.statement.context import DEPTH_MAX, Context, plain, taken
from outgrow.statement.inference import collation_order
from outgrow.statement.naming import output_name
from outgrow.statement.precedence import PRECEDENCE, level
from outgrow.statement.scope import (
    SYSTEM_COLUMNS,
    Env,
    all_names,
    qualified,
    unknown_column,
    unqualified,
)
from outgrow.statement.tree import (
    Case,
    Cast,
    Collate,
    ColumnRef,
    Expr,
    InList,
    Operation,
    Parameter,
    Quantified,
    RowOf,
    ScalarQuery,
    SortKey,
    Template,
)
from outgrow.statement.unvetted import Unvetted

BINARY = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
    exp.Pow: "^",
    exp.Like: "like",
    exp.ILike: "ilike",
    exp.SimilarTo: "similar to",
    exp.NullSafeEQ: "is not distinct from",
    exp.NullSafeNEQ: "is distinct from",
}


def expression(context: Context, node: object, env: Env) -> Expr:
    """One value.  Raises Unvetted for what is not known for certain, ProgrammingError for names that do not exist."""
    context.deeper()
    binary_name = BINARY.get(type(node))  # type: ignore[arg-type]
    if binary_name is not None:
        bound = _binary(context, node, binary_name, env)  # type: ignore[arg-type]
    else:
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise Unvetted(type(node).__name__)
        bound = handler(context, node, env)  # type: ignore[arg-type]
    context.depth -= 1
    return bound


def operand(context: Context, node: object, env: Env, least: float) -> Expr:
    """A side of an operator: it must bind at least as strongly as PostgreSQL's grammar wants, or be in parentheses."""
    if level(node) < least:
        raise Unvetted(f"{type(node).__name__} without parentheses")
    return expression(context, node, env)


def sort_keys(context: Context, order: exp.Order, convert: Callable[[exp.Expression], Expr]) -> tuple[SortKey, ...]:
    keys = []
    for node in order.expressions:
        if not isinstance(node, exp.Ordered):
            raise Unvetted("ORDER BY")
        taken(node, "this", "desc", "nulls_first")
        keys.append(SortKey(convert(node.this), bool(node.args.get("desc")), bool(node.args.get("nulls_first"))))
    return tuple(keys)


def _binary(context: Context, node: exp.Expression, name: str, env: Env) -> Expr:
    if node.args.get("negate"):
        node = node.copy()
        node.set("negate", None)
        return Operation("not", (_binary(context, node, name, env),))
    taken(node, "this", "expression")
    if isinstance(node, exp.Mul) and isinstance(node.this, exp.Mul) and calls.marked(node.this.expression, "d") == 0:
        taken(node.this, "this", "expression")
        name, node = "div", exp.Mul(this=node.this.this, expression=node.expression)
    here = PRECEDENCE[name]
    left_least = here if name in ("+", "-", "*", "/", "%", "div", "^") else here + 1
    right = node.expression
    left = operand(context, node.this, env, left_least)
    quantifier = calls.quantifier(right)
    if quantifier:
        return Quantified(left, name, quantifier, calls.quantified(context, right, env))
    bound = operand(context, right, env, here + 1)
    if isinstance(bound, Operation) and bound.operator == "escape" and isinstance(right, exp.DPipe):
        return Operation(name, (left, *bound.operands))
    return Operation(name, (left, bound))


def _logical(context: Context, node: exp.Expression, env: Env) -> Expr:
    taken(node, "this", "expression")
    name = "and" if isinstance(node, exp.And) else "or"
    operands: list[Expr] = []
    sides: list[object] = [node]
    while sides:
        side = sides.pop()
        if type(side) is type(node):
            assert isinstance(side, exp.Expression)
            taken(side, "this", "expression")
            sides += [side.expression, side.this]
            context.counts["and"] += name == "and"
        else:
            operands.append(operand(context, side, env, PRECEDENCE[name] + 1))
    return Operation(name, tuple(operands))


def _not(context: Context, node: exp.Not, env: Env) -> Expr:
    taken(node, "this")
    inner = node.this
    if isinstance(inner, exp.In):
        return _in(context, inner, env, negated=True)
    bound = operand(context, inner, env, PRECEDENCE["not"])
    if isinstance(bound, InList):
        return InList(bound.operand, bound.items, not bound.negated)
    if isinstance(bound, Operation) and bound.operator in _NEGATED:
        return Operation(_NEGATED[bound.operator], bound.operands)
    return Operation("not", (bound,))


#: Not `is null`: of a composite value, `NOT x IS NULL` and `x IS NOT NULL` may both be false.
_NEGATED = {
    "between": "not between",
    "between symmetric": "not between symmetric",
    "is true": "is not true",
    "is false": "is not false",
}


def _between(context: Context, node: exp.Between, env: Env) -> Expr:
    taken(node, "this", "low", "high", "symmetric")
    context.counts["and"] += 1
    least = PRECEDENCE["between"] + 1
    parts = tuple(operand(context, node.args[name], env, least) for name in ("this", "low", "high"))
    return Operation("between symmetric" if node.args.get("symmetric") else "between", parts)


def _is(context: Context, node: exp.Is, env: Env) -> Expr:
    taken(node, "this", "expression", "negate")
    value = node.expression
    if isinstance(value, exp.Null):
        test = "null"
    elif isinstance(value, exp.Boolean):
        test = "true" if value.this else "false"
    else:
        raise Unvetted("IS " + type(value).__name__)
    name = f"is not {test}" if node.args.get("negate") else f"is {test}"
    return Operation(name, (operand(context, node.this, env, PRECEDENCE["is null"]),))


def _in(context: Context, node: exp.In, env: Env, negated: bool = False) -> Expr:
    taken(node, "this", "expressions", "query")
    left = operand(context, node.this, env, PRECEDENCE["in"] + 1)
    query = node.args.get("query")
    items = node.expressions
    if query is None and len(items) == 1 and isinstance(items[0], exp.Values | exp.Query):
        query = items[0]
    if query is not None:
        operator, quantifier = ("<>", "all") if negated else ("=", "any")
        return Quantified(left, operator, quantifier, calls.subquery(context, query, env))
    return InList(left, tuple(expression(context, item, env) for item in items), negated)


def _sign(context: Context, node: exp.Neg | exp.BitwiseNot, env: Env) -> Expr:
    taken(node, "this")
    return Operation(
        "-" if isinstance(node, exp.Neg) else "+", (operand(context, node.this, env, PRECEDENCE["unary"]),)
    )


def _chain(context: Context, node: exp.DPipe, env: Env) -> Expr:
    """Operators in disguise: `a || og$o0 || b || og$o1 || c`, all of one precedence, from left to right."""
    parts: list[exp.Expression] = []
    while isinstance(node, exp.DPipe):
        taken(node, "this", "expression")
        parts.append(node.expression)
        node = node.this
    parts.append(node)
    parts.reverse()
    if len(parts) > 2 * DEPTH_MAX:
        raise Unvetted("so long a chain of operators")
    value, at = _chain_operand(context, parts, 0, env)
    while at < len(parts):
        name = calls.marked(parts[at], "o")
        if name is None or at + 1 >= len(parts):
            raise Unvetted("this use of an operator")
        operator = context.disguise.operators[name]
        right_node = parts[at + 1]
        quantifier = calls.quantifier(right_node)
        if quantifier:
            value = Quantified(value, operator, quantifier, calls.quantified(context, right_node, env))
            at += 2
            continue
        right, at = _chain_operand(context, parts, at + 1, env)
        if isinstance(value, Operation) and value.operator == "escape":
            raise Unvetted("ESCAPE")
        value = Operation(operator, (value, right))
    return value


def _chain_operand(context: Context, parts: list[exp.Expression], at: int, env: Env) -> tuple[Expr, int]:
    if at >= len(parts):
        raise Unvetted("an operator without operand")
    prefix = calls.marked(parts[at], "u")
    if prefix is not None:
        inner, after = _chain_operand(context, parts, at + 1, env)
        return Operation(context.disguise.operators[prefix], (inner,)), after
    return operand(context, parts[at], env, PRECEDENCE["||"] + 1), at + 1


def _column(context: Context, node: exp.Column, env: Env) -> Expr:
    taken(node, "this", "table", "db")
    identifier = node.this
    if isinstance(identifier, exp.Star):
        raise Unvetted("* as a value")
    table, schema = node.args.get("table"), node.args.get("db")
    if table is None:
        constant = calls.marked(node, "k")
        if constant is not None:
            return context.disguise.constants[constant]
        name = plain(identifier)
        found = unqualified(env, name)
        if found is None:
            raise unknown_column(name, name, all_names(env))
    else:
        name = plain(identifier)
        try:
            found = qualified(env, plain(table), name, plain(schema) if schema else None)
        except ProgrammingError:
            if name in context.schema.functions:
                raise Unvetted(f"{name}, a function written like a column,") from None
            raise
    if isinstance(found, ColumnRef) and found.name in SYSTEM_COLUMNS and found.table is None and found.type:
        context.effect(f"reads the system column {found.name}, which belongs to one server", "local")
    return found


def _paren(context: Context, node: exp.Paren, env: Env) -> Expr:
    taken(node, "this")
    return expression(context, node.this, env)


def _tuple(context: Context, node: exp.Tuple, env: Env) -> Expr:
    taken(node, "expressions")
    if len(node.expressions) < 2:
        raise Unvetted("a row of fewer than two values")
    return RowOf(tuple(expression(context, item, env) for item in node.expressions))


def _cast(context: Context, node: exp.Cast, env: Env) -> Expr:
    taken(node, "this", "to")
    taken(node.args["to"], "this", "kind")
    kind = node.args["to"].args.get("kind")
    index = calls.marked_identifier(kind, "t")
    if index is None:
        raise Unvetted("this cast")
    return Cast(operand(context, node.this, env, PRECEDENCE["::"]), context.disguise.types[index])


def _case(context: Context, node: exp.Case, env: Env) -> Expr:
    taken(node, "this", "ifs", "default")
    branches = []
    for branch in node.args["ifs"]:
        taken(branch, "this", "true")
        context.counts["when"] += 1
        context.counts["then"] += 1
        branches.append((expression(context, branch.this, env), expression(context, branch.args["true"], env)))
    subject, default = node.args.get("this"), node.args.get("default")
    return Case(
        expression(context, subject, env) if subject is not None else None,
        tuple(branches),
        expression(context, default, env) if default is not None else None,
    )


def _collate(context: Context, node: exp.Collate, env: Env) -> Expr:
    taken(node, "this", "expression")
    index = calls.marked(node.expression, "c")
    if index is None:
        index = calls.marked_identifier(node.expression, "c")
    if index is None:
        raise Unvetted("COLLATE")
    name = context.disguise.collations[index]
    order = collation_order(name, context.schema.default_order)
    return Collate(operand(context, node.this, env, PRECEDENCE["collate"]), name, order)


def _at_time_zone(context: Context, node: exp.AtTimeZone, env: Env) -> Expr:
    """The parser reads `a AT TIME ZONE b AT TIME ZONE c` from the right; PostgreSQL does from the left."""
    zones: list[exp.Expression] = []
    value = node.this
    rest: exp.Expression = node
    while isinstance(rest, exp.AtTimeZone):
        taken(rest, "this", "zone")
        zones.append(rest.this)
        rest = rest.args["zone"]
    zones.append(rest)
    volatility = context.call("timezone", None).volatility
    bound = operand(context, value, env, PRECEDENCE["at"])
    for zone in zones[1:]:
        right = operand(context, zone, env, PRECEDENCE["at"] + 1)
        bound = Template(("", " AT TIME ZONE ", ""), (bound, right), volatility, "timezone")
    return bound


def _bracket(context: Context, node: exp.Bracket, env: Env) -> Expr:
    """Subscripts and slices.  `a[1][2]` is one access to an array of two dimensions; `(a[1])[2]` is two."""
    subscripts: list[exp.Expression] = []
    inner: exp.Expression = node
    while isinstance(inner, exp.Bracket):
        taken(inner, "this", "expressions")
        if len(inner.expressions) != 1:
            raise Unvetted("this subscript")
        subscripts.append(inner.expressions[0])
        inner = inner.this
    base = operand(context, inner, env, PRECEDENCE["::"])
    # Only a column or a parameter takes subscripts without parentheses.
    plainly = isinstance(base, ColumnRef | Parameter)
    pieces, holes = ["" if plainly else "("], [base]
    close = "" if plainly else ")"
    for subscript in reversed(subscripts):
        bounds: list[exp.Expression | None] = [subscript]
        if isinstance(subscript, exp.Slice):
            taken(subscript, "this", "expression")
            bounds = [subscript.this, subscript.args.get("expression")]
        if any(bound is None for bound in bounds):
            raise Unvetted("a slice without a bound")
        holes += [expression(context, bound, env) for bound in bounds]
        pieces += [close + "[", ":"][: len(bounds)]
        close = "]"
    return Template((*pieces, "]"), tuple(holes), name=output_name(base)[0])


def _dot(context: Context, node: exp.Dot, env: Env) -> Expr:
    taken(node, "this", "expression")
    if isinstance(node.this, exp.Identifier) and isinstance(node.expression, exp.Anonymous):
        return calls.call(context, node.expression, env, plain(node.this))
    if isinstance(node.this, exp.Paren) and isinstance(node.expression, exp.Identifier):
        field = plain(node.expression)
        return Template(("(", ")." + calls.name_sql(field)), (expression(context, node.this, env),), name=field)
    raise Unvetted("this dotted name")


def _scalar_query(context: Context, node: exp.Expression, env: Env) -> Expr:
    return ScalarQuery(calls.subquery(context, node, env))


_HANDLERS: dict[type, Callable[[Context, exp.Expression, Env], Expr]] = {
    exp.And: _logical,
    exp.Anonymous: lambda context, node, env: calls.call(context, node, env, None),
    exp.AtTimeZone: _at_time_zone,  # type: ignore[dict-item]
    exp.Between: _between,  # type: ignore[dict-item]
    exp.Bracket: _bracket,  # type: ignore[dict-item]
    exp.Case: _case,  # type: ignore[dict-item]
    exp.Cast: _cast,  # type: ignore[dict-item]
    exp.Collate: _collate,  # type: ignore[dict-item]
    exp.Column: _column,  # type: ignore[dict-item]
    exp.DPipe: _chain,  # type: ignore[dict-item]
    exp.Dot: _dot,  # type: ignore[dict-item]
    exp.Filter: lambda context, node, env: calls.call(context, node, env, None),
    exp.In: _in,  # type: ignore[dict-item]
    exp.Is: _is,  # type: ignore[dict-item]
    exp.BitwiseNot: _sign,  # type: ignore[dict-item]
    exp.Neg: _sign,  # type: ignore[dict-item]
    exp.Not: _not,  # type: ignore[dict-item]
    exp.Or: _logical,
    exp.Paren: _paren,  # type: ignore[dict-item]
    exp.Subquery: _scalar_query,
    exp.Tuple: _tuple,  # type: ignore[dict-item]
    exp.Window: lambda context, node, env: calls.call(context, node, env, None),
    exp.WithinGroup: lambda context, node, env: calls.call(context, node, env, None),
}
