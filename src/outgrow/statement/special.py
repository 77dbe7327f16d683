"""Functions with a grammar of their own: EXTRACT, SUBSTRING, POSITION, OVERLAY, TRIM, NORMALIZE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from outgrow.statement.keywords import words
from outgrow.statement.lexer import Lex, Token


class Special(NamedTuple):
    """Becomes a `Template` with `pieces`; volatility is that of `function`; `name` is the output column's."""

    pieces: tuple[str, ...]
    function: str
    name: str


SPECIAL = frozenset(words("extract substring position overlay trim normalize"))
#: Forms that are not understood at all.
UNKNOWN_FORMS = frozenset(
    words(
        "json_array json_arrayagg json_exists json_objectagg json_query json_scalar json_serialize json_table "
        "json_value treat xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi "
        "xmlroot xmlserialize xmltable merge_action"
    )
)

Spans = list[tuple[int, int]]


class Forms(NamedTuple):
    """A language's functions with a grammar of their own, those that are not understood, and what reads the former."""

    known: frozenset[str]
    unknown: frozenset[str]
    read: Callable[[str, Sequence[Token], int, int], tuple[Special, Spans] | None]


def special_form(word: str, tokens: Sequence[Token], start: int, end: int) -> tuple[Special, Spans] | None:
    """The form between `start` and `end` (inside the parentheses) with the operands' spans; None: an ordinary call."""
    if word == "trim":
        return _trim(tokens, start, end)
    splits = _split(tokens, start, end)
    if word == "extract":
        if len(splits) != 1 or splits[0][0] != "from" or splits[0][1] != start + 1:
            return None
        field = tokens[start]
        shown = field.value if field.kind in (Lex.WORD, Lex.QUOTED) else field.text
        return Special((f"EXTRACT({shown} FROM ", ")"), "extract", "extract"), [(start + 2, end)]
    if word == "normalize":
        if (
            end - start < 3
            or tokens[end - 2].text != ","
            or tokens[end - 1].value not in ("nfc", "nfd", "nfkc", "nfkd")
        ):
            return None
        return Special(("NORMALIZE(", f", {tokens[end - 1].value.upper()})"), word, word), [(start, end - 2)]
    wanted = {
        "position": {"in"},
        "substring": {"from", "for", "similar", "escape"},
        "overlay": {"placing", "from", "for"},
    }
    splits = [split for split in splits if split[0] in wanted[word]]
    if not splits:
        return None
    pieces, spans, at = [f"{word.upper()}("], [], start
    for name, position in splits:
        pieces.append(f" {name.upper()} ")
        spans.append((at, position))
        at = position + 1
    spans.append((at, end))
    return Special((*pieces, ")"), word, word), spans


def _trim(tokens: Sequence[Token], start: int, end: int) -> tuple[Special, Spans] | None:
    side = tokens[start].value if tokens[start].value in ("both", "leading", "trailing") else ""
    if tokens[start].kind is not Lex.WORD:
        side = ""
    function = {"leading": "ltrim", "trailing": "rtrim"}.get(side, "btrim")
    opening = f"TRIM({side.upper()} " if side else "TRIM("
    start += bool(side)
    splits = [split for split in _split(tokens, start, end) if split[0] == "from"]
    if splits and splits[0][1] == start:
        return Special((opening + "FROM ", ")"), function, function), [(start + 1, end)]
    if splits:
        at = splits[0][1]
        return Special((opening, " FROM ", ")"), function, function), [(start, at), (at + 1, end)]
    comma = _split(tokens, start, end, comma=True)
    if comma:
        at = comma[0][1]
        return Special((opening, ", ", ")"), function, function), [(start, at), (at + 1, end)]
    return Special((opening, ")"), function, function), [(start, end)]


def _split(tokens: Sequence[Token], start: int, end: int, comma: bool = False) -> list[tuple[str, int]]:
    """The separating words at the top level of a span, in order."""
    found, depth = [], 0
    for at in range(start, end):
        token = tokens[at]
        depth += token.text in ("(", "[")
        depth -= token.text in (")", "]")
        if depth:
            continue
        if comma and token.text == ",":
            found.append((",", at))
        elif not comma and token.kind is Lex.WORD and token.value in _SEPARATORS:
            if token.value == "from" and tokens[at - 1].value == "distinct":
                continue
            found.append((token.value, at))
    return found


_SEPARATORS = frozenset(words("from for in placing similar escape"))
POSTGRESQL = Forms(SPECIAL, UNKNOWN_FORMS, special_form)
