"""The type and text order of an expression, where they can be known without a server."""

from __future__ import annotations

from outgrow.schema import Order
from outgrow.statement.keywords import words
from outgrow.statement.tree import (
    ArrayOf,
    Call,
    Case,
    Cast,
    Collate,
    ColumnRef,
    Exists,
    Expr,
    InList,
    Literal,
    Operation,
    Quantified,
    Query,
    RowPart,
    ScalarQuery,
    Select,
    SetOperation,
    Template,
    Values,
)

_TESTS = frozenset(words("and or not = <> < <= > >= like ilike between ~ ~* !~ !~* ~~ !~~ ~~* !~~* @> <@ ? ?| ?&")) | {
    "similar to",
    "not between",
    "between symmetric",
    "not between symmetric",
    "is null",
    "is not null",
    "is true",
    "is not true",
    "is false",
    "is not false",
    "is distinct from",
    "is not distinct from",
}
_NUMBERS = ("int2", "int4", "int8", "numeric", "float4", "float8")
TEXTUAL = frozenset(("text", "varchar", "bpchar", "name", "unknown"))
_SAME_AS_ARGUMENT = frozenset(
    words("min max any_value first_value last_value nth_value lag lead coalesce greatest least")
)
#: They exist for other types too (bytea, ranges), so the catalogue alone does not tell.
_TEXT_OF_TEXT = frozenset(words("lower upper btrim ltrim rtrim substr substring overlay reverse"))
_BYTES_COLLATIONS = frozenset(
    (
        *("C", "POSIX", "ucs_basic", "C.UTF-8", "C.utf8", "pg_c_utf8", "pg_unicode_fast"),
        *("utf8mb4_nopad_bin", "utf8mb3_nopad_bin", "ascii_nopad_bin"),
    )
)
_SUM = {"int2": "int8", "int4": "int8", "int8": "numeric"}
_AVG = {"int2": "numeric", "int4": "numeric", "int8": "numeric", "float4": "float8"}


def type_of(expr: Expr) -> str | None:
    """pg_catalog's name of the type, `unknown` for a bare string or NULL, None where only a server can say."""
    if isinstance(expr, ColumnRef | Call):
        return expr.type
    if isinstance(expr, Literal):
        return _literal(expr)
    if isinstance(expr, Cast):
        return catalogue_name(expr.type)
    if isinstance(expr, Operation):
        return _operation(expr)
    if isinstance(expr, InList | Quantified | Exists):
        return "bool"
    if isinstance(expr, Case):
        # ELSE counts as the first.
        values = [*([expr.default] if expr.default else []), *(value for _, value in expr.branches)]
        return common(*(type_of(value) for value in values))
    if isinstance(expr, Collate):
        return type_of(expr.operand)
    if isinstance(expr, ScalarQuery):
        inner = _first_column(expr.query)
        return f"_{inner}" if expr.array and inner else inner
    if isinstance(expr, ArrayOf):
        item = common(*(type_of(item) for item in expr.items))
        return f"_{item}" if item and item != "unknown" and not item.startswith("_") else None
    if isinstance(expr, Template):
        return {"extract": "numeric", "position": "int4", "substring": None, "current_date": "date",
                "current_timestamp": "timestamptz", "localtimestamp": "timestamp"}.get(expr.name)  # fmt: skip
    return None


def modifier_of(expr: Expr) -> int | None:
    """What `pg_attribute.atttypmod` is for a column, of any expression: -1 says none, None that it is unknown here."""
    if isinstance(expr, ColumnRef):
        return expr.modifier
    if isinstance(expr, Cast):
        return _written_modifier(expr.type)
    if isinstance(expr, Case):
        values = [value for _, value in expr.branches]
        return common_modifier(*map(modifier_of, [*values, expr.default])) if expr.default else -1
    if isinstance(expr, Call) and expr.name in ("coalesce", "greatest", "least"):
        return common_modifier(*map(modifier_of, expr.args))
    if isinstance(expr, Call) and expr.name == "nullif" and expr.args:
        # It compares a varchar as text.
        kept = type_of(expr.args[0]) not in ("varchar", None)
        return modifier_of(expr.args[0]) if kept else -1
    return -1 if isinstance(expr, Call | Operation | Literal) else None


def common_modifier(*modifiers: int | None) -> int | None:
    """That of a value which may be any of these: theirs, or none where they differ."""
    if None in modifiers:
        return None
    return modifiers[0] if len(set(modifiers)) == 1 else -1


def _written_modifier(type: str) -> int | None:
    base, _, written = type.partition("(")
    if not written:
        return -1 if " " not in base else None
    parts = written.removesuffix(")").split(",")
    if not all(part.strip().removeprefix("-").isdigit() for part in parts):
        # Such as an array.
        return None
    first, *rest = map(int, parts)
    if base in ("varchar", "bpchar"):
        return first + 4
    return (first << 16 | (rest[0] if rest else 0) & 0x7FF) + 4 if base == "numeric" else None


def catalogue_name(type: str) -> str:
    """`numeric(10,2)` → `numeric`, `text[]` → `_text`, `interval day to second` → `interval`."""
    base, array = type.rstrip("[]"), type.endswith("]")
    base = base.split("(")[0]
    if base.startswith("interval "):
        base = "interval"
    return "_" + base if array else base


def common(*types: str | None) -> str | None:
    """The one type of all, leaving `unknown` aside; numbers widen, and of text and varchar it is the first."""
    known = [type for type in types if type != "unknown"]
    if not known:
        return "unknown" if types else None
    if all(type == known[0] for type in known):
        return known[0]
    if all(type in _NUMBERS for type in known):
        return max((type for type in known if type is not None), key=_NUMBERS.index)
    return known[0] if all(type in ("text", "varchar") for type in known) else None


def call_type(name: str, declared: str | None, args: tuple[Expr, ...]) -> str | None:
    """The result type of a builtin function."""
    first = type_of(args[0]) if args else None
    if name == "sum":
        return _SUM.get(first or "", first)
    if name == "avg":
        return _AVG.get(first or "", first if first in ("numeric", "float8", "interval") else None)
    if name == "nullif":
        return _nullif(first, type_of(args[1])) if len(args) == 2 else None
    if name == "length":
        return declared or ("int4" if first in TEXTUAL or first == "bytea" else None)
    if name in _TEXT_OF_TEXT:
        return declared or ("text" if first in TEXTUAL else None)
    if name in _SAME_AS_ARGUMENT:
        wide = common(*(type_of(arg) for arg in args)) if name in ("coalesce", "greatest", "least") else first
        if name in ("min", "max") and wide in ("varchar", "unknown"):
            return "text"
        return wide
    return declared


def _nullif(first: str | None, second: str | None) -> str | None:
    """The first as the operator `=` takes it: where there is none of both types, it is widened."""
    if first in _NUMBERS and second != "unknown":
        if second not in _NUMBERS:
            return None
        if first == second or first == "float4" or {first, second} <= set(_SUM):
            return first
        return "float8" if "float" in first + second else "numeric"
    if first == "unknown":
        first = second
    return "text" if first in ("varchar", "unknown") and second in ("varchar", "text", "unknown") else first


def collation_order(name: str, default: Order) -> Order:
    """How a collation compares, by its name in either language."""
    bare = name.rsplit(".", 1)[-1].strip('"')
    if bare == "default":
        return default
    return Order.BYTES if bare in _BYTES_COLLATIONS else Order.LINGUISTIC


def order_of(expr: Expr, default: Order) -> Order:
    """How the expression's text values compare; NONE where they are no text."""
    if isinstance(expr, ColumnRef):
        if expr.order is Order.NONE and expr.type is None:
            return default
        return expr.order
    if isinstance(expr, Collate):
        return expr.order
    type = type_of(expr)
    if type is not None and type.lstrip("_") not in TEXTUAL and "." not in type:
        return Order.NONE
    if isinstance(expr, Literal):
        return default
    inputs = [child for child in _inputs(expr) if not isinstance(child, Literal)]
    orders = {order_of(child, default) for child in inputs} - {Order.NONE}
    if Order.LINGUISTIC in orders:
        return Order.LINGUISTIC
    return Order.BYTES if orders else default


def _inputs(expr: Expr) -> tuple[Expr, ...]:
    if isinstance(expr, Cast):
        return (expr.operand,)
    if isinstance(expr, Call):
        return expr.args
    if isinstance(expr, Operation):
        return expr.operands
    if isinstance(expr, ArrayOf):
        return expr.items
    if isinstance(expr, Case):
        return tuple(value for _, value in expr.branches) + ((expr.default,) if expr.default else ())
    if isinstance(expr, Template):
        return expr.holes
    if isinstance(expr, RowPart):
        return (expr.source,)
    return ()


def _literal(literal: Literal) -> str:
    if literal.kind == "boolean":
        return "bool"
    if literal.kind != "number":
        return "unknown"
    try:
        value = int(literal.text.replace("_", ""), 0 if literal.text[:2].lower() in ("0x", "0o", "0b") else 10)
    except ValueError:
        return "numeric"
    return "int4" if value < 2**31 else "int8" if value < 2**63 else "numeric"


def _operation(operation: Operation) -> str | None:
    name = operation.operator
    unary_symbol = len(operation.operands) == 1 and name in ("~", "?")
    if name in _TESTS and not unary_symbol:
        return "bool"
    types = [type_of(operand) for operand in operation.operands]
    if name in ("+", "-", "*", "/", "%"):
        if all(type in _NUMBERS for type in types):
            return "float8" if "float4" in types and len(set(types)) > 1 else common(*types)
        return None
    if name == "||" and any(type in TEXTUAL and type != "unknown" for type in types):
        return None if any(type is not None and type.startswith("_") for type in types) else "text"
    return None


def _first_column(query: Query) -> str | None:
    if isinstance(query, Select):
        return type_of(query.items[0].expr) if query.items else None
    if isinstance(query, SetOperation):
        return common(_first_column(query.left), _first_column(query.right))
    if isinstance(query, Values):
        return common(*(type_of(row[0]) for row in query.rows))
    return None
