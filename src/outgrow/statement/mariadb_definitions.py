"""MariaDB's DDL as far as it is run on every shard: one table, index or view a statement.

The server commits DDL by itself, and a crash leaves a statement done or not done; whoever comes afterwards must be able
to see which, by the one object that it names.  What is not on this list is not understood.
"""

from __future__ import annotations

from collections.abc import Sequence

from outgrow.errors import Error
from outgrow.statement.commands import name_at, single
from outgrow.statement.definitions import DefinitionFacts, Form, NewTable, columns_of
from outgrow.statement.keywords import words
from outgrow.statement.lexer import Lex, Token, significant
from outgrow.statement.mariadb_lexer import lex

_WORDS = frozenset(
    words(
        "create alter drop table index view unique fulltext spatial if not exists or replace on rename to as like "
        "select column key primary constraint foreign check period using temporary exchange discard import"
    )
)
_NO_COLUMNS = frozenset(words("constraint primary unique check foreign key index fulltext spatial period"))


def mariadb_facts(text: str) -> DefinitionFacts | None:
    """The facts of one DDL text; None where it is not understood."""
    try:
        tokens = [_folded(token) for token in single(significant(lex(text)))]
    except Error:
        return None
    return facts_of(tokens)


def _folded(token: Token) -> Token:
    lower = token.text.lower()
    return token._replace(value=lower) if token.kind is Lex.WORD and lower in _WORDS else token


def facts_of(tokens: Sequence[Token]) -> DefinitionFacts | None:
    tokens = [_folded(token) for token in tokens]
    said = [token.value if token.kind is Lex.WORD else token.text for token in tokens]
    match said[:2]:
        case ["create", "table"]:
            return _created(tokens, said)
        case ["alter", "table"]:
            name = name_at(tokens, _behind_if(said, 2))
            return None if _renames(said) else _about(name)
        case ["drop", "table" | "view"]:
            at = _behind_if(said, 2)
            name = name_at(tokens, at)
            alone = name is not None and name[0] is None and len(tokens) == at + 1
            return _about(name, drops=said[1] == "table") if alone else None
        case ["create", "view"]:
            return _about(name_at(tokens, _behind_if(said, 2)))
        case ["create" | "drop", _]:
            return _indexed(tokens, said)
    return None


def _about(name: tuple[str | None, str] | None, *, drops: bool = False) -> DefinitionFacts | None:
    """Of a name without a database: another one is nobody's business."""
    if name is None or name[0] is not None:
        return None
    return DefinitionFacts(only=name, object=name[1], drops=drops)


def _behind_if(said: Sequence[str], at: int) -> int:
    while at < len(said) and said[at] in ("if", "not", "exists"):
        at += 1
    return at


def _created(tokens: Sequence[Token], said: Sequence[str]) -> DefinitionFacts | None:
    at = _behind_if(said, 2)
    name = name_at(tokens, at)
    if name is None or name[0] is not None or "select" in said or "replace" in said or not _inside(said, at + 1, "as"):
        # From a query: each shard would fill it from its own rows alone.
        return None
    columns, primary_key = columns_of(tokens[at + 1 :], _NO_COLUMNS)
    made = NewTable(name, Form.PLAIN, (), at > 2, columns, primary_key)
    return DefinitionFacts(new_table=made, only=name, object=name[1])


def _inside(said: Sequence[str], at: int, word: str) -> bool:
    """The word stands within parentheses alone."""
    depth = 0
    for text in said[at:]:
        depth -= text == ")"
        if text == word and depth == 0:
            return False
        depth += text == "("
    return True


def _renames(said: Sequence[str]) -> bool:
    """To another name, and not a column or an index."""
    return any(
        word == "rename" and (at + 1 == len(said) or said[at + 1] not in ("column", "index", "key"))
        for at, word in enumerate(said)
    ) or any(word in said for word in ("exchange", "discard", "import"))


def _indexed(tokens: Sequence[Token], said: Sequence[str]) -> DefinitionFacts | None:
    at = 1 + (said[1] in ("unique", "fulltext", "spatial"))
    if at >= len(said) or said[at] != "index" or "on" not in said:
        return None
    return _about(name_at(tokens, said.index("on") + 1))
