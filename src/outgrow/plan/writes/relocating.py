"""An UPDATE that assigns its table's shard key: the plan of how its rows get to where their new keys belong."""

from __future__ import annotations

from dataclasses import replace

from outgrow.errors import Error
from outgrow.plan.cutting.colocate import Colocation
from outgrow.plan.cutting.vetting import vet_change
from outgrow.plan.model import Plan
from outgrow.plan.narrowing.facts import is_constant, is_default
from outgrow.plan.placing import Places
from outgrow.plan.refusals import Refused, refuse, refused
from outgrow.plan.rendering import fragment, piece, with_holes
from outgrow.plan.walking import everything_below
from outgrow.plan.writes.change import Change, Gather, Piece
from outgrow.plan.writes.changing import check_literals, per_row, returned, told, with_defaults, writes_below
from outgrow.plan.writes.keymove import FAITHFUL, Assigned, KeyMove
from outgrow.plan.writes.moments import Once, type_sql
from outgrow.plan.writes.written import as_query
from outgrow.schema import Column, Table, TableKind
from outgrow.statement import name_sql, render, string_sql
from outgrow.statement.model import Statement
from outgrow.statement.tree import (
    Cast,
    ColumnRef,
    Derived,
    Expr,
    Item,
    Join,
    JoinKind,
    Literal,
    Query,
    Relation,
    RowPart,
    ScalarQuery,
    Scan,
    Select,
    Template,
    Update,
    WholeRow,
)


def relocating(plan: Plan, places: Places) -> Plan:
    """The plan with its key move.  Raises Refused with what stands in the way, whatever the rows."""
    tree = plan.statement.tree
    if not isinstance(tree, Update) or writes_below(tree):
        raise refused("key update", str(plan.key_changes[0].table))
    table = places.table(tree.table)
    assert table is not None
    _check_returning(tree)
    once = Once(plan.statement.placeholders.count)
    refusal: Error | None = None
    why = "the rows are read where they are, and go to where their new keys belong"
    try:
        tree = _for_several(plan.statement, tree, table, once, places)
    except Refused as error:
        # On one shard it can be done all the same.
        refusal, once = error.error, Once(0)
    tree = replace(tree, assigns=tuple((name, _value(expr, table.column(name))) for name, expr in tree.assigns))
    move = _key_move(tree, table, places)
    sql, params = fragment(_reading(tree, table, places))
    change = Change(Gather.MOVE, tuple(once.sql), returns=len(tree.returning))
    plan = replace(plan, fragment_sql=sql, fragment_params=params, finish=returned(tree), refusal=refusal)
    return told(replace(plan, change=change, move=move), why)


def _for_several(statement: Statement, tree: Update, table: Table, once: Once, places: Places) -> Update:
    """The statement as each of several shards can read its part of the rows.  Raises Refused."""
    trigger = table.statement_trigger("update", "delete", "insert")
    if trigger is not None:
        raise refused("trigger", trigger, str(tree.table))
    several = with_defaults(once.moments(tree), table, once, places, copied=False)
    assert isinstance(several, Update)
    vet_change(statement, several, per_row(several))
    check_literals(several, table)
    Colocation(places).block(as_query(several), None, {})
    return several


def _check_returning(tree: Update) -> None:
    """What is returned must be the rows' own, because it is computed where they arrive."""
    for item in tree.returning:
        for node in everything_below(item.expr):
            if isinstance(node, Query):
                raise refused("key move", str(tree.table), "RETURNING holds a subquery")
            if isinstance(node, ColumnRef | WholeRow) and node.relation != tree.alias:
                raise refused("key move", str(tree.table), "RETURNING reads more than the rows that move")


def _value(expr: Expr, column: Column | None) -> Expr:
    """An assigned value as it can stand in a SELECT."""
    if isinstance(expr, RowPart):
        source = expr.source
        if isinstance(source, ScalarQuery) and isinstance(source.query, Select) and not source.query.distinct:
            return ScalarQuery(replace(source.query, items=(source.query.items[expr.index],)))
        raise refused("key move", "the table", "several columns are assigned from one subquery")
    if not is_default(expr):
        return expr
    assert column is not None
    if column.default is None and not column.serial:
        return Literal("null", "NULL")
    if column.default_volatile or column.serial or column.default is None:
        raise refused("key move", "the table", f"{column.name} is set to a default that is drawn anew for each row")
    return Template((f"({column.default})",), ())


def _key_move(tree: Update, table: Table, places: Places) -> KeyMove:
    key = places.key_columns(tree.table)
    shown = {column.name: column for column in table.columns}
    assigned = tuple(
        Assigned(name, type_sql(shown[name].type), _piece(expr) if is_constant(expr) else None)
        for name, expr in tree.assigns
    )
    names = {each.column for each in assigned}
    carried = tuple(
        (column.name, type_sql(column.type))
        for column in table.columns
        if column.name not in names and not column.generated
    )
    target = "" if tree.alias == tree.table.name and not tree.qualified else f" AS {name_sql(tree.alias)}"
    written = (f"{name_sql(tree.table.schema)}." if tree.qualified else "") + name_sql(tree.table.name)
    return KeyMove(
        tree.table,
        ("ONLY " if tree.only else "") + written + target,
        written + target,
        name_sql(tree.alias),
        tuple(column.type for column in key),
        tuple(column.typmod for column in key),
        assigned,
        carried,
        _returning(tree),
        _referred(table, places),
        _obstacle(table, places),
    )


def _piece(expr: Expr) -> Piece:
    return piece(render(with_holes(expr)))


def _returning(tree: Update) -> Piece:
    if not tree.returning:
        return Piece(("",))
    marked = with_holes(replace(tree, assigns=tree.assigns[:0], with_=type(tree.with_)(), source=None, where=None))
    return piece(" RETURNING " + render(marked).partition(" RETURNING ")[2])


def _referred(table: Table, places: Places) -> str:
    for other in places.schema.tables.values():
        if any(foreign.table == table.name for foreign in other.foreign_keys):
            return str(other.name)
    return ""


def _obstacle(table: Table, places: Places) -> Error | None:
    """Why no row of the table may be deleted here and inserted there in the place of an update."""
    name = str(table.name)
    if table.triggers:
        return refuse(
            "key move", name, f"its trigger or rule {table.triggers[0]} would see a deletion and an insertion"
        )
    if table.row_security:
        return refuse("key move", name, "row security decides about its rows")
    if table.kind not in (TableKind.TABLE, TableKind.PARTITIONED):
        return refuse("key move", name, f"it is a {table.kind}")
    key = {column.name for column in places.key_columns(table.name)}
    for other in places.schema.tables.values():
        for foreign in other.foreign_keys:
            if foreign.table != table.name:
                continue
            if foreign.cascades:
                return refuse("key move", name, f"{other.name} refers to it and would follow (CASCADE, SET …)")
            if not key <= set(foreign.referenced):
                return refuse("key move", name, f"{other.name} refers to it by other columns than its key")
    return None


#: The rows as they are read, each value computed once.
_READ = "outgrow read"


def _reading(tree: Update, table: Table, places: Places) -> Select:
    """The query that reads and locks the rows: where each is, its new key, its old key, and what it is set to.

    What a row is set to is needed more than once (as a key, as text, for its type), so an inner query computes it,
    which the server does not merge into the outer one because it locks.
    """
    assigned = dict(tree.assigns)
    alias, key = tree.alias, places.key_columns(tree.table)
    inner = [
        Item(Cast(ColumnRef(alias, "tableoid"), "text"), "o", "o"),
        Item(Cast(ColumnRef(alias, "ctid"), "text"), "c", "c"),
        Item(Template((_own(tree, table),), ()), "own", "own"),
    ]
    outer: list[Expr] = [*(ColumnRef(_READ, item.name) for item in inner), Template((f"({FAITHFUL})",), ())]
    read: dict[str, ColumnRef] = {}

    def reading(name: str, expr: Expr) -> ColumnRef:
        inner.append(Item(expr, f"v{len(inner)}", f"v{len(inner)}"))
        return read.setdefault(name, ColumnRef(_READ, inner[-1].name))

    for column in key:
        expr, type_ = assigned.get(column.name, ColumnRef(alias, column.name)), type_sql(column.type)
        outer.append(Cast(reading(column.name, Cast(expr, type_) if is_constant(expr) else expr), type_))
    for column in key:
        inner.append(Item(ColumnRef(alias, column.name), f"v{len(inner)}", f"v{len(inner)}"))
        outer.append(ColumnRef(_READ, inner[-1].name))
    for name, expr in tree.assigns:
        if not is_constant(expr):
            value = read[name] if name in read else reading(name, expr)
            outer += [Cast(value, "text"), Template(("pg_catalog.pg_typeof(", ")::text"), (value,))]
    source: Relation = Scan(tree.table, alias, only=tree.only, qualified=tree.qualified)
    if tree.source is not None:
        source = Join(JoinKind.CROSS, source, tree.source)
    locked = Select(tuple(inner), source, tree.where, locking=f"FOR UPDATE OF {name_sql(alias)}", with_=tree.with_)
    return Select(tuple(Item(expr, f"c{at}", f"c{at}") for at, expr in enumerate(outer)), Derived(locked, _READ))


def _own(tree: Update, table: Table) -> str:
    """A condition, as SQL: the row lies in the table itself, not in one that inherits from it."""
    if table.kind is not TableKind.TABLE or tree.only:
        return "true"
    written = string_sql(f"{name_sql(tree.table.schema)}.{name_sql(tree.table.name)}")
    return f"({name_sql(tree.alias)}.tableoid = {written}::pg_catalog.regclass)"
