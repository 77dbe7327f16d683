"""Every occurrence of a table in a statement, and which key values each can need.

One graph (`plan.graph`) holds the equalities of a block together with those of everything that can be read as part of
it: derived tables and single-use CTEs, EXISTS and IN (SELECT …) that must be true.  Whatever cannot be read so (arms
of set operations, other subqueries) is analysed on its own, with what the enclosing graph knows about the columns it
refers to.  A table that the walk missed counts with every key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from outgrow.plan.blocks import (
    Block,
    Ctes,
    Leaf,
    Region,
    Shared,
    Site,
    agreed_types,
    alias_of,
    bare_column,
    family,
    full_merged,
    has_aggregate,
    leaves_of,
    narrowable,
    output_names,
    scan_column,
    transparent,
)
from outgrow.plan.narrowing.facts import NEVER, TRUE, Facts, Reader, all_of
from outgrow.plan.narrowing.graph import Graph, Solution, known_choice
from outgrow.plan.narrowing.keyset import Choice, Everything, KeySet
from outgrow.plan.narrowing.strictness import reduced
from outgrow.plan.walking import children, conjuncts, everything_below
from outgrow.schema import Schema
from outgrow.statement.tree import (
    Cte,
    CteScan,
    Delete,
    Derived,
    Exists,
    Expr,
    Insert,
    Join,
    JoinKind,
    Quantified,
    Query,
    Relation,
    Scan,
    Select,
    SetOperation,
    Tree,
    Update,
    Values,
)
from outgrow.topology import TableName


@dataclass(frozen=True, slots=True)
class Found:
    """One occurrence of a table; `role` as in `plan.model.ScanKeys`."""

    table: TableName
    alias: str
    role: str
    keys: KeySet


@dataclass(frozen=True, slots=True)
class Inserted:
    """An INSERT; `known` holds, per column of its SELECT, the choices proved for it."""

    tree: Insert
    known: tuple[Choice | None, ...]


@dataclass(frozen=True, slots=True)
class Updated:
    """An UPDATE with its target's key set, and the choices proved for each key column."""

    tree: Update
    keys: KeySet
    known: dict[str, Choice | None]


class Surveyor:
    """Walks one statement; afterwards `found`, `inserts` and `updates` hold what it met."""

    def __init__(
        self,
        schema: Schema,
        tree: Tree,
        keys_of: dict[TableName, tuple[str, ...]],
        ranged: frozenset[str] = frozenset(),
        by_first: frozenset[str] = frozenset(),
    ) -> None:
        self.schema = schema
        self.ranged, self.by_first = ranged, by_first
        self.tree = tree
        self.keys_of = keys_of
        self.found: list[Found] = []
        self.inserts: list[Inserted] = []
        self.updates: list[Updated] = []
        self._numbers, self._joins = count(), count(1)
        self._seen: Counter[int] = Counter()
        #: Queries that were read as part of an enclosing graph.
        self._inlined: set[int] = set()
        self._solutions: dict[int, Solution] = {}
        names = [node.name for node in everything_below(tree) if isinstance(node, Cte | CteScan)]
        self._once = {name for name, times in Counter(names).items() if times == 2}

    def run(self) -> Surveyor:
        self._tree(self.tree, None, {}, ())
        there = Counter(id(node) for node in everything_below(self.tree) if isinstance(node, Scan))
        for node in everything_below(self.tree):
            if isinstance(node, Scan) and there[id(node)] > self._seen[id(node)]:
                self.found.append(Found(node.table, node.alias, "reads", Everything()))
        return self

    # --- trees -----------------------------------------------------------------------------------------------------

    def _tree(self, tree: Tree, parent: Block | None, ctes: Ctes, pushed: tuple[Choice | None, ...]) -> None:
        """Analyse a tree on its own; `pushed` says what is known about its output columns from outside."""
        ctes = self._with(tree, parent, ctes)
        if isinstance(tree, Select):
            self._select(tree, parent, ctes, pushed)
        elif isinstance(tree, SetOperation):
            below = pushed if tree.limit is None and tree.offset is None else ()
            self._tree(tree.left, parent, ctes, below)
            self._tree(tree.right, parent, ctes, below)
            self._loose((tree.limit, tree.offset), Block(next(self._numbers), parent, ctes), ctes)
        elif isinstance(tree, Values):
            own = Block(next(self._numbers), parent, ctes)
            self._loose((*tree.rows, tree.order, tree.limit, tree.offset), own, ctes)
        elif isinstance(tree, Insert):
            self._insert(tree, parent, ctes)
        elif isinstance(tree, Update | Delete):
            self._change(tree, parent, ctes)

    def _with(self, tree: Tree, parent: Block | None, ctes: Ctes) -> Ctes:
        """The CTEs in sight of `tree`; those that are not read as part of a block are analysed here."""
        with_ = tree.with_
        if not with_.ctes:
            return ctes
        inside = dict(ctes)
        for cte in with_.ctes:
            if with_.recursive or cte.name not in self._once or not isinstance(cte.query, Select):
                inside.pop(cte.name, None)
                self._tree(cte.query, parent, inside, ())
            else:
                inside[cte.name] = Shared(cte, parent)
        return inside

    def _select(
        self, tree: Select, parent: Block | None, ctes: Ctes, pushed: tuple[Choice | None, ...]
    ) -> tuple[Block, Solution]:
        graph = Graph(self.schema, ranged=self.ranged, by_first=self.by_first)
        block = self._open(graph, tree, parent, ctes, ())
        for item, choice in zip(tree.items, pushed, strict=False):
            column = bare_column(item.expr)
            if choice and column is not None and self._may_push(tree, item.expr):
                site = graph.site(block, column)
                if site is not None and family(graph.type_of(site, block)) is not None:
                    graph.preset.append((site, choice))
        return block, self._close(graph)

    def _insert(self, tree: Insert, parent: Block | None, ctes: Ctes) -> None:
        known: list[Choice | None] = []
        own = Block(next(self._numbers), parent, ctes)
        if isinstance(tree.source, Select):
            block, solution = self._select(tree.source, own, self._with(tree.source, own, ctes), ())
            for item in tree.source.items:
                column = bare_column(item.expr)
                site = Graph(self.schema).site(block, column) if column is not None else None
                known.append(known_choice(site, solution) if site is not None else None)
        elif tree.source is not None:
            self._tree(tree.source, own, ctes, ())
        self.inserts.append(Inserted(tree, tuple(known)))
        self._loose((tree.returning, tree.conflict_values, tree.conflict_where), own, ctes)

    def _change(self, tree: Update | Delete, parent: Block | None, ctes: Ctes) -> None:
        graph = Graph(self.schema, ranged=self.ranged, by_first=self.by_first)
        block = Block(next(self._numbers), parent, ctes)
        graph.blocks.append((block, tree))
        target = Leaf(Scan(tree.table, tree.alias), ())
        block.leaves[tree.alias] = target
        graph.scans.append((block, target, "writes"))
        self._from(graph, block, tree.source, tree.where, ())
        before = len(self.found)
        solution = self._close(graph)
        if isinstance(tree, Update):
            sites = {name: Site(block.index, tree.alias, name) for name in self.keys_of.get(tree.table, ())}
            known = {name: known_choice(site, solution) for name, site in sites.items()}
            self.updates.append(Updated(tree, self.found[before].keys, known))

    # --- one block -------------------------------------------------------------------------------------------------

    def _open(self, graph: Graph, select: Select, parent: Block | None, ctes: Ctes, region: Region) -> Block:
        """Read a SELECT into the graph."""
        block = Block(next(self._numbers), parent, ctes)
        graph.blocks.append((block, select))
        self._from(graph, block, select.source, select.where, region)
        return block

    def _from(self, graph: Graph, block: Block, source: Relation | None, where: Expr | None, region: Region) -> None:
        block.merged.update(full_merged(source))
        source = reduced(source, where, block.merged)
        self._leaves(graph, block, source, region)
        self._joined(graph, block, source, region)
        if where is not None:
            graph.add(graph.reader(block, region).read(where))
            self._semijoins(graph, block, where, region)

    def _leaves(self, graph: Graph, block: Block, relation: Relation | None, region: Region) -> None:
        """Register every FROM item with its region, before any condition is read."""
        if isinstance(relation, Join):
            left = right = region
            if relation.kind in (JoinKind.LEFT, JoinKind.FULL):
                right = (*region, next(self._joins))
            if relation.kind in (JoinKind.RIGHT, JoinKind.FULL):
                left = (*region, next(self._joins))
            self._leaves(graph, block, relation.left, left)
            self._leaves(graph, block, relation.right, right)
        elif relation is not None:
            leaf = block.leaves[alias_of(relation)] = Leaf(relation, region)
            if isinstance(relation, Scan):
                self._seen[id(relation)] += 1
                graph.scans.append((block, leaf, "reads"))

    def _joined(self, graph: Graph, block: Block, relation: Relation | None, region: Region) -> None:
        """Read ON, USING, derived tables and CTEs."""
        if isinstance(relation, Join):
            self._join(graph, block, relation, region)
        elif isinstance(relation, Derived):
            self._derived(graph, block, relation.query, relation.column_aliases, relation.alias, block)
        elif isinstance(relation, CteScan):
            shared = block.ctes.get(relation.name)
            if shared is not None and isinstance(shared.cte.query, Select):
                named = shared.cte.column_aliases
                aliases = (*relation.column_aliases, *named[len(relation.column_aliases) :])
                self._derived(graph, block, shared.cte.query, aliases, relation.alias, shared.outside)

    def _join(self, graph: Graph, block: Block, join: Join, region: Region) -> None:
        left = right = region
        if join.kind in (JoinKind.LEFT, JoinKind.FULL):
            right = self._region_of(block, join.right, len(region) + 1)
        if join.kind in (JoinKind.RIGHT, JoinKind.FULL):
            left = self._region_of(block, join.left, len(region) + 1)
        self._joined(graph, block, join.left, left)
        self._joined(graph, block, join.right, right)
        if join.kind is JoinKind.FULL:
            return
        place = left if join.kind is JoinKind.RIGHT else right
        reader = graph.reader(block, place)
        facts = [reader.read(join.on)] if join.on is not None else []
        facts.extend(self._using(graph, block, join, place, reader))
        read = all_of(facts)
        if join.on is not None:
            self._semijoins(graph, block, join.on, place)
        # A condition that is never true inside an outer join leaves the preserved side as it was.
        graph.add(read if read or not place else TRUE)

    def _region_of(self, block: Block, relation: Relation, depth: int) -> Region:
        """The region that an outer join gave its nullable side."""
        return next(block.leaves[alias_of(leaf)].region for leaf in leaves_of(relation))[:depth]

    def _using(self, graph: Graph, block: Block, join: Join, region: Region, reader: Reader) -> Iterator[Facts]:
        for name in join.using:
            one, other = self._merged(block, join.left, name), self._merged(block, join.right, name)
            if one is not None and other is not None:
                yield reader.joined(graph.shadowed(one, region), graph.shadowed(other, region))

    def _merged(self, block: Block, relation: Relation, name: str) -> Site | None:
        """The column that an earlier USING left under `name`."""
        if isinstance(relation, Join):
            if name in relation.using:
                if relation.kind is JoinKind.FULL:
                    return None
                side = relation.right if relation.kind is JoinKind.RIGHT else relation.left
                return self._merged(block, side, name)
            return self._merged(block, relation.left, name) or self._merged(block, relation.right, name)
        if isinstance(relation, Scan):
            own = scan_column(relation, name, self.schema)
            table = self.schema.tables.get(relation.table)
            known = table is not None and table.column(own) is not None
            return Site(block.index, relation.alias, own) if known else None
        alias = alias_of(relation)
        return Site(block.index, alias, name) if name in block.leaves[alias].outputs else None

    def _semijoins(self, graph: Graph, block: Block, where: Expr, region: Region) -> None:
        """EXISTS and IN (SELECT …) that must be true are joins that do not multiply."""
        for conjunct in conjuncts(where):
            query: Any = conjunct.query if isinstance(conjunct, Exists) else None
            if isinstance(conjunct, Quantified) and conjunct.operator == "=" and conjunct.quantifier == "any":
                query = conjunct.of
            if not isinstance(query, Select) or not transparent(query) or query.with_.ctes:
                continue
            inner = self._nested(graph, query, block, block.ctes, region)
            if inner is None or not isinstance(conjunct, Quantified):
                continue
            reader, below = graph.reader(block, region), graph.reader(inner, region)
            operands = getattr(conjunct.operand, "items", (conjunct.operand,))
            for operand, item in zip(operands, query.items, strict=False):
                one, other = reader.site(operand), below.site(item.expr)
                if one is not None and other is not None:
                    graph.add(reader.joined(one, other))

    def _nested(self, graph: Graph, select: Select, parent: Block | None, ctes: Ctes, region: Region) -> Block | None:
        """Read an inner SELECT into the graph; if its condition is never true, only its own scans have no rows."""
        self._inlined.add(id(select))
        before, scans = graph.facts, len(graph.scans)
        graph.facts = TRUE
        inner = self._open(graph, select, parent, ctes, region)
        own, graph.facts = graph.facts, before
        if own == NEVER:
            graph.dead.update(id(leaf) for _, leaf, _ in graph.scans[scans:])
            return None
        graph.add(own)
        return inner

    def _derived(
        self, graph: Graph, block: Block, query: Query, aliases: tuple[str, ...], alias: str, outside: Block | None
    ) -> None:
        leaf = block.leaves[alias]
        if not isinstance(query, Select):
            names = output_names(query, aliases)
            leaf.types = {name: type for name, type in zip(names, agreed_types(query), strict=False) if type}
            return
        inner = self._nested(graph, query, outside, self._with(query, outside, block.ctes), leaf.region)
        if inner is None:
            return
        leaf.inner = inner
        leaf.outputs = {name: item.expr for name, item in zip(output_names(query, aliases), query.items, strict=False)}
        for name, expr in leaf.outputs.items():
            column = bare_column(expr)
            below = graph.site(inner, column) if column is not None else None
            if below is None:
                continue
            site = Site(block.index, alias, name)
            if not has_aggregate(query) or expr in query.group:
                graph.edges.append((below, site))
            if self._may_push(query, expr):
                graph.edges.append((site, below))

    def _may_push(self, select: Select, expr: Expr) -> bool:
        """A condition on the output column `expr` may restrict the rows that the block reads."""
        return narrowable(select) and (not has_aggregate(select) or expr in select.group)

    # --- results ---------------------------------------------------------------------------------------------------

    def _close(self, graph: Graph) -> Solution:
        """All conditions are read: let constants flow, record the scans' key sets, then look at what was left out."""
        for site in graph.foreign_sites():
            choice = known_choice(site, self._solutions.get(site.block, []))
            if choice:
                graph.preset.append((site, choice))
        solution = graph.solve()
        for block, leaf, role in graph.scans:
            assert isinstance(leaf.relation, Scan)
            columns = self.keys_of.get(leaf.relation.table)
            keys = graph.key_set(block, leaf, columns, solution) if columns else Everything()
            self.found.append(Found(leaf.relation.table, leaf.relation.alias, role, keys))
        for block, _ in graph.blocks:
            self._solutions[block.index] = solution
        for block, tree in graph.blocks:
            self._left_out(block, tree, solution)
        return solution

    def _left_out(self, block: Block, tree: Select | Update | Delete, solution: Solution) -> None:
        """Set operations in FROM, with what is known about their columns; then all other subqueries."""
        for leaf in list(block.leaves.values()):
            relation = leaf.relation
            if isinstance(relation, Derived) and not isinstance(relation.query, Select):
                names = output_names(relation.query, relation.column_aliases)
                pushed = [known_choice(Site(block.index, relation.alias, name), solution) for name in names]
                self._inlined.add(id(relation.query))
                self._tree(relation.query, block, block.ctes, tuple(pushed))
        skip = {id(cte) for cte in tree.with_.ctes}
        self._loose(tuple(part for part in children(tree) if part is not tree.with_), block, block.ctes, skip)

    def _loose(self, nodes: Any, parent: Block | None, ctes: Ctes, skip: set[int] | None = None) -> None:
        """Queries inside expressions that nobody read yet."""
        stack = [nodes]
        while stack:
            here = stack.pop()
            if isinstance(here, tuple):
                stack.extend(here)
            elif isinstance(here, Query):
                if id(here) not in self._inlined:
                    self._inlined.add(id(here))
                    self._tree(here, parent, ctes, ())
            elif here is not None and not isinstance(here, str | int | bool) and id(here) not in (skip or ()):
                stack.extend(children(here))
