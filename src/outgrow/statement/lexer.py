"""PostgreSQL's lexical rules, as far as a client must know them.

The source of the rules is PostgreSQL's own scanner (`src/backend/parser/scan.l`): nested comments, dollar quotes,
doubled quotes, `E''` escapes, and that an operator of several characters may end in `+` or `-` only if it holds one of
`~ ! @ # % ^ & | \\` ?`.  Texts of tokens, in order and joined, are the input: nothing is lost.
"""

from __future__ import annotations

import enum
import re
from typing import NamedTuple

from outgrow.errors import ProgrammingError


class Lex(enum.IntEnum):
    SPACE = 0
    COMMENT = 1
    WORD = 2  # unquoted identifier or keyword; value is folded
    QUOTED = 3  # "identifier"; value is without its quotes
    STRING = 4  # any string constant; value is what it stands for
    BITS = 5  # B'…' or X'…'
    NUMBER = 6
    PARAM = 7  # $n
    OP = 8  # operators, including = < > + - * / % ^ :: := =>
    PUNCT = 9  # ( ) [ ] , ; . :


class Token(NamedTuple):
    kind: Lex
    text: str
    #: Folded word, unquoted identifier, decoded string; else the text.
    value: str
    start: int


_IDENT = r"[^\W\d][\w$]*"
_SCAN = re.compile(
    rf"""
      (?P<space>[ \t\r\n\f\v]+)
    | (?P<line>--[^\r\n]*)
    | (?P<block>/\*)
    | (?P<estring>[eE]'(?:[^'\\]|''|\\.)*')
    | (?P<ustring>[uU]&'(?:[^']|'')*')
    | (?P<uident>[uU]&"(?:[^"]|"")*")
    | (?P<bits>[bBxX]'[^']*')
    | (?P<nstring>[nN]'(?:[^']|'')*')
    | (?P<string>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<number>0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+
        |(?:\d(?:_?\d)*(?:\.(?!\.)(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?)
    | (?P<param>\$\d+)
    | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
    | (?P<word>(?![eEbBxXnN]'|[uU]&['"]){_IDENT})
    | (?P<typecast>::|:=|\.\.)
    | (?P<op>[+\-*/<>=~!@\#%^&|`?]+)
    | (?P<punct>[()\[\],;.:])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(r"''|\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-7]{1,3})|(.))", re.DOTALL)


def lex(text: str) -> list[Token]:
    """All tokens of `text`, white space and comments included.

    Raises ProgrammingError OG-STMT-003 for what never ends (quote, comment), OG-STMT-004 for a foreign character.
    """
    tokens: list[Token] = []
    append = tokens.append
    match = _SCAN.match
    position, end = 0, len(text)
    while position < end:
        found = match(text, position)
        if found is None:
            raise _stuck(text, position)
        group = found.lastgroup or ""
        piece = found.group()
        if group == "word":
            append(Token(Lex.WORD, piece, fold(piece), position))
        elif group == "space":
            append(Token(Lex.SPACE, piece, piece, position))
        elif group == "punct":
            append(Token(Lex.PUNCT, piece, piece, position))
        elif group == "op":
            piece = _operator(piece)
            append(Token(Lex.OP, piece, piece, position))
        else:
            token = _other(text, position, group, piece)
            piece = token.text
            append(token)
        position += len(piece)
    return tokens


def significant(tokens: list[Token]) -> list[Token]:
    """Without white space and comments."""
    return [token for token in tokens if token.kind > Lex.COMMENT]


def fold(word: str) -> str:
    """As PostgreSQL folds an unquoted identifier: ASCII only in a multi-byte encoding."""
    if word.isascii():
        return word.lower()
    return "".join(c.lower() if c < "\x80" else c for c in word)


def _other(text: str, position: int, group: str, piece: str) -> Token:
    if group == "string":
        return Token(Lex.STRING, piece, piece[1:-1].replace("''", "'"), position)
    if group == "nstring":
        return Token(Lex.STRING, piece, piece[2:-1].replace("''", "'"), position)
    if group == "quoted":
        return Token(Lex.QUOTED, piece, piece[1:-1].replace('""', '"'), position)
    if group == "number":
        return Token(Lex.NUMBER, piece, piece, position)
    if group == "param":
        return Token(Lex.PARAM, piece, piece, position)
    if group == "typecast":
        return Token(Lex.OP, piece, piece, position)
    if group == "line":
        return Token(Lex.COMMENT, piece, piece, position)
    if group == "block":
        piece = text[position : _comment_end(text, position)]
        return Token(Lex.COMMENT, piece, piece, position)
    if group == "estring":
        return Token(Lex.STRING, piece, _ESCAPE.sub(_escaped, piece[2:-1]), position)
    if group == "ustring":
        return Token(Lex.STRING, piece, _unicode(piece[3:-1].replace("''", "'"), text, position), position)
    if group == "uident":
        return Token(Lex.QUOTED, piece, _unicode(piece[3:-1].replace('""', '"'), text, position), position)
    if group == "dollar":
        close = text.find(piece, position + len(piece))
        if close < 0:
            raise _stuck(text, position)
        whole = text[position : close + len(piece)]
        return Token(Lex.STRING, whole, whole[len(piece) : -len(piece)], position)
    return Token(Lex.BITS, piece, piece, position)


def _operator(run: str) -> str:
    """The first operator of a run of operator characters."""
    for comment in ("--", "/*"):
        cut = run.find(comment)
        if cut > 0:
            run = run[:cut]
    if len(run) > 1 and run[-1] in "+-" and not any(c in "~!@#%^&|`?" for c in run):
        while len(run) > 1 and run[-1] in "+-":
            run = run[:-1]
    return run


def _comment_end(text: str, position: int) -> int:
    depth, at = 1, position + 2
    while depth:
        opening, closing = text.find("/*", at), text.find("*/", at)
        if closing < 0:
            raise _stuck(text, position)
        if 0 <= opening < closing:
            depth, at = depth + 1, opening + 2
        else:
            depth, at = depth - 1, closing + 2
    return at


def _escaped(found: re.Match[str]) -> str:
    whole = found.group()
    if whole == "''":
        return "'"
    short, four, eight, octal, plain = found.groups()
    if short or four or eight:
        return _character(int(short or four or eight, 16), whole)
    if octal:
        return chr(int(octal, 8) & 0xFF)
    return _ESCAPES.get(plain, plain)


def _character(code: int, whole: str) -> str:
    if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ProgrammingError(
            "OG-STMT-004",
            f"the escape {whole} is not a character",
            cure="Write the character itself.",
            sqlstate="22025",
        )
    return chr(code)


def _unicode(body: str, text: str, position: int) -> str:
    """`U&''` with the default escape character; UESCAPE is refused where it is met."""
    del text, position

    def one(found: re.Match[str]) -> str:
        if found.group() == "\\\\":
            return "\\"
        return _character(int(found.group(1) or found.group(2), 16), found.group())

    return re.sub(r"\\\\|\\([0-9A-Fa-f]{4})|\\\+([0-9A-Fa-f]{6})", one, body)


def _stuck(text: str, position: int) -> ProgrammingError:
    rest = text[position : position + 20]
    if rest[0] in "'\"$" or rest[:2] == "/*" or (len(rest) > 1 and rest[1] in "'&"):
        what = "comment" if rest[:2] == "/*" else "quote"
        return ProgrammingError(
            "OG-STMT-003",
            f"the {what} at character {position + 1} never ends: {rest!r}",
            cure=f"Close the {what}, or pass the value as a parameter.",
            sqlstate="42601",
        )
    return ProgrammingError(
        "OG-STMT-004",
        f"the character {rest[0]!r} at position {position + 1} has no meaning in SQL",
        cure="Remove it, or put it in quotes.",
        sqlstate="42601",
    )
