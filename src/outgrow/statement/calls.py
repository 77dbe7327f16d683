"""Function calls with all their trimmings, and the forms that the disguise writes as functions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from outgrow.statement import expressions, queries
from outgrow.statement.context import Context, plain, taken
from outgrow.statement.functions import settled
from outgrow.statement.inference import call_type, type_of
from outgrow.statement.quoting import name_sql
from outgrow.statement.scope import Env
from outgrow.statement.tree import (
    ArrayOf,
    Call,
    CallKind,
    Exists,
    Expr,
    Operation,
    Query,
    RowOf,
    ScalarQuery,
    SortKey,
    Template,
    Window,
)
from outgrow.statement.unvetted import Unvetted

__all__ = ["call", "marked", "marked_identifier", "name_sql", "quantified", "quantifier", "subquery"]


def marked_identifier(identifier: object, letter: str) -> int | None:
    """The index of a marker `og$<letter><index>`."""
    if not isinstance(identifier, exp.Identifier) or not identifier.this.startswith("og$" + letter):
        return None
    digits = identifier.this[4:]
    return int(digits) if digits.isdigit() else None


def marked(node: object, letter: str) -> int | None:
    """The same, where the marker stands as a column."""
    if not isinstance(node, exp.Column) or node.args.get("table") is not None:
        return None
    return marked_identifier(node.this, letter)


def quantifier(node: object) -> str:
    """ "any" or "all" where `node` is a disguised quantifier, else ""."""
    if isinstance(node, exp.Anonymous) and isinstance(node.this, exp.Identifier):
        return {"og$any": "any", "og$all": "all"}.get(node.this.this, "")
    return ""


def quantified(context: Context, node: exp.Expression, env: Env) -> Expr | Query:
    """What ANY or ALL ranges over: an array, or a query."""
    taken(node, "this", "expressions")
    if len(node.expressions) != 1:
        raise Unvetted("ANY of several values")
    inner: Any = node.expressions[0]
    if _is_query(inner):
        return subquery(context, inner, env)
    return expressions.expression(context, inner, env)


def _is_query(node: object) -> bool:
    return isinstance(node, exp.Query | exp.Values)


def subquery(context: Context, node: exp.Expression, env: Env) -> Query:
    return queries.query(context, node, env)[0]


@dataclass(slots=True)
class _Trimmings:
    filter: Expr | None = None
    within: tuple[SortKey, ...] = ()
    over: Window | None = None
    order: tuple[SortKey, ...] = ()
    distinct: bool = False
    variadic: bool = False
    star: bool = False
    args: list[Expr] = field(default_factory=list)

    def any(self) -> bool:
        return bool(
            self.filter or self.within or self.over or self.order or self.distinct or self.star or self.variadic
        )


def call(context: Context, node: exp.Expression, env: Env, schema: str | None) -> Expr:
    """A call, from its outermost trimming (OVER, FILTER, WITHIN GROUP) inwards."""
    trimmings = _Trimmings()
    while not isinstance(node, exp.Anonymous):
        if isinstance(node, exp.Window):
            trimmings.over = _over(context, node, env)
        elif isinstance(node, exp.Filter):
            taken(node, "this", "expression")
            taken(node.expression, "this")
            context.counts["where"] += 1
            trimmings.filter = expressions.expression(context, node.expression.this, env)
        elif isinstance(node, exp.WithinGroup):
            taken(node, "this", "expression")
            taken(node.expression, "expressions")
            trimmings.within = expressions.sort_keys(
                context, node.expression, lambda key: expressions.expression(context, key, env)
            )
        elif isinstance(node, exp.Dot) and isinstance(node.this, exp.Identifier):
            taken(node, "this", "expression")
            schema = plain(node.this)
            node = node.expression
            continue
        else:
            raise Unvetted(f"a call of {type(node).__name__}")
        node = node.this
    return _named(context, node, env, schema, trimmings)


def _named(context: Context, node: exp.Anonymous, env: Env, schema: str | None, trimmings: _Trimmings) -> Expr:
    taken(node, "this", "expressions")
    if not isinstance(node.this, exp.Identifier):
        raise Unvetted(f"the function {node.this}")
    name: str = node.this.this
    if not name.startswith("og$f$"):
        bound = _disguised(context, node, name, env)
        if trimmings.any() or schema:
            raise Unvetted("FILTER or OVER after a special form")
        return bound
    name = name[5:]
    known = context.call(name, schema)
    # What an aggregate is given are columns, whatever aliases say.
    inside = replace(env, before=()) if env.before and known.kind is CallKind.AGGREGATE else env
    _arguments(context, node.expressions, inside, trimmings)
    kind = CallKind.WINDOW if trimmings.over is not None else known.kind
    args = tuple(trimmings.args)
    types = [type_of(arg) for arg in args]
    return Call(
        name,
        args,
        schema,
        kind,
        settled(name, known, types),
        known.builtin,
        trimmings.star,
        trimmings.distinct,
        trimmings.variadic,
        trimmings.order,
        trimmings.within,
        trimmings.filter,
        trimmings.over,
        call_type(name, known.type, args) if known.builtin else known.type,
    )


def _arguments(context: Context, nodes: list[exp.Expression], env: Env, trimmings: _Trimmings) -> None:
    """`DISTINCT`, `ORDER BY` and `VARIADIC` wrap single arguments in the parser's tree."""
    for node in nodes:
        if isinstance(node, exp.Order):
            taken(node, "this", "expressions")
            trimmings.order = expressions.sort_keys(
                context, node, lambda key: expressions.expression(context, key, env)
            )
            inner = node.args.get("this")
            _arguments(context, [inner] if inner is not None else [], env, trimmings)
        elif isinstance(node, exp.Distinct):
            taken(node, "expressions")
            trimmings.distinct = True
            _arguments(context, node.expressions, env, trimmings)
        elif isinstance(node, exp.Star):
            taken(node)
            trimmings.star = True
        elif isinstance(node, exp.Variadic):
            taken(node, "this")
            trimmings.variadic = True
            trimmings.args.append(expressions.expression(context, node.this, env))
        elif isinstance(node, exp.Kwarg):
            taken(node, "this", "expression")
            value = expressions.expression(context, node.expression, env)
            if node.this.name.startswith("og$"):
                raise Unvetted("a constant as an argument's name")
            trimmings.args.append(Template((f"{name_sql(node.this.name)} => ", ""), (value,)))
        else:
            trimmings.args.append(expressions.expression(context, node, env))
    if trimmings.star and trimmings.args:
        raise Unvetted("* among arguments")


def _disguised(context: Context, node: exp.Anonymous, name: str, env: Env) -> Expr:
    nodes = node.expressions
    if name in ("og$exists", "og$sub"):
        if len(nodes) != 1:
            raise Unvetted(name[3:])
        if not isinstance(nodes[0], exp.Query | exp.Values):
            raise Unvetted(f"{name[3:]} of no query")
        inner: Any = nodes[0]
        query = subquery(context, inner, env)
        return Exists(query) if name == "og$exists" else ScalarQuery(query, True)
    index = marked_identifier(node.this, "x")
    if name not in ("og$row", "og$arr") and index is None:
        raise Unvetted("ANY or ALL here")
    items = tuple(expressions.expression(context, item, env) for item in nodes)
    if any(isinstance(item, Operation) and item.operator == "escape" for item in items) and index is None:
        raise Unvetted("ESCAPE")
    if index is None:
        return RowOf(items) if name == "og$row" else ArrayOf(items)
    special = context.disguise.specials[index]
    if len(items) != len(special.pieces) - 1:
        raise Unvetted(f"this {special.function}()")
    known = context.call(special.function, None)
    return Template(special.pieces, items, known.volatility, special.name)


def _over(context: Context, node: exp.Window, env: Env) -> Window:
    taken(node, "this", "partition_by", "order", "spec", "alias", "over")
    return window(context, node, env)


def window(context: Context, node: exp.Window, env: Env) -> Window:
    """A window specification, inline or of the WINDOW clause."""
    alias, order, spec = node.args.get("alias"), node.args.get("order"), node.args.get("spec")
    keys: tuple[SortKey, ...] = ()
    if order is not None:
        taken(order, "expressions")
        keys = expressions.sort_keys(context, order, lambda key: expressions.expression(context, key, env))
    frame = ""
    if spec is not None:
        frame = context.disguise.frames[int(spec.args["start"].this)]
    partition = node.args.get("partition_by") or []
    return Window(
        plain(alias) if alias is not None else None,
        tuple(expressions.expression(context, item, env) for item in partition),
        keys,
        frame,
    )
