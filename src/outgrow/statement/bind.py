"""SQL text + schema → Statement."""

from __future__ import annotations

from typing import Any

from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import SqlglotError

from outgrow.errors import ProgrammingError
from outgrow.schema import Schema
from outgrow.statement import commands
from outgrow.statement.changes import change
from outgrow.statement.context import Context
from outgrow.statement.disguise import Disguise
from outgrow.statement.lexer import Lex, Token, significant
from outgrow.statement.model import Effect, Kind, Statement
from outgrow.statement.placeholders import Prepared, prepare
from outgrow.statement.queries import query
from outgrow.statement.scope import Env
from outgrow.statement.tree import Delete, Insert, Query, Tree, Update
from outgrow.statement.truncate import truncate
from outgrow.statement.unvetted import Unvetted


class _Dialect(Postgres):
    #: Else the parser counts subscripts from 0 by rewriting them.
    INDEX_OFFSET = 0


_DIALECT = _Dialect()


def bind(text: str, schema: Schema, *, parameters: bool = True) -> Statement:
    """What `text` is, bound to `schema`.  `parameters=False`: none were given, `%` is just a character.

    Raises ProgrammingError or NotSupportedError OG-STMT-…; what is not understood for certain is no error but of kind
    OPAQUE, with the reason as its effect.
    """
    prepared = prepare(text, parameters)
    tokens = commands.single(significant(prepared.tokens))
    if tokens[0].kind is Lex.WORD and tokens[0].value == "truncate":
        truncated = truncate(text, prepared, tokens, schema)
        if truncated is not None:
            return truncated
    command = commands.recognise(tokens)
    if command is None:
        into = _select_into(tokens)
        if into:
            command = into
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
        disguise = Disguise(tokens)
        context = Context(disguise, schema)
        tree, first = _tree(context, disguise, first)
    except Unvetted as unvetted:
        effects = (Effect(f"outgrow does not understand {unvetted}", "unvetted"),)
        return Statement(text, prepared.sql, prepared.placeholders, Kind.OPAQUE, first, effects=effects)
    kind = Kind.QUERY if isinstance(tree, Query) and not context.writes else Kind.WRITE
    return Statement(
        text, prepared.sql, prepared.placeholders, kind, first, tree, tuple(context.reads), tuple(context.writes),
        tuple(context.effects),
    )  # fmt: skip


def _tree(context: Context, disguise: Disguise, first: str) -> tuple[Tree, str]:
    try:
        parsed = _DIALECT.parse(disguise.text)
    except SqlglotError as error:
        raise Unvetted("it: " + _shown(error)) from None
    except (RecursionError, AttributeError, TypeError, ValueError, IndexError, KeyError) as error:
        raise Unvetted(f"it: the parser fails ({type(error).__name__})") from None
    if len(parsed) != 1 or parsed[0] is None:
        raise Unvetted("it")
    node: Any = parsed[0]
    try:
        if type(node).__name__ in ("Insert", "Update", "Delete"):
            tree: Tree = change(context, node, Env())[0]
        else:
            tree = query(context, node, Env())[0]
    except RecursionError:
        raise Unvetted("so deep a nesting") from None
    if context.counts != disguise.counts:
        raise Unvetted("it: a word is missing or stands in a wrong place")
    names: dict[type, str] = {Insert: "INSERT", Update: "UPDATE", Delete: "DELETE"}
    return tree, names.get(type(tree), "VALUES" if first == "VALUES" else "TABLE" if first == "TABLE" else "SELECT")


def _shown(error: SqlglotError) -> str:
    """The parser's message without its drawing, and without markers."""
    message = str(error).split("\n")[0].split(" Line 1")[0].strip().rstrip(".")
    return message if "og$" not in message else "syntax error"


def _select_into(tokens: list[Token]) -> commands.Command | None:
    """SELECT … INTO makes a table."""
    for at, token in enumerate(tokens):
        if token.kind is not Lex.WORD or token.value != "into" or at == 0:
            continue
        before = tokens[at - 1]
        if (before.kind is Lex.WORD and before.value in ("insert", "as", "merge")) or before.text == ".":
            continue
        words = {t.value for t in tokens[at + 1 : at + 3] if t.kind is Lex.WORD}
        effects = [Effect("SELECT INTO makes a table", "writes")]
        if words & {"temp", "temporary"}:
            effects.append(Effect("SELECT INTO makes a temporary table", "temporary"))
        skip = 1
        while at + skip < len(tokens) and tokens[at + skip].value in ("temp", "temporary", "unlogged", "table"):
            skip += 1
        return commands.Command(Kind.DDL, "SELECT INTO", "", tuple(effects), commands.name_at(tokens, at + skip))
    return None


def syntax_error(statement: Statement) -> ProgrammingError:
    """For callers who must refuse an OPAQUE statement: its reason as an error."""
    reason = "; ".join(effect.what for effect in statement.effects)
    return ProgrammingError(
        "OG-STMT-018",
        f"{statement.command or 'the statement'}: {reason}",
        cure="Send it to a shard you name, or write it in another way.",
    )
