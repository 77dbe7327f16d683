"""Bundles and tables as brings: what each shard is asked for them, and what stands for them in the query."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace

from outgrow.plan.bringing.brought import Bring, Keys
from outgrow.plan.bringing.bundles import PLAIN, SLOT, Bundle, BundleColumn
from outgrow.plan.bringing.conditions import together
from outgrow.plan.bringing.linking import Link
from outgrow.plan.model import Plan
from outgrow.plan.placing import Places, Single
from outgrow.plan.rendering import piece, with_holes
from outgrow.plan.walking import everything_below
from outgrow.plan.writes.change import Piece
from outgrow.plan.writes.moments import type_sql
from outgrow.schema import Column, Table
from outgrow.statement import render, transform
from outgrow.statement.tree import (
    Call,
    CallKind,
    Cast,
    Collate,
    ColumnRef,
    Derived,
    Expr,
    FunctionScan,
    Item,
    Literal,
    Operation,
    Parameter,
    Query,
    Relation,
    Scan,
    Select,
    Template,
)

_RELATION = "brought"


class Gathered:
    """The brings so far, and the parameters that their arrays are."""

    def __init__(self, plan: Plan, places: Places, first: int) -> None:
        self.brings: list[Bring] = []
        self._plan = plan
        self._limit = Literal("number", str(places.domain.finish.rows_max + 1))
        self._places = places
        self._next = first
        self._known: dict[Hashable, int] = {}

    def _add(self, same: Hashable, made: Bring) -> int:
        """The first parameter; whoever needs the same rows shares them."""
        if same not in self._known:
            self._known[same] = self._next
            self.brings.append(made)
            self._next += len(made.columns)
        return self._known[same]

    @property
    def next(self) -> int:
        """The first parameter that is free."""
        return self._next

    # --- bundles -----------------------------------------------------------------------------------------------------

    def bundles(self, bundles: Mapping[str, Bundle], links: list[Link]) -> dict[object, Relation]:
        """What stands for each bundle, by its name."""
        looks = {name: self._look(bundle) for name, bundle in bundles.items()}
        told: dict[str, list[Link]] = {name: [] for name in bundles}
        for link in links:
            told[link.bundle].append(link)
        kinds = _kinds(looks, told)
        firsts = {name: self._add(("bundle", kinds[name]), self._bring(bundle)) for name, bundle in bundles.items()}
        numbers = {first: at for at, first in enumerate(sorted(set(firsts.values())))}
        for name, bundle in bundles.items():
            at = numbers[firsts[name]]
            if not self.brings[at].keys and told[name]:
                others = [link for link in told[name] if firsts[link.source] != firsts[name]]
                keys = tuple(self._keys(bundle, link, bundles[link.source], firsts, numbers) for link in others)
                unique = tuple({(each.param, each.piece): each for each in keys}.values())
                self.brings[at] = replace(self.brings[at], keys=unique)
        return {name: unnested(name, (), bundle.columns, firsts[name]) for name, bundle in bundles.items()}

    def _look(self, bundle: Bundle) -> Hashable:
        """Equal where the same rows are meant; each sample is drawn by itself."""
        if any(isinstance(node, Scan) and node.sample for node in everything_below(bundle.query)):
            return bundle.name
        keys = tuple(tuple(self._plan.scans[at].keys for at in scans) for scans in self._scans(bundle))
        return render(_plainly(bundle.query)), keys

    def _scans(self, bundle: Bundle) -> tuple[tuple[int, ...], ...]:
        return tuple(
            tuple(at for at, each in enumerate(self._plan.scans) if (each.table, each.alias) in unit)
            for unit in bundle.scans
        )

    def _bring(self, bundle: Bundle) -> Bring:
        before, behind = _asked(replace(bundle.query, limit=self._limit), len(bundle.columns))
        told = [each for each in _conjuncts(bundle.query) if each != Template((SLOT,), ())]
        shown = f"{bundle.name}: {render(replace(bundle.query, where=together('and', told)))}"
        columns = tuple(column.name for column in bundle.columns)
        return Bring(bundle.tables, bundle.name, columns, before, behind, self._scans(bundle), shown=shown)

    def _keys(
        self, bundle: Bundle, link: Link, source: Bundle, firsts: Mapping[str, int], numbers: Mapping[int, int]
    ) -> Keys:
        own = next(column for column in bundle.columns if column.name == link.column)
        at = next(at for at, column in enumerate(source.columns) if column.name == link.source_column)
        first = firsts[link.source]
        expr = render(own.expr)
        param, kind = first + at, type_sql(source.columns[at].type)
        condition = Piece((f"{expr} = ANY (", f"::{kind}[]) AND "), (param,))
        return Keys(numbers[first], param, condition, f"{expr} among {link.source}.{link.source_column}")

    # --- tables ----------------------------------------------------------------------------------------------------

    def table(self, scan: Scan, table: Table, columns: tuple[str, ...], said: list[Expr]) -> Relation:
        """The rows of one table, alone; what stands for it."""
        made = self._table(scan, table, columns, said)
        # Whoever needs the same rows of the same table shares them.
        keys = tuple(tuple(self._plan.scans[at].keys for at in scans) for scans in made.scans)
        same: Hashable = made if said else (scan.table, scan.only, columns, keys)
        if scan.sample:
            # Each occurrence draws a sample of its own.
            same = id(scan)
        known = [column for name in columns if (column := table.column(name)) is not None]
        return unnested(scan.alias, scan.column_aliases, known, self._add(same, made))

    def _table(self, scan: Scan, table: Table, columns: tuple[str, ...], said: list[Expr]) -> Bring:
        plain = replace(scan, column_aliases=())
        items = []
        for name in columns:
            column = table.column(name)
            assert column is not None
            ref: Expr = ColumnRef(scan.alias, name)
            items.append(Item(ref if column.type in PLAIN else Cast(ref, "text"), name, name))
        where = together("and", [*said, Template((SLOT,), ())])
        before, behind = _asked(Select(tuple(items), plain, where, limit=self._limit), len(columns))
        scans = tuple(
            at for at, each in enumerate(self._plan.scans) if (each.table, each.alias) == (scan.table, scan.alias)
        )
        standing = self._places.of(scan.table)
        shard = standing.shard if isinstance(standing, Single) else ""
        condition = together("and", said)
        shown = f"{scan.table} as {scan.alias} ({', '.join(columns)})"
        if scan.sample:
            shown += f" {scan.sample}"
        if condition is not None:
            shown += f" where {render(condition)}"
        return Bring((scan.table,), scan.alias, columns, before, behind, (scans,) if not shard else (), shard, shown)


def _kinds(looks: Mapping[str, Hashable], told: Mapping[str, list[Link]]) -> Mapping[str, Hashable]:
    """Equal for bundles of which the same rows are asked: they look alike, and so does whatever narrows them.

    That a source looks alike is not enough, because what narrows the source decides which of its values come.  So
    bundles are told apart by the kinds of their sources until that tells no more of them apart.
    """
    kinds = looks
    while True:
        numbers: dict[Hashable, int] = {}
        refined = {
            name: numbers.setdefault(
                (kinds[name], frozenset((link.column, kinds[link.source], link.source_column) for link in told[name])),
                len(numbers),
            )
            for name in looks
        }
        if len(numbers) == len(set(kinds.values())):
            return refined
        kinds = refined


def _plainly(select: Select) -> Select:
    """The query of one table as it is under every alias."""
    scan = select.source
    if not isinstance(scan, Scan) or any(
        isinstance(node, Query) for node in everything_below(select) if node != select
    ):
        return select

    def change(node: object) -> object:
        return replace(node, relation="") if isinstance(node, ColumnRef) else node

    return replace(transform(select, change), source=replace(scan, alias=scan.table.name))


def _conjuncts(select: Select) -> tuple[Expr, ...]:
    where = select.where
    return where.operands if isinstance(where, Operation) and where.operator == "and" else (where,) if where else ()


def _asked(inside: Select, columns: int) -> tuple[Piece, Piece]:
    """The query of one row, split where conditions on keys go in: how many, the values, and what types they are of."""
    numbered = [f"c{number}" for number in range(1, columns + 1)]
    arrays = "".join(f", array_agg({name})::text" for name in numbered)
    types = ", ".join(f"pg_typeof(array_agg({name}))::text" for name in numbered)
    rows = f"({render(with_holes(inside))}) AS r ({', '.join(numbered)})"
    sql = f"SELECT count(*){arrays}, ARRAY[{types}]::text[] FROM {rows}"
    before, behind = sql.split(SLOT)
    return piece(before), piece("true" + behind)


def unnested(alias: str, aliases: tuple[str, ...], columns: Iterable[BundleColumn | Column], first: int) -> Relation:
    """The rows again, from parameters `first` and following, with the types and collations that the columns have."""
    arrays: list[Expr] = []
    items: list[Item] = []
    for number, column in enumerate(columns, first):
        plain = column.type in PLAIN
        arrays.append(Cast(Parameter(number), f"{type_sql(column.type) if plain else 'text'}[]"))
        value: Expr = ColumnRef(_RELATION, column.name)
        if not plain:
            value = Cast(value, _element_sql(column.type))
        if column.collation:
            value = Collate(value, column.collation)
        items.append(Item(value, column.name, column.name))
    call = Call("unnest", tuple(arrays), kind=CallKind.SET, builtin=True)
    names = tuple(item.name for item in items)
    if all(isinstance(item.expr, ColumnRef) for item in items):
        return FunctionScan(call, alias, aliases + names[len(aliases) :])
    return Derived(Select(tuple(items), FunctionScan(call, _RELATION, names)), alias, aliases)


def _element_sql(name: str) -> str:
    """A type as the schema names it, arrays too, as SQL."""
    schema, dot, own = name.rpartition(".")
    if own.startswith("_"):
        return f"{type_sql(f'{schema}.{own[1:]}' if dot else own[1:])}[]"
    return type_sql(name)
