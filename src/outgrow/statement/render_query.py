"""Queries and writing statements as SQL text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from outgrow.statement.precedence import PRECEDENCE
from outgrow.statement.quoting import name_sql
from outgrow.statement.render import explains_itself, expr_sql, in_parentheses, sort_sql, window_sql
from outgrow.statement.tree import (
    ColumnRef,
    Cte,
    CteScan,
    Delete,
    Derived,
    Expr,
    FunctionScan,
    Insert,
    Item,
    Join,
    JoinKind,
    Merge,
    Query,
    Relation,
    RowPart,
    Scan,
    Select,
    SetOperation,
    Update,
    Values,
    When,
    With,
)
from outgrow.statement.walk import transform
from outgrow.topology import TableName


def query_sql(node: Query | Insert | Update | Delete | Merge) -> str:
    return _RENDER[type(node)](node)


def _with(clause: With) -> str:
    if not clause.ctes:
        return ""
    return f"WITH {'RECURSIVE ' if clause.recursive else ''}{', '.join(_cte(cte) for cte in clause.ctes)} "


def _cte(cte: Cte) -> str:
    kept = f"{cte.materialized.upper()} " if cte.materialized else ""
    return f"{name_sql(cte.name)}{_columns(cte.column_aliases)} AS {kept}({query_sql(cte.query)})"


def _columns(names: tuple[str, ...]) -> str:
    return f" ({', '.join(name_sql(name) for name in names)})" if names else ""


def _items(items: tuple[Item, ...]) -> str:
    return ", ".join(_item(item) for item in items)


def _item(item: Item) -> str:
    text = expr_sql(item.expr)
    if item.alias is None and (item.name == "*" or explains_itself(item.expr, item.name)):
        return text
    return f"{text} AS {name_sql(item.name)}"


def _select(node: Select) -> str:
    shown = _by_position(node.items)
    text = _with(node.with_) + "SELECT"
    if node.distinct_on:
        text += f" DISTINCT ON ({', '.join(shown(key) for key in node.distinct_on)})"
    elif node.distinct:
        text += " DISTINCT"
    if node.items:
        text += " " + _items(node.items)
    if node.source is not None:
        text += " FROM " + relation_sql(node.source)
    if node.where is not None:
        text += " WHERE " + expr_sql(node.where)
    if node.grouping_sets:
        text += " GROUP BY " + _grouping_sets(node)
    elif node.group:
        text += " GROUP BY " + ", ".join(shown(key) for key in node.group)
    if node.having is not None:
        text += " HAVING " + expr_sql(node.having)
    if node.windows:
        text += " WINDOW " + ", ".join(f"{name_sql(name)} AS ({window_sql(window)})" for name, window in node.windows)
    if node.order:
        text += " ORDER BY " + sort_sql(node.order, shown)
    return text + _tail(node.limit, node.with_ties, node.offset) + (f" {node.locking}" if node.locking else "")


def _by_position(items: tuple[Item, ...]) -> Callable[[Expr], str]:
    """Keys that are no plain columns are written as the position of the output column that they equal."""
    known = not any(item.name == "*" for item in items)

    def shown(key: Expr) -> str:
        if known and not isinstance(key, ColumnRef):
            for at, item in enumerate(items):
                if item.expr == key:
                    return str(at + 1)
        return expr_sql(key)

    return shown


def _grouping_sets(node: Select) -> str:
    """Inside sets a position would be a constant, so expressions stand there in full."""

    def key(found: re.Match[str]) -> str:
        expr = node.group[int(found.group(1))]
        return expr_sql(expr) if isinstance(expr, ColumnRef) else f"({expr_sql(expr)})"

    return re.sub(r"\{(\d+)\}", key, node.grouping_sets)


def _tail(limit: Expr | None, with_ties: bool, offset: Expr | None) -> str:
    text = ""
    if offset is not None:
        text += " OFFSET " + expr_sql(offset)
    if limit is not None:
        text += f" FETCH FIRST {in_parentheses(limit, 15)} ROWS WITH TIES" if with_ties else " LIMIT " + expr_sql(limit)
    return text


def _set_operation(node: SetOperation) -> str:
    word = node.operator.upper() + (" ALL" if node.all else "")
    text = f"{_with(node.with_)}{_arm(node.left)} {word} {_arm(node.right)}"
    if node.order:
        keys = []
        for at, descending, nulls_first in node.order:
            nulls = "" if nulls_first == descending else " NULLS FIRST" if nulls_first else " NULLS LAST"
            keys.append(f"{at + 1}{' DESC' if descending else ''}{nulls}")
        text += " ORDER BY " + ", ".join(keys)
    return text + _tail(node.limit, False, node.offset)


def _arm(node: Query) -> str:
    return f"({query_sql(node)})"


def _values(node: Values) -> str:
    rows = ", ".join(f"({', '.join(expr_sql(item) for item in row)})" for row in node.rows)
    text = f"{_with(node.with_)}VALUES {rows}"
    if node.order:
        text += " ORDER BY " + sort_sql(node.order)
    return text + _tail(node.limit, False, node.offset)


# ── FROM ─────────────────────────────────────────────────────────────────────────────────────────────────────


def table_sql(table: TableName, qualified: bool) -> str:
    return f"{name_sql(table.schema)}.{name_sql(table.name)}" if qualified else name_sql(table.name)


def relation_sql(node: Relation) -> str:
    """One item of FROM."""
    if isinstance(node, Scan):
        text = ("ONLY " if node.only else "") + table_sql(node.table, node.qualified)
        return (
            text + _alias(node.alias, node.table.name, node.column_aliases) + (f" {node.sample}" if node.sample else "")
        )
    if isinstance(node, CteScan):
        return name_sql(node.name) + _alias(node.alias, node.name, node.column_aliases)
    if isinstance(node, Derived):
        lateral = "LATERAL " if node.lateral else ""
        return f"{lateral}({query_sql(node.query)})" + _alias(node.alias, "", node.column_aliases)
    if isinstance(node, FunctionScan):
        text = ("LATERAL " if node.lateral else "") + expr_sql(node.call)
        text += " WITH ORDINALITY" if node.ordinality else ""
        return text + _alias(node.alias, "", node.column_aliases) + (f" {node.suffix}" if node.suffix else "")
    assert isinstance(node, Join)
    return _join(node)


def _alias(alias: str, own: str, columns: tuple[str, ...]) -> str:
    if alias == own and not columns:
        return ""
    return f" AS {name_sql(alias)}{_columns(columns)}"


def _join(node: Join) -> str:
    words = {JoinKind.INNER: "JOIN", JoinKind.CROSS: "CROSS JOIN"}.get(node.kind, f"{node.kind.value.upper()} JOIN")
    right = relation_sql(node.right)
    if isinstance(node.right, Join):
        right = f"({right})"
    text = f"{relation_sql(node.left)} {'NATURAL ' if node.natural else ''}{words} {right}"
    if node.natural:
        return text
    if node.using:
        return f"{text} USING ({', '.join(name_sql(name) for name in node.using)})"
    return f"{text} ON {expr_sql(node.on)}" if node.on is not None else text


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────


def _insert(node: Insert) -> str:
    text = f"{_with(node.with_)}INSERT INTO {table_sql(node.table, node.qualified)}"
    if node.alias != node.table.name:
        text += f" AS {name_sql(node.alias)}"
    if node.columns_written:
        text += _columns(node.columns)
    if node.overriding:
        text += f" {node.overriding}"
    text += f" {query_sql(node.source)}" if node.source is not None else " DEFAULT VALUES"
    return text + _conflict(node) + _returning(node.returning)


def _conflict(node: Insert) -> str:
    if not node.conflict:
        return ""
    text = " ON CONFLICT"
    if node.conflict_constraint:
        text += f" ON CONSTRAINT {name_sql(node.conflict_constraint)}"
    elif node.conflict_target:
        keys = []
        for key in node.conflict_target:
            # A column stands alone in a conflict target, an expression in parentheses.
            keys.append(name_sql(key.name) if isinstance(key, ColumnRef) else f"({expr_sql(_unqualified(key))})")
        text += f" ({', '.join(keys)})"
        if node.conflict_target_where is not None:
            text += f" WHERE {expr_sql(_unqualified(node.conflict_target_where))}"
    if node.conflict == "nothing":
        return text + " DO NOTHING"
    text += " DO UPDATE SET " + _assigns(tuple(zip(node.conflict_assigns, node.conflict_values, strict=True)))
    return text + (f" WHERE {expr_sql(node.conflict_where)}" if node.conflict_where is not None else "")


def _unqualified(expr: Expr) -> Expr:
    return transform(expr, lambda node: replace(node, relation="") if isinstance(node, ColumnRef) else node)


def _assigns(assigns: tuple[tuple[str, Expr], ...]) -> str:
    parts: list[str] = []
    at = 0
    while at < len(assigns):
        name, value = assigns[at]
        if isinstance(value, RowPart):
            names = [name for name, _ in assigns[at : at + value.count]]
            parts.append(f"({', '.join(map(name_sql, names))}) = {expr_sql(value.source)}")
            at += value.count
        else:
            parts.append(f"{name_sql(name)} = {expr_sql(value)}")
            at += 1
    return ", ".join(parts)


def _returning(items: tuple[Item, ...]) -> str:
    return f" RETURNING {_items(items)}" if items else ""


def _target(node: Update | Delete | Merge) -> str:
    text = ("ONLY " if node.only else "") + table_sql(node.table, node.qualified)
    return text + _alias(node.alias, node.table.name, ())


def _update(node: Update) -> str:
    text = f"{_with(node.with_)}UPDATE {_target(node)} SET {_assigns(node.assigns)}"
    if node.source is not None:
        text += " FROM " + relation_sql(node.source)
    if node.where is not None:
        text += " WHERE " + expr_sql(node.where)
    return text + _returning(node.returning)


def _delete(node: Delete) -> str:
    text = f"{_with(node.with_)}DELETE FROM {_target(node)}"
    if node.source is not None:
        text += " USING " + relation_sql(node.source)
    if node.where is not None:
        text += " WHERE " + expr_sql(node.where)
    return text + _returning(node.returning)


def _merge(node: Merge) -> str:
    text = f"{_with(node.with_)}MERGE INTO {_target(node)} USING {relation_sql(node.source)} ON {expr_sql(node.on)}"
    return text + "".join(map(_when, node.whens)) + _returning(node.returning)


def _when(when: When) -> str:
    condition = f" AND {in_parentheses(when.condition, PRECEDENCE['and'] + 1)}" if when.condition is not None else ""
    text = f" WHEN {when.kind.upper()}{condition} THEN "
    if when.action == "update":
        return text + f"UPDATE SET {_assigns(when.assigns)}"
    if when.action == "insert":
        values = ", ".join(map(expr_sql, when.values))
        overriding = f" {when.overriding}" if when.overriding else ""
        return text + f"INSERT{_columns(when.columns)}{overriding} VALUES ({values})"
    return text + ("DELETE" if when.action == "delete" else "DO NOTHING")


_RENDER: dict[type, Callable[..., str]] = {
    Delete: _delete,
    Insert: _insert,
    Merge: _merge,
    Select: _select,
    SetOperation: _set_operation,
    Update: _update,
    Values: _values,
}
