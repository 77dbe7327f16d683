"""FROM: tables, views, CTEs, subqueries, functions and their joins."""

from __future__ import annotations

from sqlglot import exp

from outgrow.errors import ProgrammingError
from outgrow.schema import Federation, Order, Table
from outgrow.statement import calls, queries
from outgrow.statement.context import DEPTH_MAX, Context, plain, taken
from outgrow.statement.expressions import expression
from outgrow.statement.functions import lookup
from outgrow.statement.inference import common, type_of
from outgrow.statement.keywords import words
from outgrow.statement.merged import merged
from outgrow.statement.scope import Env, Names, Source, Visible, nearest
from outgrow.statement.tree import (
    Call,
    CallKind,
    ColumnRef,
    CteScan,
    Derived,
    Expr,
    FunctionScan,
    Join,
    JoinKind,
    Relation,
    Scan,
)
from outgrow.statement.unvetted import Unvetted
from outgrow.topology import TableName

Bound = tuple[Relation, Names]
CATALOGUES = ("pg_catalog", "information_schema")


def from_clause(context: Context, node: exp.Expression, env: Env) -> tuple[Relation | None, Names]:
    """FROM and its joins; a comma starts anew, as it binds less than JOIN does."""
    clause = node.args.get("from_")
    if clause is None:
        if node.args.get("joins"):
            raise Unvetted("a join without FROM")
        return None, Names()
    taken(clause, "this")
    return comma_list(context, [clause.this], node.args.get("joins") or [], env)


def comma_list(context: Context, items: list[exp.Expression], joins: list[exp.Join], env: Env) -> Bound:
    """Groups of joins between commas."""
    if len(items) + len(joins) > DEPTH_MAX:
        raise Unvetted("so many joins")
    groups: list[tuple[exp.Expression, list[exp.Join]]] = []
    for item in items:
        hanging = item.args.get("joins") or []
        if hanging and isinstance(item, exp.Table):
            # UPDATE … FROM and DELETE … USING hang the joins, commas too, on the first table.
            item = item.copy()
            item.set("joins", None)
            joins = [*hanging, *joins]
        groups.append((item, []))
    for join in joins:
        if _is_comma(join):
            groups.append((join.this, []))
        else:
            groups[-1][1].append(join)
    whole: Bound | None = None
    for first, rest in groups:
        seen = whole[1] if whole else Names()
        bound = joined(context, relation(context, first, env, seen), rest, env, seen)
        whole = bound if whole is None else (Join(JoinKind.CROSS, whole[0], bound[0]), whole[1].beside(bound[1]))
    assert whole is not None
    return whole


def _is_comma(join: exp.Join) -> bool:
    return not any(join.args.get(name) for name in ("on", "using", "kind", "side", "method"))


def joined(context: Context, left: Bound, joins: list[exp.Join], env: Env, before: Names) -> Bound:
    """`left JOIN … JOIN …`; `before` are the items to the left that only LATERAL sees."""
    for join in joins:
        taken(join, "this", "on", "using", "kind", "side", "method")
        right = relation(context, join.this, env, before.beside(left[1]))
        left = _join(context, join, left, right, env)
    return left


def _join(context: Context, join: exp.Join, left: Bound, right: Bound, env: Env) -> Bound:
    method, side, kind_word = (str(join.args.get(name) or "").upper() for name in ("method", "side", "kind"))
    if (
        method not in ("", "NATURAL")
        or kind_word not in ("", "INNER", "OUTER", "CROSS")
        or (side and kind_word == "CROSS")
    ):
        raise Unvetted(f"{method} {side} {kind_word} JOIN".strip())
    kind = JoinKind(side.lower()) if side else JoinKind.CROSS if kind_word == "CROSS" else JoinKind.INNER
    both = left[1].beside(right[1])
    on, using = join.args.get("on"), join.args.get("using")
    if method == "NATURAL":
        theirs = {column.name for column in right[1].columns}
        names = tuple(column.name for column in left[1].columns if column.name in theirs)
        if any(source.open for source in both.sources):
            raise Unvetted("NATURAL JOIN over unknown columns")
        return Join(kind, left[0], right[0], natural=True, using=names), merged(env, kind, left[1], right[1], names)
    if using:
        names = tuple(plain(name) for name in using)
        return Join(kind, left[0], right[0], using=names), merged(env, kind, left[1], right[1], names)
    if on is None:
        if kind is not JoinKind.CROSS:
            raise Unvetted("a join without ON or USING")
        return Join(kind, left[0], right[0]), both
    return Join(kind, left[0], right[0], on=expression(context, on, env.within(both))), both


# ── single items ─────────────────────────────────────────────────────────────────────────────────────────────


def relation(context: Context, node: exp.Expression, env: Env, before: Names) -> Bound:
    """One item of FROM, with the joins that hang on it."""
    joins = node.args.get("joins") or []
    if isinstance(node, exp.Lateral):
        if joins:
            raise Unvetted("LATERAL with joins")
        return _lateral(context, node, env, before)
    if isinstance(node, exp.Values) or (isinstance(node, exp.Subquery) and not _is_join(node)):
        bound = _derived(context, node, env, node.args.get("alias"), lateral=False)
    elif isinstance(node, exp.Subquery | exp.Paren):
        taken(node, "this", "joins", "alias")
        if node.args.get("alias") is not None:
            raise Unvetted("the alias of a join")
        bound = relation(context, node.this, env, before)
    elif isinstance(node, exp.Table) and isinstance(node.this, exp.Anonymous):
        schema = node.args.get("db")
        taken(node, "this", "db", "alias", "ordinality", "joins")
        bound = _function(context, node, plain(schema) if schema else None, env.within(before), lateral=False)
    elif isinstance(node, exp.Table):
        bound = _table(context, node, env)
    else:
        raise Unvetted(type(node).__name__ + " in FROM")
    return joined(context, bound, joins, env, before)


def _is_join(node: exp.Subquery) -> bool:
    inner = node.this
    while isinstance(inner, exp.Subquery | exp.Paren) and not inner.args.get("joins"):
        inner = inner.this
    return isinstance(inner, exp.Table | exp.Lateral) or bool(
        inner.args.get("joins") and not isinstance(inner, exp.Select)
    )


def alias_of(node: object) -> tuple[str, tuple[str, ...]]:
    """An alias and its column list; "" for none."""
    if node is None:
        return "", ()
    if not isinstance(node, exp.TableAlias):
        raise Unvetted("this alias")
    taken(node, "this", "columns")
    columns = node.args.get("columns") or ()
    if node.this is None:
        raise Unvetted("a column list without alias")
    return plain(node.this), tuple(plain(column) for column in columns)


def _table(context: Context, node: exp.Table, env: Env) -> Bound:
    taken(node, "this", "db", "catalog", "alias", "only", "joins", "sample")
    name = plain(node.this)
    schema = plain(node.args["db"]) if node.args.get("db") else None
    domain = plain(node.args["catalog"]) if node.args.get("catalog") else None
    alias, columns = alias_of(node.args.get("alias"))
    alias = alias or name
    only = bool(node.args.get("only"))
    if schema is None and name in env.ctes:
        return _cte(context, env, name, alias, columns)
    table = find(context, name, schema, domain)
    if table is None:
        owner = schema or "pg_catalog"
        context.effect(f"reads the catalogue ({owner}.{name})", "catalogue")
        scan = Scan(TableName(owner, name), alias, (), only, "", columns, schema is not None)
        listed = tuple(Visible(column, ColumnRef(alias, column)) for column in columns)
        return scan, Names((Source(alias, listed, None, True),), listed)
    context.read(table.name)
    visible = table_columns(table, alias, columns)
    listed_names = tuple(column.name for column in visible)
    scan = Scan(table.name, alias, listed_names, only, _sample(context, node), columns, schema is not None)
    return scan, Names((Source(alias, visible, table.name),), visible)


def _sample(context: Context, node: exp.Table) -> str:
    """The TABLESAMPLE of a table; those of anything else are not met, and so the statement is not read."""
    sample = node.args.get("sample")
    if sample is None:
        return ""
    context.samples += 1
    number = sample.args.get("percent")
    if not isinstance(number, exp.Literal) or not str(number.this).isdigit():
        raise Unvetted("this TABLESAMPLE")
    return context.disguise.samples[int(number.this)]


def table_columns(table: Table, alias: str, renamed: tuple[str, ...] = ()) -> tuple[Visible, ...]:
    if len(renamed) > len(table.columns):
        raise Unvetted("more column aliases than columns")
    visible = []
    for at, column in enumerate(table.columns):
        name = renamed[at] if at < len(renamed) else column.name
        base = table.name if name == column.name else None
        ref = ColumnRef(alias, name, column.type, column.order, table=base, modifier=column.typmod)
        visible.append(Visible(name, ref))
    return tuple(visible)


def find(context: Context, name: str, schema: str | None, domain: str | None = None) -> Table | None:
    """The table; None for one of the catalogues'.  Error OG-STMT-010."""
    known = context.schema
    if domain is not None:
        if not isinstance(known, Federation):
            raise Unvetted("a table's name in three parts")
        table = known.find_in(domain, name, schema)
        if table is not None:
            return table
        schema = f"{domain}.{schema}"
    elif schema not in CATALOGUES:
        table = known.find(name, schema)
        if table is not None:
            return table
    if schema in CATALOGUES or (schema is None and name.startswith("pg_")):
        return None
    shown = f"{schema}.{name}" if schema else name
    near = nearest(name, (table.name for table in known.tables))
    if isinstance(known, Federation):
        raise ProgrammingError(
            "OG-STMT-010",
            f"none of the domains {', '.join(known.domains)} has a table {shown!r}{near}",
            cure="Correct the name, or write it with its domain: domain.table or domain.schema.table.",
            sqlstate="42P01",
        )
    raise ProgrammingError(
        "OG-STMT-010",
        f"the domain {known.domain} has no table {shown!r}{near}",
        cure="Correct the name. If the table is new, refresh the schema and give it a placement in fleet.yaml.",
        sqlstate="42P01",
    )


def _cte(context: Context, env: Env, name: str, alias: str, renamed: tuple[str, ...]) -> Bound:
    entry = env.ctes[name]
    if entry is None:
        raise Unvetted(f"the recursive use of {name}")
    outputs, open_ = entry
    visible = []
    for at, output in enumerate(outputs):
        shown = renamed[at] if at < len(renamed) else output.name
        visible.append(Visible(shown, ColumnRef(alias, shown, output.type, output.order, modifier=output.modifier)))
    listed = tuple(visible)
    return CteScan(name, alias, renamed), Names((Source(alias, listed, None, open_),), listed)


def _derived(context: Context, node: exp.Expression, env: Env, alias_node: object, lateral: bool) -> Bound:
    alias, renamed = alias_of(alias_node)
    node = node.copy()
    node.set("alias", None)
    node.set("joins", None)
    alias = alias or context.name_unnamed()
    query, (outputs, open_) = queries.query(context, node, env)
    if len(renamed) > len(outputs) and not open_:
        raise Unvetted("more column aliases than columns")
    visible = []
    for at, output in enumerate(outputs):
        shown = renamed[at] if at < len(renamed) else output.name
        visible.append(Visible(shown, ColumnRef(alias, shown, output.type, output.order, modifier=output.modifier)))
    listed = tuple(visible)
    return Derived(query, alias, renamed, lateral), Names((Source(alias, listed, None, open_),), listed)


def _lateral(context: Context, node: exp.Lateral, env: Env, before: Names) -> Bound:
    taken(node, "this", "alias", "ordinality")
    env = env.within(before)
    if isinstance(node.this, exp.Anonymous | exp.Dot):
        return _function(context, node, None, env, lateral=True)
    if node.args.get("ordinality"):
        raise Unvetted("WITH ORDINALITY here")
    return _derived(context, node.this, env, node.args.get("alias"), lateral=True)


def _function(context: Context, node: exp.Expression, schema: str | None, env: Env, lateral: bool) -> Bound:
    """A function in FROM; functions see the items to their left with or without LATERAL."""
    function = node.this
    call = (
        calls.call(context, function, env, schema)
        if isinstance(function, exp.Anonymous)
        else expression(context, function, env)
    )
    if not isinstance(call, Call):
        raise Unvetted("this function in FROM")
    alias, renamed = alias_of(node.args.get("alias"))
    alias = alias or call.name
    ordinality = bool(node.args.get("ordinality"))
    names, closed = _function_columns(context, call, alias, renamed, ordinality)
    listed = tuple(
        Visible(
            name,
            ColumnRef(alias, name, type, Order.NONE if type not in ("text", None) else context.schema.default_order),
        )
        for name, type in names
    )
    scan = FunctionScan(call, alias, renamed, ordinality, lateral)
    return scan, Names((Source(alias, listed, None, not closed),), listed)


def _function_columns(
    context: Context, call: Call, alias: str, renamed: tuple[str, ...], ordinality: bool
) -> tuple[list[tuple[str, str | None]], bool]:
    """(name, type) of each column known, and whether these are all."""
    builtin = lookup(context.schema, call.name, call.schema).builtin
    if call.name in _COLUMNS and builtin and not ordinality:
        names: list[tuple[str, str | None]] = [*_COLUMNS[call.name]]
        return [(renamed[at] if at < len(renamed) else name, type) for at, (name, type) in enumerate(names)], True
    names = [(name, None) for name in renamed]
    if not (builtin and call.kind is CallKind.SET and call.name in _SINGLE):
        return names, False
    types = [_element(call, arg) for arg in call.args] if call.name == "unnest" else [_element(call, None)]
    alone = len(types) == 1
    listed: list[tuple[str, str | None]] = [(alias if alone else call.name, type) for type in types]
    if ordinality:
        listed.append(("ordinality", "int8"))
    if len(renamed) > len(listed):
        raise Unvetted("more column aliases than columns")
    return [(renamed[at] if at < len(renamed) else name, type) for at, (name, type) in enumerate(listed)], True


#: Set-returning functions whose column bears the alias.
_SINGLE = frozenset(
    words(
        "generate_series generate_subscripts string_to_table regexp_split_to_table unnest json_object_keys "
        "jsonb_object_keys jsonb_path_query"
    )
)
#: What PostgreSQL's own functions with OUT parameters offer, whatever the alias.
_COLUMNS: dict[str, tuple[tuple[str, str | None], ...]] = {
    "json_each": (("key", "text"), ("value", "json")),
    "json_each_text": (("key", "text"), ("value", "text")),
    "jsonb_each": (("key", "text"), ("value", "jsonb")),
    "jsonb_each_text": (("key", "text"), ("value", "text")),
    "json_array_elements": (("value", "json"),),
    "json_array_elements_text": (("value", "text"),),
    "jsonb_array_elements": (("value", "jsonb"),),
    "jsonb_array_elements_text": (("value", "text"),),
}


def _element(call: Call, arg: Expr | None) -> str | None:
    if arg is not None:
        array = type_of(arg)
        return array[1:] if array and array.startswith("_") else None
    if call.name == "generate_series":
        return common(*(type_of(arg) for arg in call.args[:2]))
    return {"generate_subscripts": "int4", "jsonb_path_query": "jsonb"}.get(call.name, "text")
