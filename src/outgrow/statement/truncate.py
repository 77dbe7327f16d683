"""TRUNCATE: which tables, and with which options.  No parser reads it; its grammar is a list of names."""

from __future__ import annotations

from collections.abc import Sequence

from outgrow.schema import Schema
from outgrow.statement.commands import name_at, table_names
from outgrow.statement.lexer import Lex, Token
from outgrow.statement.model import Effect, Kind, Statement
from outgrow.statement.placeholders import Prepared
from outgrow.topology import TableName

_OPTIONS = ("restart identity", "continue identity", "cascade", "restrict")


def truncate(text: str, prepared: Prepared, tokens: Sequence[Token], schema: Schema) -> Statement | None:
    """The statement, its options as `argument`; None where the tokens are no such list."""
    at = 1 + _says(tokens, 1, "table")
    names: list[TableName] = []
    while True:
        if _says(tokens, at, "only") and at + 1 < len(tokens) and tokens[at + 1].text not in (",", "."):
            at += 1
        found = name_at(tokens, at)
        if found is None:
            return None
        table = schema.find(found[1], found[0])
        names.extend((table.name,) if table is not None else table_names(found, schema.search_path))
        at += 1 if found[0] is None else 3
        at += at < len(tokens) and tokens[at].text == "*"
        if at >= len(tokens) or tokens[at].text != ",":
            break
        at += 1
    options: list[str] = []
    while at < len(tokens):
        option = next((words for words in _OPTIONS if _says(tokens, at, *words.split())), None)
        if option is None:
            return None
        options.append(option)
        at += len(option.split())
    effects = tuple(Effect(f"TRUNCATE writes {name}", "writes") for name in names)
    return Statement(
        text, prepared.sql, prepared.placeholders, Kind.WRITE, "TRUNCATE", writes=tuple(dict.fromkeys(names)),
        effects=effects, argument=", ".join(options),
    )  # fmt: skip


def truncate_one(text: str, prepared: Prepared, tokens: Sequence[Token], schema: Schema) -> Statement | None:
    """MariaDB's: of one table, with no words behind it."""
    at = 2 if len(tokens) == 3 and tokens[1].text.lower() == "table" else 1
    named = tokens[at] if len(tokens) == at + 1 else None
    if named is None or named.kind not in (Lex.WORD, Lex.QUOTED) or named.text.lower() == "table":
        return None
    table = schema.find(named.value)
    name = table.name if table is not None else table_names((None, named.value), schema.search_path)[0]
    effects = (Effect(f"TRUNCATE writes {name}", "writes"),)
    return Statement(
        text, prepared.sql, prepared.placeholders, Kind.WRITE, "TRUNCATE", writes=(name,), effects=effects
    )  # fmt: skip


def _says(tokens: Sequence[Token], at: int, *words: str) -> bool:
    if at + len(words) > len(tokens):
        return False
    return all(
        token.kind is Lex.WORD and token.value == word
        for token, word in zip(tokens[at : at + len(words)], words, strict=True)
    )
