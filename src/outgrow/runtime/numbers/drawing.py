"""Numbers from the fleet's sequences: blocks leased on the home shard, handed out from memory.

A block belongs to one process, and its lease is on the home shard's disk before the first number is handed out, so no
number comes twice, whoever dies when; what a process holds at its end is a gap.  A forked child begins with nothing.
"""

from __future__ import annotations

import concurrent.futures
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import DataError, Error, NodeLost, OperationalError, ProgrammingError
from outgrow.nodes import together
from outgrow.plan import Drawing
from outgrow.runtime.dress import dressed_steps
from outgrow.runtime.timed import Timed
from outgrow.schema import SequenceDefinition
from outgrow.statement import name_sql
from outgrow.topology import Node, TableName
from outgrow.waits import Future, Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

T = TypeVar("T")

#: Numbers of a first block; the next is twice as large when the last was used up within `_BUSY_SECONDS`.
_BLOCK_FIRST = 100
_BLOCK_LAST = 10_000
_BUSY_SECONDS = 1.0
#: How long to wait for a block that another thread or task of this process is leasing, before leasing one's own.
_PATIENCE_SECONDS = 5.0
#: How long to wait for one of the pool's connections; behind it, transactions may be waiting for numbers themselves.
_POOL_SECONDS = 0.2
#: How often a lease that another one overtook is tried again.
_TRIES = 20
#: Columns of these types are looked at for the numbers that are in use already.
_NUMBERS = frozenset(("int2", "int4", "int8", "numeric"))
#: The relation, or a column of it, is not on this shard.
_ABSENT = ("42P01", "42703", "3F000")

_all: weakref.WeakSet[Sequences] = weakref.WeakSet()


class DrawnValues(list[Any]):
    """A statement's parameters, and the first number that was drawn for it."""

    def __init__(self, values: Sequence[Any], first: int | None) -> None:
        super().__init__(values)
        self.first = first


class _Held:
    """What this process holds of one sequence."""

    __slots__ = ("blocks", "definition", "leased_at", "leasing", "node", "size")

    def __init__(self, definition: SequenceDefinition) -> None:
        self.definition = definition
        self.blocks: deque[Iterator[int]] = deque()
        #: The primary that leased them: after a failover its leases may be forgotten, so they are not used further.
        self.node: Node | None = None
        span = (definition.maximum - definition.minimum) // abs(definition.increment) + 1
        self.size = max(1, min(_BLOCK_FIRST, span // 1024))
        self.leased_at = 0.0
        #: Done when the block that somebody is leasing is there.
        self.leasing: concurrent.futures.Future[None] | None = None


class Sequences:
    """The fleet sequences of one domain, as this process draws from them.  Safe for threads and tasks."""

    def __init__(self, state: DomainState) -> None:
        self._state = state
        self.start_empty()
        _all.add(self)

    def start_empty(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[TableName, _Held] = {}

    def values_steps(self, drawing: Drawing, values: Sequence[Any], until: float | None) -> Steps[list[Any]]:
        """The statement's parameters with the drawn numbers behind them, or where NULL asks for one."""
        given = drawing.given(values)
        draws = drawing.draws
        if drawing.numbers:
            wanted = drawing.wanted(given)
            taken = (yield from self.take_steps(draws[0].sequence, wanted, until)) if wanted else []
            return DrawnValues(drawing.filled(given, iter(taken)), taken[0] if taken else None)
        if len(draws) == 1:
            return [*given, *(yield from self.take_steps(draws[0].sequence, drawing.count, until))]
        numbers = [0] * drawing.count
        for draw in draws:
            taken = yield from self.take_steps(draw.sequence, len(draw.places), until)
            for place, number in zip(draw.places, taken, strict=True):
                numbers[place] = number
        return [*given, *numbers]

    def take_steps(self, sequence: SequenceDefinition, count: int, until: float | None) -> Steps[list[int]]:
        """`count` numbers that nobody else gets, in the order of the sequence."""
        taken: list[int] = []
        patience = None
        while True:
            with self._lock:
                held = self._current(sequence)
                blocks = held.blocks
                while blocks and len(taken) < count:
                    taken += islice(blocks[0], count - len(taken))
                    if len(taken) < count:
                        blocks.popleft()
                if len(taken) == count:
                    return taken
                leasing = held.leasing
                if leasing is None or (patience is not None and monotonic() >= patience):
                    leasing = None
                    mine = held.leasing = concurrent.futures.Future()
                    wanted = self._size(held, count - len(taken))
            if leasing is not None:
                patience = patience or monotonic() + _PATIENCE_SECONDS
                yield Future(leasing, patience)
                continue
            try:
                lease, node = yield from self._lease_steps(sequence, wanted, until)
                with self._lock:
                    held.node = node
                    first, step = lease.first, sequence.increment
                    blocks.append(iter(range(first, first + step * lease.count, step)))
            finally:
                with self._lock:
                    if held.leasing is mine:
                        held.leasing = None
                mine.set_result(None)

    def skip_steps(self, sequence: SequenceDefinition, first: int, until: float | None) -> Steps[None]:
        """Let the sequence go on at `first` or beyond; what other processes hold already they hand out still."""
        step = sequence.increment
        first = sequence.start - (sequence.start - first) // step * step
        if not sequence.minimum <= first <= sequence.maximum:
            raise _used_up(sequence)
        name = self._state.name
        known, _ = yield from self._home_steps(
            lambda link: ledger.skip_sequence_steps(link, name, sequence, first), until
        )
        if not known:
            yield from self._open_steps(sequence, until)
            yield from self._home_steps(lambda link: ledger.skip_sequence_steps(link, name, sequence, first), until)
        with self._lock:
            self._held.pop(sequence.name, None)

    def _current(self, sequence: SequenceDefinition) -> _Held:
        """What is held of the sequence as it is defined now, from the home shard's present primary."""
        held = self._held.get(sequence.name)
        state = self._state
        if held is None or (held.definition is not sequence and held.definition != sequence):
            held = self._held[sequence.name] = _Held(sequence)
        elif held.node is not None:
            seats = state.health.seats(state.name, state.picture.domain.home.name)
            if held.node is not seats.primary:
                held.node = None
                held.blocks.clear()
        return held

    def _size(self, held: _Held, missing: int) -> int:
        now = monotonic()
        if now - held.leased_at < _BUSY_SECONDS:
            span = (held.definition.maximum - held.definition.minimum) // abs(held.definition.increment) + 1
            held.size = max(1, min(held.size * 2, _BLOCK_LAST, span // 1024))
        held.leased_at = now
        return max(held.size, missing)

    # --- leasing ---------------------------------------------------------------------------------------------------

    def _lease_steps(
        self, sequence: SequenceDefinition, count: int, until: float | None
    ) -> Steps[tuple[ledger.Lease, Node]]:
        name = self._state.name

        def block_steps(link: Timed) -> Steps[ledger.Lease | None]:
            return ledger.lease_sequence_steps(link, name, sequence, count)

        lease, node = yield from self._home_steps(block_steps, until)
        if lease is None:
            yield from self._open_steps(sequence, until)
            lease, node = yield from self._home_steps(block_steps, until)
        if lease is None:
            raise _used_up(sequence)
        return lease, node

    def _open_steps(self, sequence: SequenceDefinition, until: float | None) -> Steps[None]:
        """Make the sequence known to the ledger, beyond what any shard has drawn or holds."""
        state = self._state
        domain = state.picture.domain
        firsts = yield from together([self._first_steps(shard.name, sequence, until) for shard in domain.shards])
        first = max(firsts) if sequence.increment > 0 else min(firsts)
        if sequence.cycle and not sequence.minimum <= first <= sequence.maximum:
            first = sequence.minimum if sequence.increment > 0 else sequence.maximum
        yield from self._home_steps(lambda link: ledger.open_sequence_steps(link, state.name, sequence, first), until)

    def _first_steps(self, shard: str, sequence: SequenceDefinition, until: float | None) -> Steps[int]:
        """The first number that neither the shard's own sequence has given nor a column on it holds."""
        step, first = sequence.increment, sequence.start
        engine = self._state.engine
        place = yield from self._if_there_steps(
            shard, lambda link: ledger.sequence_place_steps(link, engine.sequence(sequence.name)), until
        )
        if place is not None:
            first = place[0] + step if place[1] else place[0]
        for table in self._state.picture.schema.tables.values():
            for column in table.columns:
                if column.sequence != sequence.name or column.type not in _NUMBERS:
                    continue
                table_sql, column_sql = engine.table(table.name), engine.quoted(column.name)
                used = yield from self._if_there_steps(shard, _used(table_sql, column_sql, sequence), until)
                if used is not None:
                    edge = used[0] if step > 0 else used[1]
                    first += max(0, (edge - first) // step + 1) * step
        return first

    def _if_there_steps(self, shard: str, ask: Callable[[Timed], Steps[T]], until: float | None) -> Steps[T | None]:
        try:
            return (yield from self.on_primary_steps(shard, lambda link: _patiently_steps(link, ask), until))[0]
        except ProgrammingError as error:
            if error.sqlstate not in _ABSENT:
                raise
            return None
        except OperationalError as error:
            if error.sqlstate != "55P03":
                raise
            raise OperationalError(
                "OG-RUN-075",
                "a table whose numbers must be looked at before its sequence is first used is locked, "
                "perhaps by the very transaction that waits for the number",
                cure='use the sequence once beforehand, outside of the transaction: fleet.sequence("…").next()',
                shard=shard,
                sqlstate="55P03",
            ) from error

    def _home_steps(self, ask: Callable[[Timed], Steps[T]], until: float | None) -> Steps[tuple[T, Node]]:
        return (yield from self.on_primary_steps(self._state.picture.domain.home.name, ask, until))

    def on_primary_steps(
        self, shard: str, ask: Callable[[Timed], Steps[T]], until: float | None
    ) -> Steps[tuple[T, Node]]:
        """Ask the shard's primary, and say which node that was.

        Once more where it is lost or another one now: a lease whose answer is lost is only a gap.
        """
        state = self._state
        for left in range(_TRIES, -1, -1):
            node = state.health.seats(state.name, shard).primary
            try:
                return (yield from self._on_steps(node, ask, until)), node
            except NodeLost:
                yield from state.survey_steps(shard, until)
                if left <= _TRIES - 2:
                    raise
            except OperationalError as error:
                # A role's own isolation level makes concurrent leases fail; a demoted primary takes none.
                if not left or error.sqlstate not in ("40001", "40P01", "25006"):
                    raise
                if error.sqlstate == "25006":
                    yield from state.survey_steps(shard, until)
        raise AssertionError

    def _on_steps(self, node: Node, ask: Callable[[Timed], Steps[T]], until: float | None) -> Steps[T]:
        if node.direct is not None:
            # All that the pooler has may be waiting for these very numbers, and it would let us wait, too.
            return (yield from self._apart_steps(node.direct, ask, until))
        pool = self._state.nodes.pool(node)
        soon = monotonic() + _POOL_SECONDS
        try:
            link = pool.take_now() or (yield from pool.take_steps(soon if until is None else min(soon, until)))
        except OperationalError as error:
            if error.code != "OG-NODE-013":
                raise
            return (yield from self._apart_steps(node, ask, until))
        try:
            if link.standby:
                yield from self._state.not_primary_steps(node, link, until)
            if link.dress:
                # Another session's settings may stop a write, or let its commit be lost.
                yield from dressed_steps(link, ())
            return (yield from ask(Timed(link, until)))
        finally:
            pool.give(link)

    def _apart_steps(self, node: Node, ask: Callable[[Timed], Steps[T]], until: float | None) -> Steps[T]:
        """On a connection of its own."""
        link = yield from self._state.nodes.connect_steps(node, until)
        try:
            return (yield from ask(Timed(link, until)))
        finally:
            link.close()


def _patiently_steps(link: Timed, ask: Callable[[Timed], Steps[T]]) -> Steps[T]:
    """Ask within a transaction that does not wait for locks for ever."""
    yield from link.run_steps("START TRANSACTION READ ONLY")
    try:
        yield from link.run_steps(ledger.queries(link.engine)["sequence_patience"])
        return (yield from ask(link))
    finally:
        with suppress(Error):
            yield from link.run_steps("ROLLBACK")


def _used(
    table_sql: str, column_sql: str, sequence: SequenceDefinition
) -> Callable[[Timed], Steps[tuple[int, int] | None]]:
    return lambda link: ledger.sequence_used_steps(link, table_sql, column_sql, sequence)


def relation_sql(name: TableName) -> str:
    return f"{name_sql(name.schema)}.{name_sql(name.name)}"


def _used_up(sequence: SequenceDefinition) -> DataError:
    up = sequence.increment > 0
    return DataError(
        "OG-RUN-071",
        f"reached the {'maximum' if up else 'minimum'} value of sequence {sequence.name} "
        f"({sequence.maximum if up else sequence.minimum})",
        cure="widen it (ALTER SEQUENCE … AS bigint) and the column that draws from it, on every shard",
        sqlstate="2200H",
    )


def _start_empty_after_fork() -> None:
    for sequences in list(_all):
        sequences.start_empty()


os.register_at_fork(after_in_child=_start_empty_after_fork)
