"""Writes: the keys of inserted rows, assigned keys, and what a shard may not draw for itself."""

from __future__ import annotations

from collections.abc import Iterator

from outgrow.plan.blocks import Ctes
from outgrow.plan.model import KeyChange, ScanKeys
from outgrow.plan.narrowing.facts import is_constant, is_default
from outgrow.plan.narrowing.keyset import Choice, Everything, KeySet, Match, Null, Value, either, held, spans
from outgrow.plan.narrowing.survey import Inserted, Updated
from outgrow.plan.placing import Places
from outgrow.plan.refusals import Refused, refuse
from outgrow.plan.writes.selected import stays
from outgrow.schema import Column
from outgrow.statement.tree import Cast, ColumnRef, Expr, Insert, Literal, Select, Values


def inserted_keys(insert: Inserted, places: Places, ctes: Ctes) -> ScanKeys:
    """The keys of the rows that an INSERT into a sharded table adds; `ctes` are the statement's."""
    tree = insert.tree
    key_columns = places.key_columns(tree.table)
    table = places.table(tree.table)
    assert table is not None
    names = tree.columns or tuple(column.name for column in table.columns)
    if isinstance(tree.source, Select):
        keys = _selected(insert, tree.source, names, key_columns, places, ctes)
    elif isinstance(tree.source, Values) or tree.source is None:
        keys = either(list(row_keys(tree, names, key_columns)))
    elif stays(tree, places, ctes):
        keys = Everything()
    else:
        raise Refused(refuse("insert from select", str(tree.table), key_columns[0].name))
    return ScanKeys(
        tree.table,
        tree.alias,
        tuple(column.name for column in key_columns),
        tuple(column.type for column in key_columns),
        tuple(column.typmod for column in key_columns),
        keys,
        "inserts into",
    )


def row_keys(tree: Insert, names: tuple[str, ...], key_columns: tuple[Column, ...]) -> Iterator[KeySet]:
    """The key of each row of VALUES."""
    rows = tree.source.rows if isinstance(tree.source, Values) else ((),)
    return (_row(tree, names, row, key_columns) for row in rows)


def _row(tree: Insert, names: tuple[str, ...], row: tuple[Expr, ...], key_columns: tuple[Column, ...]) -> KeySet:
    columns: list[tuple[Choice, ...]] = []
    for column in key_columns:
        position = names.index(column.name) if column.name in names else len(row)
        if position >= len(row) or is_default(row[position]):
            columns.append((_defaulted(tree, column),))
        elif is_constant(row[position]):
            columns.append(((Value(row[position], column.type),),))
        else:
            raise Refused(refuse("insert key unknown", str(tree.table), column.name))
    return Match(tuple(columns))


def _defaulted(tree: Insert, column: Column) -> Choice:
    """The key that a missing column gets: NULL, or its default where that is a plain literal."""
    if column.generated:
        raise Refused(refuse("insert without key", str(tree.table), column.name, "the expression that generates it"))
    if column.default is None and not column.serial:
        return (Null(),)
    literal = None if column.default_volatile or column.serial else literal_default(column.default or "")
    if literal is None:
        raise Refused(refuse("insert without key", str(tree.table), column.name, f"its default {column.default}"))
    return (Value(literal, column.type),)


def literal_default(default: str) -> Expr | None:
    """A default as the server prints it: `5`, `'x'::text`, `true`, `NULL::text`; None for anything else."""
    text, _, type_name = default.partition("::")
    text = text.strip()
    literal: Expr
    if text.upper() == "NULL":
        literal = Literal("null", "NULL")
    elif text in ("true", "false"):
        literal = Literal("boolean", text)
    elif len(text) >= 2 and text[0] == text[-1] == "'" and "'" not in text[1:-1].replace("''", ""):
        literal = Literal("string", text[1:-1].replace("''", "'"))
    elif text.replace(".", "", 1).isdigit() and text.isascii():
        literal = Literal("number", text)
    else:
        return None
    if not type_name:
        return literal
    return Cast(literal, type_name) if "(" not in type_name and "::" not in type_name else None


def _selected(
    insert: Inserted,
    select: Select,
    names: tuple[str, ...],
    key_columns: tuple[Column, ...],
    places: Places,
    ctes: Ctes,
) -> KeySet:
    columns: list[tuple[Choice, ...]] = []
    for column in key_columns:
        position = names.index(column.name) if column.name in names else len(select.items)
        if position >= len(select.items):
            columns.append((_defaulted(insert.tree, column),))
            continue
        expr, known = select.items[position].expr, insert.known[position]
        if is_constant(expr):
            columns.append(((Value(expr, column.type),),))
        elif known is not None and not spans(known):
            columns.append((held(known),))
        elif stays(insert.tree, places, ctes):
            return Everything()
        else:
            raise Refused(refuse("insert from select", str(insert.tree.table), column.name))
    return Match(tuple(columns))


def _itself(expr: Expr, name: str, alias: str) -> bool:
    return isinstance(expr, ColumnRef) and expr.depth == 0 and expr.relation == alias and expr.name == name


def key_change(update: Updated, places: Places) -> KeyChange | None:
    """The before and after of an UPDATE that assigns key columns; None when it assigns none."""
    tree = update.tree
    key_columns = places.key_columns(tree.table)
    assigned = {name: expr for name, expr in tree.assigns if not _itself(expr, name, tree.alias)}
    if not any(column.name in assigned for column in key_columns):
        return None
    after = [_after(column, assigned, update) for column in key_columns]
    known = tuple(choice for choice in after if choice is not None)
    return KeyChange(
        tree.table,
        tuple(column.type for column in key_columns),
        tuple(column.typmod for column in key_columns),
        update.keys,
        Match(tuple((choice,) for choice in known)) if len(known) == len(after) else Everything(),
    )


def _after(column: Column, assigned: dict[str, Expr], update: Updated) -> Choice | None:
    """What a key column holds afterwards; None where it is only known of each row."""
    if column.name not in assigned:
        known = update.known.get(column.name)
        return None if known is None or spans(known) else held(known)
    expr = assigned[column.name]
    return (Value(expr, column.type),) if is_constant(expr) else None
