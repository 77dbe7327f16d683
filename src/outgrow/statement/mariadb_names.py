"""Output columns as MariaDB names them: an expression without alias is called by its own text."""

from __future__ import annotations

from dataclasses import replace

from outgrow.statement.lexer import Lex, Token
from outgrow.statement.tree import ColumnRef, Select, Tree


def named(tree: Tree, sql: str, tokens: list[Token]) -> Tree:
    """The tree; where it is not clear which text belongs to which item, the items stay without alias."""
    if not isinstance(tree, Select) or tokens[0].value != "select":
        return tree
    texts = _texts(sql, tokens)
    if len(texts) != len(tree.items) or "*" in texts:
        return tree
    items = tuple(
        replace(item, name=text, alias=text)
        if item.alias is None and not isinstance(item.expr, ColumnRef) and "$" not in text
        else item
        for item, text in zip(tree.items, texts, strict=True)
    )
    return replace(tree, items=items)


def _texts(sql: str, tokens: list[Token]) -> list[str]:
    """The select list's items as written."""
    texts: list[str] = []
    depth, at = 0, 1
    if len(tokens) > 1 and tokens[1].value in ("distinct", "all"):
        at = 2
    start = at
    while at <= len(tokens):
        token = tokens[at] if at < len(tokens) else Token(Lex.PUNCT, "", "", len(sql))
        ends = depth == 0 and (token.text in (",", "") or (token.kind is Lex.WORD and token.value in _BEHIND))
        if ends and at > start:
            last = tokens[at - 1]
            texts.append(sql[tokens[start].start : last.start + len(last.text)])
            start = at + 1
        if ends and token.text != ",":
            break
        depth += token.text == "("
        depth -= token.text == ")"
        at += 1
    return texts


_BEHIND = frozenset(("from", "where", "group", "having", "order", "limit", "union", "except", "intersect", "for"))
