"""Writing statements as the queries of their rows, so that what is proved of a SELECT is proved of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from outgrow.statement.tree import (
    ColumnRef,
    Delete,
    Expr,
    Insert,
    Item,
    Join,
    JoinKind,
    Query,
    Relation,
    Scan,
    Select,
    Template,
    Tree,
    Update,
)

Write = Insert | Update | Delete


def as_query(tree: Update | Delete) -> Select:
    """The query whose rows an UPDATE or DELETE changes, with all that it computes from them."""
    source: Relation = Scan(tree.table, tree.alias, only=tree.only, qualified=tree.qualified)
    if tree.source is not None:
        source = Join(JoinKind.CROSS, source, tree.source)
    items = tree.returning
    if isinstance(tree, Update):
        items = (*(Item(expr, name) for name, expr in tree.assigns), *items)
    return Select(items, source, tree.where, with_=tree.with_)


def returned_rows(tree: Write) -> Select:
    """The rows that RETURNING gives.

    A condition speaks of a row as it was: of columns that an UPDATE assigns it says nothing here.
    """
    if isinstance(tree, Insert):
        return Select(tree.returning, Scan(tree.table, tree.alias))
    changed = {name for name, _ in tree.assigns} if isinstance(tree, Update) else set()
    items = tuple(replace(item, expr=_opaque(item.expr, tree.alias, changed)) for item in tree.returning)
    return replace(as_query(tree), items=items)


def rows_of(query: Query | Write) -> Query:
    """The rows of a WITH's query; those of a writing one are what it returns, and lie where it writes."""
    return returned_rows(query) if isinstance(query, Insert | Update | Delete) else query


def _opaque(expr: Expr, alias: str, changed: set[str]) -> Expr:
    if isinstance(expr, ColumnRef) and expr.relation == alias and expr.name not in changed:
        return expr
    return Template(("(", ")"), (expr,))


def writing_parts(tree: Tree) -> Iterator[Write]:
    """The statements of a WITH that write, in order, then the statement itself where it does."""
    for cte in tree.with_.ctes:
        if isinstance(cte.query, Insert | Update | Delete):
            yield cte.query
    if isinstance(tree, Insert | Update | Delete):
        yield tree
