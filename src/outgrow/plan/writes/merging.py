"""MERGE: the rows of its source are read first, and merged where their keys lie.

A row of the source can only match rows of the target that have the key which ON compares it with, so that key's shard
alone has to see it; and where nothing matches, the row inserted must have that very key, so that it belongs there too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from outgrow.plan.blocks import family, output_names
from outgrow.plan.cutting.copies import check_copies, is_sharded
from outgrow.plan.cutting.vetting import vet_change
from outgrow.plan.model import Plan, Where
from outgrow.plan.narrowing.facts import is_default
from outgrow.plan.numbers.ids import drawn_alone, own_shard
from outgrow.plan.placing import Places, Unlisted
from outgrow.plan.refusals import Refused, refused
from outgrow.plan.rendering import fragment
from outgrow.plan.spec import Finish, Output, Position
from outgrow.plan.walking import conjuncts, everything_below, within_block
from outgrow.plan.writes.answers import type_mark
from outgrow.plan.writes.cascades import check_cascades
from outgrow.plan.writes.change import Change, Gather
from outgrow.plan.writes.changing import told
from outgrow.plan.writes.delivery import Drawn
from outgrow.plan.writes.merge import Merging
from outgrow.plan.writes.moments import Once, is_moment_word, is_timed, timed_parameters, type_sql
from outgrow.plan.writes.selection import READ, Build, selection
from outgrow.schema import Column, Table, TableKind, Volatility
from outgrow.statement import Statement, transform, type_of
from outgrow.statement.tree import (
    Call,
    CallKind,
    Cast,
    ColumnRef,
    CteScan,
    Delete,
    Derived,
    Expr,
    FunctionScan,
    Item,
    Join,
    Literal,
    Merge,
    Operation,
    Parameter,
    Query,
    Scan,
    Select,
    Template,
    Update,
    When,
    WholeRow,
    With,
)
from outgrow.topology import Copied, Sharded, Single

_DRAWN = "outgrow drawn"


def merging(statement: Statement, places: Places, build: Build) -> Plan:
    """The plan of a MERGE over several shards.  Raises Refused."""
    tree = statement.tree
    assert isinstance(tree, Merge)
    table, standing = places.table(tree.table), places.of(tree.table)
    if isinstance(standing, Unlisted):
        raise refused("unlisted table", str(tree.table), places.domain.name, places.proposal(tree.table))
    if table is None or not isinstance(standing, Sharded | Copied | Single) or places.schema.engine != "postgresql":
        raise refused("merge", str(tree.table), "it is no table of this domain's own")
    return _Merging(statement, tree, table, places).plan(build)


class _Merging:
    """The making of one plan."""

    def __init__(self, statement: Statement, tree: Merge, table: Table, places: Places) -> None:
        self.statement, self.table, self.places = statement, table, places
        standing = places.of(tree.table)
        self.copied = isinstance(standing, Copied)
        self.shard = standing.shard if isinstance(standing, Single) else ""
        self.once = Once(statement.placeholders.count)
        self.drawn: list[Drawn] = []
        self.tree = self.once.moments(tree)

    def plan(self, build: Build) -> Plan:
        tree = self.tree
        self._check_target()
        names = self._names()
        keys = self._keys()
        rest = replace(tree, whens=tuple(self._filled(when) for when in tree.whens), with_=With())
        self._check_rest(rest)
        query, alias = self._query(names), getattr(tree.source, "alias", "")
        more = [_of_read(key, alias, names) for key in keys]
        chosen = selection(self.statement, build, query, tree.with_, more)
        merge = Merging(
            tree.table,
            chosen,
            tuple(column.type for column in self._key_columns()) if keys else (),
            tuple(column.typmod for column in self._key_columns()) if keys else (),
            tuple(self.drawn),
            self.shard,
            self.copied,
            any(when.kind == "not matched by source" for when in tree.whens),
            self.places.domain.finish.rows_max,
        )
        first = self.statement.placeholders.count + len(self.once.sql) + 1
        over = replace(rest, source=_unnested(merge, alias, names, first))
        sql, params = fragment(over)
        timed = timed_parameters(replace(rest, source=over.source), ()) if self.copied else ()
        change = Change(
            Gather.MERGE,
            tuple(self.once.sql),
            timed=tuple(index for index in timed if index < first),
            returns=len(tree.returning),
            always=True,
        )
        made = Plan(
            self.statement,
            "write",
            Where.ALL,
            fragment_sql=sql,
            fragment_params=params,
            change=change,
            merging=merge,
            finish=self._finish(),
            listed=bool(self.places.listed),
        )
        return told(made, f"the source's rows are read first, and merged where {tree.table} has their keys")

    def _key_columns(self) -> tuple[Column, ...]:
        return self.places.key_columns(self.tree.table)

    def _finish(self) -> Finish:
        returning = self.tree.returning
        if any(item.name == "*" for item in returning):
            raise refused("table form", "RETURNING * of columns that outgrow does not know")
        outputs = tuple(Output(item.name, Position(at)) for at, item in enumerate(returning))
        return Finish(outputs, len(outputs), len(outputs))

    # -- what stands in the way --------------------------------------------------------------------------------------

    def _no(self, why: str) -> Exception:
        return refused("merge", str(self.tree.table), why)

    def _check_target(self) -> None:
        tree, table = self.tree, self.table
        if table.kind not in (TableKind.TABLE, TableKind.PARTITIONED) or table.row_security or tree.only:
            raise self._no("it is a view, has row security, or stands behind ONLY")
        actions = {when.action for when in tree.whens} - {"nothing"}
        trigger = table.statement_trigger(*actions)
        if trigger is not None:
            raise refused("trigger", trigger, str(tree.table))
        if self.copied and table.triggers:
            raise self._no(f"the trigger or rule {table.triggers[0]} could do something else on each shard")
        own = {column.name for column in self._key_columns()}
        for when in tree.whens:
            if when.action == "delete":
                check_cascades(Delete(tree.table, tree.alias, None, None), self.places)
            if when.action == "update":
                check_cascades(Update(tree.table, tree.alias, when.assigns, None, None), self.places)
                if own & {name for name, _ in when.assigns}:
                    raise refused("key update", str(tree.table))

    def _check_rest(self, rest: Merge) -> None:
        """All but the source: what the shards compute, each for itself."""
        per_row: set[int] = set()
        for part in (*rest.returning, *(value for when in rest.whens for value in _values(when))):
            per_row |= {id(node) for node in within_block(part)}
        shell = replace(rest, source=FunctionScan(Literal("null", "NULL"), "s"))
        vet_change(replace(self.statement, effects=()), shell, () if self.copied else per_row)
        for node in everything_below(shell):
            if isinstance(node, CteScan):
                raise self._no(f"{node.name} is read beside the source")
            if isinstance(node, WholeRow):
                raise refused("table form", f"{node.relation} as one value")
            if isinstance(node, Query):
                if is_sharded(node, self.places, {}):
                    raise self._no("a subquery beside its source reads rows of other shards")
                check_copies(node)

    # -- the source --------------------------------------------------------------------------------------------------

    def _names(self) -> tuple[str, ...]:
        """The source's columns."""
        source = self.tree.source
        scans = [node for node in everything_below(source) if isinstance(node, Scan)]
        tables = [table for scan in scans if (table := self.places.table(scan.table)) is not None]
        if any(column.collation for table in tables for column in table.columns):
            # What travels as text has its type's own collation.
            raise self._no("its source has columns with a collation of their own")
        if isinstance(source, Join):
            raise self._no("its source is a join without a name of its own")
        if isinstance(source, Derived):
            return tuple(output_names(source.query, source.column_aliases))
        alias = getattr(source, "alias", "")
        rest = replace(self.tree, source=FunctionScan(Literal("null", "NULL"), alias), with_=With())
        found = (node for node in everything_below(rest) if isinstance(node, ColumnRef))
        return tuple(sorted({node.name for node in found if node.relation == alias}))

    def _query(self, names: tuple[str, ...]) -> Query:
        source = self.tree.source
        if isinstance(source, Derived):
            return source.query
        alias = getattr(source, "alias", "")
        items = tuple(Item(ColumnRef(alias, name), name, name) for name in names)
        return Select(items or (Item(Literal("boolean", "true"), "one", "one"),), source)

    def _keys(self) -> list[Expr]:
        """What the key columns are compared with; nothing where all rows go to one shard, or to every one."""
        if self.copied or self.shard:
            return []
        try:
            return [self._key(column) for column in self._key_columns()]
        except Refused:
            if any(when.action == "insert" for when in self.tree.whens):
                raise
            # Each row of the target is on one shard, which has to see all rows that could match it.
            return []

    def _key(self, column: Column) -> Expr:
        """What ON compares a key column with, in a type that both it and the key have room in."""
        found = list(self._compared(column))
        inserted = []
        for when in self.tree.whens:
            if when.action != "insert":
                continue
            if column.name not in when.columns:
                raise self._no(f"a row that is inserted leaves {column.name} out")
            inserted.append(when.values[when.columns.index(column.name)])
        for expr in found:
            if all(value == expr for value in inserted):
                wide = {"int": "int8", "text": "text"}.get(family(column.type) or "", type_sql(column.type))
                return Cast(expr, wide)
        what = "inserts another key than ON compares" if found else f"ON does not say {column.name} = …"
        raise self._no(what)

    def _compared(self, column: Column) -> Iterator[Expr]:
        alias = self.tree.alias
        for condition in conjuncts(self.tree.on):
            if not isinstance(condition, Operation) or condition.operator != "=" or len(condition.operands) != 2:
                continue
            for one, other in (condition.operands, condition.operands[::-1]):
                if not isinstance(one, ColumnRef) or one.relation != alias or one.name != column.name or one.depth:
                    continue
                below = list(everything_below(other))
                own = any(isinstance(node, ColumnRef) and node.relation == alias for node in below)
                constant = isinstance(other, Literal | Parameter)
                alike = constant or family(type_of(other)) == family(column.type)
                if alike and not own and not any(isinstance(node, Query) for node in below):
                    yield other

    # -- what is written ---------------------------------------------------------------------------------------------

    def _filled(self, when: When) -> When:
        """The WHEN with what the shards would draw or compute differently written out."""
        for name, expr in (*when.assigns, *zip(when.columns, when.values, strict=True)):
            column = self.table.column(name)
            if column is not None and is_moment_word(expr) and is_timed(column.type):
                raise refused("moment", f"{expr.text!r} for {column.name}")
        if when.action == "update":
            return replace(when, assigns=tuple((name, self._assigned(name, expr)) for name, expr in when.assigns))
        return self._inserted(when) if when.action == "insert" else when

    def _assigned(self, name: str, expr: Expr) -> Expr:
        column = self.table.column(name)
        if column is None or not is_default(expr):
            return expr
        if column.serial:
            raise refused("assigned from sequence", name, str(self.tree.table))
        return self._default(column) or expr

    def _default(self, column: Column) -> Expr | None:
        if self.copied and column.default_volatile:
            raise self._no(f"each shard would compute the default of {column.name}, {column.default}, for itself")
        return self.once.default(column, self.places.schema, False)

    def _inserted(self, when: When) -> When:
        given = dict(zip(when.columns, when.values, strict=True))
        overriding = when.overriding
        for column in self.table.columns:
            value = given.get(column.name)
            if column.generated:
                continue
            if value is not None and not is_default(value):
                if column.identity == "always":
                    raise refused("value for identity", column.name, str(self.tree.table))
                continue
            if column.serial and not self._is_own(column):
                given[column.name] = self._draw(column)
                overriding = "OVERRIDING SYSTEM VALUE" if column.identity == "always" else overriding
            elif not column.serial and (default := self._default(column)) is not None:
                given[column.name] = default
        return replace(when, columns=tuple(given), values=tuple(given.values()), overriding=overriding)

    def _is_own(self, column: Column) -> bool:
        """Only single tables of this shard draw from its sequence."""
        return bool(self.shard and column.sequence and own_shard(column.sequence, self.places))

    def _draw(self, column: Column) -> Expr:
        sequence = drawn_alone(column, self.places)
        if sequence is None:
            raise refused("insert select leaves serial", str(self.tree.table), column.name)
        names = [each.column for each in self.drawn]
        if column.name not in names:
            names.append(column.name)
            self.drawn.append(Drawn(column.name, type_sql(column.type), sequence))
        return ColumnRef(getattr(self.tree.source, "alias", ""), f"{_DRAWN} {names.index(column.name)}")


def _values(when: When) -> Iterator[Expr]:
    yield from (expr for _, expr in when.assigns)
    yield from when.values


def _of_read(expr: Expr, alias: str, names: tuple[str, ...]) -> Expr:
    """An expression over the source as one over its rows as they are read."""

    def change(node: object) -> object:
        if isinstance(node, ColumnRef) and node.relation == alias and node.name in names:
            return ColumnRef(READ, f"c{names.index(node.name)}")
        return node

    return transform(expr, change)


def _unnested(merge: Merging, alias: str, names: tuple[str, ...], first: int) -> Derived:
    """The rows that a shard is given, under the source's name."""
    arrays = tuple(Cast(Parameter(first + at), "text[]") for at in range(merge.arrays))
    call = Call("unnest", arrays, kind=CallKind.SET, volatility=Volatility.IMMUTABLE, builtin=True)
    rows = FunctionScan(call, READ, tuple(f"c{at}" for at in range(merge.arrays)))
    types = [type_mark(0, at) for at in range(merge.selection.width)] + [each.type for each in merge.drawn]
    shown = [*(names or ("one",)), *(f"{_DRAWN} {at}" for at in range(len(merge.drawn)))]
    items = tuple(
        Item(Template(("", f"::{type_}"), (ColumnRef(READ, f"c{at}"),)), name, name)
        for at, (name, type_) in enumerate(zip(shown, types, strict=False))
    )
    return Derived(Select(items, rows), alias)
