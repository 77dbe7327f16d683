"""Up to which number there is nothing to be found any more, so that reads do not pass what has been deleted.

A number may become visible after greater ones: its transaction took longer.  So "all numbers up to what was read last"
is no floor.  This one is: what the sequence had given out at one look, once every transaction that had begun before a
later look has ended, and a read behind that has shown all that there is up to there.  Whoever draws a number has a
transaction number already, and the later look draws one itself: that is above all of theirs.  (Its snapshot's xmax is
not: that is one past the last transaction that has ended.  Others that run may lie above, and count for neither its
xmax nor its xmin.)  Where dead rows cannot be removed, because somebody keeps a snapshot for an hour, each read would
pass all of that hour's without a floor.
"""

from __future__ import annotations

from collections.abc import Sequence


class Floor:
    """Of one topic on one shard, in the memory of the relay that serves it."""

    def __init__(self) -> None:
        #: Reads begin behind it.
        self.number = 0
        #: Numbers up to this one have been given out; which transactions had to end; and they have.
        self._candidate: int | None = None
        self._bound: int | None = None
        self._ended = False

    @property
    def bounds(self) -> bool:
        """The next look shall draw a transaction number: only where the floor may rise, for nobody has endless ones."""
        return self._candidate is not None and self._bound is None and self._candidate > self.number

    def read(self, numbers: Sequence[int], limit: int) -> int | None:
        """What a read behind the floor has shown; the number to rise to once all that is delivered or set aside."""
        if not self._ended or self._candidate is None:
            return None
        if len(numbers) < limit or numbers[-1] > self._candidate:
            return self._candidate
        return None

    def look(self, drawn: int, oldest: int, begun: int) -> None:
        """Behind the read: the last number given out, the oldest transaction that runs, one begun now (`bounds`)."""
        if self._candidate is None or self._candidate <= self.number:
            self._candidate, self._bound, self._ended = drawn, None, False
            return
        if self._bound is None:
            self._bound = begun
        if oldest >= self._bound:
            self._ended = True

    def rise(self, number: int) -> None:
        """Nothing is left up to there."""
        self.number = max(self.number, number)
        self._candidate = None

    def fall(self, number: int) -> None:
        """Something may be left behind `number`: what was set aside is not any more."""
        self.number = min(self.number, number)
        self._candidate = None
