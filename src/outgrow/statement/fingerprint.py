"""What a statement is without its values: the same for texts that differ in literals, layout and comments alone.

Only the lexer is asked, so that texts which outgrow does not understand, or refuses, have a fingerprint too.  A list of
values counts as one value (`IN (1, 2, 3)`, rows of VALUES), as a list's length says little of the statement and makes
a new text for each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from outgrow.errors import ProgrammingError
from outgrow.events import Fingerprint
from outgrow.statement.keywords import words
from outgrow.statement.languages import language
from outgrow.statement.lexer import Lex, Token, significant
from outgrow.statement.model import Kind, Statement
from outgrow.statement.placeholders import prepare
from outgrow.statement.quoting import name_sql
from outgrow.topology import TableName

#: Stands for every literal and every parameter.
VALUE = "?"
SUMMARY_LENGTH_MAX = 255
#: More of a text is not shown; its id is the whole text's.
TEXT_LENGTH_MAX = 8000

_LITERALS = frozenset((Lex.STRING, Lex.BITS, Lex.NUMBER, Lex.PARAM))
#: An opening bracket behind these is no call's.
_APART = frozenset(
    words(
        "all and any as between by case check distinct else except exists filter from full group having ilike in inner "
        "intersect into is join lateral left like limit not offset on or order outer over partition returning right "
        "select set similar some table then union using values when where with within"
    )
)
#: A bracket behind these holds a list, whose length does not matter, or a row.
_LISTED = frozenset(("in", "values", "any", "all", "some", "(", ","))
_UNREADABLE = "(unreadable)"


def fingerprint(statement: Statement) -> Fingerprint:
    """Of a bound statement; to be kept with it."""
    text = normalised(language(statement.engine).lex(statement.sql))
    return Fingerprint(_id(text), _cut(text), _summary(statement))


def fingerprint_of(text: str, parameters: bool, engine: str) -> Fingerprint:
    """Of a text in that engine's language that could not be bound.

    Where not even its words can be told apart, none of them is shown.
    """
    lex = language(engine).lex
    try:
        shown = normalised(prepare(text, parameters, lex).tokens)
    except ProgrammingError:
        try:
            shown = normalised(lex(text))
        except ProgrammingError:
            shown = _UNREADABLE
    first = shown.lstrip("( ").partition(" ")[0]
    return Fingerprint(_id(shown), _cut(shown), first.upper() if first.isidentifier() else "")


def normalised(tokens: Sequence[Token]) -> str:
    """The text of these tokens with `?` for values, in one spelling."""
    pieces: list[str] = []
    for token in _valueless(significant(list(tokens))):
        if not pieces:
            pieces.append(token)
            continue
        if _parted(pieces[-1], token):
            pieces.append(" ")
        pieces.append(token)
    return "".join(pieces)


def _valueless(tokens: list[Token]) -> list[str]:
    """The tokens' spelling, values replaced and lists of them made one."""
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    if tokens and tokens[0].value == "set":
        tokens = _unset(tokens)
    found: list[str] = []
    opened: list[int] = []
    for at, token in enumerate(tokens):
        if token.kind in _LITERALS or _boolean(tokens, at):
            _sign_dropped(found)
            # A string constant's continuation, or the character behind UESCAPE, is no value of its own.
            if found[-1:] != [VALUE]:
                found.append(VALUE)
            continue
        found.append(token.value if token.kind is Lex.WORD else token.text)
        if token.text in ("(", "["):
            opened.append(len(found) - 1)
        elif token.text in (")", "]") and opened:
            _shortened(found, opened.pop())
    return found


def _boolean(tokens: list[Token], at: int) -> bool:
    """TRUE or FALSE as a value; behind IS they are a test."""
    token = tokens[at]
    if token.kind is not Lex.WORD or token.value not in ("true", "false"):
        return False
    before = [one.value for one in tokens[max(0, at - 2) : at]]
    return before[-1:] != ["is"] and before != ["is", "not"]


def _unset(tokens: list[Token]) -> list[Token]:
    """SET takes bare words as values: all behind TO or = is one."""
    for at, token in enumerate(tokens):
        if token.text == "=" or (token.kind is Lex.WORD and token.value in ("to", "zone", "authorization", "role")):
            rest = tokens[at + 1 :]
            return [*tokens[: at + 1], *(Token(Lex.STRING, VALUE, VALUE, one.start) for one in rest[:1])]
    return tokens


def _sign_dropped(found: list[str]) -> None:
    """A sign that belongs to a number, where nothing stands before it that it could be applied to."""
    if found[-1:] in (["-"], ["+"]) and (
        len(found) < 2 or found[-2] in ("(", ",", "[", "=", "<", ">", "<=", ">=", "<>")
    ):
        found.pop()


def _shortened(found: list[str], at: int) -> None:
    """The bracket opened at `at` was closed: a list of values is made one value, a row like the one before goes."""
    before = found[at - 1] if at else ""
    if (found[at] == "[" or before in _LISTED) and set(found[at + 1 : -1]) == {VALUE, ","}:
        found[at + 1 : -1] = [VALUE]
    size = len(found) - at
    first = at - 1 - size
    if before == "," and first > 0 and found[first - 1] in ("values", "(") and found[first : at - 1] == found[at:]:
        del found[at - 1 :]


def _parted(before: str, token: str) -> bool:
    """Whether a space stands between the two."""
    if token in (",", ")", "]", ".", "::", ";") or before in ("(", "[", ".", "::"):
        return False
    if token in ("(", "["):
        wordlike = before[-1].isalnum() or before[-1] in '_"$'
        return not wordlike or before in _APART
    return True


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_LENGTH_MAX else text[:TEXT_LENGTH_MAX] + " …"


def _id(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _summary(statement: Statement) -> str:
    """Operations and their tables, in the form that OpenTelemetry gives a query's summary."""
    writes, reads = list(statement.writes), list(statement.reads)
    parts: list[str] = [statement.command or "statement"]
    parts += [_shown(table) for table in writes]
    reads = [table for table in reads if table not in writes]
    if reads:
        if statement.kind is Kind.WRITE:
            parts.append("SELECT")
        parts += [_shown(table) for table in reads]
    summary = parts[0]
    for part in parts[1:]:
        if len(summary) + 1 + len(part) > SUMMARY_LENGTH_MAX:
            break
        summary += " " + part
    return summary


def _shown(table: TableName) -> str:
    name = name_sql(table.name)
    return name if table.schema == "public" else f"{name_sql(table.schema)}.{name}"
