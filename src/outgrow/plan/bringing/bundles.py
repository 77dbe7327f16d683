"""The bundles of a query that is brought: what each shard can work off alone, as large as it can be.

In a block's FROM, tables of one key that are joined on it make one bundle; copied tables that it meets by their primary
key belong to it, and so does every condition that shards can judge alone, subqueries that stay with the key included.
The proof is that of a scatter (`colocate`).  What crosses bundles stays with whoever puts them together.

`bundled` gives the query with a `BundleScan` for each bundle, and the bundles.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from outgrow.plan.blocks import family, has_aggregate, leaves_of, narrowable
from outgrow.plan.bringing.conditions import Classes, equalities, equated, factored, implied, plain, speaks_of, together
from outgrow.plan.bringing.partials import Partial, split
from outgrow.plan.bringing.repeating import repeats
from outgrow.plan.bringing.reshaping import crossed, cuttable, keeping_names, mentioned, rebuilt, with_columns
from outgrow.plan.cutting.colocate import Colocation
from outgrow.plan.cutting.vetting import joined_alike, vet_alike
from outgrow.plan.placing import Places
from outgrow.plan.refusals import Refused, refused
from outgrow.plan.walking import everything_below
from outgrow.schema import Column
from outgrow.statement.tree import (
    Cast,
    ColumnRef,
    CteScan,
    Exists,
    Expr,
    Item,
    Join,
    JoinKind,
    Literal,
    Operation,
    Quantified,
    Query,
    Relation,
    Scan,
    Select,
    Template,
)
from outgrow.topology import Copied, Sharded, TableName

#: Types whose arrays may be brought as they are: elements are separated by commas, and none is an array itself.
PLAIN = frozenset(
    "int2 int4 int8 oid numeric float4 float8 bool uuid bytea text varchar bpchar name date timestamp timestamptz time "
    "timetz interval json jsonb inet cidr macaddr bit varbit".split()
)
#: Where conditions on keys that are known later go into a bundle's WHERE.
SLOT = "\x01"


class BundleColumn(NamedTuple):
    name: str
    type: str
    collation: str
    #: What it is within the bundle.
    expr: Expr


@dataclass(frozen=True, slots=True)
class Bundle:
    """`query` gives the columns in their order, as text where the type's arrays cannot be brought as they are."""

    name: str
    query: Select
    columns: tuple[BundleColumn, ...]
    #: Per FROM item that must have a row: the tables that say on which shards that can be, with their aliases.
    scans: tuple[tuple[tuple[TableName, str], ...], ...]
    tables: tuple[TableName, ...]
    #: Its rows are groups of rows: only those of the key columns may be asked for.
    keyed: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class BundleScan(Relation):
    """A bundle in a FROM clause."""

    alias: str


class Bundled(NamedTuple):
    query: Query
    bundles: dict[str, Bundle]


def bundled(query: Query, places: Places, names: Iterator[str]) -> Bundled:
    """`names` are those that the statement does not use."""
    cutter = _Cutter(places, names)
    return Bundled(cutter.query(query), cutter.bundles)


@dataclass(slots=True)
class _Unit:
    """A FROM item that cannot be taken apart: a table, or an outer join."""

    relation: Relation
    scans: tuple[Scan, ...]
    sharded: bool

    @property
    def aliases(self) -> list[str]:
        return [scan.alias for scan in self.scans]


@dataclass(slots=True)
class _Group:
    units: list[_Unit]
    told: list[Expr] = field(default_factory=list)

    @property
    def aliases(self) -> set[str]:
        return {alias for unit in self.units for alias in unit.aliases}

    @property
    def scans(self) -> dict[str, Scan]:
        return {scan.alias: scan for unit in self.units for scan in unit.scans}


class _Cutter:
    def __init__(self, places: Places, names: Iterator[str]) -> None:
        self.places = places
        self.names = names
        self.bundles: dict[str, Bundle] = {}

    def query(self, query: Any, once: bool = False) -> Any:
        """The query and all below it with their bundles cut out; `once`: how often a row comes does not matter."""
        if isinstance(query, Select) and query.source is not None:
            query = self._block(query, once and narrowable(query) and not has_aggregate(query))
        return rebuilt(query, self._below)

    def _below(self, node: Any) -> Any:
        match node:
            case Exists():
                return replace(node, query=self.query(node.query, once=True))
            case Quantified(of=Query()):
                return replace(node, operand=rebuilt(node.operand, self._below), of=self.query(node.of, once=True))
            case Query():
                return self.query(node)
        return None

    def _block(self, select: Select, once: bool) -> Select:
        if not cuttable(select):
            return select
        units, rest, said = self._taken_apart(select)
        conditions = [one for condition in (*said, select.where) for one in factored(condition)]
        classes = equalities(conditions, self._alike({scan.alias: scan for unit in units for scan in unit.scans}))
        groups = self._groups([unit for unit in units if unit.sharded], classes)
        if not groups:
            return select
        copied = self._attached(groups, [unit for unit in units if not unit.sharded], classes, conditions)
        conditions = self._told(groups, conditions, classes)
        others = [*(unit.relation for unit in copied), *rest]
        around = crossed(others) if others else None
        outside = replace(select, source=around, where=together("and", conditions))
        if len(groups) == 1 and not others and not conditions:
            made = split(outside, groups[0].aliases, self._collated(groups[0]))
            if made is not None:
                return self._partial(made, groups[0], select)
        named = [(next(self.names), group) for group in groups]
        for name, group in named:
            outside = self._bundle(name, group, outside, once)
        scans: list[Relation] = [BundleScan(name) for name, _ in named]
        source = crossed(scans if outside.source is None else [*scans, outside.source])
        return replace(outside, source=source, with_=select.with_)

    # --- FROM ------------------------------------------------------------------------------------------------------

    def _taken_apart(self, select: Select) -> tuple[list[_Unit], list[Relation], list[Expr | None]]:
        units: list[_Unit] = []
        rest: list[Relation] = []
        conditions: list[Expr | None] = []
        stack: list[Relation | None] = [select.source]
        while stack:
            relation = stack.pop()
            assert relation is not None
            inner = isinstance(relation, Join) and relation.kind in (JoinKind.INNER, JoinKind.CROSS)
            if isinstance(relation, Join) and inner and not relation.using and not relation.natural:
                conditions.append(relation.on)
                stack += [relation.right, relation.left]
                continue
            unit = self._unit(relation)
            if unit is None:
                rest.append(relation)
            else:
                units.append(unit)
        return units, rest, conditions

    def _unit(self, relation: Relation) -> _Unit | None:
        scans: list[Scan] = []
        for leaf in leaves_of(relation):
            if not isinstance(leaf, Scan) or leaf.sample or leaf.column_aliases or leaf.only:
                return None
            scans.append(leaf)
        if isinstance(relation, Scan):
            standing = self.places.of(relation.table)
            return _Unit(relation, (relation,), isinstance(standing, Sharded)) if _here(standing) else None
        unit = _Unit(relation, tuple(scans), True)
        if not all(_here(self.places.of(scan.table)) for scan in scans) or not joined_alike(relation, unit.aliases):
            return None
        return unit if self._proves([unit], []) else None

    def _groups(self, units: list[_Unit], classes: Classes) -> list[_Group]:
        groups: list[_Group] = []
        for unit in units:
            if isinstance(unit.relation, Scan) and not self._proves([unit], []):
                continue
            groups.append(_Group([unit]))
        merged = True
        while merged:
            merged = False
            for at, group in enumerate(groups):
                for other in groups[at + 1 :]:
                    both = group.units + other.units
                    if self._proves(both, self._joining(both, classes)):
                        group.units = both
                        groups.remove(other)
                        merged = True
                        break
        return groups

    def _joining(self, units: list[_Unit], classes: Classes) -> list[Expr]:
        """What equates columns of these, said or following from what is said."""
        aliases = {alias for unit in units for alias in unit.aliases}
        found: list[Expr] = []
        for known in classes.all():
            here = [ref for ref in known if ref.relation in aliases]
            found += [Operation("=", (here[0], ref)) for ref in here[1:]]
        return found

    def _attached(
        self, groups: list[_Group], copied: list[_Unit], classes: Classes, conditions: list[Expr]
    ) -> list[_Unit]:
        """Copied tables join the first group that decides their primary key; the others are left."""
        left = list(copied)
        found = True
        while found:
            found = False
            for unit in left:
                (scan,) = unit.scans
                table = self.places.table(scan.table)
                if table is None or not table.primary_key:
                    continue
                able = [group for group in groups if _decides(group, scan, table.primary_key, classes)]
                # One that it is compared with in so many words, before one that it only follows from.
                able.sort(key=lambda group: not _compared(group, scan, conditions))
                if able:
                    able[0].units.append(unit)
                    left.remove(unit)
                    found = True
                    break
        return left

    # --- conditions ------------------------------------------------------------------------------------------------

    def _told(self, groups: list[_Group], conditions: list[Expr], classes: Classes) -> list[Expr]:
        """Give each group what it can judge; what is left."""
        for group in groups:
            group.told = self._joining(group.units, classes)
        left: list[Expr] = []
        for conjunct in conditions:
            if not any(self._takes(group, conjunct) for group in groups):
                left.append(conjunct)
                for group in groups:
                    said = implied(conjunct, group.aliases)
                    if said is not None:
                        group.told.append(said)
        return left

    def _takes(self, group: _Group, conjunct: Expr) -> bool:
        if not speaks_of(conjunct, group.aliases):
            return False
        if conjunct in group.told:
            return True
        if not plain(conjunct):
            below = list(everything_below(conjunct))
            nested = any(isinstance(node, Query) for node in below)
            if not nested or any(isinstance(node, CteScan) for node in below) or not vet_alike(conjunct):
                return False
            if not self._proves(group.units, [*group.told, conjunct]):
                return False
        group.told.append(conjunct)
        return True

    def _proves(self, units: list[_Unit], told: list[Expr]) -> bool:
        source = crossed([unit.relation for unit in units])
        candidate = Select((Item(Literal("number", "1"), "?column?"),), source, together("and", told))
        try:
            _, settled = Colocation(self.places).block(candidate, None, {})
        except Refused:
            return False
        return settled.locus.sharded

    def _alike(self, scans: dict[str, Scan]) -> Callable[[ColumnRef, ColumnRef], bool]:
        def alike(one: ColumnRef, other: ColumnRef) -> bool:
            first, second = self._column(scans, one), self._column(scans, other)
            if first is None or second is None or one.relation == other.relation:
                return False
            same = family(first.type) is not None and family(first.type) == family(second.type)
            return same and not first.collation and not second.collation

        return alike

    def _column(self, scans: dict[str, Scan], ref: ColumnRef) -> Column | None:
        scan = scans.get(ref.relation)
        table = self.places.table(scan.table) if scan is not None else None
        return table.column(ref.name) if table is not None else None

    def _collated(self, group: _Group) -> Callable[[ColumnRef], bool]:
        scans = group.scans

        def collated(ref: ColumnRef) -> bool:
            column = self._column(scans, ref)
            return column is None or bool(column.collation) or column.nondeterministic

        return collated

    # --- what a shard runs -----------------------------------------------------------------------------------------

    def _bundle(self, name: str, group: _Group, outside: Select, once: bool) -> Select:
        """Note the bundle; the rest of the block with its columns by their new names."""
        aliases = group.aliases
        scans = group.scans
        columns: dict[tuple[str, str], BundleColumn] = {}
        for ref in mentioned(outside, aliases):
            column = self._column(scans, ref)
            if column is None:
                raise refused("table form", f"the column {ref.name} of {ref.relation}")
            if (ref.relation, ref.name) not in columns:
                known = replace(ref, depth=0, shadowed=False, bare=False)
                new = BundleColumn(f"c{len(columns) + 1}", column.type, column.collation, known)
                columns[ref.relation, ref.name] = new
        self._note(name, group, tuple(columns.values()), None, once and self._repeat(scans, columns))

        def renamed(ref: ColumnRef, depth: int) -> Expr:
            column = columns.get((ref.relation, ref.name))
            if depth or column is None:
                return ref
            return replace(ref, relation=name, name=column.name, table=None, bare=False, shadowed=False)

        return keeping_names(with_columns(outside, renamed), outside)

    def _partial(self, made: Partial, group: _Group, select: Select) -> Select:
        name = next(self.names)
        columns = tuple(
            BundleColumn(f"c{number}", column.type, "", column.expr) for number, column in enumerate(made.columns, 1)
        )
        keys = tuple(column.name for column in columns[: made.keys])
        self._note(name, group, columns, keys, once=False)
        return replace(made.finished(name), source=BundleScan(name), with_=select.with_)

    def _repeat(self, scans: Mapping[str, Scan], columns: Collection[tuple[str, str]]) -> bool:
        return all(
            (table := self.places.table(scan.table)) is not None
            and repeats(table, [name for relation, name in columns if relation == alias])
            for alias, scan in scans.items()
        )

    def _note(
        self, name: str, group: _Group, columns: tuple[BundleColumn, ...], keys: tuple[str, ...] | None, once: bool
    ) -> None:
        columns = columns or (BundleColumn("c1", "int4", "", Literal("number", "1")),)
        items = tuple(
            Item(each.expr if each.type in PLAIN else Cast(each.expr, "text"), each.name, each.name) for each in columns
        )
        where = together("and", [*group.told, Template((SLOT,), ())])
        grouped = tuple(each.expr for each in columns[: len(keys)]) if keys is not None else ()
        query = Select(items, crossed([unit.relation for unit in group.units]), where, grouped, distinct=once)
        scans = tuple(
            tuple((scan.table, scan.alias) for scan in unit.scans if isinstance(self.places.of(scan.table), Sharded))
            for unit in group.units
            if unit.sharded
        )
        tables = tuple(dict.fromkeys(table for unit in scans for table, _ in unit))
        self.bundles[name] = Bundle(name, query, columns, scans, tables, keys)


# --- what belongs together -------------------------------------------------------------------------------------------


def _here(standing: object) -> bool:
    return isinstance(standing, Sharded | Copied)


def _decides(group: _Group, scan: Scan, primary_key: tuple[str, ...], classes: Classes) -> bool:
    """A row of the group meets one row of the table at most."""
    aliases = group.aliases
    return all(any(ref.relation in aliases for ref in classes.equal_to((scan.alias, column))) for column in primary_key)


def _compared(group: _Group, scan: Scan, conditions: list[Expr]) -> bool:
    for conjunct in conditions:
        sides = {side.relation for side in equated(conjunct) or () if isinstance(side, ColumnRef)}
        if scan.alias in sides and sides & group.aliases:
            return True
    return False
