"""A statement whose writing parts hand rows from shard to shard: WITH … AS (DELETE … RETURNING …) INSERT …

All parts of such a statement see the rows from before it.  So where no part reads or changes what another one before it
has written, running them one after another is the statement: each is planned as one of its own, and what it returns is
a table of parameters to those that come later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from outgrow.plan.cutting.copies import check_copies
from outgrow.plan.placing import Places
from outgrow.plan.refusals import Refused, refused
from outgrow.plan.rendering import renumbered
from outgrow.plan.walking import everything_below
from outgrow.plan.writes.moments import type_sql
from outgrow.plan.writes.selection import READ, Build, Typing, typing_of
from outgrow.plan.writes.written import Write, returned_rows
from outgrow.schema import Volatility
from outgrow.statement import Kind, Placeholders, Statement, render, type_of
from outgrow.statement.tree import (
    Call,
    CallKind,
    Cast,
    ColumnRef,
    Cte,
    CteScan,
    Delete,
    Expr,
    FunctionScan,
    Insert,
    Item,
    Parameter,
    Query,
    Scan,
    Select,
    Template,
    Tree,
    Update,
    With,
)
from outgrow.topology import TableName

#: CTE → the types of what it has returned, as SQL.
Types = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Relay:
    statement: Statement
    #: The writing CTEs in order, by name.
    parts: tuple[tuple[str, Write], ...]

    def step(self, at: int, types: Types) -> tuple[Statement, tuple[int, ...]]:
        """What is run in the end (`at` behind the last part), or for a part, whose rows come as text.

        With which parameters: the statement's, and behind them each earlier part's columns as arrays.
        """
        if at == len(self.parts):
            tree: Tree = _under(self._with(None, types), self.tree)
        else:
            name, part = self.parts[at]
            texts = tuple(Item(Cast(item.expr, "text"), f"r{n}", f"r{n}") for n, item in enumerate(part.returning))
            tree = replace(part, returning=texts, with_=self._with(name, types))
        tree, used = renumbered(tree)
        return _statement(self.statement, tree, len(used)), used

    def typing(self, at: int, types: Types, build: Build) -> Typing:
        """The types of what a part returns."""
        name, part = self.parts[at]
        query = replace(returned_rows(part), with_=With())
        return typing_of(self.statement, build, query, self._with(name, types))

    @property
    def tree(self) -> Tree:
        assert self.statement.tree is not None
        return self.statement.tree

    def _with(self, name: str | None, types: Types) -> With:
        """The CTEs before a part, of which those that write are what they have returned."""
        found: list[Cte] = []
        first = self.statement.placeholders.count + 1
        widths = {each: max(1, len(part.returning)) for each, part in self.parts}
        own: object = self.tree
        for cte in self.tree.with_.ctes:
            if cte.name == name:
                own = cte.query
                break
            if not isinstance(cte.query, Insert | Update | Delete):
                found.append(cte)
                continue
            if cte.name in types:
                found.append(replace(cte, query=_returned(cte.query.returning, types[cte.name], first)))
            first += widths[cte.name]
        wanted = _named(own if name is not None else _under(With(), self.tree))
        for cte in reversed(found):
            wanted |= _named(cte.query) if cte.name in wanted else set()
        return With(tuple(cte for cte in found if cte.name in wanted))

    def describe(self) -> list[str]:
        """What explain shows, one plain phrase a step."""
        shown = [f"{name}: {type(part).__name__.upper()} {part.table}" for name, part in self.parts]
        return [*shown, f"then {render(_under(With(), self.tree))}"]


def _named(node: object) -> set[str]:
    return {each.name for each in everything_below(node) if isinstance(each, CteScan)}


def _returned(items: Sequence[Item], types: Sequence[str], first: int) -> Query:
    arrays = tuple(Cast(Parameter(first + at), "text[]") for at in range(max(1, len(items))))
    call = Call("unnest", arrays, kind=CallKind.SET, volatility=Volatility.IMMUTABLE, builtin=True)
    rows = FunctionScan(call, READ, tuple(f"c{at}" for at in range(len(arrays))))
    shown = [
        Item(Cast(ColumnRef(READ, f"c{at}"), type_), item.name, item.name)
        for at, (item, type_) in enumerate(zip(items, types, strict=True))
    ]
    return Select(tuple(shown), rows)


def _statement(statement: Statement, tree: Tree, count: int) -> Statement:
    writes = isinstance(tree, Insert | Update | Delete)
    scans = [node.table for node in everything_below(tree) if isinstance(node, Scan)]
    return replace(
        statement,
        sql=render(tree),
        placeholders=Placeholders(count),
        kind=Kind.WRITE if writes else Kind.QUERY,
        command=type(tree).__name__.upper(),
        tree=tree,
        reads=tuple(dict.fromkeys(scans)),
        writes=(tree.table,) if isinstance(tree, Insert | Update | Delete) else (),
        effects=tuple(effect for effect in statement.effects if writes or effect.kind != "writes"),
    )


# --- may it be done so? --------------------------------------------------------------------------------------------


def relayed(statement: Statement, places: Places, build: Build) -> Relay:
    """The parts one after another.  Raises Refused where that would be another statement, or one of them is refused."""
    tree = statement.tree
    assert tree is not None
    if places.schema.engine != "postgresql":
        raise _no(statement, places.schema.engine)
    if tree.with_.recursive:
        raise _no(statement, "WITH RECURSIVE")
    parts = tuple((cte.name, cte.query) for cte in tree.with_.ctes if isinstance(cte.query, Insert | Update | Delete))
    for node in everything_below(tree):
        inside = isinstance(node, Insert | Update | Delete) and node is not tree
        if inside and not any(node is part for _, part in parts):
            raise _no(statement, "a part that writes stands inside of another")
    _check_order(statement, tree, parts, places)
    relay = Relay(statement, parts)
    _check_shared(relay)
    guessed: dict[str, list[str]] = {}
    for at in range(len(parts) + 1):
        _check_planned(relay, at, guessed, build)
        if at < len(parts):
            name, part = parts[at]
            guessed[name] = [_guess(item.expr) for item in part.returning]
            if any(item.name == "*" for item in part.returning):
                raise _no(statement, "RETURNING * of columns that outgrow does not know")
    return relay


def _no(statement: Statement, why: str) -> Refused:
    return refused("parts apart", statement.command, why)


def _guess(expr: Expr) -> str:
    """A type to plan with; the servers say the true one before anything is run."""
    known = type_of(expr)
    return "text" if known is None or known == "unknown" else type_sql(known)


def _check_planned(relay: Relay, at: int, types: Types, build: Build) -> None:
    """Each step can be done, so that none is refused behind one that has been."""
    statement, _ = relay.step(at, types)
    plan = build(statement)
    if plan.refusal is not None and plan.brought is None:
        raise Refused(plan.refusal)
    if plan.needs_shard:
        raise _no(relay.statement, "a part is not understood")


def _check_order(statement: Statement, tree: Tree, parts: Sequence[tuple[str, Write]], places: Places) -> None:
    """No step sees, or is refused for, what one before it has done."""
    every: list[Write] = [part for _, part in parts]
    if isinstance(tree, Insert | Update | Delete):
        every.append(tree)
    for part in every:
        table = places.table(part.table)
        if table is None or table.triggers or any(column.collation for column in table.columns):
            raise _no(statement, f"{part.table} has triggers, or a collation of its own")
    written: list[tuple[Write, set[TableName]]] = []
    reading: list[tuple[object, Write | None]] = [(part, part) for part in every]
    if isinstance(tree, Query):
        reading.append((_under(With(), tree), None))
    plain = [cte.query for cte in tree.with_.ctes if not isinstance(cte.query, Insert | Update | Delete)]
    for node, step in reading:
        before = set().union(*(touched for _, touched in written))
        seen = {scan.table for scan in _scans(node, step, plain)}
        if step is not None and not (isinstance(step, Insert) and not step.conflict):
            seen.add(step.table)
        if seen & before:
            raise _no(statement, f"{sorted(map(str, seen & before))[0]} is needed as it was before a part wrote it")
        if step is not None:
            for earlier, _ in written:
                _check_keys(statement, earlier, step, places)
            table = places.table(step.table)
            assert table is not None
            written.append((step, {step.table, *table.cascades_to}))


def _check_shared(relay: Relay) -> None:
    """A CTE that several steps read is asked by each of them: it must say the same to all."""
    guessed = {name: ["text"] * len(part.returning) for name, part in relay.parts}
    used: Counter[str] = Counter()
    for at in range(len(relay.parts) + 1):
        tree = relay.step(at, guessed)[0].tree
        assert tree is not None
        used.update(cte.name for cte in tree.with_.ctes)
    for cte in relay.tree.with_.ctes:
        if used[cte.name] < 2 or isinstance(cte.query, Insert | Update | Delete):
            continue
        for node in everything_below(cte.query):
            volatile = isinstance(node, Call | Template) and node.volatility is Volatility.VOLATILE
            if volatile or (isinstance(node, Call) and node.kind is CallKind.UNKNOWN):
                raise _no(relay.statement, f"{cte.name} is read by several parts, and computed anew for each")
        check_copies(cte.query)


def _scans(node: object, part: Write | None, plain: Sequence[Query]) -> Iterator[Scan]:
    """What a step reads; a CTE that only reads may be read by any."""
    top = replace(part, with_=With()) if part is not None else node
    for each in (top, *plain):
        yield from (below for below in everything_below(each) if isinstance(below, Scan))


def _check_keys(statement: Statement, earlier: Write, later: Write, places: Places) -> None:
    """Foreign keys are checked when the whole statement is done; one after another they must hold in between."""
    for child, parent, inserts, deletes in (
        (later.table, earlier.table, isinstance(earlier, Insert), False),
        (earlier.table, later.table, False, isinstance(earlier, Delete)),
    ):
        table = places.table(child)
        refers = table is not None and any(key.table == parent for key in table.foreign_keys)
        if refers and not inserts and not deletes:
            raise _no(statement, f"a foreign key of {child} to {parent} holds only when all parts are done")


def _under(ctes: With, tree: Tree) -> Tree:
    """The same with these CTEs."""
    # (Whatever can stand under WITH is a dataclass with that field; `Tree` does not say so.)
    return replace(tree, with_=ctes)  # type: ignore[type-var]
