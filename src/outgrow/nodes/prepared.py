"""Which statements one connection has prepared, and when it should prepare another.

Pure bookkeeping: no I/O.  The key is the text and the parameter types, because psycopg gives an integer the smallest
type that holds it: one text may be prepared under several type lists.
"""

from __future__ import annotations

from outgrow.nodes.rows import SETTLED, Field

Key = tuple[str, tuple[int, ...]]

#: Texts whose executions are counted before they are prepared; older ones are forgotten first.
COUNTED_MAX = 1000


class Prepared:
    """One prepared statement: its name on the server and what its results look like."""

    __slots__ = ("fields", "name", "settled", "status", "used")

    def __init__(self, name: bytes) -> None:
        self.name = name
        #: Of the first result; the server refuses (0A000) to let them change.
        self.fields: tuple[Field, ...] = ()
        #: No column's Python value depends on a session setting.
        self.settled = False
        self.status = ""
        #: The connection's statement count at the last use: least recently used goes first.
        self.used = 0

    def learn(self, fields: tuple[Field, ...], status: str) -> None:
        self.fields = fields
        self.settled = all(field.oid in SETTLED for field in fields)
        self.status = status


class Preparations:
    """The prepared statements of one connection."""

    def __init__(self, after: int | None, size_max: int) -> None:
        #: Prepare once a text has run this often; None: never.
        self.after = after or None
        self.size_max = size_max
        self.known: dict[Key, Prepared] = {}
        #: Names that the server still holds and that nobody uses: closed before the next preparation.
        self.stale: list[bytes] = []
        self._counts: dict[Key, int] = {}
        self._serial = 0

    def should_prepare(self, key: Key) -> bool:
        """Count one execution of `key`; True when it has run often enough."""
        if self.after is None:
            return False
        counts = self._counts
        count = counts.get(key, 0)
        if count >= self.after:
            del counts[key]
            return True
        counts[key] = count + 1
        if len(counts) > COUNTED_MAX:
            del counts[next(iter(counts))]
        return False

    def new(self) -> Prepared:
        self._serial += 1
        return Prepared(b"_og_%d" % self._serial)

    def add(self, key: Key, prepared: Prepared) -> None:
        if len(self.known) >= self.size_max:
            oldest = min(self.known, key=lambda key: self.known[key].used)
            self.stale.append(self.known.pop(oldest).name)
        self.known[key] = prepared

    def drop(self) -> None:
        """Stop using all; the server is asked to close them when there is an occasion."""
        self.stale.extend(prepared.name for prepared in self.known.values())
        self.known.clear()

    def gone(self) -> None:
        """The server has lost them all (DISCARD ALL, DEALLOCATE ALL)."""
        self.known.clear()
        self.stale.clear()
