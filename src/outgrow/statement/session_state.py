"""What statements keep on their connection beyond their transaction, and SET said for one transaction alone.

Only the lexer is asked.  What functions of the user do, nobody sees from here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from outgrow.statement.keywords import words
from outgrow.statement.lexer import Lex, Token, lex, significant
from outgrow.statement.model import Kind, Statement

#: Commands that leave something behind on their connection, or ask for what was left there.
_COMMANDS = frozenset(words("listen unlisten prepare execute deallocate load"))
_LOCKS = r"pg_(?:try_)?advisory_(?:lock|unlock)(?:_shared|_all)?"
_FUNCTIONS = re.compile(rf"{_LOCKS}|currval|lastval|setseed")
_FUNCTIONS_CALLED = re.compile(rf"\b({_LOCKS})\s*\(", re.I)
#: A transaction has them from its first moment: SET LOCAL of the default would come too late.
_DEFAULTS = ("isolation", "read_only", "deferrable")


def session_state(statement: Statement) -> str:
    """What of its connection the statement wants beyond its transaction, as in "calls pg_advisory_lock"; or ""."""
    if statement.kind is Kind.DDL:
        return ""
    tokens = significant(lex(statement.sql))
    first = tokens[0].value
    if statement.kind is Kind.SESSION:
        lasts = first in ("reset", "discard") or (first == "set" and tokens[1].value != "local")
        return f"{first.upper()} is for the whole session" if lasts else ""
    if statement.kind is Kind.OPAQUE and first in _COMMANDS:
        return f"{first.upper()} belongs to one connection"
    if first == "declare" and any(a.value == "with" and b.value == "hold" for a, b in pairwise(tokens)):
        return "a cursor WITH HOLD belongs to one connection"
    if first == "do" and (found := _FUNCTIONS_CALLED.search(statement.sql)):
        return f"calls {found[1]}"
    for at, token in enumerate(tokens[:-1]):
        if token.kind in (Lex.WORD, Lex.QUOTED) and tokens[at + 1].text == "(":
            if _FUNCTIONS.fullmatch(token.value):
                return f"calls {token.value}"
            if token.value == "set_config" and not _is_local(tokens[at + 2 :]):
                return "calls set_config for the whole session"
    return ""


def _is_local(tokens: Sequence[Token]) -> bool:
    """Whether the third argument says so plainly."""
    depth, commas = 0, 0
    last: list[str] = []
    for token in tokens:
        depth += token.text in ("(", "[")
        depth -= token.text in (")", "]")
        if depth < 0:
            break
        if depth == 0 and token.text == ",":
            commas += 1
            last.clear()
        else:
            last.append(token.value)
    return commas == 2 and last == ["true"]


@lru_cache(maxsize=1024)
def local_settings(sql: str) -> tuple[str, ...]:
    """A SET for the session, said for one transaction that has just begun; what only begins with it, too."""
    tokens = significant(lex(sql))
    rest = tokens[1:]
    if rest[0].value == "session" and len(rest) > 1 and rest[1].value != "authorization":
        rest = rest[1:]
    said = sql[rest[0].start :].rstrip("; \t\r\n")
    settings = [f"SET LOCAL {said}"]
    name = rest[0].value
    begins = name.startswith("default_transaction_") and name.removeprefix("default_transaction_") in _DEFAULTS
    if begins and rest[2].value != "default":
        settings.append(f"SET LOCAL {name.removeprefix('default_')} {said[rest[1].start - rest[0].start :]}")
    return tuple(settings)


def sets_role(sql: str) -> bool:
    """Whether a SET, for the session or a transaction, changes in whose name statements run."""
    said = [token.value for token in significant(lex(sql))][1:4]
    while said and said[0] in ("local", "session"):
        del said[0]
    return bool(said) and said[0] in ("role", "authorization")
