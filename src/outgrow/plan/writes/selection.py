"""A query whose rows are read to be written, or to be compared with: as text, which says a value of any type exactly.

It is planned as any query (one shard, scatter, or brought to one server), so what it means is settled there; here it is
only given another list of columns.  What types the text is of, one server says beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from outgrow.plan.blocks import first_items
from outgrow.plan.refusals import Refused, refused
from outgrow.plan.rendering import renumbered
from outgrow.plan.walking import everything_below
from outgrow.plan.writes.keymove import FAITHFUL
from outgrow.statement import Kind, Placeholders, Statement, render
from outgrow.statement.tree import (
    Cast,
    ColumnRef,
    Derived,
    Expr,
    Item,
    Join,
    JoinKind,
    Literal,
    Query,
    Scan,
    Select,
    Template,
    With,
)

if TYPE_CHECKING:
    from outgrow.plan.model import Plan

#: The query, as no text of a statement calls a table; its columns are c0, c1, …
READ = "outgrow read"

Build = Callable[[Statement], "Plan"]


@dataclass(frozen=True, slots=True)
class Typing:
    """A query of one row: the types of the columns, as `pg_typeof` shows them, and whether their text says all.

    `params` are the statement's (1-based), 0 stands for an array without elements; `shard` is "" for any.
    """

    sql: str
    params: tuple[int, ...]
    shard: str


@dataclass(frozen=True, slots=True)
class Selection:
    #: Gives the columns as text, then what else was asked for.
    source: Plan
    #: Which of the statement's parameters (1-based) are the source's.
    params: tuple[int, ...]
    #: How many columns the query has.
    width: int
    typing: Typing

    def describe(self) -> list[str]:
        """What explain shows, one plain phrase a step."""
        brought = self.source.brought
        if brought is not None:
            return brought.describe()
        return ["read the rows: " + (self.source.fragment_sql or self.source.statement.sql)]


def selection(statement: Statement, build: Build, query: Query, with_: With, more: Sequence[Expr] = ()) -> Selection:
    """The rows of one of the statement's queries, `more` computed from them (as `READ`).  Raises Refused.

    `with_` holds the CTEs that it may name.
    """
    width = len(first_items(query))
    names = [f"c{at}" for at in range(width)]
    columns: list[Expr] = [Cast(ColumnRef(READ, name), "text") for name in names]
    wanted = [*columns, *more] or [Literal("boolean", "true")]
    source, params = _built(statement, build, Select(_items(wanted), Derived(query, READ, tuple(names)), with_=with_))
    if source.refusal is not None and source.brought is None:
        raise Refused(source.refusal)
    if source.change is not None or source.drawing is not None:
        raise refused("locking", "a locking clause inside of the statement")
    return Selection(source, params, width, typing_of(statement, build, query, with_))


def _items(exprs: Sequence[Expr]) -> tuple[Item, ...]:
    return tuple(Item(expr, f"r{at}", f"r{at}") for at, expr in enumerate(exprs))


def _built(statement: Statement, build: Build, query: Select) -> tuple[Plan, tuple[int, ...]]:
    """The plan of the query, and which of the statement's parameters are its own."""
    query, used = renumbered(query)
    scans = [node.table for node in everything_below(query) if isinstance(node, Scan)]
    plan = build(
        replace(
            statement,
            sql=render(query),
            placeholders=Placeholders(len(used)),
            kind=Kind.QUERY,
            command="SELECT",
            tree=query,
            reads=tuple(dict.fromkeys(scans)),
            writes=(),
            effects=tuple(effect for effect in statement.effects if effect.kind != "writes"),
        )
    )
    return plan, used


def typing_of(statement: Statement, build: Build, query: Query, with_: With) -> Typing:
    """Asked of one server that has all of the query's tables, if only their definitions."""
    names = [f"c{at}" for at in range(len(first_items(query)))]
    shown: list[Expr] = [Template(("pg_catalog.pg_typeof(", ")::text"), (ColumnRef(READ, name),)) for name in names]
    shown.append(Template((f"({FAITHFUL})",), ()))
    one = Derived(Select((Item(Literal("number", "1"), "one", "one"),)), "outgrow one")
    none = Join(JoinKind.LEFT, one, Derived(query, READ, tuple(names)), on=Literal("boolean", "false"))
    plan, used = _built(statement, build, Select(_items(shown), none, with_=with_))
    if len(plan.fixed) < 2:
        return Typing(plan.statement.sql, used, plan.fixed[0] if plan.fixed else "")
    if plan.brought is None:
        raise Refused(plan.refusal) if plan.refusal is not None else refused("table form", "single tables apart")
    brought = plan.brought
    params = tuple(used[index - 1] if index <= len(used) else 0 for index in brought.params)
    return Typing(brought.sql, params, brought.shard)
