"""Deadlocks over shards: who waits for whom, as the servers say it, and who is to give up.  Pure.

A server sees only its own waits.  What ties the branches of one transaction together are the locks that `attend` takes
on each: so whoever looks at all shards sees the whole, whichever processes are in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

#: A transaction by its presence, or a backend that belongs to none over shards.
Party = int | tuple[str, int]


class Backend(NamedTuple):
    """One that waits or belongs to a transaction over shards, as its server lists it."""

    pid: int
    #: Whom it waits for, since when, and for what; of one that waits for nobody all empty.
    blockers: Sequence[int] | None
    since: str | None
    what: str | None
    #: Of its transaction: the presence, and when it began (milliseconds by its process's clock, the lower 32 bits).
    presence: int | None
    begun: int | None


#: Shard → what it said.
Look = Mapping[str, Sequence[Backend]]


class Edge(NamedTuple):
    """One wait."""

    waiter: Party
    holder: Party
    shard: str
    what: str | None
    #: Which wait it is: the same one in two looks was there all the time between them.
    wait: tuple[int, int, str]


def cycle(before: Look, after: Look, presence: int) -> tuple[Edge, ...]:
    """The shortest way round by which the transaction waits for itself over several shards; empty where there is none.

    Only waits count that both looks show: looks at several servers are never of one moment, but all of these waits
    were there when the first look had ended.
    """
    parties: dict[tuple[str, int], Party] = {}
    for look in (before, after):
        for shard, backends in look.items():
            parties |= {(shard, each.pid): each.presence for each in backends if each.presence is not None}
    known = {(*edge.wait, edge.shard) for edge in _edges(before, parties)}
    leaving: dict[Party, list[Edge]] = {}
    for edge in _edges(after, parties):
        if (*edge.wait, edge.shard) in known:
            leaving.setdefault(edge.waiter, []).append(edge)
    found = _shortest(leaving, presence)
    return found if len({edge.shard for edge in found}) > 1 else ()


def _edges(look: Look, parties: Mapping[tuple[str, int], Party]) -> list[Edge]:
    edges = []
    for shard, backends in look.items():
        for each in backends:
            for blocker in each.blockers or () if each.since is not None else ():
                waiter = parties.get((shard, each.pid), (shard, each.pid))
                holder = parties.get((shard, blocker), (shard, blocker))
                edges.append(Edge(waiter, holder, shard, each.what, (each.pid, blocker, each.since or "")))
    return edges


def _shortest(leaving: Mapping[Party, Sequence[Edge]], start: Party) -> tuple[Edge, ...]:
    reached: dict[Party, tuple[Edge, ...]] = {}
    todo: deque[tuple[Party, tuple[Edge, ...]]] = deque([(start, ())])
    while todo:
        party, way = todo.popleft()
        for edge in leaving.get(party, ()):
            if edge.holder == start:
                return (*way, edge)
            if edge.holder not in reached:
                reached[edge.holder] = (*way, edge)
                todo.append((edge.holder, reached[edge.holder]))
    return ()


def giving_up(found: Sequence[Edge], look: Look) -> list[int]:
    """The transactions over shards in the cycle, in the order in which they are to give up: the youngest first.

    Everybody who looks comes to the same order, whatever the processes' clocks are.
    """
    begun = {each.presence: each.begun or 0 for backends in look.values() for each in backends}
    inside = {edge.waiter for edge in found if isinstance(edge.waiter, int)}
    return sorted(inside, key=lambda presence: (begun.get(presence, 0), presence), reverse=True)


def told(found: Sequence[Edge], presence: int) -> str:
    """The cycle in words."""

    def called(party: Party) -> str:
        if party == presence:
            return "this one"
        if isinstance(party, int):
            return f"…{party & 0xFFFFFFFFFFFFFFFF:016x}"
        return f"backend {party[1]} of {party[0]}"

    return "; ".join(
        f"{called(edge.waiter)} waits on {edge.shard} for {edge.what or 'a lock'}, held by {called(edge.holder)}"
        for edge in found
    )
