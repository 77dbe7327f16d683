"""The end of a transaction that somebody else decides, where a shard is away when it is first asked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from outgrow.clock import monotonic
from outgrow.errors import OperationalError
from outgrow.nodes import drive, together
from outgrow.transactions import Ending, Finished, InDoubt, Means, TransactionId, Xid, read_marker
from outgrow.waits import Steps

NAMES = ("s1", "s2", "s3")
XID = Xid.of(1, "order", "7")
ID = TransactionId("shop", "s3", UUID(int=7))


class Shards:
    """Branches on all three, the marker on the last; s2 does not answer its first question."""

    domain, names = "shop", NAMES

    def __init__(self) -> None:
        marker = XID.marker(ID.number, 3)
        self.prepared = {"s1": ID.gid(0), "s2": ID.gid(1), "s3": marker}
        self.looks = dict.fromkeys(NAMES, 0)
        self.closed = False

    def at(self, name: str) -> Any:
        return Shard(self, name)

    def close(self) -> None:
        self.closed = True


class Shard:
    def __init__(self, shards: Shards, name: str) -> None:
        self.shards, self.name = shards, name

    def in_doubt_steps(self, domain: str, until: float) -> Steps[list[InDoubt]]:
        yield from ()
        self.shards.looks[self.name] += 1
        if self.name == "s2" and self.shards.looks["s2"] == 1:
            raise OperationalError("OG-NODE-001", "away", cure="wait")
        gid = self.shards.prepared[self.name]
        return [InDoubt(self.name, gid, ID, 1.0, read_marker(gid))]

    def finish_steps(self, gid: str, commit: bool, until: float) -> Steps[Finished]:
        yield from ()
        assert commit and self.shards.prepared.pop(self.name) == gid
        return Finished.DONE


def test_what_only_the_second_look_finds_is_committed_too() -> None:
    shards: Any = Shards()
    ending = Ending(shards, Means(together, monotonic, lambda: 0.5), XID)
    drive(ending.run_steps(commit=True))
    assert shards.looks == {"s1": 2, "s2": 2, "s3": 2}
    assert sorted(ending.wrote) == sorted(NAMES), "the session will not wait for what it does not know of"
    assert shards.prepared == {} and ending.pending == {} and shards.closed
