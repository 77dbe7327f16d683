"""The parser's queries → ours: blocks, set operations, VALUES, WITH."""

from __future__ import annotations

from sqlglot import exp

from outgrow.errors import ProgrammingError
from outgrow.schema import Order
from outgrow.statement import calls, changes, relations
from outgrow.statement.context import Context, plain, taken
from outgrow.statement.expressions import expression, sort_keys
from outgrow.statement.inference import common, common_modifier, modifier_of, order_of, type_of
from outgrow.statement.keys import (
    bare_name,
    by_output,
    distinct_keys,
    group_keys,
    limits,
    locking_sql,
    position_of,
    with_aliases,
)
from outgrow.statement.naming import output_name
from outgrow.statement.scope import CteColumns, Env, Names, Output, qualified
from outgrow.statement.tree import (
    ColumnRef,
    Cte,
    Delete,
    Expr,
    Insert,
    Item,
    Query,
    Select,
    SetOperation,
    SortKey,
    Template,
    Update,
    Values,
    Window,
    With,
)
from outgrow.statement.unvetted import Unvetted

Outputs = tuple[tuple[Output, ...], bool]
#: Clauses that `(SELECT …) ORDER BY …` puts around a query in parentheses.
_OUTER = ("order", "limit", "offset", "with_", "locks")


def query(context: Context, node: exp.Expression, env: Env) -> tuple[Query, Outputs]:
    """A query one block inside `env`, and the columns it offers (and whether they are not all known)."""
    context.deeper()
    node = _unwrapped(node)
    bound: tuple[Query, Outputs]
    if isinstance(node, exp.SetOperation):
        bound = _set_operation(context, node, env)
    elif isinstance(node, exp.Values):
        bound = _values(context, node, env)
    elif isinstance(node, exp.Select):
        bound = _select(context, node, env)
    else:
        raise Unvetted(type(node).__name__)
    context.depth -= 1
    return bound


def _unwrapped(node: exp.Expression) -> exp.Expression:
    """Parentheses around a query fall; clauses outside them are the query's own, as in PostgreSQL's grammar."""
    while isinstance(node, exp.Subquery | exp.Paren):
        taken(node, "this", *_OUTER)
        inner = node.this
        if not isinstance(inner, exp.Query | exp.Values | exp.Paren):
            raise Unvetted("these parentheses")
        for clause in _OUTER:
            outer = node.args.get(clause)
            if not outer:
                continue
            if inner.args.get(clause) or (clause == "limit" and isinstance(outer, exp.Fetch)):
                raise Unvetted(f"{clause.rstrip('_').upper()} twice")
            inner = inner.copy()
            inner.set(clause, outer)
        node = inner  # type: ignore[assignment]
    return _as_values(node)


def _as_values(node: exp.Expression) -> exp.Expression:
    """VALUES as an arm of a set operation, which the parser reads as `SELECT * FROM (VALUES …) AS _values`."""
    source = node.args.get("from_")
    if not isinstance(node, exp.Select) or source is None or not isinstance(source.this, exp.Values):
        return node
    alias = source.this.args.get("alias")
    # (Names that somebody has written are quoted by now.)
    if alias is None or alias.this.args.get("quoted") or alias.this.this != "_values":
        return node
    taken(node, "expressions", "from_", *_OUTER)
    values = source.this.copy()
    values.set("alias", None)
    for clause in _OUTER:
        values.set(clause, node.args.get(clause))
    return values


def with_clause(context: Context, node: exp.Expression, env: Env) -> tuple[With, Env]:
    """The CTEs of `node`, bound beside it; and the place where they are in sight."""
    clause = node.args.get("with_")
    if clause is None:
        return With(), env
    taken(clause, "expressions", "recursive")
    recursive = bool(clause.args.get("recursive"))
    names = [plain(cte.args["alias"].this) for cte in clause.expressions]
    ctes: list[Cte] = []
    for at, cte in enumerate(clause.expressions):
        taken(cte, "this", "alias", "materialized")
        alias = cte.args["alias"]
        taken(alias, "this", "columns")
        columns = tuple(plain(column) for column in alias.args.get("columns") or ())
        if bool(columns) != alias.this.this.startswith("og$f$"):
            raise Unvetted("WITH without AS")
        if recursive:
            for later in names[at:]:
                env = env.with_cte(later, None)
        bound, outputs = _cte_query(context, cte.this, env, names[at] if recursive else "", columns)
        env = env.with_cte(names[at], _renamed(outputs, columns))
        kept = cte.args.get("materialized")
        materialized = "" if kept is None else "materialized" if kept else "not materialized"
        ctes.append(Cte(names[at], bound, columns, materialized))
    return With(tuple(ctes), recursive), env


def _renamed(outputs: Outputs, columns: tuple[str, ...]) -> CteColumns:
    listed, open_ = outputs
    renamed = tuple(
        output._replace(name=columns[at]) if at < len(columns) else output for at, output in enumerate(listed)
    )
    if open_ and columns:
        renamed += tuple(Output(name, None, Order.NONE) for name in columns[len(listed) :])
    return renamed, open_ and not columns


def _cte_query(
    context: Context, node: exp.Expression, env: Env, own: str, columns: tuple[str, ...]
) -> tuple[Query | Insert | Update | Delete, Outputs]:
    if isinstance(node, exp.Insert | exp.Update | exp.Delete):
        return changes.change(context, node, env)
    if own and isinstance(node, exp.Union):
        # The first arm alone says what a recursive query's columns are.
        effects, reads, counts = dict(context.effects), dict(context.reads), dict(context.counts)
        unnamed = context.unnamed
        _, first = query(context, node.this, env)
        context.effects, context.reads, context.counts, context.unnamed = effects, reads, counts, unnamed
        env = env.with_cte(own, _renamed(first, columns))
    return query(context, node, env)


# ── one block ────────────────────────────────────────────────────────────────────────────────────────────────


def _select(context: Context, node: exp.Select, outside: Env) -> tuple[Select, Outputs]:
    taken(
        node, "expressions", "from_", "joins", "where", "group", "having", "distinct", "windows", "order", "limit",
        "offset", "locks", "with_",
    )  # fmt: skip
    with_, outside = with_clause(context, node, outside)
    source, names = relations.from_clause(context, node, outside.inner())
    env = outside.inner().within(names)
    where = clause(context, node, "where", env)
    items, open_ = select_items(context, node.expressions, env)
    seeing = with_aliases(items, env)
    group, grouping_sets = group_keys(context, node.args.get("group"), items, seeing)
    having = clause(context, node, "having", with_aliases(items, env, first=True))
    distinct, distinct_on = distinct_keys(context, node.args.get("distinct"), items, env)
    windows = tuple(_window(context, window, env) for window in node.args.get("windows") or ())
    order_node = node.args.get("order")
    order: tuple[SortKey, ...] = ()
    if order_node is not None:
        taken(order_node, "expressions")
        order = sort_keys(context, order_node, lambda key: by_output(context, key, items, seeing))
    limit, with_ties, offset = limits(context, node, env)
    bound = Select(
        items, source, where, group, grouping_sets, having, distinct, distinct_on, windows, order, limit, with_ties,
        offset, locking_sql(context, node), with_,
    )  # fmt: skip
    default = context.schema.default_order
    outputs = tuple(
        Output(i.name, _settled(type_of(i.expr)), order_of(i.expr, default), modifier_of(i.expr))
        for i in items
        if i.name != "*"
    )
    return bound, (outputs, open_)


def _settled(type: str | None) -> str | None:
    """A bare string or NULL becomes text at the edge of a query."""
    return "text" if type == "unknown" else type


def clause(context: Context, node: exp.Expression, name: str, env: Env) -> Expr | None:
    found = node.args.get(name)
    if found is None:
        return None
    taken(found, "this")
    context.counts["where"] += isinstance(found, exp.Where)
    return expression(context, found.this, env)


def select_items(context: Context, nodes: list[exp.Expression], env: Env) -> tuple[tuple[Item, ...], bool]:
    """The output columns, stars expanded; True where a star stands for columns that are not known here."""
    items: list[Item] = []
    open_ = False
    for node in nodes:
        if isinstance(node, exp.Star):
            taken(node)
            open_ |= _star(context, env.names, None, items)
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            taken(node, "this", "table", "db")
            taken(node.this)
            open_ |= _star(context, env.names, node, items)
        elif isinstance(node, exp.Alias):
            taken(node, "this", "alias")
            alias = plain(node.args["alias"])
            if node.args["alias"].this.startswith("og$"):
                raise Unvetted("this column alias")
            items.append(Item(expression(context, node.this, env), alias, alias))
        else:
            bound = expression(context, node, env)
            unnamed = env.rules.unnamed and not isinstance(bound, ColumnRef)
            name = f"{env.rules.unnamed}{len(items) + 1}"
            items.append(Item(bound, name, name) if unnamed else _named(node, bound))
    return tuple(items), open_


def _named(node: exp.Expression, bound: Expr) -> Item:
    """An item without alias.  A column of FULL JOIN … USING is a coalesce() that keeps the column's name."""
    name = output_name(bound)[0]
    while isinstance(node, exp.Paren):
        node = node.this
    written = plain(node.this) if isinstance(bound, ColumnRef) and isinstance(node, exp.Column) else bare_name(node)
    if written is not None and name != written:
        return Item(bound, written, written)
    if name == "coalesce" and not isinstance(node, exp.Anonymous | exp.Subquery) and "og$f$coalesce" not in node.sql():
        raise Unvetted("the name of this column")
    return Item(bound, name)


def _star(context: Context, names: Names, node: exp.Column | None, items: list[Item]) -> bool:
    if node is None:
        sources, columns = names.sources, names.columns
        shown = "*"
        if not sources:
            raise ProgrammingError(
                "OG-STMT-015", "SELECT * without a FROM clause", cure="Name the columns or a table.", sqlstate="42601"
            )
    else:
        alias = plain(node.args["table"])
        source = names.source(alias)
        if source is None:
            # A star over an outer query's table, or one that does not exist.
            qualified(Env(names), alias, "*")
            raise Unvetted("this star")
        schema = node.args.get("db")
        if schema is not None and (source.table is None or source.table.schema != plain(schema)):
            raise Unvetted("this star")
        sources, columns = (source,), source.columns
        shown = f"{calls.name_sql(alias)}.*"
    if any(source.open for source in sources):
        items.append(Item(Template((shown,), ()), "*"))
        context.effect(f"{shown} stands for columns that only the server knows", "opaque-function")
        return True
    if any(len({column.name for column in source.columns}) < len(source.columns) for source in sources):
        # Rendering names every column of the star; a name that two of them share would be ambiguous.
        raise Unvetted("a star over two columns of one name")
    for column in columns:
        named = output_name(column.expr)[0]
        items.append(Item(column.expr, column.name, None if named == column.name else column.name))
    return False


def _window(context: Context, node: exp.Window, env: Env) -> tuple[str, Window]:
    taken(node, "this", "partition_by", "order", "spec", "alias")
    if plain(node.this) != node.this.this:
        raise Unvetted("a window without AS")
    return plain(node.this), calls.window(context, node, env)


# ── set operations and VALUES ────────────────────────────────────────────────────────────────────────────────


def _set_operation(context: Context, node: exp.SetOperation, outside: Env) -> tuple[SetOperation, Outputs]:
    taken(node, "this", "expression", "distinct", "order", "limit", "offset", "with_")
    operator = {exp.Union: "union", exp.Intersect: "intersect", exp.Except: "except"}[type(node)]
    with_, outside = with_clause(context, node, outside)
    left, (left_columns, left_open) = query(context, node.this, outside)
    right, (right_columns, right_open) = query(context, node.expression, outside)
    outputs = []
    for one, other in zip(left_columns, right_columns, strict=False):
        order = one.order if one.order == other.order else Order.LINGUISTIC
        modifier = common_modifier(one.modifier, other.modifier)
        outputs.append(Output(one.name, common(one.type, other.type), order, modifier))
    keys = []
    order_node = node.args.get("order")
    if order_node is not None:
        taken(order_node, "expressions")
        for key in order_node.expressions:
            taken(key, "this", "desc", "nulls_first")
            at = _output_position(context, key.this, left_columns)
            keys.append((at, bool(key.args.get("desc")), bool(key.args.get("nulls_first"))))
    limit, with_ties, offset = limits(context, node, outside.inner())
    if with_ties:
        raise Unvetted("WITH TIES over a set operation")
    bound = SetOperation(operator, not node.args.get("distinct"), left, right, tuple(keys), limit, offset, with_)
    return bound, (tuple(outputs), left_open or right_open)


def _output_position(context: Context, node: exp.Expression, columns: tuple[Output, ...]) -> int:
    position = position_of(context, node)
    if position is not None and 1 <= position <= len(columns):
        return position - 1
    name = bare_name(node)
    places = [at for at, column in enumerate(columns) if column.name == name]
    if len(places) != 1:
        raise Unvetted("ORDER BY over a set operation by anything but an output column")
    return places[0]


def _values(context: Context, node: exp.Values, outside: Env) -> tuple[Values, Outputs]:
    taken(node, "expressions", "order", "limit", "offset", "with_")
    with_, outside = with_clause(context, node, outside)
    env = outside.inner()
    rows = []
    for row in node.expressions:
        if not isinstance(row, exp.Tuple):
            raise Unvetted("this VALUES")
        taken(row, "expressions")
        rows.append(tuple(expression(context, item, env) for item in row.expressions))
    if len({len(row) for row in rows}) != 1:
        raise Unvetted("VALUES with rows of different lengths")
    default = context.schema.default_order
    outputs = tuple(
        Output(f"column{at + 1}", _settled(common(*(type_of(row[at]) for row in rows))), order_of(rows[0][at], default))
        for at in range(len(rows[0]))
    )
    order: tuple[SortKey, ...] = ()
    order_node = node.args.get("order")
    if order_node is not None:
        taken(order_node, "expressions")

        def key(sort: exp.Expression) -> Expr:
            output = outputs[_output_position(context, sort, outputs)]
            return ColumnRef("*VALUES*", output.name, output.type, output.order, bare=True)

        order = sort_keys(context, order_node, key)
    limit, with_ties, offset = limits(context, node, env)
    if with_ties:
        raise Unvetted("WITH TIES over VALUES")
    return Values(tuple(rows), order, limit, offset, with_), (outputs, False)
