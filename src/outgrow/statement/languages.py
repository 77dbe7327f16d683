"""The languages that `bind` reads: what is lexed, recognised, vetted, parsed and named otherwise for each engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlglot.dialects.postgres import Postgres

from outgrow.schema import Schema
from outgrow.statement import (
    commands,
    lexer,
    mariadb_definitions,
    mariadb_inserts,
    mariadb_lexer,
    mariadb_reading,
    mariadb_words,
    special,
)
from outgrow.statement.lexer import Lex, Token
from outgrow.statement.mariadb_names import UNNAMED, named
from outgrow.statement.model import Kind, Statement
from outgrow.statement.placeholders import Prepared
from outgrow.statement.scope import Rules
from outgrow.statement.tree import Tree
from outgrow.statement.truncate import truncate, truncate_one


class Language(NamedTuple):
    lex: Callable[[str], list[Token]]
    #: Statements that are read from their tokens alone; None: read on.
    early: Callable[[str, Prepared, list[Token], Schema], Statement | None]
    #: The command, or None where the parser must read on.
    recognise: Callable[[list[Token]], commands.Command | None]
    #: The tokens as the disguise reads them, and how an INSERT meets rows that are there already.  Raises Unvetted for
    #: what does not mean what it would be taken for.
    read: Callable[[list[Token]], mariadb_inserts.Reading]
    forms: special.Forms
    rules: Rules
    #: What parses the disguised text: only structure, and where NULLs sort.
    dialect: Any
    #: The tree with its output columns named as the server names them.
    named: Callable[[Tree, str, list[Token]], Tree]


class _Structure(Postgres):
    #: Else the parser counts subscripts from 0 by rewriting them.
    INDEX_OFFSET = 0


class _NullsFirst(_Structure):
    NULL_ORDERING = "nulls_are_small"


def _early(text: str, prepared: Prepared, tokens: list[Token], schema: Schema) -> Statement | None:
    if tokens[0].kind is Lex.WORD and tokens[0].value == "truncate":
        return truncate(text, prepared, tokens, schema)
    return None


def _mariadb_early(text: str, prepared: Prepared, tokens: list[Token], schema: Schema) -> Statement | None:
    return truncate_one(text, prepared, tokens, schema) if tokens[0].text.lower() == "truncate" else None


def _recognise(tokens: list[Token]) -> commands.Command | None:
    return commands.recognise(tokens) or commands.select_into(tokens)


def _mariadb_recognise(tokens: list[Token]) -> commands.Command | None:
    facts = mariadb_definitions.facts_of(tokens)
    if facts is None:
        return mariadb_words.recognise(tokens)
    return commands.Command(Kind.DDL, " ".join(token.text.upper() for token in tokens[:2]), target=facts.only)


_LANGUAGES = {
    "postgresql": Language(
        lexer.lex,
        _early,
        _recognise,
        lambda tokens: mariadb_inserts.Reading(tokens, ""),
        special.POSTGRESQL,
        Rules(),
        _Structure(),
        lambda tree, sql, tokens: tree,
    ),
    "mariadb": Language(
        mariadb_lexer.lex,
        _mariadb_early,
        _mariadb_recognise,
        mariadb_inserts.read,
        special.Forms(mariadb_reading.SPECIAL, frozenset(), mariadb_reading.form),
        Rules(folded=True, aliases=True, unnamed=UNNAMED, modified=False),
        _NullsFirst(),
        named,
    ),
}


def language(engine: str) -> Language:
    return _LANGUAGES[engine]
