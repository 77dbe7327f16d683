"""Which names mean what at one place of a statement."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from outgrow.errors import ProgrammingError
from outgrow.schema import Order
from outgrow.statement.tree import ColumnRef, Expr, WholeRow
from outgrow.statement.unvetted import Unvetted
from outgrow.topology import Abroad, TableName


class Output(NamedTuple):
    """A column that a query, a CTE or a FROM item offers."""

    name: str
    type: str | None
    order: Order
    modifier: int | None = None


class Visible(NamedTuple):
    """A name that can be written without qualifier, and what it is then (depth 0)."""

    name: str
    expr: Expr


@dataclass(frozen=True, slots=True)
class Source:
    """One FROM item under its alias."""

    alias: str
    columns: tuple[Visible, ...]
    table: TableName | None = None
    #: Its columns are not all known here: catalogue tables and functions.
    open: bool = False

    def column(self, name: str, folded: bool = False) -> Expr | None:
        found = matching(self.columns, name, folded)
        return found[0].expr if found else None


@dataclass(frozen=True, slots=True)
class Names:
    """The FROM items of one block, and the columns that unqualified names reach (USING merged)."""

    sources: tuple[Source, ...] = ()
    columns: tuple[Visible, ...] = ()

    def beside(self, other: Names) -> Names:
        taken = {source.alias for source in self.sources}
        for source in other.sources:
            if source.alias in taken:
                raise ProgrammingError(
                    "OG-STMT-013",
                    f"the name {source.alias!r} stands for two tables of one FROM",
                    cure="Give one of them another alias.",
                    sqlstate="42712",
                )
        return Names(self.sources + other.sources, self.columns + other.columns)

    def source(self, alias: str) -> Source | None:
        return next((source for source in self.sources if source.alias == alias), None)


CteColumns = tuple[tuple[Output, ...], bool]


class Rules(NamedTuple):
    """What languages agree on about names, and what not."""

    #: The case of columns' names does not matter.
    folded: bool = False
    #: Expressions of GROUP BY, HAVING and ORDER BY see the aliases of the select list.
    aliases: bool = False
    #: Begins the name of an output column that has none yet; "" where the expression itself says it.
    unnamed: str = ""
    #: A column that USING merges is no longer the left one's where their modifiers differ: `varchar(5)`, `varchar(9)`.
    modified: bool = True


_PLAIN_RULES = Rules()


@dataclass(frozen=True, slots=True)
class Env:
    """Where an expression stands: the names of its block, the enclosing places, and the CTEs in sight."""

    names: Names = Names()
    parent: Env | None = None
    #: name → columns (and whether they are not all known); None while a recursive one is not bound yet.
    ctes: Mapping[str, CteColumns | None] = field(default_factory=dict)
    rules: Rules = _PLAIN_RULES
    #: Names that come before, and after, the columns of this block alone.
    before: tuple[Visible, ...] = ()
    after: tuple[Visible, ...] = ()

    def within(self, names: Names) -> Env:
        """The same place with other names."""
        return replace(self, names=names)

    def inner(self) -> Env:
        """A block inside this one."""
        return Env(Names(), self, self.ctes, self.rules)

    def with_cte(self, name: str, columns: CteColumns | None) -> Env:
        return replace(self, ctes={**self.ctes, name: columns})


def matching(columns: Iterable[Visible], name: str, folded: bool) -> list[Visible]:
    """The columns of this name; where case does not matter, those spelt so come first."""
    columns = list(columns)
    exact = [column for column in columns if column.name == name]
    if exact or not folded:
        return exact
    return [column for column in columns if column.name.lower() == name.lower()]


def qualified(env: Env, relation: str, name: str, schema: str | None = None) -> ColumnRef:
    """`relation.name`, looked for from the inside out.  Errors OG-STMT-011, OG-STMT-012."""
    depth, place = 0, env
    while True:
        source = place.names.source(relation)
        if source is not None and (schema is None or (source.table is not None and _within(source.table, schema))):
            found = source.column(name, env.rules.folded)
            if found is not None:
                assert isinstance(found, ColumnRef)
                return replace(found, depth=depth)
            if name in SYSTEM_COLUMNS and source.table is not None:
                return ColumnRef(relation, name, SYSTEM_COLUMNS[name], depth=depth)
            if source.open:
                return ColumnRef(relation, name, depth=depth)
            raise unknown_column(f"{relation}.{name}", name, (column.name for column in source.columns))
        if place.parent is None:
            raise _unknown_relation(env, relation)
        place, depth = place.parent, depth + 1


def _within(table: TableName, schema: str) -> bool:
    """`schema.table` names it; of another domain's table so does `domain.table`."""
    return table.schema == schema or (isinstance(table, Abroad) and table.domain == schema)


def unqualified(env: Env, name: str) -> Expr | None:
    """`name` alone: a column, else a FROM item as a whole row, from the inside out; None if it is neither."""
    depth, place = 0, env
    guess: ColumnRef | None = None  # perhaps a column of an item whose columns are not all known
    if env.before and (first := _alias(env.before, env, name)) is not None:
        return first
    while True:
        found = bare(place.names, name, env.rules.folded)
        if found is None and depth == 0 and env.after:
            found = _alias(env.after, env, name)
        if found is not None:
            if guess is not None:
                raise Unvetted(f"whose column {name} is")
            return _outer(found, env, depth)
        open_ = [source for source in place.names.sources if source.open]
        if open_ and (guess is not None or len(open_) > 1):
            raise Unvetted(f"whose column {name} is")
        if open_:
            guess = ColumnRef(open_[0].alias, name, depth=depth, bare=True)
        if place.parent is None:
            return guess or _whole_row(env, name)
        place, depth = place.parent, depth + 1


def _outer(found: Expr, env: Env, depth: int) -> Expr:
    """What a bare name means `depth` blocks further in than where it was found."""
    shifted = shift(found, depth)
    if isinstance(shifted, ColumnRef):
        place = env
        for _ in range(depth):
            if place.names.source(shifted.relation) is not None:
                return replace(shifted, shadowed=True)
            assert place.parent is not None
            place = place.parent
    return shifted


def _whole_row(env: Env, name: str) -> Expr | None:
    depth, place = 0, env
    while True:
        whole = place.names.source(name)
        if whole is not None:
            return WholeRow(whole.alias, depth, whole.table)
        if place.parent is None:
            return None
        place, depth = place.parent, depth + 1


def _alias(aliases: tuple[Visible, ...], env: Env, name: str) -> Expr | None:
    """What an alias of the select list stands for; Unvetted where it could be several things."""
    found = [alias.expr for alias in matching(aliases, name, env.rules.folded)]
    if any(expr != found[0] for expr in found):
        raise Unvetted(f"which {name} is meant")
    return found[0] if found else None


def bare(names: Names, name: str, folded: bool = False) -> Expr | None:
    """`name` in one block."""
    matches = [column.expr for column in matching(names.columns, name, folded)]
    if len(matches) > 1:
        raise ProgrammingError(
            "OG-STMT-014",
            f"the column {name!r} is ambiguous",
            cure="Write it with its table's name or alias in front.",
            sqlstate="42702",
        )
    if matches:
        found = matches[0]
        return replace(found, bare=True) if isinstance(found, ColumnRef) else found
    if name in SYSTEM_COLUMNS:
        holders = [source for source in names.sources if source.table is not None]
        if len(holders) == 1:
            return ColumnRef(holders[0].alias, name, SYSTEM_COLUMNS[name], bare=True)
    return None


def shift(expr: Expr, depth: int) -> Expr:
    if depth == 0:
        return expr
    if isinstance(expr, ColumnRef | WholeRow):
        return replace(expr, depth=depth)
    raise Unvetted("a column of an outer FULL JOIN … USING")


SYSTEM_COLUMNS = {"ctid": "tid", "xmin": "xid", "xmax": "xid", "cmin": "cid", "cmax": "cid", "tableoid": "oid"}


def nearest(name: str, candidates: Iterable[str]) -> str:
    """`" (did you mean 'x'?)"`, or nothing."""
    close = difflib.get_close_matches(name, sorted(set(candidates)), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def unknown_column(shown: str, name: str, candidates: Iterable[str]) -> ProgrammingError:
    return ProgrammingError(
        "OG-STMT-011",
        f"there is no column {shown!r}{nearest(name, candidates)}",
        cure="Correct the name; if the column is new, refresh the schema.",
        sqlstate="42703",
    )


def all_names(env: Env) -> list[str]:
    found, place = [], env
    while True:
        found += [column.name for column in place.names.columns]
        if place.parent is None:
            return found
        place = place.parent


def _unknown_relation(env: Env, relation: str) -> ProgrammingError:
    aliases, place = [], env
    while True:
        aliases += [source.alias for source in place.names.sources]
        if place.parent is None:
            break
        place = place.parent
    return ProgrammingError(
        "OG-STMT-012",
        f"no table or alias {relation!r} is in reach here{nearest(relation, aliases)}",
        cure="Name a table of this FROM clause, by its alias where it has one.",
        sqlstate="42P01",
    )
