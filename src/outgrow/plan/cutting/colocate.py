"""The proof that each shard can evaluate a query alone, and the shards' rows together are the result's rows.

Rules, in one place: sharded with sharded only on equal keys; copied tables anywhere but on the preserved side of an
outer join with sharded rows; a subquery only if it reads copied tables alone, or rows of the key it is asked for.
Everything else raises `Refused` with the construct's name.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from outgrow.plan.blocks import (
    Block,
    Ctes,
    Leaf,
    Shared,
    Site,
    alias_of,
    bare_column,
    family,
    has_aggregate,
    has_window,
    leaves_of,
    output_names,
    transparent,
)
from outgrow.plan.cutting.copies import check_everywhere, is_sharded
from outgrow.plan.cutting.equalities import Equalities, Pair, linked
from outgrow.plan.cutting.locus import COPIED, Key, Locus, Settled, covers, meets, positions_of
from outgrow.plan.cutting.subqueries import nested_queries
from outgrow.plan.cutting.windows import partitions
from outgrow.plan.narrowing.graph import Graph
from outgrow.plan.placing import Places
from outgrow.plan.refusals import refused
from outgrow.plan.walking import conjuncts
from outgrow.plan.writes.written import rows_of
from outgrow.schema import TableKind
from outgrow.statement.tree import (
    CteScan,
    Derived,
    Expr,
    FunctionScan,
    Join,
    JoinKind,
    Operation,
    Query,
    Relation,
    RowOf,
    Scan,
    Select,
    SetOperation,
    Values,
)
from outgrow.topology import Copied, Sharded, Single


class Colocation:
    """Proofs over one statement."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.graph = Graph(places.schema)
        self._numbers = count()
        self._settled: dict[tuple[int, str], Settled] = {}
        self._opened: list[str] = []

    # --- blocks ----------------------------------------------------------------------------------------------------

    def block(self, select: Select, parent: Block | None, ctes: Ctes) -> tuple[Block, Settled]:
        """The rows of FROM and WHERE, with every subquery of the block proved too."""
        ctes = {**ctes, **{cte.name: Shared(cte, parent) for cte in select.with_.ctes}}
        block = Block(next(self._numbers), parent, ctes)
        self.graph.blocks.append((block, select))
        for relation in leaves_of(select.source):
            block.leaves[alias_of(relation)] = Leaf(relation, ())
        for relation in leaves_of(select.source):
            # Before any condition is read, so that it sees what the derived tables' columns are.
            if isinstance(relation, Derived | CteScan):
                self._settled[block.index, alias_of(relation)] = self._table(block, relation)
        if select.source is None:
            settled = Settled(COPIED)
        else:
            where = Equalities(tuple(self._pairs(block, select.where)))
            settled = self._relation(block, select.source, where)
            settled = replace(settled, equal=settled.equal + where)
        for nested in nested_queries(select):
            self._subquery(block, settled, nested.query, nested.operand)
        return block, settled

    def columns(self, block: Block, exprs: tuple[Expr, ...]) -> set[Site]:
        """The sites of those expressions that are plain columns of this block."""
        found = (self._column(block, expr) for expr in exprs)
        return {site for site in found if site is not None}

    def _column(self, block: Block, expr: Expr) -> Site | None:
        column = bare_column(expr)
        return self.graph.site(block, column) if column is not None else None

    def _pairs(self, block: Block, condition: Expr | None) -> list[Pair]:
        """Columns that the condition's conjuncts equate."""
        pairs: list[Pair] = []
        for conjunct in conjuncts(condition):
            if isinstance(conjunct, Operation) and conjunct.operator == "=":
                pairs.extend(self._equal(block, conjunct.operands[0], block, conjunct.operands[1]))
        return pairs

    def _equal(self, block: Block, one: Expr, other_block: Block, other: Expr) -> list[Pair]:
        if isinstance(one, RowOf) and isinstance(other, RowOf) and len(one.items) == len(other.items):
            sides = zip(one.items, other.items, strict=True)
            return [pair for left, right in sides for pair in self._equal(block, left, other_block, right)]
        left, right = self._column(block, one), self._column(other_block, other)
        if left is None or right is None:
            return []
        kind = family(self.graph.type_of(left, block))
        return [(left, right)] if kind and kind == family(self.graph.type_of(right, other_block)) else []

    # --- FROM ------------------------------------------------------------------------------------------------------

    def _relation(self, block: Block, relation: Relation, equal: Equalities) -> Settled:
        """`equal` holds for the rows of this relation that matter."""
        match relation:
            case Join():
                return self._join(block, relation, equal)
            case Scan():
                return Settled(self._scan(block, relation))
            case Derived() | CteScan():
                return self._settled[block.index, relation.alias]
            case FunctionScan():
                return Settled(COPIED)
        raise refused("table form", "this FROM item")

    def _table(self, block: Block, relation: Derived | CteScan) -> Settled:
        if isinstance(relation, Derived):
            return self._derived(block, relation.query, relation.column_aliases, relation, block)
        shared = block.ctes.get(relation.name)
        shown = f"WITH {relation.name}"
        if shared is None:
            raise refused("subquery", shown, "it is not known")
        if relation.name in self._opened:
            raise refused("subquery", shown, "it refers to itself")
        aliases = (*relation.column_aliases, *shared.cte.column_aliases[len(relation.column_aliases) :])
        self._opened.append(relation.name)
        try:
            return self._derived(block, rows_of(shared.cte.query), aliases, relation, shared.outside)
        finally:
            self._opened.pop()

    def _scan(self, block: Block, scan: Scan) -> Locus:
        places, standing = self.places, self.places.of(scan.table)
        table = places.table(scan.table)
        kind = places.kind(scan.table)
        if scan.only or (scan.sample and not isinstance(standing, Sharded)):
            raise refused("table form", f"{'ONLY' if scan.only else 'TABLESAMPLE'} on {scan.table}")
        if kind not in (TableKind.TABLE, TableKind.PARTITIONED):
            raise refused("unvetted", f"the {kind} {scan.table}")
        if table is not None and table.row_security:
            raise refused("table form", f"row security on {scan.table}")
        if isinstance(standing, Copied):
            return COPIED
        if isinstance(standing, Single):
            raise refused("single apart", str(scan.table), standing.shard)
        if not isinstance(standing, Sharded):
            raise refused("catalogue", str(scan.table))
        columns = places.key_columns(scan.table)
        key = tuple(Site(block.index, scan.alias, column.name) for column in columns)
        families = tuple(None if column.nondeterministic else family(column.type) for column in columns)
        shown = tuple(f"{scan.alias}.{column.name}" for column in columns)
        return Locus(True, (key,), (), families, str(scan.table), shown)

    def _join(self, block: Block, join: Join, equal: Equalities) -> Settled:
        if join.natural and not join.using:
            raise refused("table form", "NATURAL JOIN")
        on = Equalities(tuple(self._on(block, join)))
        inner = join.kind in (JoinKind.INNER, JoinKind.CROSS)
        left = self._relation(block, join.left, equal + on if inner or join.kind is JoinKind.RIGHT else equal)
        right = self._relation(block, join.right, equal + on if inner or join.kind is JoinKind.LEFT else equal)
        matched = equal + on + left.equal + right.equal
        locus = self._joined(join.kind, left.locus, right.locus, matched)
        if inner:
            return Settled(locus, left.equal + right.equal + on)
        if join.kind is JoinKind.LEFT:
            return Settled(locus, left.equal + right.equal.loosened() + self._outwards(block, join.right, on))
        if join.kind is JoinKind.RIGHT:
            return Settled(locus, right.equal + left.equal.loosened() + self._outwards(block, join.left, on))
        return Settled(locus, left.equal.loosened() + right.equal.loosened())

    def _on(self, block: Block, join: Join) -> list[Pair]:
        pairs = self._pairs(block, join.on)
        for name in join.using:
            one, other = self._merged(block, join.left, name), self._merged(block, join.right, name)
            if one is not None and other is not None:
                kind = family(self.graph.type_of(one, block))
                if kind and kind == family(self.graph.type_of(other, block)):
                    pairs.append((one, other))
        return pairs

    def _merged(self, block: Block, relation: Relation, name: str) -> Site | None:
        if isinstance(relation, Join):
            if name in relation.using:
                if relation.kind is JoinKind.FULL:
                    return None
                return self._merged(block, relation.right if relation.kind is JoinKind.RIGHT else relation.left, name)
            return self._merged(block, relation.left, name) or self._merged(block, relation.right, name)
        if isinstance(relation, Scan):
            table = self.places.table(relation.table)
            if relation.column_aliases or table is None or table.column(name) is None:
                return None
            return Site(block.index, relation.alias, name)
        alias = alias_of(relation)
        return Site(block.index, alias, name) if name in block.leaves[alias].outputs else None

    def _outwards(self, block: Block, nullable: Relation, on: Equalities) -> Equalities:
        """An outer join's ON as edges: where the nullable side is real, the other side equals it."""
        inside = {alias_of(leaf) for leaf in leaves_of(nullable)}
        edges: list[Pair] = []
        for one, other in on.strict:
            if one.block == block.index and one.alias in inside:
                edges.append((one, other))
            if other.block == block.index and other.alias in inside:
                edges.append((other, one))
        return Equalities((), tuple(edges))

    def _joined(self, kind: JoinKind, left: Locus, right: Locus, matched: Equalities) -> Locus:
        if left.sharded and right.sharded:
            if not meets(left, right, matched):
                raise refused(
                    "join off key", left.table, right.table, ", ".join(left.columns), ", ".join(right.columns)
                )
            weak = left.weak + right.weak
            if kind is JoinKind.LEFT:
                return replace(left, weak=weak + right.keys)
            if kind is JoinKind.RIGHT:
                return replace(right, weak=weak + left.keys)
            if kind is JoinKind.FULL:
                return replace(left, keys=(), weak=weak + left.keys + right.keys)
            return replace(left, keys=left.keys + right.keys, weak=weak)
        if not left.sharded and not right.sharded:
            return COPIED
        sharded = left if left.sharded else right
        preserved = {JoinKind.LEFT: left, JoinKind.RIGHT: right}.get(kind)
        if kind is JoinKind.FULL or (preserved is not None and not preserved.sharded):
            raise refused("outer join", "a copied table", sharded.table)
        return sharded

    # --- queries as tables -----------------------------------------------------------------------------------------

    def _derived(
        self,
        block: Block,
        query: Query,
        aliases: tuple[str, ...],
        relation: Derived | CteScan,
        outside: Block | None,
    ) -> Settled:
        alias = relation.alias
        leaf = block.leaves[alias]
        names = output_names(query, aliases)
        if not is_sharded(query, self.places, block.ctes):
            check_everywhere(query, self.places, block.ctes)
            return Settled(COPIED)
        if not isinstance(query, Select):
            return Settled(self._positions(block, alias, names, query, outside))
        inner, settled = self.block(query, outside, block.ctes)
        leaf.inner = inner
        leaf.outputs = {name: item.expr for name, item in zip(names, query.items, strict=False)}
        links = [
            (Site(block.index, alias, name), site)
            for name, expr in leaf.outputs.items()
            if (site := self._column(inner, expr)) is not None
        ]
        if transparent(query):
            return Settled(self._with_outputs(settled, links), settled.equal + linked(links))
        self._whole(query, inner, settled, alias)
        keys = self._output_keys(settled, links, settled.locus.keys)
        return Settled(replace(settled.locus, keys=keys, weak=()))

    def _with_outputs(self, settled: Settled, links: list[Pair]) -> Locus:
        outputs = self._output_keys(settled, links, settled.locus.keys)
        weak = self._output_keys(settled, links, settled.locus.weak)
        return replace(settled.locus, keys=settled.locus.keys + outputs, weak=settled.locus.weak + weak)

    def _output_keys(self, settled: Settled, links: list[Pair], inner: tuple[Key, ...]) -> tuple[Key, ...]:
        """The inner keys in terms of output columns."""
        keys: list[Key] = []
        for key in inner:
            found = [next((out for out, site in links if settled.equal.same(site, column)), None) for column in key]
            named = tuple(site for site in found if site is not None)
            if len(named) == len(key) and named not in keys:
                keys.append(named)
        return tuple(keys)

    def _whole(self, query: Select, inner: Block, settled: Settled, name: str) -> None:
        """Each shard can do all of the block's own work: groups, distinct rows and windows lie on one shard each."""
        shown = f"the subquery {name}"
        if query.limit is not None or query.offset is not None:
            raise refused("subquery", shown, "LIMIT counts rows of all shards")
        if query.locking:
            raise refused("locking", query.locking)
        if query.grouping_sets:
            raise refused("grouping sets")
        if has_aggregate(query) and not self.covered(inner, query.group, settled):
            raise refused("subquery", shown, "its groups span shards")
        if query.distinct_on and not self.covered(inner, query.distinct_on, settled):
            raise refused("subquery", shown, "DISTINCT ON compares rows of different shards")
        items = tuple(item.expr for item in query.items)
        if query.distinct and not self.covered(inner, items, settled):
            raise refused("subquery", shown, "DISTINCT compares rows of different shards")
        if has_window(query):
            self.check_windows(query, inner, settled)

    def covered(self, block: Block, exprs: tuple[Expr, ...], settled: Settled) -> bool:
        """These expressions determine the shard."""
        return covers(self.columns(block, exprs), settled.locus, settled.equal)

    def check_windows(self, select: Select, block: Block, settled: Settled) -> None:
        for shown, partition in partitions(select):
            if not self.covered(block, partition, settled):
                raise refused("window", shown, ", ".join(settled.locus.columns))

    def _positions(self, block: Block, alias: str, names: list[str], query: Query, outside: Block | None) -> Locus:
        """A set operation as a table: its keys by output position."""
        locus, positions = self.arms(query, outside, block.ctes)
        keys = tuple(tuple(Site(block.index, alias, names[at]) for at in each) for each in positions)
        block.leaves[alias].outputs = {}
        return replace(locus, keys=keys, weak=())

    def arms(
        self,
        query: Query,
        parent: Block | None,
        ctes: Ctes,
        deduplicate: bool = False,
        top: bool = False,
    ) -> tuple[Locus, tuple[tuple[int, ...], ...]]:
        """The locus of a set operation's arms and the output positions that are its keys.

        With `deduplicate`, the caller drops duplicates of the whole, so UNION need not prove it can.
        """
        if isinstance(query, SetOperation):
            ctes = {**ctes, **{cte.name: Shared(cte, parent) for cte in query.with_.ctes}}
            return self._set_operation(query, parent, ctes, deduplicate, top)
        if isinstance(query, Values) or not isinstance(query, Select) or not is_sharded(query, self.places, ctes):
            raise refused("set operation", "UNION of sharded rows with rows that every shard has")
        block, settled = self.block(query, parent, ctes)
        if not settled.locus.sharded:
            raise refused("subquery", "an arm of the set operation", "only its subqueries are sharded")
        if not transparent(query):
            self._whole(query, block, settled, "in the set operation")
        sites = [self._column(block, item.expr) for item in query.items]
        return settled.locus, positions_of(settled, sites)

    def _set_operation(
        self, query: SetOperation, parent: Block | None, ctes: Ctes, deduplicate: bool, top: bool
    ) -> tuple[Locus, tuple[tuple[int, ...], ...]]:
        plain = query.operator == "union"
        if (query.limit is not None or query.offset is not None) and not top:
            raise refused("subquery", "the set operation", "LIMIT counts rows of all shards")
        left, one = self.arms(query.left, parent, ctes, deduplicate and plain)
        right, other = self.arms(query.right, parent, ctes, deduplicate and plain)
        common = tuple(each for each in one if each in other) if left.families == right.families else ()
        shown = f"{query.operator.upper()}{' ALL' if query.all else ''}"
        if not (plain and (query.all or deduplicate)) and not common:
            raise refused("set operation", shown)
        return left, common

    # --- subqueries in expressions ---------------------------------------------------------------------------------

    def _subquery(self, block: Block, settled: Settled, query: Query, operand: Expr | None) -> None:
        """`operand` is set for `operand IN (query)` where only truth matters."""
        if not is_sharded(query, self.places, block.ctes):
            check_everywhere(query, self.places, block.ctes)
            return
        shown = "the subquery"
        if not settled.locus.sharded:
            raise refused("subquery", shown, "it reads a sharded table for rows that every shard has")
        if not isinstance(query, Select):
            raise refused("subquery", shown, "it is a set operation")
        inner, below = self.block(query, block, block.ctes)
        equal = settled.equal + below.equal
        if meets(settled.locus, below.locus, equal):
            return
        if operand is not None:
            operands = operand.items if isinstance(operand, RowOf) else (operand,)
            pairs = [
                pair
                for one, item in zip(operands, query.items, strict=False)
                for pair in self._equal(block, one, inner, item.expr)
            ]
            if not transparent(query):
                self._whole(query, inner, below, "in IN")
            if meets(settled.locus, below.locus, equal + Equalities(tuple(pairs))):
                return
        raise refused(
            "subquery",
            f"the subquery over {below.locus.table or 'a sharded table'}",
            f"it is not tied to the shard key of {settled.locus.table}",
        )
