"""SQL text + schema → Statement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlglot.errors import SqlglotError

from outgrow.errors import ProgrammingError
from outgrow.schema import Schema
from outgrow.statement import commands
from outgrow.statement.changes import change
from outgrow.statement.context import Context
from outgrow.statement.disguise import Disguise
from outgrow.statement.languages import Language, language
from outgrow.statement.lexer import Token, significant
from outgrow.statement.merges import merge
from outgrow.statement.model import Effect, Kind, Statement
from outgrow.statement.placeholders import Prepared, prepare
from outgrow.statement.queries import query
from outgrow.statement.scope import Env
from outgrow.statement.tree import Delete, Insert, Merge, Query, Tree, Update
from outgrow.statement.unvetted import Unvetted


def bind(text: str, schema: Schema, *, parameters: bool = True) -> Statement:
    """What `text` is, bound to `schema`.  `parameters=False`: none were given, `%` is just a character.

    Raises ProgrammingError or NotSupportedError OG-STMT-…; what is not understood for certain is no error but of kind
    OPAQUE, with the reason as its effect.
    """
    bound = _bound(text, schema, parameters)
    return bound if bound.engine == schema.engine else replace(bound, engine=schema.engine)


def _bound(text: str, schema: Schema, parameters: bool) -> Statement:
    spoken = language(schema.engine)
    prepared = prepare(text, parameters, spoken.lex)
    tokens = commands.single(significant(prepared.tokens))
    finished = spoken.early(text, prepared, tokens, schema)
    if finished is not None:
        return finished
    command = spoken.recognise(tokens)
    if command is not None:
        writes = commands.table_names(command.target, schema.search_path)
        return Statement(
            text, prepared.sql, prepared.placeholders, command.kind, command.command, writes=writes,
            effects=command.effects, argument=command.argument,
        )  # fmt: skip
    return _parsed(text, prepared, tokens, schema)


def _parsed(text: str, prepared: Prepared, tokens: list[Token], schema: Schema) -> Statement:
    first = next(token.value for token in tokens if token.text != "(").upper()
    try:
        spoken = language(schema.engine)
        reading = spoken.read(tokens)
        disguise = Disguise(reading.tokens, spoken.forms)
        context = Context(disguise, schema)
        tree, first = _tree(context, disguise, first, spoken)
        tree = spoken.named(_meeting(tree, reading.manner), prepared.sql, tokens)
    except Unvetted as unvetted:
        effects = (Effect(f"outgrow does not understand {unvetted}", "unvetted"),)
        return Statement(text, prepared.sql, prepared.placeholders, Kind.OPAQUE, first, effects=effects)
    kind = Kind.QUERY if isinstance(tree, Query) and not context.writes else Kind.WRITE
    return Statement(
        text, prepared.sql, prepared.placeholders, kind, first, tree, tuple(context.reads), tuple(context.writes),
        tuple(context.effects), argument=reading.manner,
    )  # fmt: skip


def _meeting(tree: Tree, manner: str) -> Tree:
    """An INSERT whose first words say what becomes of rows that are there already."""
    if not isinstance(tree, Insert) or manner not in ("replace", "ignore"):
        return tree
    return replace(tree, conflict="update" if manner == "replace" else "nothing")


def _tree(context: Context, disguise: Disguise, first: str, spoken: Language) -> tuple[Tree, str]:
    try:
        parsed = spoken.dialect.parse(disguise.text)
    except SqlglotError as error:
        raise Unvetted("it: " + _shown(error)) from None
    except (RecursionError, AttributeError, TypeError, ValueError, IndexError, KeyError) as error:
        raise Unvetted(f"it: the parser fails ({type(error).__name__})") from None
    if len(parsed) != 1 or parsed[0] is None:
        raise Unvetted("it")
    node: Any = parsed[0]
    try:
        if type(node).__name__ == "Merge":
            tree: Tree = merge(context, node, Env(rules=spoken.rules))
        elif type(node).__name__ in ("Insert", "Update", "Delete"):
            tree = change(context, node, Env(rules=spoken.rules))[0]
        else:
            tree = query(context, node, Env(rules=spoken.rules))[0]
    except RecursionError:
        raise Unvetted("so deep a nesting") from None
    if context.counts != disguise.counts or context.samples != len(disguise.samples):
        raise Unvetted("it: a word is missing or stands in a wrong place")
    names: dict[type, str] = {Insert: "INSERT", Update: "UPDATE", Delete: "DELETE", Merge: "MERGE"}
    return tree, names.get(type(tree), "VALUES" if first == "VALUES" else "TABLE" if first == "TABLE" else "SELECT")


def _shown(error: SqlglotError) -> str:
    """The parser's message without its drawing, and without markers."""
    message = str(error).split("\n")[0].split(" Line 1")[0].strip().rstrip(".")
    return message if "og$" not in message else "syntax error"


def syntax_error(statement: Statement) -> ProgrammingError:
    """For callers who must refuse an OPAQUE statement: its reason as an error."""
    reason = "; ".join(effect.what for effect in statement.effects)
    return ProgrammingError(
        "OG-STMT-018",
        f"{statement.command or 'the statement'}: {reason}",
        cure="Send it to a shard you name, or write it in another way.",
    )
