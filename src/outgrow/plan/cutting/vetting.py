"""What a statement may contain to be evaluated by several shards, each for itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from outgrow.plan.blocks import plain_type
from outgrow.plan.refusals import Refused, refused
from outgrow.plan.walking import everything_below
from outgrow.schema import Volatility
from outgrow.statement.model import Statement
from outgrow.statement.tree import (
    Call,
    CallKind,
    Cast,
    ColumnRef,
    CteScan,
    Expr,
    Join,
    Literal,
    Operation,
    Relation,
    Scan,
    Select,
    Template,
    Tree,
)
from outgrow.statement.walk import columns_of

#: Functions of the transaction's or the session's moment, which begins at another time on each shard.
MOMENTS = frozenset(
    (
        "now",
        "current_timestamp",
        "current_date",
        "current_time",
        "localtime",
        "localtimestamp",
        "transaction_timestamp",
        "statement_timestamp",
        "clock_timestamp",
        "timeofday",
    )
)

#: Built-in STABLE functions whose result depends on their arguments and the session's settings alone.
STABLE = frozenset(
    (
        "to_char to_date to_timestamp to_number date_trunc date_part extract timezone age format concat concat_ws "
        "array_to_string string_to_array to_json to_jsonb row_to_json json_build_object json_build_array "
        "jsonb_build_object jsonb_build_array json_object jsonb_object array_to_json to_tsvector to_tsquery "
        "plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_headline make_timestamptz quote_literal "
        "quote_nullable generate_series date_add date_subtract overlaps timestamptz timestamp date time timetz "
        "json_populate_record jsonb_populate_record json_to_record jsonb_to_record json_to_recordset "
        "jsonb_to_recordset current_user session_user current_role current_setting "
        "json_agg jsonb_agg json_object_agg jsonb_object_agg length numeric ts_rank ts_rank_cd date_bin interval"
    ).split()
)

#: VOLATILE built-ins that change nothing, and that one PostgreSQL too evaluates for each row anew.
PER_ROW = frozenset(
    "random random_normal gen_random_uuid uuidv4 uuidv7 clock_timestamp timeofday uuid_generate_v4".split()
)

_SYSTEM_COLUMNS = frozenset(("ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"))
_MOMENT_WORDS = frozenset(("now", "today", "tomorrow", "yesterday"))
_TIMES = frozenset(("date", "timestamp", "timestamptz", "time", "timetz"))


def vet(statement: Statement, alone: bool = False) -> None:
    """Raises Refused for the first construct that shards cannot evaluate each for itself.

    `alone`: one server evaluates the statement, so that moments are one moment.
    """
    assert statement.tree is not None
    for effect in statement.effects:
        if effect.kind == "locking":
            raise refused("locking", "FOR UPDATE or another locking clause")
    for node in everything_below(statement.tree):
        _node(node, (), alone)
    for effect in statement.effects:
        name = "unvetted" if effect.kind == "unvetted" else "volatile"
        raise refused(name, f"the statement {effect.what}: that")


def vet_change(statement: Statement, tree: Tree, per_row: Collection[int]) -> None:
    """`vet` for a statement that writes, whose moments were evaluated before: `tree` is what shards shall run.

    `per_row` holds the ids of nodes that are evaluated for each row written, where volatile built-ins may stand.
    """
    for effect in statement.effects:
        if effect.kind not in ("writes", "volatile", "locking"):
            raise refused("volatile" if effect.kind == "advisory" else "unvetted", f"the statement {effect.what}: that")
    for node in everything_below(tree):
        if isinstance(node, Scan) and node.sample:
            raise refused("table form", f"TABLESAMPLE on {node.table} in a statement that writes")
        _node(node, per_row)


def vet_alike(expr: Expr) -> bool:
    """Every server computes the same of it, at any moment."""
    try:
        for node in everything_below(expr):
            _node(node)
    except Refused:
        return False
    return True


def joined_alike(relation: Relation, aliases: Collection[str]) -> bool:
    """Every server joins these FROM items alike, asked for them alone: no ON in it names what only the rest of the
    statement has (a WITH, a row of a block outside), nor a moment."""
    if not isinstance(relation, Join):
        return True
    if relation.on is not None:
        if any(depth or ref.relation not in aliases for ref, depth in columns_of(relation.on)):
            return False
        if not vet_alike(relation.on) or any(isinstance(node, CteScan) for node in everything_below(relation.on)):
            return False
    return joined_alike(relation.left, aliases) and joined_alike(relation.right, aliases)


def _node(node: Any, per_row: Collection[int] = (), alone: bool = False) -> None:
    match node:
        case Call() if node.builtin and node.name in PER_ROW and id(node) in per_row:
            return
        case Call():
            _call(node, alone)
        case Template():
            _template(node, alone)
        case Cast():
            _cast(node, alone)
        case Operation() if not alone:
            _operation(node)
        case ColumnRef() if node.name in _SYSTEM_COLUMNS and node.table is not None:
            raise refused("table form", f"the system column {node.name}")
        case Select() if node.locking:
            raise refused("locking", node.locking)
        case Select() if node.with_ties and not alone:
            raise refused("limit", "FETCH … WITH TIES")


def _call(call: Call, alone: bool) -> None:
    name = call.name
    if call.kind is CallKind.UNKNOWN:
        raise refused("unvetted", f"the function {name}")
    if not call.builtin and call.volatility is not Volatility.IMMUTABLE:
        raise refused("own function", name, call.volatility.upper())
    if name in MOMENTS or (name == "age" and len(call.args) == 1):
        if alone and call.volatility is not Volatility.VOLATILE:
            return
        raise refused("moment", f"{name}()")
    if call.volatility is Volatility.VOLATILE:
        raise refused("volatile", f"{name}()")
    if call.volatility is Volatility.STABLE and name not in STABLE:
        raise refused("unvetted", f"the function {name}")


def _template(template: Template, alone: bool) -> None:
    words = " ".join(template.pieces).lower()
    for moment in MOMENTS if not alone else ():
        if moment in words and ("current_" in moment or moment.startswith("local")):
            raise refused("moment", moment.upper())
    times = not alone and any(kind in words for kind in ("date", "time"))
    if times and any(f"'{word}" in words for word in _MOMENT_WORDS):
        raise refused("moment", words.strip())
    if template.volatility is Volatility.VOLATILE:
        raise refused("volatile", words.strip() or "an expression")


def _cast(cast: Cast, alone: bool) -> None:
    kind = plain_type(cast.type)
    if kind.startswith("reg"):
        raise refused("unvetted", f"a cast to {cast.type}")
    if not alone and kind.split("(")[0] in _TIMES and _is_moment(cast.operand):
        raise refused("moment", f"'{getattr(cast.operand, 'text', '')}'::{cast.type}")


def _operation(operation: Operation) -> None:
    """`created > 'yesterday'`: an untyped literal beside a column of a time type."""
    types = {operand.type for operand in operation.operands if isinstance(operand, ColumnRef | Cast) and operand.type}
    if any(str(kind).split("(")[0] in _TIMES for kind in types) and any(map(_is_moment, operation.operands)):
        raise refused("moment", "a literal such as 'now' or 'today'")


def _is_moment(expr: Any) -> bool:
    if not isinstance(expr, Literal) or expr.kind != "string":
        return False
    return any(word in expr.text.lower().split() for word in _MOMENT_WORDS)
