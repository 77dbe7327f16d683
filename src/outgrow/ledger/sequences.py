"""Fleet sequences: blocks of numbers leased on the home shard, so that no two processes ever have the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from outgrow.ledger.steps import Runner, ask_steps, words
from outgrow.topology import TableName
from outgrow.waits import Steps

#: Most numbers left out where a lossy failover may have forgotten the last leases; smaller sequences leave out less.
_LEFT_OUT = 2**24


class Definition(Protocol):
    """A sequence as its shards define it."""

    @property
    def name(self) -> TableName: ...
    @property
    def increment(self) -> int: ...
    @property
    def minimum(self) -> int: ...
    @property
    def maximum(self) -> int: ...
    @property
    def cycle(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Lease:
    """Numbers that are this process's alone: `first`, and `count` - 1 more, an increment apart."""

    first: int
    count: int


def lease_sequence_steps(home: Runner, domain: str, sequence: Definition, count: int) -> Steps[Lease | None]:
    """The next block of at most `count` numbers.

    None where the ledger must be told first (`open_sequence_steps`), and where the sequence is used up.
    """
    answer = yield from ask_steps(home, "sequence_lease", [*_values(domain, sequence), count])
    return Lease(*answer.rows[0]) if answer.rows else None


def open_sequence_steps(home: Runner, domain: str, sequence: Definition, first: int) -> Steps[None]:
    """Let the sequence begin at `first`, or go on beyond it; of several processes that do so, the furthest counts."""
    left_out = min(_LEFT_OUT, (sequence.maximum - sequence.minimum) // abs(sequence.increment) // 1024)
    parameters = [*_values(domain, sequence), first, left_out]
    yield from ask_steps(home, "sequence_open", parameters)


def skip_sequence_steps(home: Runner, domain: str, sequence: Definition, first: int) -> Steps[bool]:
    """Let the next block begin at `first` or beyond; False where the ledger does not know the sequence."""
    name = sequence.name
    answer = yield from ask_steps(home, "sequence_skip", [domain, name.schema, name.name, first])
    return bool(answer.rows)


def sequence_place_steps(shard: Runner, sequence_sql: str) -> Steps[tuple[int, bool] | None]:
    """How far a shard's own sequence has got: its last value, and whether that has been handed out; None for none."""
    answer = yield from shard.run_steps(words(shard).queries["sequence_place"].replace("{sequence}", sequence_sql))
    return (answer.rows[0][0], bool(answer.rows[0][1])) if answer.rows else None


def sequence_used_steps(
    shard: Runner, table_sql: str, column_sql: str, sequence: Definition
) -> Steps[tuple[int, int] | None]:
    """The greatest and the least of the sequence's numbers that a column holds on a shard; None where it holds none."""
    sql = words(shard).queries["sequence_used"].replace("{table}", table_sql).replace("{column}", column_sql)
    answer = yield from shard.run_steps(sql, [sequence.minimum, sequence.maximum])
    greatest, least = answer.rows[0]
    return None if greatest is None else (int(greatest.partition(".")[0]), int(least.partition(".")[0]))


def own_sequence_take_steps(shard: Runner, sequence_sql: str, count: int) -> Steps[list[int]]:
    """The next numbers of a server's own sequence."""
    answer = yield from ask_steps(shard, "own_sequence_take", [sequence_sql, count])
    return [number for (number,) in answer.rows]


def own_sequence_skip_steps(shard: Runner, sequence_sql: str, sequence: Definition, number: int) -> Steps[None]:
    """Let a server's own sequence go on at `number`, never back."""
    sql = words(shard).queries["own_sequence_skip"].replace("{sequence}", sequence_sql)
    yield from shard.run_steps(sql, [sequence_sql, number, sequence.increment])


def _values(domain: str, sequence: Definition) -> Sequence[object]:
    name = sequence.name
    return [
        *(domain, name.schema, name.name),
        *(sequence.increment, sequence.minimum, sequence.maximum, sequence.cycle),
    ]
