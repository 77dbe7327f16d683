"""GROUP BY, ORDER BY, DISTINCT ON, LIMIT and locking: what bare names and positions mean there."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from outgrow.errors import ProgrammingError
from outgrow.statement import calls
from outgrow.statement.context import Context, plain, taken
from outgrow.statement.expressions import expression
from outgrow.statement.scope import Env, Visible, bare, matching
from outgrow.statement.tree import Expr, Item, Literal
from outgrow.statement.unvetted import Unvetted


def group_keys(
    context: Context, node: exp.Group | None, items: tuple[Item, ...], env: Env
) -> tuple[tuple[Expr, ...], str]:
    if node is None:
        return (), ""
    taken(node, "expressions")
    keys: list[Expr] = []
    sets = False

    def shown(part: exp.Expression) -> str:
        nonlocal sets
        name = {exp.Rollup: "ROLLUP", exp.Cube: "CUBE", exp.GroupingSets: "GROUPING SETS"}.get(type(part))
        if name:
            sets = True
            taken(part, "expressions")
            return f"{name} ({', '.join(shown(inner) for inner in part.expressions)})"
        if isinstance(part, exp.Tuple):
            taken(part, "expressions")
            return f"({', '.join(shown(inner) for inner in part.expressions)})"
        key = group_key(context, part, items, env)
        if key not in keys or not sets:
            keys.append(key)
        return f"{{{keys.index(key)}}}"

    text = ", ".join(shown(part) for part in node.expressions)
    if node.args.get("all") is False:
        # Sets that are alike count once; the parser says it by a word's absence.
        text = "DISTINCT " + text
    return tuple(keys), text if sets or any(isinstance(p, exp.Tuple) for p in node.expressions) else ""


def group_key(context: Context, node: exp.Expression, items: tuple[Item, ...], env: Env) -> Expr:
    """A bare name is an input column first, then an output column."""
    name = bare_name(node)
    if name is not None and bare(env.names, name, env.rules.folded) is None:
        found = named_output(name, items, "GROUP BY", env)
        if found is not None:
            return found
    return ordinal(context, node, items, "GROUP BY") or expression(context, node, env)


def by_output(context: Context, node: exp.Expression, items: tuple[Item, ...], env: Env) -> Expr:
    """ORDER BY and DISTINCT ON: a bare name is an output column first, then an input column."""
    name = bare_name(node)
    if name is not None:
        found = named_output(name, items, "ORDER BY", env)
        if found is not None:
            return found
    return ordinal(context, node, items, "ORDER BY") or expression(context, node, env)


def bare_name(node: exp.Expression) -> str | None:
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.Column) and node.args.get("table") is None and isinstance(node.this, exp.Identifier):
        return None if node.this.this.startswith("og$") else plain(node.this)
    return None


def with_aliases(items: tuple[Item, ...], env: Env, *, first: bool = False) -> Env:
    """The place where expressions see the select list's aliases, before or after the columns of FROM."""
    if not env.rules.aliases:
        return env
    aliases = tuple(Visible(item.name, item.expr) for item in items if item.name != "*")
    return replace(env, before=aliases) if first else replace(env, after=aliases)


def named_output(name: str, items: tuple[Item, ...], what: str, env: Env) -> Expr | None:
    found = [column.expr for column in matching([Visible(i.name, i.expr) for i in items], name, env.rules.folded)]
    if any(expr != found[0] for expr in found):
        raise ProgrammingError(
            "OG-STMT-014",
            f"{what} {name!r} is ambiguous",
            cure="Give the output columns different aliases.",
            sqlstate="42702",
        )
    return found[0] if found else None


def ordinal(context: Context, node: exp.Expression, items: tuple[Item, ...], what: str) -> Expr | None:
    position = position_of(context, node)
    if position is None:
        return None
    if any(item.name == "*" for item in items):
        raise Unvetted(f"{what} {position} behind a star over unknown columns")
    if not 1 <= position <= len(items):
        raise ProgrammingError(
            "OG-STMT-016",
            f"{what} position {position} is not in the select list",
            cure=f"Use a position from 1 to {len(items)}, or a column's name.",
            sqlstate="42P10",
        )
    return items[position - 1].expr


def position_of(context: Context, node: exp.Expression) -> int | None:
    """The ordinal that a sort or group key is; other constants are refused, as the server does."""
    while isinstance(node, exp.Paren):
        node = node.this
    index = calls.marked(node, "k")
    constant = context.disguise.constants[index] if index is not None else None
    if not isinstance(constant, Literal):
        return None
    if constant.kind != "number" or not constant.text.isdigit():
        raise Unvetted("a constant as a sort or group key")
    return int(constant.text)


def distinct_keys(
    context: Context, node: exp.Distinct | None, items: tuple[Item, ...], env: Env
) -> tuple[bool, tuple[Expr, ...]]:
    if node is None:
        return False, ()
    taken(node, "on")
    on = node.args.get("on")
    if on is None:
        return True, ()
    if isinstance(on, exp.Tuple):
        taken(on, "expressions")
    keys = on.expressions if isinstance(on, exp.Tuple) else [on]
    if not keys:
        raise Unvetted("DISTINCT ON nothing")
    return False, tuple(by_output(context, key, items, env) for key in keys)


def limits(context: Context, node: exp.Expression, env: Env) -> tuple[Expr | None, bool, Expr | None]:
    """LIMIT, WITH TIES, OFFSET."""
    limit = with_ties = offset = None
    found = node.args.get("limit")
    if isinstance(found, exp.Fetch):
        taken(found, "direction", "count", "limit_options")
        index = calls.marked_identifier(found.args.get("count"), "k")
        index = calls.marked(found.args.get("count"), "k") if index is None else index
        options = found.args.get("limit_options")
        if index is None or options is None or not options.args.get("with_ties") or options.args.get("percent"):
            raise Unvetted("this FETCH")
        limit, with_ties = context.disguise.constants[index], True
    elif found is not None:
        taken(found, "expression")
        limit = expression(context, found.expression, env)
        if limit == Literal("null", "NULL"):
            limit = None
    found = node.args.get("offset")
    if found is not None:
        taken(found, "expression")
        offset = expression(context, found.expression, env)
    return limit, bool(with_ties), offset


def locking_sql(context: Context, node: exp.Select) -> str:
    clauses = []
    for lock in node.args.get("locks") or ():
        taken(lock, "update", "expressions", "wait", "key")
        update, key = lock.args.get("update"), lock.args.get("key")
        text = "FOR " + ("NO KEY UPDATE" if update and key else "UPDATE" if update else "KEY SHARE" if key else "SHARE")
        names = []
        for table in lock.expressions:
            taken(table, "this")
            names.append(calls.name_sql(plain(table.this)))
        if names:
            text += " OF " + ", ".join(names)
        wait = lock.args.get("wait")
        text += "" if wait is None else " NOWAIT" if wait else " SKIP LOCKED"
        clauses.append(text)
        context.effect(f"locks rows ({text})", "locking")
    return " ".join(clauses)
