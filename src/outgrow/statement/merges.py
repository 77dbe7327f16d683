"""MERGE."""

from __future__ import annotations

from sqlglot import exp

from outgrow.schema import Table
from outgrow.statement import queries, relations
from outgrow.statement.changes import assigns, known, returning, target, target_names
from outgrow.statement.context import Context, plain, taken
from outgrow.statement.expressions import expression
from outgrow.statement.scope import Env, Names
from outgrow.statement.tree import Merge, When
from outgrow.statement.unvetted import Unvetted


def merge(context: Context, node: exp.Merge, outside: Env) -> Merge:
    taken(node, "this", "using", "on", "whens", "returning", "with_")
    with_, outside = queries.with_clause(context, node, outside)
    table, alias, only, qualified = target(context, node.this, "MERGE")
    own = target_names(table, alias)
    source, theirs = relations.relation(context, node.args["using"], outside.inner(), Names())
    env = outside.inner().within(own.beside(theirs))
    if node.args.get("on") is None or node.args.get("whens") is None:
        raise Unvetted("MERGE without ON or WHEN")
    on = expression(context, node.args["on"], env)
    whens = tuple(_when(context, each, table, outside, own, theirs) for each in node.args["whens"].expressions)
    items = returning(context, node, env, theirs.beside(own))
    return Merge(table.name, alias, source, on, whens, items, with_, only, qualified)


def _when(context: Context, node: exp.When, table: Table, outside: Env, own: Names, theirs: Names) -> When:
    taken(node, "matched", "source", "condition", "then")
    kind = "matched" if node.args.get("matched") else "not matched"
    if node.args.get("source"):
        kind = "not matched by source"
    names = {"matched": own.beside(theirs), "not matched": theirs, "not matched by source": own}[kind]
    env = outside.inner().within(names)
    found = node.args.get("condition")
    for word in ("when", "then", *(["and"] if found is not None else [])):
        context.counts[word] += 1
    condition = expression(context, found, env) if found is not None else None
    then = node.args["then"]
    if isinstance(then, exp.Var):
        action = {"DELETE": "delete", "DO NOTHING": "nothing"}.get(str(then.this).upper())
        if action is None:
            raise Unvetted(f"{then.this} in MERGE")
        return When(kind, condition, action)
    if isinstance(then, exp.Update):
        taken(then, "expressions")
        return When(kind, condition, "update", assigns(context, then.expressions, table, env))
    if not isinstance(then, exp.Insert):
        raise Unvetted("this WHEN")
    return _inserting(context, then, table, kind, When(kind, condition, "insert"), env)


def _inserting(context: Context, then: exp.Insert, table: Table, kind: str, when: When, env: Env) -> When:
    taken(then, "this", "expression")
    listed, given = then.this, then.args.get("expression")
    if given is None or not isinstance(given, exp.Tuple | exp.Paren):
        raise Unvetted("this INSERT of a MERGE")
    cells = given.expressions or [given.this]
    values = tuple(expression(context, cell, env) for cell in cells)
    columns = tuple(column.name for column in table.columns[: len(values)])
    if listed is not None:
        parts = listed.expressions if isinstance(listed, exp.Tuple) else [listed.this]
        columns = tuple(plain(part.this if isinstance(part, exp.Column) else part) for part in parts)
        for name in columns:
            known(table, name)
    if len(columns) != len(values):
        raise Unvetted("an INSERT of a MERGE with more columns than values, or fewer")
    return When(kind, when.condition, "insert", columns=columns, values=values)
