"""Views as what they are: their SELECT in place of their name.

A server does the same before it plans.  Here it is done so that planning sees the tables behind a view: whose keys its
columns are, and what each shard has of it.  The text is kept: one shard is sent the view's name, as it was written.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from outgrow.errors import Error
from outgrow.schema import Schema, Table, TableKind
from outgrow.statement.bind import bind
from outgrow.statement.model import Effect, Statement
from outgrow.statement.tree import ColumnRef, Derived, Query, Scan, Select, SetOperation, Tree, Values, WholeRow
from outgrow.statement.walk import children, transform, walk
from outgrow.topology import TableName

#: Levels of a tree with its views; what is deeper is not expanded, because nobody recurses into it.
DEPTH_MAX = 150


class Obstacle(Exception):
    """Why this view is not taken for its SELECT."""

    def __init__(self, view: TableName, why: str) -> None:
        super().__init__(view, why)
        self.view, self.why = view, why


@dataclass(frozen=True, slots=True)
class View:
    """A view that a statement names, or that one of its views does."""

    name: TableName
    #: What stands in its place.
    statement: Statement
    #: Why that would be another thing than the view; "" for nothing.
    unlike: str = ""


@dataclass(frozen=True, slots=True)
class Expanded:
    """A statement with its views as what they are; `views` are those, innermost first."""

    statement: Statement
    views: tuple[View, ...]


def with_views(statement: Statement, schema: Schema, named: Collection[TableName] = ()) -> Expanded:
    """The statement with every view but the `named` ones expanded, nested ones too.

    Raises Obstacle for a view that cannot be.
    """
    views = _Views(schema, named)
    made = views.put_into(statement)
    return Expanded(made, tuple(views.found.values())) if views.found else Expanded(statement, ())


class _Views:
    """The views that were met, as what they are."""

    def __init__(self, schema: Schema, named: Collection[TableName]) -> None:
        self.schema, self.named = schema, named
        self.found: dict[TableName, View] = {}

    def put_into(self, statement: Statement, within: tuple[TableName, ...] = ()) -> Statement:
        """The statement over what its views are; what they read and do, it does.  `within`: the views it is part of."""
        reads: dict[TableName, None] = {}
        effects = dict.fromkeys(statement.effects)
        met = False
        for name in statement.reads:
            table = self._view(name) if statement.tree is not None else None
            if table is None:
                reads[name] = None
                continue
            met = True
            inside = self._defined(table, within)
            reads |= dict.fromkeys(inside.reads)
            effects |= dict.fromkeys(Effect(_in(effect.what, name), effect.kind) for effect in inside.effects)
        if not met:
            return statement
        tree = transform(self._watched(statement.tree), self._instead)
        if _depth(tree) > DEPTH_MAX:
            raise Obstacle(next(reversed(self.found)), "it makes the statement too deep a nesting")
        return replace(statement, tree=tree, reads=tuple(reads), effects=tuple(effects))

    def _view(self, name: TableName) -> Table | None:
        """The view of this name, if its SELECT is to stand for it."""
        table = self.schema.tables.get(name)
        if table is None or table.kind is not TableKind.VIEW or name in self.named:
            return None
        return table if table.definition is not None and self.schema.engine == "postgresql" else None

    def _defined(self, table: Table, within: tuple[TableName, ...]) -> Statement:
        name = table.name
        if name in within:
            raise Obstacle(name, "it is defined by itself")
        if name not in self.found:
            assert table.definition is not None
            try:
                bound = bind(table.definition, self.schema, parameters=False)
            except Error as error:
                raise Obstacle(name, error.message) from None
            if not isinstance(bound.tree, Query):
                raise Obstacle(name, "; ".join(effect.what for effect in bound.effects))
            names = tuple(column.name for column in table.columns)
            if _names(bound.tree) != names:
                raise Obstacle(name, f"its columns are not understood to be {', '.join(names)}")
            made = self.put_into(bound, (*within, name))
            unlike = "it is a security barrier" if table.security_barrier else ""
            self.found[name] = View(name, replace(made, tree=transform(made.tree, _with_schema)), unlike)
        return self.found[name].statement

    def _watched(self, tree: Tree | None) -> Tree:
        """The tree, when it is noted which views it uses in a way that their SELECT does not stand for."""
        assert tree is not None
        for node in walk(tree):
            if isinstance(node, WholeRow) and node.table in self.found:
                self.found[node.table] = replace(self.found[node.table], unlike="its rows are used as one value")
        return tree

    def _instead(self, node: object) -> object:
        """What stands in place of views and of references to them."""
        if isinstance(node, Scan) and node.table in self.found:
            # A copy each: planning tells occurrences of a table apart by which object they are.
            query = transform(self.found[node.table].statement.tree, _anew)
            assert isinstance(query, Query)
            return Derived(query, node.alias, node.column_aliases)
        if isinstance(node, ColumnRef | WholeRow) and node.table in self.found:
            return replace(node, table=None)
        return node


def _in(what: str, view: TableName) -> str:
    return what if " in the view " in what else f"{what} in the view {view}"


def _with_schema(node: object) -> object:
    """Written so, a table cannot be taken for something under a statement's WITH."""
    return replace(node, qualified=True) if isinstance(node, Scan) else node


def _anew(node: object) -> object:
    return replace(node)  # type: ignore[type-var]


def _names(query: Query) -> tuple[str, ...]:
    while isinstance(query, SetOperation):
        query = query.left
    if isinstance(query, Values):
        return tuple(f"column{number}" for number in range(1, len(query.rows[0]) + 1))
    assert isinstance(query, Select)
    return tuple(item.name for item in query.items)


def _depth(node: object) -> int:
    deepest, level = 0, [node]
    while level:
        deepest += 1
        level = [child for each in level for child in children(each)]
    return deepest
