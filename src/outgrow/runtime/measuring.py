"""What the parts of one execution gave and took, for `explain(analyze=True)`; nobody measuring, nothing is noted.

A session's `Noting` has a `Measuring` while one runs.  Whoever asks servers says what for (`phase`), and whoever has
asked one tells of its answer.  Phases follow each other; what one of them asks, it asks all at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from outgrow.nodes import Rows

#: What servers are asked for: their part of the rows, or (all rows being here) how the result is called, or itself.
FRAGMENT, BRING, DESCRIBE, FINISH = "fragment", "bring", "describe", "finish"


class Part(NamedTuple):
    """One server's answer: the rows that it gave, and what they take as text."""

    phase: str
    #: What of, where that is not all of it.
    what: str
    stage: int
    node: str
    rows: int
    bytes: int
    seconds: float
    #: Sent with the question: rows for a server that finishes, keys that narrow.
    bytes_sent: int


class Came(NamedTuple):
    """All that came of one bring; `expected` is what servers had said beforehand, where they were asked."""

    bring: str
    rows: int
    bytes: int
    expected: float | None = None


class Finish(NamedTuple):
    """What this process did itself: `by` is "stream" or "DuckDB"."""

    by: str
    rows: int
    seconds: float


class Measuring:
    """One execution's."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """What came so far was for nothing: all begins anew."""
        self.parts: list[Part] = []
        self.came: list[Came] = []
        self.finish: Finish | None = None
        self._phase, self._what, self._stage = FRAGMENT, "", 1

    def phase(self, phase: str, what: str = "") -> None:
        """What is asked from now on, of all servers at once."""
        self._phase, self._what = phase, what
        self._stage = self.parts[-1].stage + 1 if self.parts else 1

    def answered(self, node: str, answers: Iterable[Rows], seconds: float, sent: Sequence[Any] | None = None) -> None:
        """A server has answered, for the phase that is on."""
        rows = size = 0
        for answer in answers:
            rows += _rows(answer) if self._phase in (BRING, DESCRIBE) else max(0, answer.count)
            size += size_of(value for row in answer.rows for value in row)
        self.parts.append(Part(self._phase, self._what, self._stage, node, rows, size, seconds, size_of(sent or ())))


def size_of(values: Iterable[Any]) -> int:
    """Bytes of the values as text."""
    return sum(map(_size, values))


def _size(value: Any) -> int:
    match value:
        case None:
            return 0
        case str():
            return len(value) if value.isascii() else len(value.encode())
        case bytes() | bytearray():
            return len(value)
    return len(str(value))


def _rows(answer: Rows) -> int:
    """Arrays come as one row, of which whole numbers count their values; what is brought otherwise comes as rows."""
    if len(answer.rows) == 1 and type(answer.rows[0][0]) is bool:
        return sum(value for value in answer.rows[0] if type(value) is int)
    return max(0, answer.count)
