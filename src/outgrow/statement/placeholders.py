"""psycopg's placeholders become `$n`: `%s`, `%b`, `%t`, `%(name)s`; `%%` becomes `%`.

psycopg (`psycopg/_queries.py`) splits the text without looking at quotes; so does this, and then checks with the
lexer that every placeholder stands alone.  Texts with `$n` and no psycopg placeholder outside of
quotes are taken as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from outgrow.errors import ProgrammingError
from outgrow.statement.lexer import Lex, Token, lex
from outgrow.statement.model import Placeholders

_PERCENT = re.compile(r"%(?:\(([^)]+)\)(.)|(.))?", re.DOTALL)


class Prepared(NamedTuple):
    sql: str
    tokens: list[Token]
    placeholders: Placeholders


Lexer = Callable[[str], list[Token]]


def prepare(text: str, parameters: bool, lex: Lexer = lex) -> Prepared:
    """`text` with `$n`, its tokens, and how parameters map; `lex` is the language's.  Errors OG-STMT-005 to 007."""
    if not parameters or "%" not in text:
        tokens = lex(text)
        return Prepared(text, tokens, Placeholders(_native(tokens)))
    raw = _lex_or_none(text, lex)
    if raw is not None and _native(raw) and not _bare_placeholders(text, raw):
        return Prepared(text, raw, Placeholders(_native(raw)))
    return _psycopg(text, lex)


def _bare_placeholders(text: str, tokens: list[Token]) -> bool:
    """A psycopg placeholder stands outside of every literal, name and comment of the text taken as it is."""
    bare = {token.start for token in tokens if token.text.startswith("%")}
    forms = (found for found in _PERCENT.finditer(text) if "".join(filter(None, found.group(2, 3))) in ("s", "b", "t"))
    return any(found.start() in bare for found in forms)


def _lex_or_none(text: str, lex: Lexer) -> list[Token] | None:
    try:
        return lex(text)
    except ProgrammingError:
        return None


def _native(tokens: list[Token]) -> int:
    return max((int(token.text[1:]) for token in tokens if token.kind is Lex.PARAM), default=0)


def _psycopg(text: str, lex: Lexer) -> Prepared:
    pieces: list[str] = []
    length = at = 0
    places: dict[int, str] = {}  # offset in the new text → what stood there
    wrong: dict[int, ProgrammingError] = {}
    names: dict[str, int] = {}
    positional = 0
    for found in _PERCENT.finditer(text):
        before = text[at : found.start()]
        pieces.append(before)
        length += len(before)
        at = found.end()
        name, form, plain = found.groups()
        form = form or plain
        if form == "%" and name is None:
            new = "%"
        elif form in ("s", "b", "t"):
            if name is None:
                positional += 1
                new = f"${positional}"
            else:
                new = f"${names.setdefault(name, len(names) + 1)}"
            places[length] = found.group()
        else:
            new = found.group()
            wrong[length] = _lone(found.group())
        pieces.append(new)
        length += len(new)
    pieces.append(text[at:])
    sql = "".join(pieces)
    if positional and names:
        raise _mixed("positional (%s) and named (%(name)s)")
    tokens = _checked(sql, places, wrong, lex)
    return Prepared(sql, tokens, Placeholders(positional or len(names), tuple(names) if names else None))


def _checked(sql: str, places: dict[int, str], wrong: dict[int, ProgrammingError], lex: Lexer) -> list[Token]:
    """The tokens, once every placeholder is known to be one and every lone `%` to lie in a comment."""
    try:
        tokens = lex(sql)
    except ProgrammingError:
        if wrong:
            raise next(iter(wrong.values())) from None
        raise
    alone = 0
    for token in tokens:
        if token.kind is Lex.PARAM:
            if token.start not in places:
                raise _mixed("%s and $n")
            alone += 1
            continue
        for offset, error in wrong.items():
            if token.start <= offset < token.start + len(token.text) and token.kind is not Lex.COMMENT:
                raise error
    if alone != len(places):
        raise _quoted(next(iter(places.values())))
    return tokens


def _lone(piece: str) -> ProgrammingError:
    return ProgrammingError(
        "OG-STMT-005",
        f"{piece!r} is not a placeholder: only %s, %b, %t and %(name)s are",
        cure="Double a percent sign that stands for itself (%%), or pass no parameters at all.",
        sqlstate="42601",
    )


def _quoted(piece: str) -> ProgrammingError:
    return ProgrammingError(
        "OG-STMT-006",
        f"the placeholder {piece} stands inside a quote, a comment or a name",
        cure="Take it out of the quotes (the driver adds what is needed), or double its percent sign.",
        sqlstate="42601",
    )


def _mixed(what: str) -> ProgrammingError:
    return ProgrammingError(
        "OG-STMT-007",
        f"{what} placeholders are mixed in one statement",
        cure="Use one style throughout.",
        sqlstate="42601",
    )
