"""Views: their SELECT while a statement is planned, their name where each shard can be asked for its part of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple, TypeVar

from outgrow.errors import Error
from outgrow.plan.cutting.vetting import vet
from outgrow.plan.placing import Places, Unlisted
from outgrow.plan.refusals import Refused, refuse
from outgrow.schema import TableKind
from outgrow.statement import Expanded, Obstacle, View, transform, with_views
from outgrow.statement.model import Statement
from outgrow.statement.tree import Derived, Query, Scan, Tree
from outgrow.topology import Single, TableName

T = TypeVar("T", bound=Tree)


class Seen(NamedTuple):
    """A statement with its views as what they are."""

    statement: Statement
    views: tuple[View, ...] = ()
    #: Why only one shard may run it, as it was written; None for nothing.
    refusal: Error | None = None


def seen_through(statement: Statement, places: Places) -> Seen:
    """The statement over the tables behind its views.

    A view that `fleet.yaml` gives a place is what is said there if it cannot be taken for its SELECT, and in any case
    if it is said to live on one shard.  Raises Refused for one that has no place and cannot be.
    """
    placed = {name for name in statement.reads if name in places.domain.tables and places.kind(name) is TableKind.VIEW}
    single = {name for name in placed if isinstance(places.of(name), Single)}
    try:
        made = _made(statement, places, single)
    except Refused:
        if placed == single:
            raise
        made = _made(statement, places, placed)
    return Seen(made.statement, made.views, next(_refusals(made.views), None))


def _made(statement: Statement, places: Places, named: Collection[TableName]) -> Expanded:
    """With all views but the `named` ones as what they are, over tables that have their places."""
    try:
        made = with_views(statement, places.schema, named)
    except Obstacle as obstacle:
        raise Refused(refuse("view", str(obstacle.view), obstacle.why)) from None
    for view in made.views:
        for name in view.statement.reads:
            if isinstance(places.of(name), Unlisted):
                shown, proposal = f"{name} (of the view {view.name})", places.proposal(name)
                raise Refused(refuse("unlisted table", shown, places.domain.name, proposal))
    return made


def _refusals(views: Iterable[View]) -> Iterator[Error]:
    for view in views:
        if view.unlike:
            yield refuse("view", str(view.name), view.unlike)
        try:
            vet(view.statement, alone=True)
        except Refused as refusal:
            yield refuse("view", str(view.name), refusal.error.message)


def by_name(tree: T, views: Iterable[View]) -> T:
    """The tree with what is a view's SELECT, all of it, written as the view: a server lets its readers see more.

    Only for what a shard is asked of itself alone.
    """
    known: list[tuple[Query, TableName]] = []

    def change(node: object) -> object:
        if isinstance(node, Derived):
            for query, name in known:
                if node.query == query:
                    return Scan(name, node.alias, column_aliases=node.column_aliases, qualified=True)
        return node

    for view in views:
        query = view.statement.tree
        assert isinstance(query, Query)
        known.append((transform(query, change), view.name))
    return transform(tree, change) if known else tree


__all__ = ["Seen", "by_name", "seen_through"]
