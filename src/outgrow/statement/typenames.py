"""Type names as SQL spells them → as the catalogue does: `integer` → `int4`, `character varying(9)` → `varchar(9)`."""

from __future__ import annotations

from collections.abc import Sequence

from outgrow.statement.keywords import RESERVED, words
from outgrow.statement.lexer import Lex, Token
from outgrow.statement.quoting import name_sql

_ALIASES = {
    "int": "int4",
    "integer": "int4",
    "smallint": "int2",
    "bigint": "int8",
    "real": "float4",
    "boolean": "bool",
    "decimal": "numeric",
    "dec": "numeric",
}
_INTERVAL_FIELDS = frozenset(words("year month day hour minute second"))
_NOT_TYPES = RESERVED | {"set", "values", "exists", "escape"}


def scan_type(tokens: Sequence[Token], at: int) -> tuple[str, int] | None:
    """The canonical name of the type written at `at`, and where it ends; None where no type is."""
    scanned = _scan_base(tokens, at)
    if scanned is None:
        return None
    name, at = scanned
    while True:
        if _is(tokens, at, "[") and _is(tokens, at + 1, "]"):
            name, at = name + "[]", at + 2
        elif _is(tokens, at, "[") and _number(tokens, at + 1) and _is(tokens, at + 2, "]"):
            name, at = name + "[]", at + 3
        elif _word(tokens, at) == "array" and not _is(tokens, at + 1, "["):
            name, at = name + "[]", at + 1
        else:
            return name, at


def bare_name(type: str) -> str:
    """What PostgreSQL calls a column cast to `type`: the last part, without size and brackets."""
    name = type.rstrip("[]").split("(")[0]
    if name.startswith("interval"):
        return "interval"
    return name.rsplit(".", 1)[-1].strip('"').replace('""', '"')


def _scan_base(tokens: Sequence[Token], at: int) -> tuple[str, int] | None:
    if at >= len(tokens) or tokens[at].kind not in (Lex.WORD, Lex.QUOTED):
        return None
    token = tokens[at]
    if token.kind is Lex.WORD:
        if token.value in _NOT_TYPES:
            return None
        special = _spelled(tokens, at)
        if special is not None:
            return special
    parts = [token]
    at += 1
    while _is(tokens, at, ".") and at + 1 < len(tokens) and tokens[at + 1].kind in (Lex.WORD, Lex.QUOTED):
        parts.append(tokens[at + 1])
        at += 2
    # A quoted "char" or "time" is another type than the word: it stays quoted.
    name = ".".join(part.value if part.kind is Lex.WORD else name_sql(part.value) for part in parts)
    size, at = _size(tokens, at)
    return name + size, at


def _spelled(tokens: Sequence[Token], at: int) -> tuple[str, int] | None:
    """Types with a spelling of their own in the SQL standard."""
    word, second = tokens[at].value, _word(tokens, at + 1)
    if word in _ALIASES and not _is(tokens, at + 1, "."):
        size, end = _size(tokens, at + 1)
        return _ALIASES[word] + size, end
    if word == "double" and second == "precision":
        return "float8", at + 2
    if word == "float":
        size, end = _size(tokens, at + 1)
        return ("float4" if size and int(size[1:-1]) <= 24 else "float8"), end
    if word in ("character", "char", "nchar") or (word == "national" and second in ("character", "char")):
        at += 2 if word == "national" else 1
        varying = _word(tokens, at) == "varying"
        size, at = _size(tokens, at + varying)
        return ("varchar" + size if varying else "bpchar" + (size or "(1)")), at
    if word == "bit":
        varying = second == "varying"
        size, at = _size(tokens, at + 1 + varying)
        return ("varbit" + size if varying else "bit" + (size or "(1)")), at
    if word in ("time", "timestamp"):
        return _time(tokens, at)
    if word == "interval":
        return _interval(tokens, at)
    return None


def _time(tokens: Sequence[Token], at: int) -> tuple[str, int]:
    name = tokens[at].value
    size, at = _size(tokens, at + 1)
    with_, zone = _word(tokens, at), (_word(tokens, at + 1), _word(tokens, at + 2))
    if with_ in ("with", "without") and zone == ("time", "zone"):
        return name + ("tz" if with_ == "with" else "") + size, at + 3
    return name + size, at


def _interval(tokens: Sequence[Token], at: int) -> tuple[str, int]:
    size, at = _size(tokens, at + 1)
    fields = ""
    if _word(tokens, at) in _INTERVAL_FIELDS:
        fields = " " + _word(tokens, at)
        at += 1
        if _word(tokens, at) == "to" and _word(tokens, at + 1) in _INTERVAL_FIELDS:
            fields += " to " + _word(tokens, at + 1)
            at += 2
        if fields.endswith("second"):
            size, at = _size(tokens, at)
    return "interval" + fields + size, at


def _size(tokens: Sequence[Token], at: int) -> tuple[str, int]:
    """`(10,2)`; anything but numbers between the parentheses is no size."""
    if not _is(tokens, at, "("):
        return "", at
    parts = []
    end = at + 1
    while _number(tokens, end) or (_is(tokens, end, "-") and _number(tokens, end + 1)):
        sign = "-" if _is(tokens, end, "-") else ""
        end += bool(sign)
        parts.append(sign + tokens[end].text)
        end += 1
        if _is(tokens, end, ")"):
            return f"({','.join(parts)})", end + 1
        if not _is(tokens, end, ","):
            break
        end += 1
    return "", at


def _is(tokens: Sequence[Token], at: int, text: str) -> bool:
    return at < len(tokens) and tokens[at].text == text and tokens[at].kind in (Lex.PUNCT, Lex.OP)


def _word(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].value if at < len(tokens) and tokens[at].kind is Lex.WORD else ""


def _number(tokens: Sequence[Token], at: int) -> bool:
    return at < len(tokens) and tokens[at].kind is Lex.NUMBER and tokens[at].text.isdigit()
