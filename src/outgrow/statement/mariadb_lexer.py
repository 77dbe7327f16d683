"""MariaDB's lexical rules under the `sql_mode` that outgrow pins: tokens of the same kinds as PostgreSQL's.

Words are not folded unless they are words of the language: names of tables and aliases differ by case there.
"""

from __future__ import annotations

import re

from outgrow.errors import ProgrammingError
from outgrow.schema import FUNCTIONS
from outgrow.statement.lexer import Lex, Token
from outgrow.statement.mariadb_words import LANGUAGE, NAMES

_SCAN = re.compile(
    r"""
      (?P<space>[ \t\r\n\f\v]+)
    | (?P<comment>\#[^\n]*|--(?=[\s\x00-\x1f]|\Z)[^\n]*|/\*(?![!M]).*?\*/)
    | (?P<bits>[bBxXnN]'[^']*')
    | (?P<string>'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*")
    | (?P<quoted>`(?:[^`]|``)*`)
    | (?P<number>0[xXbB][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w$]))
    | (?P<param>\$\d+(?![\w$]))
    | (?P<word>[^\W\d][\w$]*|\d+[^\W\d][\w$]*)
    | (?P<op><=>|<=|>=|<>|!=|<<|>>|\|\||&&|:=|->>|->|/(?!\*)|[+\-*%<>=!&|^~@])
    | (?P<punct>[()\[\],;.:])
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS = {
    "space": Lex.SPACE,
    "comment": Lex.COMMENT,
    "bits": Lex.BITS,
    "number": Lex.NUMBER,
    "param": Lex.PARAM,
    "op": Lex.OP,
    "punct": Lex.PUNCT,
}
_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def lex(text: str) -> list[Token]:
    """All tokens of `text`.  Errors OG-STMT-003 and OG-STMT-004 as the other lexer's."""
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        found = _SCAN.match(text, position)
        if found is None:
            raise _stuck(text, position)
        group, piece = found.lastgroup or "", found.group()
        if group == "word":
            lower = piece.lower()
            tokens.append(Token(Lex.WORD, piece, lower if lower in LANGUAGE else piece, position))
        elif group == "string":
            quote = piece[0]
            tokens.append(Token(Lex.STRING, piece, _decoded(piece[1:-1].replace(quote * 2, quote)), position))
        elif group == "quoted":
            tokens.append(Token(Lex.QUOTED, piece, piece[1:-1].replace("``", "`"), position))
        elif group == "number" and "e" in piece.lower() and not piece.startswith(("0x", "0X", "0b", "0B")):
            # A double, where other numbers are exact.
            tokens.append(Token(Lex.BITS, piece, piece, position))
        else:
            tokens.append(Token(_KINDS[group], piece, piece, position))
        position = found.end()
    return [_called(tokens, at) for at in range(len(tokens))]


def _called(tokens: list[Token], at: int) -> Token:
    """Names of functions have no case; MariaDB knows one by the parenthesis right behind it."""
    token = tokens[at]
    if token.kind is not Lex.WORD:
        return token
    lower = token.text.lower()
    if at + 1 == len(tokens) or tokens[at + 1].text != "(":
        return token._replace(kind=Lex.QUOTED, value=token.text) if lower in NAMES else token
    if lower not in FUNCTIONS or (at > 1 and tokens[at - 2].value == "into"):
        return token
    return token._replace(value=lower)


def _decoded(body: str) -> str:
    # A backslash stays before the wildcards of LIKE.
    return _ESCAPE.sub(lambda found: found[0] if found[1] in "%_" else _ESCAPES.get(found[1], found[1]), body)


def _stuck(text: str, position: int) -> ProgrammingError:
    rest = text[position : position + 20]
    if rest.startswith(("/*!", "/*M!")):
        what, cure = "a comment that is run as SQL", "Write the SQL itself."
    elif rest[0] in "'\"`" or rest.startswith("/*"):
        return ProgrammingError(
            "OG-STMT-003",
            f"the quote or comment at character {position + 1} never ends: {rest!r}",
            cure="Close it, or pass the value as a parameter.",
            sqlstate="42601",
        )
    else:
        what, cure = f"the character {rest[0]!r}", "Remove it, or put it in quotes."
    return ProgrammingError("OG-STMT-004", f"{what} at position {position + 1}", cure=cure, sqlstate="42601")
