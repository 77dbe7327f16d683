"""What is known of an expression's text in MariaDB, and of decimals that hold more digits than they show."""

from __future__ import annotations

import enum
import re

from outgrow.plan.walking import children, everything_below
from outgrow.schema import Order
from outgrow.statement.tree import (
    Call,
    Case,
    Collate,
    ColumnRef,
    Expr,
    InList,
    Literal,
    Operation,
    Parameter,
    Query,
    Template,
)

#: `mariadb.varchar(30) collate utf8mb4_general_ci`, as `schema.mariadb` writes it.
_COLLATED = re.compile(r"mariadb\.(?:var)?char\((\d+)\) collate (\w+)")
#: Weights of one character at most: collations of the Unicode algorithm expand some.
_EXPANDS = re.compile(r"unicode|uca1400|_(?:czech|danish|spanish|german2|hungarian|croatian|vietnamese|thai)")
#: Bytes of a sort key that the server looks at (`max_sort_length`).
SORT_BYTES = 1024
#: Characters of a column up to which a server's order is that of its whole values.
LENGTH_MAX = 255
#: Characters of text that is told apart by its bytes: hashes, names of months, short constants.
SHORT = 128

#: Functions whose text is as its one text argument's, and not longer.
_SHORTER = frozenset("left right substr substring mid lower lcase upper ucase trim ltrim rtrim reverse btrim".split())
_JOINING = frozenset("concat concat_ws replace repeat lpad rpad coalesce ifnull nullif".split())
#: Functions of text that bytes tell apart: one case, one alphabet.
_APART = frozenset("md5 sha1 sha sha2 monthname dayname inet6_ntoa inet_ntoa".split())
_NUMERIC = frozenset(
    "abs ceil ceiling floor round truncate mod sign length octet_length char_length character_length ascii ord year "
    "month day dayofmonth dayofweek dayofyear hour minute second microsecond quarter week weekday weekofyear yearweek "
    "date datediff to_days crc32 locate instr position field find_in_set strcmp bit_length bit_count json_length "
    "timestampdiff unix_timestamp last_day makedate isnull time_to_sec json_valid json_contains json_depth".split()
)
_FIXED_DIGITS = re.compile(r"(?:%[YmdHisSyjTDfkUVXx]|[-/:. T])*")
_PLAIN_WORDS = re.compile(r"[ -~]*[!-~]|")


class Text(enum.Enum):
    #: No text at all.
    NONE = 0
    #: Of a collation that compares bytes.
    BYTES = 1
    #: Digits and signs at fixed places: every collation orders them as bytes do.
    DIGITS = 2
    #: Bytes tell apart what the collation tells apart.
    APART = 3
    UNKNOWN = 4


def text_of(expr: Expr) -> Text:
    match expr:
        case ColumnRef(type=kind, order=order):
            if kind in ("varchar", "text"):
                return Text.BYTES if order is Order.BYTES else Text.UNKNOWN
            return Text.NONE if kind in _NUMBERS else Text.UNKNOWN
        case Collate(order=order):
            return Text.BYTES if order is Order.BYTES else Text.UNKNOWN
        case Operation(operator=operator):
            return Text.NONE if operator in _RESULTS_ARE_NUMBERS else Text.UNKNOWN
        case Literal(kind="number" | "boolean"):
            return Text.NONE
        case Case():
            branches = [value for _, value in expr.branches]
            return one_of([*branches, expr.default] if expr.default is not None else branches)
        case Call(name="if", args=(_, one, other)):
            return one_of([one, other])
        case Call():
            return _call(expr)
    return Text.UNKNOWN


_NUMBERS = frozenset(
    ("int2", "int4", "int8", "mariadb.bigint unsigned", "numeric", "float8", "mariadb.float", "date", "timestamp")
)
_RESULTS_ARE_NUMBERS = frozenset(
    (
        *(
            "+",
            "-",
            "*",
            "/",
            "%",
            "div",
            "=",
            "<>",
            "!=",
            "<",
            "<=",
            ">",
            ">=",
            "and",
            "or",
            "not",
            "like",
            "not like",
        ),
        *("between", "not between", "is null", "is not null", "is true", "is not true", "is false", "is not false"),
        *("is not distinct from", "regexp"),
    )
)


def _call(call: Call) -> Text:
    if not call.builtin:
        return Text.UNKNOWN
    if call.name in _NUMERIC:
        return Text.NONE
    if call.name in _APART:
        return Text.APART
    if call.name == "date_format" and len(call.args) == 2:
        form = call.args[1]
        if isinstance(form, Literal) and _FIXED_DIGITS.fullmatch(form.text):
            return Text.DIGITS
        return Text.APART if isinstance(form, Literal) and _PLAIN_WORDS.fullmatch(form.text) else Text.UNKNOWN
    if call.name in _SHORTER | _JOINING:
        known = {text_of(arg) for arg in call.args if not isinstance(arg, Literal | Parameter)}
        if known <= {Text.BYTES, Text.NONE} and Text.BYTES in known:
            return Text.BYTES
    return Text.UNKNOWN


def one_of(values: list[Expr]) -> Text:
    """The text of what is one of these: of constants that every collation tells apart, or of one collation."""
    constants = [value.text for value in values if isinstance(value, Literal) and value.kind == "string"]
    rest = [value for value in values if not isinstance(value, Literal) or value.kind not in ("string", "null")]
    kinds = {text_of(value) for value in rest}
    if not constants:
        return kinds.pop() if len(kinds) == 1 else Text.UNKNOWN
    if kinds:
        return Text.BYTES if kinds == {Text.BYTES} else Text.UNKNOWN
    words = {word for word in constants if _PLAIN_WORDS.fullmatch(word) and len(word) <= SHORT}
    return Text.APART if len(words) == len({w.casefold() for w in words}) == len(set(constants)) else Text.UNKNOWN


def least_by_bytes(expr: Expr) -> bool:
    """Should it be text, the least of several is the one with the least code points, and no other equals it."""
    return text_of(expr) in (Text.BYTES, Text.DIGITS)


def sorted_whole(expr: Expr) -> bool:
    """Text of a collation that compares bytes, and never so long that the server sorts by its beginning."""
    match expr:
        case ColumnRef(type=kind, order=order):
            return kind == "varchar" and order is Order.BYTES
        case Collate(operand=ColumnRef(type=kind), order=Order.BYTES):
            found = _COLLATED.fullmatch(kind or "")
            return kind == "varchar" or (found is not None and int(found[1]) <= LENGTH_MAX)
        case Call(builtin=True, name=name, args=args) if name in _SHORTER:
            return sorted_whole(args[0]) and text_of(expr) is Text.BYTES
    return False


def weighed(column: ColumnRef, kind: str, *, cut: bool) -> Expr | None:
    """What Python sorts and tells apart in place of a column's value; None where there is nothing.

    `cut` to what the server looks at when it sorts.
    """
    base = kind.partition("(")[0].partition(" ")[0]
    if base == "mariadb.timestamp":
        return Call("unix_timestamp", (column,), builtin=True)
    if base in ("mariadb.enum", "mariadb.set", "mariadb.bit") or kind == "mariadb.float":
        # The number that the server sorts by; of a float the digits that it does not show.
        return Operation("+", (column, Template(("0e0" if kind == "mariadb.float" else "0",), ())))
    if kind == "varchar":
        return Template(("WEIGHT_STRING(", ")"), (column,))
    found = _COLLATED.fullmatch(kind)
    if found is None or int(found[1]) > LENGTH_MAX:
        return None
    length, collation = int(found[1]), found[2]
    if collation.endswith("_nopad_bin") or "_nopad_" in collation:
        pieces = ("WEIGHT_STRING(", ")")
    else:
        weights = length * (8 if _EXPANDS.search(collation) else 1)
        pieces = ("WEIGHT_STRING(", f" AS CHAR({weights}))")
    return Template((f"LEFT({pieces[0]}", f"{pieces[1]}, {SORT_BYTES})") if cut else pieces, (column,))


def weighed_constant(expr: Expr) -> Expr:
    """What Python sorts by in place of short text of the connection's collation, which pads."""
    return Template(("WEIGHT_STRING(", f" AS CHAR({SHORT}))"), (expr,))


def quotient(expr: object) -> bool:
    """A division whose digits are still there, shown or not; rounding takes them away."""
    if isinstance(expr, Operation) and expr.operator == "/":
        return True
    if isinstance(expr, Query) or (isinstance(expr, Call) and expr.name in _ROUNDS | _NUMERIC):
        return isinstance(expr, Query)
    if isinstance(expr, Operation) and expr.operator not in ("+", "-", "*", "%"):
        return False
    if isinstance(expr, Call) and expr.kind == "aggregate":
        return expr.name == "avg"
    return any(quotient(child) for child in children(expr))


def computes_on_average(expr: object) -> bool:
    """More is done with an average than to show it, to compare it, or to put something in place of its NULL."""
    if expr is None or not isinstance(expr, Expr):
        return False
    below = [child for child in children(expr) if isinstance(child, Expr)]
    kept = isinstance(expr, Case | InList) or (
        expr.name in ("ifnull", "coalesce", "if", "nullif", "abs")
        if isinstance(expr, Call)
        else isinstance(expr, Operation) and (len(below) == 1 or expr.operator not in ("+", "-", "*", "/", "%", "div"))
    )
    fine = any(isinstance(child, Literal) and len(child.text.partition(".")[2]) > 4 for child in below)
    if isinstance(expr, Call) and expr.kind == "aggregate":
        return False
    if not kept or fine:
        return any(isinstance(node, Call) and node.name == "avg" for node in everything_below(expr))
    return any(computes_on_average(child) for child in below)


_ROUNDS = frozenset(("round", "truncate", "floor", "ceil", "ceiling", "div"))
