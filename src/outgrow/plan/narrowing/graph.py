"""The equalities of one block and of everything read as part of it, and how constants flow through them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from outgrow.plan.blocks import Block, Leaf, Region, Site, bare_column, family, scan_column
from outgrow.plan.narrowing.facts import TRUE, Conjunction, Facts, Reader, all_of
from outgrow.plan.narrowing.keyset import Choice, Everything, KeySet, Match, Nothing, Null, either, spans
from outgrow.schema import Column, Order, Schema
from outgrow.statement.tree import ColumnRef, Delete, Scan, Select, Update

#: For each disjunct, every site's choices.
Solution = list[dict[Site, list[Choice]]]


def known_choice(site: Site, solution: Solution) -> Choice | None:
    """One choice that covers the site in every disjunct, None where some disjunct says nothing."""
    union: list[Choice] = []
    for disjunct in solution:
        choices = disjunct.get(site)
        if not choices:
            return None
        # Values say more than an order does.
        best = next((choice for choice in choices if not spans(choice)), choices[0])
        if best not in union:
            union.append(best)
    return tuple(candidate for choice in union for candidate in choice) if union else None


@dataclass(slots=True)
class Graph:
    schema: Schema
    facts: Facts = TRUE
    edges: list[tuple[Site, Site]] = field(default_factory=list)
    preset: list[tuple[Site, Choice]] = field(default_factory=list)
    scans: list[tuple[Block, Leaf, str]] = field(default_factory=list)
    blocks: list[tuple[Block, Select | Update | Delete]] = field(default_factory=list)
    #: Leaves of inner blocks whose own condition is never true.
    dead: set[int] = field(default_factory=set)
    #: Families of types whose keys lie by range.
    ranged: frozenset[str] = frozenset()
    #: Families whose keys lie where their first column says: those, and where keys stand in a directory.
    by_first: frozenset[str] = frozenset()

    def add(self, facts: Facts) -> None:
        self.facts = all_of([self.facts, facts])

    # --- columns ---------------------------------------------------------------------------------------------------

    def site(self, block: Block, ref: ColumnRef) -> Site | None:
        """The site a reference in `block` means; None for names that FULL JOIN … USING merged."""
        owner = block.owner(ref)
        if owner is None or (ref.bare and ref.name in owner.merged):
            return None
        leaf = owner.leaves[ref.relation]
        name = scan_column(leaf.relation, ref.name, self.schema) if isinstance(leaf.relation, Scan) else ref.name
        return Site(owner.index, ref.relation, name)

    def shadowed(self, site: Site, region: Region) -> Site:
        """The site as a fact of `region` may speak about it."""
        leaf = self._leaf(site)
        if not region or (leaf is not None and leaf.region[: len(region)] == region):
            return site
        shadow = site._replace(shadow=region)
        if (site, shadow) not in self.edges:
            self.edges.append((site, shadow))
        return shadow

    def reader(self, block: Block, region: Region) -> Reader:
        """Reads conditions of `block` that hold for rows of `region`."""

        def resolve(ref: ColumnRef) -> Site | None:
            site = self.site(block, ref)
            return self.shadowed(site, region) if site is not None else None

        def may_be_null(site: Site) -> bool:
            leaf = self._leaf(site)
            return site.shadow is None and leaf is not None and leaf.region == region

        return Reader(
            resolve,
            lambda site: self.type_of(site, block),
            may_be_null,
            lambda site: self._order_of(site, block) if self.ranged else None,
        )

    def _leaf(self, site: Site) -> Leaf | None:
        for block, _ in self.blocks:
            if block.index == site.block:
                return block.leaves.get(site.alias)
        return None

    def type_of(self, site: Site, near: Block) -> str | None:
        """A site's type, None where equality on it is not understood (nondeterministic collations included)."""
        found = self._origin(site, near)
        if isinstance(found, Column):
            return None if found.nondeterministic else found.type
        return found

    def _order_of(self, site: Site, near: Block) -> str | None:
        """A site's type where its keys lie by range, and `<` compares in the order by which they are cut."""
        found = self._origin(site, near)
        if isinstance(found, Column):
            kind: str | None = None if found.nondeterministic or found.order is Order.LINGUISTIC else found.type
        else:
            # Which collation a column of a set operation has is decided over all of its arms.
            kind = None if family(found) == "text" else found
        return kind if family(kind) in self.ranged else None

    def _origin(self, site: Site, near: Block) -> Column | str | None:
        """The table's column that a site is, or the type that all arms of a set operation agree on."""
        for block in self._in_sight(near):
            if block.index != site.block:
                continue
            leaf = block.leaves.get(site.alias)
            if leaf is None:
                return None
            if isinstance(leaf.relation, Scan):
                table = self.schema.tables.get(leaf.relation.table)
                return table.column(site.column) if table is not None else None
            if site.column in leaf.types:
                return leaf.types[site.column]
            expr = leaf.outputs.get(site.column)
            column_ref = bare_column(expr) if expr is not None else None
            if leaf.inner is None or column_ref is None:
                return None
            below = self.site(leaf.inner, column_ref)
            return self._origin(below, leaf.inner) if below is not None else None
        return None

    def _in_sight(self, near: Block) -> Iterator[Block]:
        for block, _ in self.blocks:
            yield block
        outer: Block | None = near
        while outer is not None:
            yield outer
            outer = outer.parent

    # --- results ---------------------------------------------------------------------------------------------------

    def foreign_sites(self) -> set[Site]:
        """Sites of enclosing blocks that are not part of this graph."""
        own = {block.index for block, _ in self.blocks}
        sites = {site for edge in self.edges for site in edge}
        for conjunction in self.facts:
            sites.update(site for edge in conjunction.edges for site in edge)
        return {site for site in sites if site.block not in own and site.shadow is None}

    def solve(self) -> Solution:
        return [self._solve(conjunction) for conjunction in self.facts]

    def _solve(self, conjunction: Conjunction) -> dict[Site, list[Choice]]:
        follow: dict[Site, set[Site]] = {}
        for source, target in (*self.edges, *conjunction.edges):
            follow.setdefault(source, set()).add(target)
        known: dict[Site, list[Choice]] = {}
        for start, choice in (*self.preset, *conjunction.choices):
            reached = {start}
            # NULL is not equal to NULL: it stays where it was said.
            stack = [] if any(isinstance(candidate, Null) for candidate in choice) else [start]
            while stack:
                for target in follow.get(stack.pop(), ()):
                    if target not in reached:
                        reached.add(target)
                        stack.append(target)
            for site in reached:
                choices = known.setdefault(site, [])
                if choice not in choices:
                    choices.append(choice)
        return known

    def key_set(self, block: Block, leaf: Leaf, columns: tuple[str, ...], solution: Solution) -> KeySet:
        """The keys that a scan of a sharded table can need."""
        if id(leaf) in self.dead or not solution:
            return Nothing()
        alias = leaf.relation.alias if isinstance(leaf.relation, Scan) else ""
        first = Site(block.index, alias, columns[0])
        by_first = self.by_first and family(self.type_of(first, block)) in self.by_first
        options: list[KeySet] = []
        for disjunct in solution:
            choices = [tuple(disjunct.get(Site(block.index, alias, column), ())) for column in columns]
            known = choices[0] if by_first else all(choices)
            options.append(Match(tuple(choices)) if known else Everything())
        return either(options)
