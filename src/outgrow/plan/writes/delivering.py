"""INSERT … SELECT whose rows are written elsewhere than where they are read: the plan of how they get there.

The query is planned as any query (one shard, scatter, or brought to one server), so what it means is settled there.
Here it is only given another list of columns: each as text, which says a value of any type exactly, and the columns
that become the key once more as values, cast as the assignment will cast them.
"""

from __future__ import annotations

from dataclasses import replace

from outgrow.plan.blocks import first_items
from outgrow.plan.cutting.colocate import Colocation
from outgrow.plan.cutting.vetting import vet_change
from outgrow.plan.model import Plan
from outgrow.plan.narrowing.facts import is_constant, is_default
from outgrow.plan.numbers.ids import drawn_alone, own_shard
from outgrow.plan.placing import Places
from outgrow.plan.refusals import refused
from outgrow.plan.rendering import piece, with_holes
from outgrow.plan.walking import everything_below
from outgrow.plan.writes.change import Change, Gather, Piece
from outgrow.plan.writes.changing import check_literals, check_triggers, per_row, returned, told, writes_below
from outgrow.plan.writes.delivery import Delivery, Drawn
from outgrow.plan.writes.moments import Once, timed_parameters, type_sql
from outgrow.plan.writes.selection import READ, Build, selection
from outgrow.plan.writes.writing import literal_default
from outgrow.schema import Column, Table, TableKind
from outgrow.statement import Statement, name_sql, render
from outgrow.statement.tree import (
    Cast,
    ColumnRef,
    Expr,
    Insert,
    Item,
    Literal,
    Parameter,
    Query,
    Scan,
    Select,
    Template,
    Values,
    With,
)
from outgrow.topology import Copied, Single


def may_deliver(tree: object, places: Places) -> bool:
    if not isinstance(tree, Insert) or tree.source is None or writes_below(tree):
        return False
    return places.schema.engine == "postgresql"


def delivering(plan: Plan, places: Places, build: Build) -> Plan:
    """The plan with its delivery.  Raises Refused with what stands in the way."""
    tree = plan.statement.tree
    assert isinstance(tree, Insert) and tree.source is not None
    table = places.table(tree.table)
    assert table is not None
    copied = isinstance(places.of(tree.table), Copied)
    _check_target(tree, table, places, copied)
    once = Once(plan.statement.placeholders.count)
    tree = once.moments(tree)
    _check_rest(plan.statement, tree, table, places, copied)
    delivery = _Delivering(tree, table, places, once, copied).delivery(plan.statement, build)
    timed = timed_parameters(replace(tree, source=None), ()) if copied else ()
    timed = tuple(index for index in timed if index <= plan.statement.placeholders.count)
    change = Change(Gather.DELIVER, tuple(once.sql), timed=timed, returns=len(tree.returning))
    why = "the rows selected are read first, and then go where they belong"
    return told(replace(plan, change=change, delivery=delivery, finish=returned(tree), refusal=None), why)


# --- what stands in the way ----------------------------------------------------------------------------------------


def _check_target(tree: Insert, table: Table, places: Places, copied: bool) -> None:
    if table.kind not in (TableKind.TABLE, TableKind.PARTITIONED):
        raise refused("table form", f"INSERT … SELECT into a {table.kind}")
    if copied and (table.triggers or table.row_security):
        what = f"the trigger or rule {table.triggers[0]}" if table.triggers else "row security"
        raise refused("write to a copied table", str(tree.table), f"{what} could do something else on each shard")
    check_triggers(tree, table)
    own = {column.name for column in places.key_columns(tree.table)}
    if own & set(tree.conflict_assigns):
        raise refused("key update", str(tree.table))


def _check_rest(statement: Statement, tree: Insert, table: Table, places: Places, copied: bool) -> None:
    """What is computed beside the query: RETURNING and ON CONFLICT, which the shards do for themselves."""
    rest = replace(tree, source=None, with_=With())
    vet_change(replace(statement, effects=()), rest, () if copied else per_row(rest))
    check_literals(rest, table)
    after = (*(Item(expr, "") for expr in tree.conflict_values), *tree.returning)
    if not isinstance(places.of(tree.table), Single) and not copied:
        target = Scan(tree.table, tree.alias)
        Colocation(places).block(Select(after, target, tree.conflict_where), None, {})
    elif any(isinstance(node, Query) for node in everything_below(rest)):
        raise refused("insert from select", str(tree.table), "a subquery in RETURNING or ON CONFLICT")


# --- the query -----------------------------------------------------------------------------------------------------


class _Delivering:
    """The making of one delivery."""

    def __init__(self, tree: Insert, table: Table, places: Places, once: Once, copied: bool) -> None:
        self.tree, self.table, self.places, self.once, self.copied = tree, table, places, once, copied
        self.width = len(first_items(_source(tree)))
        if self.width < len(tree.columns):
            raise refused("missing values", str(tree.table), str(len(tree.columns)), str(self.width))
        #: OVERRIDING USER VALUE: what the query gives for identity columns is not looked at.
        ignored = tree.overriding == "OVERRIDING USER VALUE"
        given = [(name, table.column(name)) for name in tree.columns]
        self.columns = tuple(
            (name, at) for at, (name, column) in enumerate(given) if column is None or not (ignored and column.identity)
        )
        self.drawn: list[Drawn] = []
        self.each: list[tuple[str, str, str]] = []
        self.constants: list[tuple[str, Piece]] = []
        self.overriding = tree.overriding
        self._fill()

    def delivery(self, statement: Statement, build: Build) -> Delivery:
        tree, key_columns = self.tree, self.places.key_columns(self.tree.table)
        keys: list[int] = []
        values: list[Expr] = []
        for column in key_columns:
            place = self._key(column)
            if not isinstance(place, int):
                values.append(place)
                place = self.width + len(values) - 1
            keys.append(place)
        standing = self.places.of(tree.table)
        head, tail = self._frame()
        return Delivery(
            tree.table,
            selection(statement, build, self._query(), tree.with_, values),
            self.columns,
            tuple(column.type for column in key_columns),
            tuple(column.typmod for column in key_columns),
            tuple(keys),
            tuple(self.drawn),
            tuple(self.each),
            tuple(self.constants),
            head,
            f" {self.overriding}" if self.overriding else "",
            tail,
            standing.shard if isinstance(standing, Single) else "",
            self.copied,
            # A row that comes twice must be noticed; and what a row finds of the others of its statement.
            tree.conflict == "update" or bool(self.table.triggers) or _refers_to_itself(self.table),
            self.places.domain.finish.rows_max,
        )

    def _query(self) -> Query:
        """The query with what has no type of its own given the type of the column that it is for."""
        source = _source(self.tree)
        if isinstance(source, Select):
            items = tuple(
                replace(item, expr=self._typed(item.expr, at), alias=item.alias) for at, item in enumerate(source.items)
            )
            return replace(source, items=items)
        if isinstance(source, Values):
            return self._given(source)
        return source

    def _typed(self, expr: Expr, at: int) -> Expr:
        untyped = isinstance(expr, Parameter) or (isinstance(expr, Literal) and expr.kind in ("string", "null"))
        column = self.table.column(self.tree.columns[at]) if at < len(self.tree.columns) else None
        # Without a modifier: a cast would cut what an assignment refuses.
        return Cast(expr, type_sql(column.type)) if untyped and column is not None else expr

    def _given(self, source: Values) -> Query:
        """Rows of which one server computes what is not written out."""
        if source.order or source.limit is not None or source.offset is not None:
            raise refused("table form", "VALUES with ORDER BY or LIMIT in an INSERT")
        rows = tuple(tuple(self._cell(expr, at) for at, expr in enumerate(row)) for row in source.rows)
        if len(rows) == 1:
            return Select(tuple(Item(expr, f"v{at}", f"v{at}") for at, expr in enumerate(rows[0])), with_=source.with_)
        return replace(source, rows=rows)

    def _cell(self, expr: Expr, at: int) -> Expr:
        column = self.table.column(self.tree.columns[at]) if at < len(self.tree.columns) else None
        if not is_default(expr):
            return self._typed(expr, at)
        if column is None or column.serial or column.generated:
            raise refused("insert key unknown", str(self.tree.table), self.tree.columns[0])
        if column.default is None:
            return Cast(Literal("null", "NULL"), type_sql(column.type))
        same = self.once.default(column, self.places.schema, False)
        return same or Cast(Template((f"({column.default})",), ()), type_sql(column.type))

    # -- columns that the query does not give ---------------------------------------------------------------------

    def _fill(self) -> None:
        given = {name for name, _ in self.columns}
        for column in self.table.columns:
            if column.name in given:
                if column.identity == "always" and not self.tree.overriding:
                    raise refused("value for identity", column.name, str(self.tree.table))
                continue
            if column.generated:
                continue
            if column.serial:
                self._draw(column)
                continue
            default = self.once.default(column, self.places.schema, False)
            if default is not None:
                self.constants.append((column.name, piece(render(with_holes(default)))))
            elif column.default_volatile and self.copied:
                assert column.default is not None
                self.each.append((column.name, f"({column.default})", type_sql(column.type)))

    def _draw(self, column: Column) -> None:
        standing = self.places.of(self.tree.table)
        if isinstance(standing, Single) and column.sequence and own_shard(column.sequence, self.places):
            return
        sequence = drawn_alone(column, self.places)
        if sequence is None:
            raise refused("insert select leaves serial", str(self.tree.table), column.name)
        self.drawn.append(Drawn(column.name, type_sql(column.type), sequence))
        if column.identity == "always":
            self.overriding = "OVERRIDING SYSTEM VALUE"
        elif self.overriding == "OVERRIDING USER VALUE":
            self.overriding = ""

    def _key(self, column: Column) -> int | Expr:
        """Where a key column's value comes from: a number that is drawn, or what the query has to give for it."""
        type_ = type_sql(column.type)
        for name, at in self.columns:
            if name == column.name:
                return Cast(ColumnRef(READ, f"c{at}"), type_)
        for number, each in enumerate(self.drawn):
            if each.column == column.name:
                return -1 - number
        if column.generated:
            raise refused("insert without key", str(self.tree.table), column.name, "the expression that generates it")
        if column.default is None:
            return Cast(Literal("null", "NULL"), type_)
        literal = None if column.default_volatile else literal_default(column.default)
        if literal is None or not is_constant(literal):
            raise refused("insert without key", str(self.tree.table), column.name, f"its default {column.default}")
        return Cast(literal, type_)

    def _frame(self) -> tuple[str, Piece]:
        """What stands before the columns, and what behind the rows."""
        mark = "\0rows\0"
        shell = replace(
            self.tree, source=Values(((Template((mark,), ()),),)), with_=With(), overriding="", columns=(READ,),
            columns_written=True,
        )  # fmt: skip
        head, _, tail = render(with_holes(shell)).partition(f" ({name_sql(READ)}) VALUES ({mark})")
        return head, piece(tail)


def _source(tree: Insert) -> Query:
    assert tree.source is not None
    return tree.source


def _refers_to_itself(table: Table) -> bool:
    return any(key.table == table.name for key in table.foreign_keys)
