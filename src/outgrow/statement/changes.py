"""INSERT, UPDATE and DELETE."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from outgrow.errors import ProgrammingError
from outgrow.schema import Order, Table
from outgrow.statement import queries, relations
from outgrow.statement.context import Context, plain, taken
from outgrow.statement.expressions import expression
from outgrow.statement.inference import order_of, type_of
from outgrow.statement.scope import Env, Names, Output, Source, Visible, unknown_column
from outgrow.statement.tree import (
    ColumnRef,
    Delete,
    Expr,
    Insert,
    Item,
    Query,
    RowOf,
    RowPart,
    ScalarQuery,
    Select,
    SetOperation,
    Template,
    Update,
    Values,
)
from outgrow.statement.unvetted import Unvetted


def change(context: Context, node: exp.Expression, env: Env) -> tuple[Insert | Update | Delete, queries.Outputs]:
    """A writing statement beside `env` (a CTE) or on its own, and the columns it returns."""
    if isinstance(node, exp.Insert):
        bound: Insert | Update | Delete = _insert(context, node, env)
    elif isinstance(node, exp.Update):
        bound = _update(context, node, env)
    elif isinstance(node, exp.Delete):
        bound = _delete(context, node, env)
    else:
        raise Unvetted(type(node).__name__)
    default = context.schema.default_order
    returned = [item for item in bound.returning if item.name != "*"]
    outputs = tuple(Output(item.name, type_of(item.expr), order_of(item.expr, default)) for item in returned)
    return bound, (outputs, len(returned) != len(bound.returning))


def target(context: Context, node: object, command: str) -> tuple[Table, str, bool, bool]:
    """The table written, its alias, whether ONLY and whether its schema was written."""
    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
        raise Unvetted(f"the target of this {command}")
    taken(node, "this", "db", "alias", "only")
    schema = plain(node.args["db"]) if node.args.get("db") else None
    name = plain(node.this)
    table = relations.find(context, name, schema)
    if table is None:
        raise Unvetted(f"{command} of a catalogue table")
    alias, columns = relations.alias_of(node.args.get("alias"))
    if columns:
        raise Unvetted("column aliases of the target")
    context.write(table.name, command)
    return table, alias or name, bool(node.args.get("only")), schema is not None


def target_names(table: Table, alias: str) -> Names:
    visible = relations.table_columns(table, alias)
    return Names((Source(alias, visible, table.name),), visible)


def returning(context: Context, node: exp.Expression, env: Env, names: Names) -> tuple[Item, ...]:
    clause = node.args.get("returning")
    if clause is None:
        return ()
    taken(clause, "expressions")
    if context.schema.server_version >= 180000:
        for alias in ("old", "new"):
            target = names.sources[0]
            if names.source(alias) is None:
                columns = tuple(Visible(c.name, ColumnRef(alias, c.name, _type(c), _order(c))) for c in target.columns)
                names = Names((*names.sources, Source(alias, columns)), names.columns)
    inside = env.within(Names(names.sources, names.columns))
    items, _ = queries.select_items(context, clause.expressions, inside)
    return items


def _type(column: Visible) -> str | None:
    return type_of(column.expr)


def _order(column: Visible) -> Order:
    assert isinstance(column.expr, ColumnRef)
    return column.expr.order


# ── INSERT ───────────────────────────────────────────────────────────────────────────────────────────────────


def _insert(context: Context, node: exp.Insert, outside: Env) -> Insert:
    taken(node, "this", "expression", "conflict", "returning", "with_", "default")
    with_, outside = queries.with_clause(context, node, outside)
    into: exp.Expression = node.this
    listed: tuple[str, ...] = ()
    if isinstance(into, exp.Schema):
        taken(into, "this", "expressions")
        listed = tuple(plain(column) for column in into.expressions)
        into = into.this
    table, alias, only, qualified = target(context, into, "INSERT")
    if only:
        raise Unvetted("INSERT INTO ONLY")
    for name in listed:
        known(table, name)
    env = outside.inner()
    source: Query | None = None
    width = 0
    if node.args.get("default"):
        if node.expression is not None or listed:
            raise Unvetted("this DEFAULT VALUES")
    else:
        if node.expression is None:
            raise Unvetted("INSERT without VALUES or SELECT")
        source, (outputs, open_) = queries.query(context, node.expression, env)
        width = len(outputs)
        if open_ and not listed:
            raise Unvetted("INSERT of unknown columns without a column list")
    columns = listed or tuple(column.name for column in table.columns[:width])
    if source is not None and not (node.args.get("default")) and width > len(columns):
        raise ProgrammingError(
            "OG-STMT-017",
            f"INSERT has {width} values for {len(columns)} columns of {table.name}",
            cure="Give every value a column.",
            sqlstate="42601",
        )
    names = target_names(table, alias)
    insert = Insert(
        table.name, alias, columns, source, returning=returning(context, node, env, names), with_=with_,
        overriding=context.disguise.overriding, columns_written=bool(listed), qualified=qualified,
    )  # fmt: skip
    conflict = node.args.get("conflict")
    return insert if conflict is None else _conflict(context, conflict, table, insert, env.within(names))


def known(table: Table, name: str) -> None:
    if table.column(name) is None:
        raise unknown_column(f"{table.name}.{name}", name, (column.name for column in table.columns))


def _conflict(context: Context, node: exp.OnConflict, table: Table, insert: Insert, env: Env) -> Insert:
    taken(node, "expressions", "action", "conflict_keys", "index_predicate", "where", "constraint")
    action = {"DO NOTHING": "nothing", "DO UPDATE": "update"}.get(str(node.args["action"].this).upper())
    if action is None:
        raise Unvetted("this ON CONFLICT")
    target = []
    for key in node.args.get("conflict_keys") or ():
        if isinstance(key, exp.Ordered):
            taken(key, "this")
            key = key.this
        target.append(expression(context, key, env))
    constraint = node.args.get("constraint")
    if node.args.get("index_predicate") is not None and not target:
        raise Unvetted("ON CONFLICT WHERE without columns")
    excluded = tuple(
        Visible(column.name, ColumnRef("excluded", column.name, column.type, column.order)) for column in table.columns
    )
    both = env.within(Names((*env.names.sources, Source("excluded", excluded)), env.names.columns))
    sets = assigns(context, node.expressions, table, both)
    if (action == "update") != bool(sets):
        raise Unvetted("ON CONFLICT DO UPDATE without SET")
    return replace(
        insert,
        conflict=action,
        conflict_assigns=tuple(name for name, _ in sets),
        conflict_values=tuple(value for _, value in sets),
        conflict_target=tuple(target),
        conflict_target_where=queries.clause(context, node, "index_predicate", env),
        conflict_constraint=plain(constraint) if constraint is not None else "",
        conflict_where=queries.clause(context, node, "where", both),
    )


# ── UPDATE and DELETE ────────────────────────────────────────────────────────────────────────────────────────


def _update(context: Context, node: exp.Update, outside: Env) -> Update:
    taken(node, "this", "expressions", "from_", "where", "returning", "with_")
    with_, outside = queries.with_clause(context, node, outside)
    table, alias, only, qualified = target(context, node.this, "UPDATE")
    names = target_names(table, alias)
    source, others = relations.from_clause(context, node, outside.inner())
    names = names.beside(others)
    env = outside.inner().within(names)
    sets = assigns(context, node.expressions, table, env)
    if not sets:
        raise Unvetted("UPDATE without SET")
    where = queries.clause(context, node, "where", env)
    items = returning(context, node, env, names)
    return Update(table.name, alias, sets, source, where, items, with_, only, qualified)


def _delete(context: Context, node: exp.Delete, outside: Env) -> Delete:
    taken(node, "this", "using", "where", "returning", "with_")
    with_, outside = queries.with_clause(context, node, outside)
    table, alias, only, qualified = target(context, node.this, "DELETE")
    names = target_names(table, alias)
    source = None
    using = node.args.get("using")
    if using:
        source, others = relations.comma_list(context, list(using), [], outside.inner())
        names = names.beside(others)
    env = outside.inner().within(names)
    where = queries.clause(context, node, "where", env)
    items = returning(context, node, env, names)
    return Delete(table.name, alias, source, where, items, with_, only, qualified)


def assigns(context: Context, nodes: list[exp.Expression], table: Table, env: Env) -> tuple[tuple[str, Expr], ...]:
    assigns: list[tuple[str, Expr]] = []
    for node in nodes:
        if not isinstance(node, exp.EQ):
            raise Unvetted("this assignment")
        taken(node, "this", "expression")
        left = node.this
        if isinstance(left, exp.Tuple | exp.Paren):
            taken(left, "this", "expressions")
            columns = [_column(table, part) for part in (left.expressions or [left.this])]
            assigns += _row(columns, expression(context, node.expression, env))
        else:
            assigns.append((_column(table, left), expression(context, node.expression, env)))
    return tuple(assigns)


def _column(table: Table, node: exp.Expression) -> str:
    if not isinstance(node, exp.Column) or node.args.get("table") is not None:
        raise Unvetted("an assignment to part of a column")
    name = plain(node.this)
    known(table, name)
    return name


def _row(columns: list[str], value: Expr) -> list[tuple[str, Expr]]:
    """`(a, b) = (1, 2)` is two assignments; `(a, b) = (SELECT …)` one source with parts."""
    if isinstance(value, RowOf) and len(value.items) == len(columns):
        return list(zip(columns, value.items, strict=True))
    if isinstance(value, ScalarQuery) and not value.array and _width(value.query) == len(columns):
        return [(column, RowPart(value, at, len(columns))) for at, column in enumerate(columns)]
    if len(columns) == 1 and not isinstance(value, RowOf | Template):
        return [(columns[0], value)]
    raise Unvetted("this assignment to several columns")


def _width(query: Query) -> int:
    if isinstance(query, Select):
        return len(query.items)
    if isinstance(query, SetOperation):
        return _width(query.left)
    assert isinstance(query, Values)
    return len(query.rows[0])
