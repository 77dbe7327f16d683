"""The shards of a domain as anyone sees them: connections for questions, whatever the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from outgrow.errors import Error, OperationalError
from outgrow.transactions.port import Shard
from outgrow.transactions.wire import Asked, Wire, Wires
from outgrow.waits import Steps


class ServerShards:
    """The shards of a domain, each on a connection of its own that is opened when it is first asked.

    A pool will not do: all its connections may be waiting for the very locks that are to be released.  Only to look
    whether there is anything to be done, one of a pool is good enough: a fleet of many processes that look every two
    seconds would otherwise connect all the time.
    """

    def __init__(
        self,
        domain: str,
        names: Sequence[str],
        wires: Wires,
        shard: Callable[[str, ServerShards], Shard],
        limits: Sequence[str],
        in_blocks: Callable[[Wire, Sequence[Asked], float], Steps[list[Any]]] | None = None,
    ) -> None:
        self.domain = domain
        self.names = names
        self._wires = wires
        self._shard = shard
        #: The first statements of a connection that recovers.
        self._limits = limits
        #: How statements run through a pooler, where that is possible: each with its limits.
        self._in_blocks = in_blocks
        self._links: dict[str, Wire] = {}

    def at(self, shard: str) -> Shard:
        if shard not in self.names:
            raise OperationalError(
                "OG-TX-011",
                f"a prepared transaction names the shard {shard}, which {self.domain} does not have",
                cure="put the shard back into fleet.yaml: it knows what was decided",
                shard=shard,
            )
        return self._shard(shard, self)

    def ask_steps(self, shard: str, asked: Sequence[Asked], until: float) -> Steps[list[Any]]:
        """Run statements outside a transaction; a connection that breaks is opened anew by the next question."""
        link = self._links.get(shard)
        if link is None or link.broken:
            link = self._links[shard] = yield from self._wires.connect_steps(shard, until)
            for sql in () if link.pooled else self._limits:
                yield from link.run_steps(sql, None, until=until)
        try:
            if link.pooled and self._in_blocks is not None:
                return (yield from self._in_blocks(link, asked, until))
            return (yield from link.run_many_steps(asked, until=until, prepare=[False] * len(asked)))
        except BaseException:
            link.close()
            raise

    def pooled(self, shard: str) -> bool:
        """Whether the last questions to the shard went through a pooler."""
        return shard in self._links and self._links[shard].pooled

    def look_steps(self, shard: str, asked: Sequence[Asked], until: float) -> Steps[list[Any]]:
        """Ask what changes nothing and waits for nothing."""
        try:
            link = yield from self._wires.borrow_steps(shard, until)
            try:
                answers = yield from link.run_many_steps(asked, until=until)
            finally:
                self._wires.give(shard, link)
            if not any(isinstance(answer, Error) for answer in answers):
                return answers
        except Error:
            pass
        # All in use, or broken: see for ourselves.
        return (yield from self.ask_steps(shard, asked, until))

    def reached_steps(self, shard: str, place: Any, until: float) -> Steps[bool]:
        """See `Wires.reached_steps`; raises where the question for the place has failed."""
        answered(place)
        return (yield from self._wires.reached_steps(shard, place, until))

    def close(self) -> None:
        for link in self._links.values():
            link.close()
        self._links.clear()


def answered(outcome: Any) -> Sequence[tuple[Any, ...]]:
    """The rows of an outcome; raises where it is an error."""
    if isinstance(outcome, Error):
        raise outcome
    rows: Sequence[tuple[Any, ...]] = outcome.rows
    return rows
