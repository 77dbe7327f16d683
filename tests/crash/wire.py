"""What workers say to servers, read off the bytes: which statements, and which of them are steps of a protocol.

Nothing in the product reports where it is; its own statements tell, in either engine's words.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator


class Kind(enum.Enum):
    """What a message contains, as far as a point of the protocol lies there."""

    BEGIN = "begins a branch"
    DML = "changes rows"
    COMMIT = "commits a branch that is not prepared"
    PREPARE = "prepares a branch"
    DECIDE = "decides"
    FINISH = "commits a prepared branch"
    UNDO = "rolls a prepared branch back"
    RULE = "lets an abort stand"
    FORGET = "forgets what is settled"


_KINDS = {
    Kind.BEGIN: re.compile(rb"^\s*(BEGIN(?! NOT)|START TRANSACTION|XA START)", re.I),
    Kind.DML: re.compile(rb"(UPDATE|INSERT INTO) (accounts|transfers)\b"),
    Kind.COMMIT: re.compile(rb"^COMMIT\s*$"),
    Kind.PREPARE: re.compile(rb"(PREPARE TRANSACTION|XA PREPARE) '"),
    Kind.DECIDE: re.compile(rb"INSERT INTO outgrow[._]decisions \(id, outcome, shards"),
    Kind.FINISH: re.compile(rb"^(COMMIT PREPARED|XA COMMIT) '"),
    Kind.UNDO: re.compile(rb"^(ROLLBACK PREPARED|XA ROLLBACK) '"),
    Kind.RULE: re.compile(rb"INSERT (IGNORE )?INTO outgrow[._]decisions \(id, outcome\)"),
    Kind.FORGET: re.compile(rb"DELETE FROM outgrow[._](decisions|stamps)"),
}
_NUMBER = re.compile(rb"'outgrow/(?:\w+/[\w-]+/)?([0-9a-f]{32})")


def kinds_of(statements: list[bytes]) -> frozenset[Kind]:
    return frozenset(kind for kind, words in _KINDS.items() if any(words.search(text) for text in statements))


def number_of(statements: list[bytes]) -> str:
    """The transaction that is prepared or finished here, as 32 hexadecimal digits; "" where none is."""
    for text in statements:
        if match := _NUMBER.search(text):
            return match[1].decode()
    return ""


class Postgres:
    """One connection's messages, both ways."""

    def __init__(self) -> None:
        self._rest = b""
        self._back = b""
        self._started = False
        #: Prepared statements by name: executing one does not say its text again.
        self._texts: dict[bytes, bytes] = {}
        #: How many answers were asked for, and how many have come to their end.
        self.asked = 0
        self.answered = 0

    def say(self, data: bytes) -> list[bytes]:
        """The statements in what the client has sent."""
        self._rest += data
        statements = []
        if not self._started:
            if len(self._rest) < 8 or len(self._rest) < (length := int.from_bytes(self._rest[:4], "big")):
                return []
            self._started, self._rest = True, self._rest[length:]
            self.asked += 1
        for kind, body in _messages(self):
            if kind == b"P":
                name, text = body.split(b"\0", 2)[:2]
                self._texts[name] = text
            elif kind == b"B":
                statements.append(self._texts.get(body.split(b"\0", 2)[1], b""))
            elif kind == b"Q":
                statements.append(body.rstrip(b"\0"))
            self.asked += kind in (b"S", b"Q")
        return statements

    def hear(self, data: bytes) -> None:
        self._back += data
        at, end = 0, len(self._back)
        while end - at >= 5 and end - at > (length := int.from_bytes(self._back[at + 1 : at + 5], "big")):
            self.answered += self._back[at : at + 1] == b"Z"
            at += 1 + length
        self._back = self._back[at:]


def _messages(line: Postgres) -> Iterator[tuple[bytes, bytes]]:
    data, at = line._rest, 0
    while len(data) - at >= 5 and len(data) - at > (length := int.from_bytes(data[at + 1 : at + 5], "big")):
        yield data[at : at + 1], data[at + 5 : at + 1 + length]
        at += 1 + length
    line._rest = data[at:]


class Mariadb:
    """The same; here the client says one thing at a time, and the first word of an answer says that it was done."""

    def __init__(self) -> None:
        self._rest = b""
        self.asked = 0
        self.answered = 0

    def say(self, data: bytes) -> list[bytes]:
        self._rest += data
        statements = []
        while len(self._rest) >= 4 and len(self._rest) >= (end := 4 + int.from_bytes(self._rest[:3], "little")):
            if self._rest[3] == 0 and end > 5:
                self.asked += 1
                if self._rest[4] == 3:
                    statements.append(self._rest[5:end])
            self._rest = self._rest[end:]
        return statements

    def hear(self, data: bytes) -> None:
        self.answered = self.asked
