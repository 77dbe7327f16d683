"""A rendered fragment in MariaDB's spelling: the same tokens, quoted as it quotes.

`render` writes words of the language in upper case and names as they are, quoted where they must be; so each token
shows what it is.  NULLs sort first in MariaDB, and a tree that was bound from it says so at each key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from outgrow.schema import FUNCTIONS
from outgrow.statement.lexer import Lex, Token, lex, significant
from outgrow.statement.unvetted import Unvetted

_SIGNS = frozenset(("+", "-", "*", "/", "%", "<", ">", "=", "<=", ">=", "<>", "!="))
_CONSTANTS = frozenset(("true", "false", "null"))
_FORMS = frozenset(("CAST", "CONVERT", "EXTRACT", "SUBSTRING", "POSITION", "TRIM", "WEIGHT_STRING"))
_UNKNOWN = frozenset(("OFFSET", "FETCH", "FILTER", "WITHIN", "OPERATOR", "ARRAY", "ONLY", "LATERAL"))
_ESCAPES = {ord("\\"): "\\\\", ord("'"): "\\'", 0: "\\0"}


def respelt(sql: str) -> str:
    """PostgreSQL's spelling → MariaDB's.  Raises Unvetted for what has none."""
    tokens = significant(lex(sql))
    out: list[str] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.text == "NULLS":
            at += 2
            continue
        if token.text == "IS" and [each.text for each in tokens[at : at + 4]] == ["IS", "NOT", "DISTINCT", "FROM"]:
            out.append("<=>")
            at += 4
            continue
        if token.text == "public" and _says(tokens, at + 1, "."):
            at += 2
            continue
        if token.text == "LIMIT" and at + 2 < len(tokens) and tokens[at + 2].text != ")":
            raise Unvetted("a LIMIT that is no single number")
        out.append(_spelt(token, _says(tokens, at + 1, "(")))
        at += 1
    return _joined(out)


def _says(tokens: Sequence[Token], at: int, text: str) -> bool:
    return at < len(tokens) and tokens[at].text == text


def _spelt(token: Token, called: bool) -> str:
    if token.kind is Lex.QUOTED and called and token.value in FUNCTIONS:
        return token.value
    if token.kind is Lex.QUOTED:
        return "`" + token.value.replace("`", "``") + "`"
    if token.kind is Lex.STRING:
        return f"'{token.value.translate(_ESCAPES)}'"
    if token.kind is Lex.OP and token.text not in _SIGNS:
        raise Unvetted(f"the operator {token.text}")
    if token.kind is Lex.WORD:
        if token.text in _UNKNOWN:
            raise Unvetted(token.text)
        if not token.text.isupper() and token.text.lower() not in _CONSTANTS and not called:
            return f"`{token.text}`"
    return token.text


def _joined(texts: Sequence[str]) -> str:
    """With blanks between, but not between a function and its parenthesis, where MariaDB allows none."""
    out = ""
    for text in texts:
        if text in (")", ",", ".") or not out or out[-1] in "(.":
            space = ""
        elif text == "(":
            word = re.split(r"[\s(]", out)[-1]
            apart = word.isupper() and word.lower() not in FUNCTIONS and word not in _FORMS
            space = " " if out[-1] in ",=<>+-*/%" or apart else ""
        else:
            space = " "
        out += space + text
    return out
