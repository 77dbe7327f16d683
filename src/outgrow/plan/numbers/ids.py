"""Numbers that a statement would draw from a server's sequence are drawn beforehand, and become parameters.

A sequence of each shard would give the same numbers on all of them, and a key that a server makes up has no shard.
So an INSERT that leaves a serial, identity or `nextval` column to its default is rewritten into one with that column
written out, its values parameters behind the user's own; `runtime` draws them from the fleet's sequence before the
statement is routed.  The same is done with `nextval('s')` where it is computed exactly once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from outgrow.errors import Error
from outgrow.plan.narrowing.facts import is_default
from outgrow.plan.numbers.drawing import Draw, Drawing
from outgrow.plan.placing import Copied, Places, Sharded
from outgrow.plan.refusals import Refused, refuse
from outgrow.schema import Column, SequenceDefinition
from outgrow.statement import children, queries_in, render, transform, walk
from outgrow.statement.model import Effect, Placeholders, Statement
from outgrow.statement.tree import (
    Call,
    CallKind,
    Cast,
    Expr,
    Insert,
    Literal,
    Parameter,
    Query,
    Select,
    Template,
    Tree,
    Update,
    Values,
)
from outgrow.topology import Single, TableName

_SYSTEM, _USER = "OVERRIDING SYSTEM VALUE", "OVERRIDING USER VALUE"
_FUNCTIONS = frozenset(("nextval", "currval", "setval", "lastval"))
#: `nextval('s'::regclass)` as the server prints it, or a quoted string in which the same may stand.
_NEXTVAL = re.compile(r"(nextval\('(?:[^']|'')+'::regclass\))|'(?:[^']|'')*'")
_NAME = re.compile(r'\s*(?:("(?:[^"]|"")+"|[A-Za-z_][\w$]*)\.)?("(?:[^"]|"")+"|[A-Za-z_][\w$]*)\s*')


@dataclass(frozen=True, slots=True)
class Drawn:
    """A statement with its draws written out; as it was where nothing is to be drawn."""

    statement: Statement
    drawing: Drawing | None = None
    #: Shards whose own sequences it asks by name, those of single tables.
    fixed: tuple[str, ...] = ()
    #: An INSERT … SELECT leaves columns to sequences, and only whoever reads its rows can draw for them.
    left: Error | None = None


def with_draws(statement: Statement, places: Places) -> Drawn:
    """The statement with what it draws written out.

    Raises Refused where a number would be drawn that nobody can count beforehand.
    """
    tree = statement.tree
    assert tree is not None
    writer = _Writer(places, statement.placeholders.count)
    written = writer.tree(tree)
    fixed = tuple(dict.fromkeys(_asked(written, places)))
    if not writer.numbers:
        return Drawn(statement, fixed=fixed, left=writer.left)
    kept = None
    if writer.replaced:
        written, kept = _without_unused(written, statement.placeholders.count)
    by_sequence: dict[TableName, list[int]] = {}
    for place, sequence in enumerate(writer.numbers):
        by_sequence.setdefault(sequence.name, []).append(place)
    definitions = {sequence.name: sequence for sequence in writer.numbers}
    draws = tuple(Draw(definitions[name], tuple(found)) for name, found in by_sequence.items())
    drawing = Drawing(draws, len(writer.numbers), kept, tuple(dict.fromkeys(writer.shown)))
    rewritten = replace(
        statement,
        sql=render(written),
        placeholders=Placeholders((statement.placeholders.count if kept is None else len(kept)) + drawing.count),
        tree=written,
        effects=tuple(effect for effect in statement.effects if _stays(effect, written)),
    )
    return Drawn(rewritten, drawing, fixed, writer.left)


def _stays(effect: Effect, tree: Tree) -> bool:
    if effect.kind != "volatile" or not effect.what.endswith(("function nextval", "function pg_catalog.nextval")):
        return True
    return any(isinstance(expr, Call) and expr.name == "nextval" for expr in walk(tree))


@dataclass(slots=True)
class _Writer:
    """Rewrites one tree; `numbers` gathers the sequence of each added parameter."""

    places: Places
    given: int
    numbers: list[SequenceDefinition] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    #: Values that the user wrote were replaced (OVERRIDING USER VALUE).
    replaced: bool = False
    #: As of `Drawn`.
    left: Error | None = None

    def tree(self, tree: Tree) -> Tree:
        if isinstance(tree, Select) and not _repeats(tree):
            items = tuple(replace(item, expr=self._once(item.expr)) for item in tree.items)
            tree = replace(tree, items=items)
        return transform(tree, lambda node: self._insert(node) if isinstance(node, Insert) else node)

    def _number(self, sequence: SequenceDefinition, shown: str) -> Parameter:
        self.numbers.append(sequence)
        self.shown.append(f"{shown} from {sequence.name}")
        return Parameter(self.given + len(self.numbers))

    def _once(self, expr: Expr) -> Expr:
        """An expression that is computed once, its `nextval('s')` drawn beforehand."""
        if any(isinstance(child, Query) for child in queries_in(expr)):
            return expr
        return transform(expr, self._drawn)

    def _drawn(self, node: object) -> object:
        if not isinstance(node, Call) or not _is(node, "nextval"):
            return node
        sequence = _literal_sequence(node, self.places)
        if sequence is None or own_shard(sequence.name, self.places) is not None:
            return node
        return Cast(self._number(sequence, "nextval"), "int8")

    def _insert(self, insert: Insert) -> Insert:
        drawn = self._columns(insert)
        source = insert.source
        if source is not None and not _plain(source):
            return self._selected(insert, drawn)
        rows: tuple[tuple[Expr, ...], ...] = source.rows if isinstance(source, Values) else ((),)
        if any(len(row) != len(insert.columns) for row in rows):
            # The server says what is wrong with it.
            return insert
        names = list(insert.columns)
        wanted: list[tuple[int | None, Column]] = []
        for column in drawn:
            at = names.index(column.name) if column.name in names else None
            ignored = insert.overriding == _USER and bool(column.identity)
            asked = [at is None or ignored or is_default(row[at]) for row in rows]
            if column.identity == "always" and not insert.overriding and not all(asked):
                raise Refused(_always(insert, column))
            if any(asked):
                self.replaced |= ignored and at is not None
                wanted.append((at, column))
        added = [column.name for at, column in wanted if at is None]
        filled = tuple(self._row(insert, row, wanted) for row in rows)
        if filled == rows:
            return insert
        return replace(
            insert,
            columns=(*names, *added),
            columns_written=True,
            source=replace(source, rows=filled) if isinstance(source, Values) else Values(filled),
            overriding=self._overriding(insert, [column for _, column in wanted]),
        )

    def _selected(self, insert: Insert, drawn: list[Column]) -> Insert:
        """INSERT … SELECT: nobody knows beforehand how many numbers it needs."""
        ignoring = insert.overriding == _USER
        for column in drawn:
            if column.name not in insert.columns or (ignoring and column.identity):
                self.left = refuse("insert select leaves serial", str(insert.table), column.name)
                if self.places.schema.engine != "postgresql":
                    raise Refused(self.left)
        return insert

    def _overriding(self, insert: Insert, written: list[Column]) -> str:
        """What lets the drawn values in, and nothing else."""
        if any(column.identity == "always" for column in written):
            return _SYSTEM
        table = self.places.table(insert.table)
        identities = {column.name for column in table.columns if column.identity} if table is not None else set()
        if insert.overriding == _USER and identities <= {column.name for column in written}:
            return ""
        return insert.overriding

    def _columns(self, insert: Insert) -> list[Column]:
        """The columns of the target that the fleet's sequences fill."""
        table = self.places.table(insert.table)
        standing = self.places.of(insert.table)
        if table is None or not isinstance(standing, Sharded | Copied | Single):
            return []
        columns = [column for column in table.columns if column.serial]
        if isinstance(standing, Single):
            # Its own server's sequence serves it, but for one that a table of several shards draws from too.
            return [c for c in columns if c.sequence and own_shard(c.sequence, self.places) is None]
        return columns

    def _row(self, insert: Insert, row: tuple[Expr, ...], wanted: list[tuple[int | None, Column]]) -> tuple[Expr, ...]:
        """Drawn row by row, and in a row column by column, as the server would."""
        filled = {
            at: column
            for at, column in wanted
            if at is not None and (is_default(row[at]) or (insert.overriding == _USER and column.identity))
        }
        cells = [self._default(insert, filled[at]) if at in filled else self._once(cell) for at, cell in enumerate(row)]
        cells += [self._default(insert, column) for at, column in wanted if at is None]
        return tuple(cells)

    def _default(self, insert: Insert, column: Column) -> Expr:
        """The column's default with a parameter for the number in it."""
        known = self.places.schema.sequences.get(column.sequence) if column.sequence else None
        if known is None:
            raise Refused(refuse("insert leaves serial", str(insert.table), column.name))
        if column.identity:
            return self._number(known, column.name)
        calls = [found for found in _NEXTVAL.finditer(column.default or "") if found.group(1)]
        if len(calls) != 1:
            raise Refused(refuse("insert leaves serial", str(insert.table), column.name))
        before, after = (column.default or "")[: calls[0].start()], (column.default or "")[calls[0].end() :]
        if not before and not after:
            return self._number(known, column.name)
        if isinstance(self.places.of(insert.table), Copied):
            # What else it computes could come out differently on each shard.
            raise Refused(refuse("insert leaves serial", str(insert.table), column.name))
        return Template((before, after), (Cast(self._number(known, column.name), "int8"),))


def _plain(source: Query) -> bool:
    """A bare VALUES list: the only source whose DEFAULTs and parameters take the types of the columns."""
    return isinstance(source, Values) and not (source.order or source.limit or source.offset or source.with_.ctes)


def _repeats(select: Select) -> bool:
    """The items may be computed more or less than once."""
    clauses = (select.source, select.where, select.having, select.limit, select.offset, select.group, select.order)
    return any(clauses) or any(isinstance(e, Call) and e.kind is not CallKind.SCALAR for e in walk(select))


def _always(insert: Insert, column: Column) -> Error:
    error = refuse("value for identity", column.name, str(insert.table))
    error.sqlstate = "428C9"
    return error


def _without_unused(tree: Tree, given: int) -> tuple[Tree, tuple[int, ...] | None]:
    """The user's parameters that nothing refers to any more are left out: the server could not tell their types."""
    used = sorted({expr.index for expr in walk(tree) if isinstance(expr, Parameter)})
    kept = tuple(index - 1 for index in used if index <= given)
    if len(kept) == given:
        return tree, None
    new = {old: at for at, old in enumerate(used, 1)}
    return transform(tree, lambda node: Parameter(new[node.index]) if isinstance(node, Parameter) else node), kept


# --- what may not be drawn -----------------------------------------------------------------------------------------


def _asked(tree: Tree, places: Places) -> Iterator[str]:
    """The shards of the sequences that are asked by name; refused where every shard has one of its own."""
    for node in _everything(tree):
        if isinstance(node, Call) and node.name in _FUNCTIONS and node.builtin:
            sequence = _literal_sequence(node, places)
            if sequence is None and node.name != "lastval" and _is_literal(node):
                # A sequence that is not there: the server says so.
                continue
            shard = own_shard(sequence.name, places) if sequence is not None else None
            if shard is None:
                raise Refused(_function(node.name, sequence))
            yield shard
        if isinstance(node, Update):
            _check_assigned(node.table, node.assigns, places)
        if isinstance(node, Insert) and node.conflict == "update":
            assigns = tuple(zip(node.conflict_assigns, node.conflict_values, strict=True))
            _check_assigned(node.table, assigns, places)


def _function(name: str, sequence: SequenceDefinition | None) -> Error:
    called = str(sequence.name) if sequence is not None else "…"
    if name == "nextval":
        return refuse("nextval here", called)
    return refuse("sequence function", name, called)


def _check_assigned(table: TableName, assigns: tuple[tuple[str, Expr], ...], places: Places) -> None:
    found = places.table(table)
    if found is None or not isinstance(places.of(table), Sharded | Copied):
        return
    for name, value in assigns:
        column = found.column(name)
        if is_default(value) and column is not None and column.serial:
            raise Refused(refuse("assigned from sequence", name, str(table)))


def _everything(node: object) -> Iterator[Any]:
    yield node
    for child in children(node):
        yield from _everything(child)


# --- which sequence ------------------------------------------------------------------------------------------------


def own_shard(sequence: TableName, places: Places) -> str | None:
    """The shard whose own sequence it is: only single tables of that shard draw from it.  None: it is the fleet's."""
    tables = places.schema.tables.values()
    users = [table.name for table in tables if any(column.sequence == sequence for column in table.columns)]
    shards = {standing.shard if isinstance(standing, Single) else None for standing in map(places.of, users)}
    return shards.pop() if len(shards) == 1 else None


def drawn_alone(column: Column, places: Places) -> SequenceDefinition | None:
    """The sequence whose numbers are the column's default just as they are; None where more is computed."""
    known = places.schema.sequences.get(column.sequence) if column.sequence else None
    if column.identity or known is None or column.default is None:
        return known
    found = _NEXTVAL.search(column.default or "")
    return known if found is not None and found.group(0) == column.default else None


def _is(call: Call, name: str) -> bool:
    return call.name == name and call.builtin and call.schema in (None, "pg_catalog") and call.over is None


def _argument(call: Call) -> Expr | None:
    expr = call.args[0] if call.args else None
    return expr.operand if isinstance(expr, Cast) and expr.type in ("regclass", "text") else expr


def _is_literal(call: Call) -> bool:
    argument = _argument(call)
    return isinstance(argument, Literal) and argument.kind == "string"


def _literal_sequence(call: Call, places: Places) -> SequenceDefinition | None:
    argument = _argument(call)
    if not isinstance(argument, Literal) or argument.kind != "string":
        return None
    name = sequence_name(argument.text)
    return places.schema.find_sequence(*name) if name is not None else None


def sequence_name(text: str) -> tuple[str, str | None] | None:
    """The name and the schema that `text` means where a sequence is named: `s`, `"S"`, `app.s`; None for neither."""
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    schema, name = found.groups()
    return _folded(name), _folded(schema) if schema else None


def _folded(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
