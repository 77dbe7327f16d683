"""What a statement is, by its first keywords.  Only queries and INSERT, UPDATE, DELETE are read any further."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from outgrow.errors import NotSupportedError, ProgrammingError
from outgrow.statement.keywords import words
from outgrow.statement.lexer import Lex, Token
from outgrow.statement.model import Effect, Kind
from outgrow.topology import TableName


class Command(NamedTuple):
    kind: Kind
    #: As in "SELECT" or "CREATE INDEX".
    command: str
    argument: str = ""
    effects: tuple[Effect, ...] = ()
    #: (schema or None, name) of the table that DDL is about.
    target: tuple[str | None, str] | None = None


PARSED = frozenset({"select", "with", "values", "table", "insert", "update", "delete", "merge"})
_DDL = frozenset(
    words("create alter drop comment grant revoke reindex security refresh import reassign"),
)
_SESSION = frozenset(words("set reset show discard listen unlisten notify deallocate"))
_TRANSACTION = frozenset(words("begin start commit end rollback abort savepoint release"))
#: Words between CREATE, ALTER or DROP and the kind of thing.
_FILLERS = frozenset(
    words(
        "or replace global local temporary temp unlogged unique concurrently if not exists recursive only materialized "
        "foreign trusted procedural constraint event default"
    )
)


def single(tokens: list[Token]) -> list[Token]:
    """The tokens of the only statement, without its `;`.  Errors OG-STMT-001 (none) and OG-STMT-002 (several)."""
    while tokens and tokens[-1].text == ";":
        tokens = tokens[:-1]
    start = 0
    while start < len(tokens) and tokens[start].text == ";":
        start += 1
    tokens = tokens[start:]
    if not tokens:
        raise ProgrammingError("OG-STMT-001", "the statement is empty", cure="Write one SQL statement.")
    if any(token.text == ";" for token in tokens) and not _body_with_semicolons(tokens):
        raise NotSupportedError(
            "OG-STMT-002",
            "several statements in one string",
            cure="Execute them one by one, in `with session.transaction():` where they belong together.",
            sqlstate="42601",
        )
    return tokens


def _body_with_semicolons(tokens: Sequence[Token]) -> bool:
    """CREATE FUNCTION … BEGIN ATOMIC …; END and CREATE RULE … DO (…; …) hold semicolons of their own."""
    if tokens[0].value != "create":
        return False
    depth = 0
    for at, token in enumerate(tokens):
        if token.value == "begin" and at + 1 < len(tokens) and tokens[at + 1].value == "atomic":
            return tokens[-1].value == "end"
        depth += token.text == "("
        depth -= token.text == ")"
        if token.text == ";" and depth == 0:
            return False
    return True


def recognise(tokens: list[Token]) -> Command | None:
    """The command, or None where the parser must read on (SELECT, INSERT, …)."""
    first = next((token for token in tokens if token.text != "("), tokens[0])
    word = first.value if first.kind is Lex.WORD else ""
    if word in PARSED:
        return None
    if tokens[0].text == "(":
        return Command(Kind.OPAQUE, "", effects=(Effect("is no statement that outgrow knows", "unvetted"),))
    if word in _TRANSACTION:
        return _transaction(tokens)
    if word == "prepare" and _word(tokens, 1) == "transaction":
        return Command(Kind.TRANSACTION, "PREPARE TRANSACTION", _value(tokens, 2))
    if word in _SESSION:
        return _session(tokens)
    if word in _DDL:
        return _ddl(tokens)
    if word == "copy":
        return _copy(tokens)
    name = word.upper()
    what = f"{name} may do anything" if word.isidentifier() else "is no statement that outgrow knows"
    return Command(Kind.OPAQUE, name, _rest(tokens, 1), effects=(Effect(what, "unvetted"),))


def _word(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].value if at < len(tokens) and tokens[at].kind is Lex.WORD else ""


def _value(tokens: Sequence[Token], at: int) -> str:
    return tokens[at].value if at < len(tokens) else ""


def _rest(tokens: Sequence[Token], at: int) -> str:
    return " ".join(token.text for token in tokens[at:])


def _transaction(tokens: Sequence[Token]) -> Command:
    word, second = _word(tokens, 0), _word(tokens, 1)
    kind = Kind.TRANSACTION
    if word == "start" and second != "transaction":
        return Command(Kind.OPAQUE, "START", effects=(Effect("START may do anything", "unvetted"),))
    if word in ("begin", "start"):
        at = 1 + (second in ("transaction", "work"))
        return Command(kind, "BEGIN", _rest(tokens, at))
    if word == "savepoint":
        return Command(kind, "SAVEPOINT", _value(tokens, 1))
    if word == "release":
        return Command(kind, "RELEASE", _value(tokens, 2 if second == "savepoint" and len(tokens) > 2 else 1))
    if word in ("commit", "rollback") and second == "prepared":
        return Command(kind, f"{word.upper()} PREPARED", _value(tokens, 2))
    at = 1 + (second in ("transaction", "work"))
    if word == "rollback" and _word(tokens, at) == "to":
        at += 1 + (_word(tokens, at + 1) == "savepoint" and at + 2 < len(tokens))
        return Command(kind, "ROLLBACK TO", _value(tokens, at))
    return Command(kind, "COMMIT" if word in ("commit", "end") else "ROLLBACK", _rest(tokens, at))


def _session(tokens: Sequence[Token]) -> Command:
    word, second = _word(tokens, 0), _word(tokens, 1)
    if word in ("listen", "unlisten", "notify", "deallocate"):
        what = {"notify": "sends a notification"}.get(word, f"{word.upper()} belongs to one connection")
        argument = _value(tokens, 1) if word != "deallocate" else _rest(tokens, 1)
        return Command(Kind.OPAQUE, word.upper(), argument, effects=(Effect(what, "unvetted"),))
    if word == "set" and second == "transaction":
        return Command(Kind.TRANSACTION, "SET TRANSACTION", _rest(tokens, 2))
    if word == "set" and second == "constraints":
        return Command(Kind.TRANSACTION, "SET CONSTRAINTS", _rest(tokens, 2))
    if word == "set" and second in ("local", "session") and len(tokens) > 2:
        if second == "session" and _word(tokens, 2) in ("authorization", "characteristics"):
            return Command(Kind.SESSION, "SET SESSION " + _word(tokens, 2).upper(), _rest(tokens, 3))
        return Command(Kind.SESSION, "SET LOCAL" if second == "local" else "SET", _setting(tokens, 2))
    return Command(Kind.SESSION, word.upper(), _setting(tokens, 1))


def _setting(tokens: Sequence[Token], at: int) -> str:
    """The setting's name, folded: `SET a.b = …` → "a.b", `SET TIME ZONE …` → "timezone", `DISCARD ALL` → "all"."""
    if _word(tokens, at) == "time" and _word(tokens, at + 1) == "zone":
        return "timezone"
    if _word(tokens, at) == "transaction" and _word(tokens, at + 1) == "isolation":
        return "transaction_isolation"
    if _word(tokens, at) == "session" and _word(tokens, at + 1) == "authorization":
        return "session_authorization"
    name = _value(tokens, at)
    while at + 2 < len(tokens) and tokens[at + 1].text == ".":
        at += 2
        name += "." + tokens[at].value
    return name


def _copy(tokens: Sequence[Token]) -> Command:
    if len(tokens) > 1 and tokens[1].text == "(":
        return Command(Kind.COPY, "COPY", effects=(Effect("COPY of a query", "unvetted"),))
    at = 2 if _word(tokens, 1) == "binary" and len(tokens) > 2 and tokens[2].kind in (Lex.WORD, Lex.QUOTED) else 1
    depth = 0
    direction = ""
    for position in range(at, len(tokens)):
        token = tokens[position]
        depth += token.text == "("
        depth -= token.text == ")"
        if depth == 0 and token.kind is Lex.WORD and token.value in ("from", "to"):
            direction = token.value
            break
    kind = "writes" if direction != "to" else "unvetted"
    return Command(
        Kind.COPY, "COPY", direction, (Effect(f"COPY {direction.upper()}".rstrip(), kind),), name_at(tokens, at)
    )


def _ddl(tokens: Sequence[Token]) -> Command:
    word = _word(tokens, 0)
    if word == "comment" or word == "grant" or word == "revoke":
        return Command(Kind.DDL, word.upper(), effects=(Effect(f"{word.upper()} changes the schema", "writes"),))
    at = 1
    seen: list[str] = []
    while _word(tokens, at) in _FILLERS:
        seen.append(_word(tokens, at))
        at += 1
    thing = _word(tokens, at)
    command = word.upper()
    if word in ("create", "alter", "drop") and thing:
        shown = "MATERIALIZED VIEW" if "materialized" in seen and thing == "view" else thing.upper()
        command = f"{command} {shown}"
    effects: list[Effect] = []
    if word == "create" and ("temp" in seen or "temporary" in seen):
        effects.append(Effect(f"{command} makes a temporary {thing}", "temporary"))
    at += 1
    if thing == "index" and word == "create":
        return _index(command, tokens, at, effects)
    while _word(tokens, at) in ("if", "not", "exists", "only", "concurrently"):
        at += 1
    if thing == "trigger" or thing == "rule" or thing == "policy":
        at = _after_on(tokens, at)
    elif thing not in ("table", "view", "sequence"):
        return Command(Kind.DDL, command, effects=(*effects, Effect(f"{command} changes the schema", "writes")))
    if thing == "table" and word == "create" and _from_query(tokens, at):
        effects.append(Effect(f"{command} AS copies a query's rows", "writes"))
        command += " AS"
    return _about(command, tokens, at, effects)


def _about(command: str, tokens: Sequence[Token], at: int, effects: list[Effect]) -> Command:
    effects.append(Effect(f"{command} changes the schema", "writes"))
    return Command(Kind.DDL, command, effects=tuple(effects), target=name_at(tokens, at))


def _index(command: str, tokens: Sequence[Token], at: int, effects: list[Effect]) -> Command:
    at = _after_on(tokens, at)
    return _about(command, tokens, at + (_word(tokens, at) == "only"), effects)


def _after_on(tokens: Sequence[Token], at: int) -> int:
    while at < len(tokens) and _word(tokens, at) != "on":
        at += 1
    return at + 1


def name_at(tokens: Sequence[Token], at: int) -> tuple[str | None, str] | None:
    if at >= len(tokens) or tokens[at].kind not in (Lex.WORD, Lex.QUOTED):
        return None
    first = tokens[at].value
    if at + 2 < len(tokens) and tokens[at + 1].text == "." and tokens[at + 2].kind in (Lex.WORD, Lex.QUOTED):
        return first, tokens[at + 2].value
    return None, first


def _from_query(tokens: Sequence[Token], at: int) -> bool:
    """CREATE TABLE name [(columns)] [options] AS query."""
    depth = 0
    for position in range(at, len(tokens)):
        token = tokens[position]
        depth += token.text == "("
        depth -= token.text == ")"
        if depth == 0 and token.kind is Lex.WORD and token.value == "as":
            return True
    return False


def table_names(target: tuple[str | None, str] | None, path: Sequence[str]) -> tuple[TableName, ...]:
    """The target as a table's name; a new table goes to the first schema of the search path."""
    if target is None:
        return ()
    schema = target[0] or next((s for s in path if s not in ("pg_catalog", "$user")), "public")
    return (TableName(schema, target[1]),)


def select_into(tokens: list[Token]) -> Command | None:
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
        return Command(Kind.DDL, "SELECT INTO", "", tuple(effects), name_at(tokens, at + skip))
    return None
