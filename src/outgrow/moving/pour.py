"""One COPY … FROM STDIN on several shards at once, fed by somebody who has the input piece by piece."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence

from outgrow.clock import monotonic
from outgrow.errors import Error
from outgrow.moving.feed import Feed, Pieces
from outgrow.moving.load_lanes import Lane, all_steps, pump_steps, settle_steps
from outgrow.moving.numbering import Draw
from outgrow.waits import Steps

#: How long what is being sent may take to go out once a COPY has been given up.
_SETTLE_SECONDS = 2.0
#: Which line of its part a server was at.
LINE = re.compile(r"^COPY .*, line (\d+)", re.MULTILINE)


class Pour:
    """`begin_steps`, `put_steps` as often as needed, then `end_steps` or `abort_steps`.

    At most the lanes' queues and one block are held: putting a piece waits until there is room.
    """

    def __init__(self, lanes: Sequence[Lane], feed: Feed) -> None:
        self._lanes = lanes
        self._feed = feed

    def begin_steps(self, sql: str) -> Steps[None]:
        """Bring every server to where it waits for data."""
        for lane in self._lanes:
            # Whichever comes so far must be brought back, also where another one refuses.
            lane.copying = True
        yield from all_steps(self._lanes, lambda lane: lane.target.begin_steps(sql))

    def put_steps(self, data: memoryview) -> Steps[None]:
        yield from self._offer_steps(self._feed.put(data))

    def end_steps(self) -> Steps[list[int]]:
        """End every COPY; the rows that each server took.  Raises what one of them refused, with its line."""
        yield from self._offer_steps(self._feed.end())
        try:
            yield from settle_steps(self._lanes, None)
            return (yield from all_steps(self._lanes, finish_steps))
        except Error as error:
            self._place(error)
            raise

    def abort_steps(self, reason: str) -> Steps[None]:
        yield from abort_steps(self._lanes, reason)

    def _offer_steps(self, pieces: Iterable[Pieces | Draw]) -> Steps[None]:
        try:
            yield from pump_steps(self._lanes, pieces)
        except Error as error:
            self._place(error)
            raise

    def _place(self, error: Error) -> None:
        """Give what a server said about its part the line of the whole input, as far as it is known."""
        found = LINE.search(error.details.get("context", ""))
        shards = [lane.shard for lane in self._lanes]
        if error.code.startswith("OG-LOAD") or found is None or error.shard not in shards:
            return
        lines = self._feed.lines(shards.index(error.shard), int(found.group(1)))
        if lines is None:
            place = f"line {found.group(1)} of {error.shard}'s part"
        else:
            place = f"line {lines[0]}" if lines[0] == lines[1] else f"between lines {lines[0]} and {lines[1]}"
        error.message = f"{place}{column_of(error)}{error.message}"


def column_of(error: Error) -> str:
    """Which column a server was reading, for a message."""
    column = re.search(r"^COPY .*, column (\S+?)[:,]", error.details.get("context", ""), re.MULTILINE)
    return f", column {column.group(1)}: " if column else ": "


def finish_steps(lane: Lane) -> Steps[int]:
    lane.copying = False
    return (yield from lane.target.finish_steps())


def abort_steps(lanes: Sequence[Lane], reason: str) -> Steps[None]:
    """Give every COPY up; a connection that cannot say so in time is closed."""
    for lane in lanes:
        lane.forget()
    # One that is gone, or has said so before: there is nothing to bring back.
    with contextlib.suppress(Error):
        yield from settle_steps(lanes, monotonic() + _SETTLE_SECONDS)
    for lane in lanes:
        lane.drop()
        if lane.copying:
            lane.copying = False
            with contextlib.suppress(Error):
                yield from lane.target.abort_steps(reason)
