"""A transaction that XA has begun on a link: COMMIT and ROLLBACK end it as they end any other.

XA has words of its own for the ends (XA END, XA COMMIT … ONE PHASE), and the server refuses the common ones.  Whoever
runs statements need not know: only who begins and prepares such a transaction speaks of XA.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pymysql


class Distributed:
    """What XA has begun on one connection; for the link's thread."""

    __slots__ = ("name", "prepared")

    def __init__(self) -> None:
        #: As XA START had it; None where there is none.
        self.name: str | None = None
        #: It can only be finished by its name, and as long as this connection lives by nobody else.
        self.prepared = False

    def say(self, connection: Any, tag: str, text: str) -> None:
        """Send the statement, or what it means here."""
        name = self.name
        if name is None or self.prepared or tag not in ("COMMIT", "ROLLBACK"):
            connection.query(text)
            self._note(tag, text)
        elif tag == "COMMIT":
            connection.query(f"XA END {name}")
            connection.query(f"XA COMMIT {name} ONE PHASE")
            self.name = None
        else:
            # It may have ended already, and after a deadlock it says so with an error.
            with contextlib.suppress(pymysql.err.OperationalError, pymysql.err.InternalError):
                connection.query(f"XA END {name}")
            connection.query(f"XA ROLLBACK {name}")
            self.name = None

    def _note(self, tag: str, text: str) -> None:
        if tag == "XA START":
            self.name, self.prepared = text.split(None, 2)[2], False
        elif tag == "XA PREPARE":
            self.prepared = self.name is not None
        elif tag in ("XA COMMIT", "XA ROLLBACK"):
            self.name, self.prepared = None, False
