"""The command tag of a statement, which MariaDB does not send: PostgreSQL's words for what the text says."""

from __future__ import annotations

import re

#: Behind brackets and comments.
_FIRST = re.compile(r"(?:[\s(]|/\*.*?\*/|\#[^\n]*\n|--\s[^\n]*\n)*([A-Za-z]+)(?:\s+([A-Za-z]+))?", re.DOTALL)
_TWO = frozenset(("CREATE", "ALTER", "DROP", "XA"))
_ALIASES = {"START": "START TRANSACTION", "WITH": "SELECT", "VALUES": "SELECT", "TABLE": "SELECT"}
_TO = re.compile(r"\s*ROLLBACK\s+(?:WORK\s+)?TO\b", re.IGNORECASE)


#: `SET STATEMENT … FOR` before the statement itself.
_SET_FOR = re.compile(r"\s*SET\s+STATEMENT\s[^'\"`]*?\sFOR\s", re.IGNORECASE)


def tag_of(text: str) -> str:
    if (settings := _SET_FOR.match(text)) is not None:
        return tag_of(text[settings.end() :])
    found = _FIRST.match(text)
    if found is None:
        return ""
    first, second = found[1].upper(), (found[2] or "").upper()
    if first == "ROLLBACK" and _TO.match(text):
        return "ROLLBACK TO"
    if first in _TWO and second:
        return f"{first} {second}"
    return _ALIASES.get(first, first)
