"""What a DDL text says of the table or index it makes, as far as placing and running it must know.

Read off the tokens: the parser's grammar of DDL is not complete, and the server has the last word anyhow.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from outgrow.errors import Error
from outgrow.statement.commands import name_at, single
from outgrow.statement.lexer import Lex, Token, lex, significant

#: (schema or None, name) as written, folded.
Named = tuple[str | None, str]


class Form(enum.StrEnum):
    """How a CREATE TABLE gets its columns."""

    PLAIN = "plain"
    #: AS query, SELECT … INTO: the rows of a query come along.
    QUERY = "query"
    #: AS query WITH NO DATA: only its columns do.
    EMPTY = "empty"
    PARTITION = "partition of"
    INHERITS = "inherits"


@dataclass(frozen=True, slots=True)
class NewTable:
    """What a CREATE TABLE (or SELECT INTO) says."""

    name: Named
    form: Form
    #: The partitioned table, or the tables inherited from.
    parents: tuple[Named, ...] = ()
    if_not_exists: bool = False
    #: The columns written out; None where some come from elsewhere (AS, LIKE, OF, INHERITS).
    columns: tuple[str, ...] | None = ()
    primary_key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IndexChange:
    """A CREATE INDEX CONCURRENTLY (`table`, `names` has its name if it has one) or a DROP INDEX CONCURRENTLY."""

    creates: bool
    table: Named | None = None
    names: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class DefinitionFacts:
    #: Refuses transaction blocks.
    alone: bool = False
    new_table: NewTable | None = None
    index: IndexChange | None = None
    #: The one table that it changes, where it is certain that it changes no other one.
    only: Named | None = None
    #: The table or view that it makes, changes or drops; only where the server commits DDL by itself.
    object: str | None = None
    drops: bool = False


_WORDS_BEFORE_TABLE = frozenset(("global", "local", "temporary", "temp", "unlogged", "foreign"))
_TABLE_CONSTRAINTS = frozenset(("constraint", "primary", "unique", "check", "foreign", "exclude", "not"))
#: With any of these words a statement may change tables that it does not name first.
_SPREADING = frozenset(("cascade", "references", "inherits", "inherit", "partition", "attach", "detach", "rename"))


def definition_facts(text: str) -> DefinitionFacts:
    """The facts of one DDL text (`$n` placeholders or none).  What is not recognised is just not said."""
    try:
        tokens = single(significant(lex(text)))
    except Error:
        return DefinitionFacts()
    word = _word(tokens, 0)
    alone = _refuses_blocks(tokens)
    if word == "create":
        at = _skip(tokens, 1, _WORDS_BEFORE_TABLE)
        if _word(tokens, at) == "table":
            made = _new_table(tokens, at + 1)
            return DefinitionFacts(new_table=made, only=_only(tokens, made.name if made else None))
        index = _created_index(tokens) if alone else None
        return DefinitionFacts(alone, index=index, only=_only(tokens, _indexed(tokens)))
    if word == "drop" and alone and _word(tokens, 1) == "index":
        return DefinitionFacts(alone, index=IndexChange(False, names=tuple(_names(tokens, _skip_if(tokens, 3)))))
    if word in ("select", "with", "("):
        return DefinitionFacts(new_table=_into(tokens))
    if word == "alter" and _word(tokens, 1) == "table":
        at = _skip_if(tokens, 2)
        at += _word(tokens, at) == "only"
        return DefinitionFacts(alone, only=_only(tokens, name_at(tokens, at)))
    return DefinitionFacts(alone)


def _word(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].value if at < len(tokens) and tokens[at].kind is Lex.WORD else ""


def _skip(tokens: Sequence[Token], at: int, words: frozenset[str]) -> int:
    while _word(tokens, at) in words:
        at += 1
    return at


def _skip_if(tokens: Sequence[Token], at: int) -> int:
    return _skip(tokens, at, frozenset(("if", "not", "exists")))


def _only(tokens: Sequence[Token], name: Named | None) -> Named | None:
    words = {token.value for token in tokens if token.kind is Lex.WORD}
    return None if words & _SPREADING else name


def _refuses_blocks(tokens: Sequence[Token]) -> bool:
    """Commands that the server runs only outside of transaction blocks."""
    first, second = _word(tokens, 0), _word(tokens, 1)
    words = [token.value for token in tokens if token.kind is Lex.WORD]
    match first, second:
        case ("create", "index") | ("drop", "index"):
            return _word(tokens, 2) == "concurrently"
        case ("create", "unique"):
            return _word(tokens, 3) == "concurrently"
        case ("create" | "drop", "database" | "tablespace" | "subscription"):
            return True
        case ("alter", "system"):
            return True
        case ("alter", "database"):
            return "tablespace" in words
        case ("alter", "table"):
            return "detach" in words and "concurrently" in words
        case ("reindex", _):
            return "concurrently" in words or bool({"schema", "database", "system"} & set(words[:6]))
    return False


def _names(tokens: Sequence[Token], at: int) -> Iterator[Named]:
    while (name := name_at(tokens, at)) is not None:
        yield name
        at += 3 if name[0] is not None else 1
        if at >= len(tokens) or tokens[at].text != ",":
            return
        at += 1


def _indexed(tokens: Sequence[Token]) -> Named | None:
    """The table that a CREATE INDEX is on."""
    if "index" not in (_word(tokens, 1), _word(tokens, 2)):
        return None
    for at, token in enumerate(tokens):
        if token.kind is Lex.WORD and token.value == "on":
            return name_at(tokens, at + 1 + (_word(tokens, at + 1) == "only"))
    return None


def _created_index(tokens: Sequence[Token]) -> IndexChange | None:
    at = 1 + (_word(tokens, 1) == "unique")
    if _word(tokens, at) != "index":
        return None
    at = _skip_if(tokens, at + 2)
    name = name_at(tokens, at) if _word(tokens, at) != "on" else None
    return IndexChange(True, _indexed(tokens), (name,) if name else ())


def _into(tokens: Sequence[Token]) -> NewTable | None:
    for at, token in enumerate(tokens):
        if token.kind is Lex.WORD and token.value == "into":
            at = _skip(tokens, at + 1, frozenset(("unlogged", "table", "temp", "temporary")))
            name = name_at(tokens, at)
            return NewTable(name, Form.QUERY, columns=None) if name else None
    return None


def _new_table(tokens: Sequence[Token], at: int) -> NewTable | None:
    start = _skip_if(tokens, at)
    name = name_at(tokens, start)
    if name is None:
        return None
    there = start + (3 if name[0] is not None else 1)
    if_not_exists = start != at
    if _word(tokens, there) == "partition":
        parent = name_at(tokens, there + 2)
        return NewTable(name, Form.PARTITION, (parent,) if parent else (), if_not_exists, None)
    if _word(tokens, there) == "of":
        return NewTable(name, Form.PLAIN, (), if_not_exists, None)
    inside: list[Token] = []
    if there < len(tokens) and tokens[there].text == "(":
        end = _closing(tokens, there)
        inside, there = list(tokens[there + 1 : end]), end + 1
    words = [token.value if token.kind is Lex.WORD else token.text for token in _outermost(tokens[there:])]
    if "as" in words:
        empty = words[-3:] == ["with", "no", "data"]
        return NewTable(name, Form.EMPTY if empty else Form.QUERY, (), if_not_exists, None)
    columns, primary_key = _columns(inside)
    if _word(tokens, there) == "inherits":
        return NewTable(name, Form.INHERITS, tuple(_names(tokens, there + 2)), if_not_exists, None, primary_key)
    return NewTable(name, Form.PLAIN, (), if_not_exists, columns, primary_key)


def _closing(tokens: Sequence[Token], at: int) -> int:
    depth = 0
    for position in range(at, len(tokens)):
        depth += tokens[position].text == "("
        depth -= tokens[position].text == ")"
        if depth == 0:
            return position
    return len(tokens)


def _outermost(tokens: Sequence[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth -= token.text == ")"
        if depth == 0:
            yield token
        depth += token.text == "("


def _columns(
    inside: Sequence[Token], others: frozenset[str] = _TABLE_CONSTRAINTS
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The column names between a CREATE TABLE's parentheses (None: LIKE brings others), and the primary key."""
    columns: list[str] = []
    key: tuple[str, ...] = ()
    borrowed = False
    for element in _elements(inside):
        first = _word(element, 0)
        if first == "like":
            borrowed = True
        elif first in others:
            key = _key_of(element) or key
        elif element[0].kind in (Lex.WORD, Lex.QUOTED):
            columns.append(element[0].value)
            if "primary" in (token.value for token in _outermost(element[1:]) if token.kind is Lex.WORD):
                key = (element[0].value,)
    return (None if borrowed else tuple(columns)), key


def columns_of(tokens: Sequence[Token], others: frozenset[str]) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """As `_columns`, of the first parentheses; elements that begin with one of `others` are no columns."""
    if not tokens or tokens[0].text != "(":
        return None, ()
    return _columns(tokens[1 : _closing(tokens, 0)], others)


def _key_of(element: Sequence[Token]) -> tuple[str, ...]:
    for at, token in enumerate(element):
        if token.kind is Lex.WORD and token.value == "primary":
            inner = element[at + 3 : _closing(element, at + 2)]
            return tuple(one.value for one in inner if one.kind in (Lex.WORD, Lex.QUOTED))
    return ()


def _elements(inside: Sequence[Token]) -> Iterator[list[Token]]:
    depth = 0
    element: list[Token] = []
    for token in inside:
        depth += token.text in "(["
        depth -= token.text in ")]"
        if token.text == "," and depth == 0:
            if element:
                yield element
            element = []
        else:
            element.append(token)
    if element:
        yield element
