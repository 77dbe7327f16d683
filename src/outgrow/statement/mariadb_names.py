"""Output columns as MariaDB names them: an expression without alias is called by its own text.

Binding calls such a column `UNNAMED` and a number, in every query of a statement; the outermost one's names are then
read off the text.  A name that stays so is refused where it would be shown.
"""

from __future__ import annotations

import re
from dataclasses import replace

from outgrow.statement.lexer import Lex, Token
from outgrow.statement.tree import Item, Query, Select, SetOperation, Tree

#: No character of any name.
UNNAMED = "\ufdd0"
#: Names have no characters of four bytes.
_BEYOND = re.compile("[\U00010000-\U0010ffff]")


def named(tree: Tree, sql: str, tokens: list[Token]) -> Tree:
    """The tree; where it is not clear which text belongs to which item, the items stay unnamed."""
    if not isinstance(tree, Query):
        return tree
    return _named(tree, _texts(sql, tokens))


def _named(tree: Query, texts: list[str]) -> Query:
    if isinstance(tree, SetOperation):
        return replace(tree, left=_named(tree.left, texts))
    stars = [at for at, text in enumerate(texts) if text.endswith("*")]
    if not isinstance(tree, Select) or len(stars) > 1:
        return tree
    for at in stars:
        texts = [*texts[:at], *[""] * (len(tree.items) - len(texts) + 1), *texts[at + 1 :]]
    if len(texts) != len(tree.items):
        return tree
    return replace(tree, items=tuple(map(_item, tree.items, texts)))


def _item(item: Item, text: str) -> Item:
    if not item.name.startswith(UNNAMED) or not text:
        return item
    text = _BEYOND.sub("?", text)
    return replace(item, name=text, alias=text)


def _texts(sql: str, tokens: list[Token]) -> list[str]:
    """The select list's items as written."""
    texts: list[str] = []
    depth = 0
    at = _first(tokens) + 1
    if at < len(tokens) and tokens[at].value in ("distinct", "distinctrow", "all"):
        at += 1
    start = at
    while at <= len(tokens):
        token = tokens[at] if at < len(tokens) else Token(Lex.PUNCT, "", "", len(sql))
        ends = depth == 0 and (token.text in (",", "", ")") or (token.kind is Lex.WORD and token.value in _BEHIND))
        if ends and at > start:
            texts.append(_text(sql, tokens[start:at]))
            start = at + 1
        if ends and token.text != ",":
            break
        depth += token.text == "("
        depth -= token.text == ")"
        at += 1
    return texts


def _first(tokens: list[Token]) -> int:
    """The SELECT that names the columns: behind WITH, or the first arm's."""
    depth = 0
    for at, token in enumerate(tokens):
        if token.kind is Lex.WORD and token.value == "select" and (depth == 0 or tokens[0].text == "("):
            return at
        depth += (token.text == "(") - (token.text == ")")
    return len(tokens)


def _text(sql: str, tokens: list[Token]) -> str:
    """A string is called by its value, and a constant by itself, within parentheses too; "" for a name that a parameter
    decides."""
    if any(token.kind is Lex.PARAM for token in tokens):
        return ""
    inner = tokens
    while len(inner) > 2 and inner[0].text == "(" and inner[-1].text == ")":
        inner = inner[1:-1]
    first, last = tokens[0], tokens[-1]
    if len(inner) == 1:
        if inner[0].kind is Lex.STRING:
            return inner[0].value
        if inner[0].kind is Lex.NUMBER:
            return inner[0].text
        if inner[0].kind is Lex.WORD and inner[0].value in ("true", "false", "null"):
            return inner[0].text.upper()
    return sql[first.start : last.start + len(last.text)]


_BEHIND = frozenset(("from", "where", "group", "having", "order", "limit", "union", "except", "intersect", "for"))
