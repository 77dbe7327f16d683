"""Building, and dropping, the index of what is unique in the whole domain: one transaction over all shards.

lock definitions                          nobody defines anything meanwhile
lock the table on every shard             who writes ends first, others wait for the end; readers notice nothing
triggers on every shard                   from here on whoever writes notes what it does
bring the rows that are there to it       as any writer does, some blocks at a time: a value that is there twice ends it
record it, raise the epoch, commit        all of it or nothing
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from outgrow import ledger, sqlfile
from outgrow.clock import monotonic
from outgrow.errors import Error, IntegrityError, NotSupportedError, OperationalError, ProgrammingError
from outgrow.nodes import Asked, Link
from outgrow.runtime.definitions.exclusive import exclusively_steps
from outgrow.runtime.footing import Footing
from outgrow.runtime.transaction.branches import Transaction
from outgrow.runtime.uniqueness import settling, triggers
from outgrow.schema import FleetUnique, Table, TableKind
from outgrow.topology import Sharded, TableName
from outgrow.waits import Steps, Until

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

_QUERIES = sqlfile.load("outgrow.runtime")
#: How long one try waits for a lock: everybody who comes later waits behind it.
_TRY_MS = 1000
#: Of each shard, whose rows are brought to the index at a time: some ten thousands.
_BLOCKS = 256
#: The lock was not had in time; a deadlock that the server saw.
_BUSY = ("55P03", "40P01")


@dataclass(frozen=True, slots=True)
class UniqueIndex:
    """What is unique in the whole domain, as the ledger has it."""

    number: int
    name: str
    table: TableName
    columns: tuple[str, ...]
    shards: tuple[str, ...]
    built_at: str = ""


def indexes_steps(state: DomainState, until: float | None) -> Steps[tuple[UniqueIndex, ...]]:
    """All of the domain."""
    return (yield from state.on_home_steps(read_steps, until))


def read_steps(home: Link) -> Steps[tuple[UniqueIndex, ...]]:
    answer = yield from home.run_steps(settling.QUERIES["unique_indexes"], None)
    return tuple(
        UniqueIndex(number, name, TableName(schema, table), tuple(columns), tuple(shards), at)
        for number, name, schema, table, columns, shards, at in answer.rows
    )


def build_steps(
    state: DomainState, table: TableName, columns: Sequence[str], patience_seconds: float, until: float | None
) -> Steps[UniqueIndex]:
    """Make `columns` of `table` unique in the whole domain, or build its index anew.

    Raises IntegrityError OG-RUN-150 where a value is there twice, NotSupportedError OG-RUN-152 for what cannot be
    indexed so, OperationalError OG-RUN-153 where writers do not end within `patience_seconds`.
    """
    check_engine(state)

    def body_steps(home: Link) -> Steps[UniqueIndex]:
        yield from state.refresh_steps(until)
        known = yield from read_steps(home)
        unique, there = yield from _wanted_steps(state, home, table, columns)
        old = {one.number for one in known if one.table == table and set(one.columns) == set(columns)}
        old |= {
            one.number for one in there.fleet_unique if set(one.columns) == set(columns) or _was(one, unique, there)
        }
        work = _Changing(state, [one.number for one in known if one.number not in old], until)
        build = partial(work.build_steps, unique=unique, table=there)
        yield from _tries_steps(state, build, f"{table} is written", patience_seconds)
        return UniqueIndex(unique.number, unique.name, table, unique.columns, unique.shards)

    return (yield from _defining_steps(state, body_steps, until))


def _was(old: FleetUnique, new: FleetUnique, table: Table) -> bool:
    """Whether it is the index of the same key, whose columns had other names when it was built."""
    return old.name == new.name and bool(triggers.gone_columns(old, table))


def drop_steps(state: DomainState, number: int, patience_seconds: float, until: float | None) -> Steps[UniqueIndex]:
    """Take an index away: its values are unique on each shard only from then on."""
    check_engine(state)

    def body_steps(home: Link) -> Steps[UniqueIndex]:
        yield from state.refresh_steps(until)
        known = yield from read_steps(home)
        found = [one for one in known if one.number == number]
        if not found:
            raise ProgrammingError(
                "OG-RUN-154", f"there is no index {number}", cure="`outgrow unique show` lists them with their numbers"
            )
        work = _Changing(state, [one.number for one in known if one.number != number], until)
        yield from _tries_steps(state, work.drop_steps, f"{found[0].table} is written", patience_seconds)
        return found[0]

    return (yield from _defining_steps(state, body_steps, until))


def _defining_steps(
    state: DomainState, body: Callable[[Link], Steps[UniqueIndex]], until: float | None
) -> Steps[UniqueIndex]:
    state.need_recovery()
    try:
        return (yield from exclusively_steps(state, until, body))
    finally:
        state.stale = True


def check_engine(state: DomainState) -> None:
    if state.picture.domain.engine != "postgresql":
        raise NotSupportedError(
            "OG-RUN-152",
            f"the domain {state.name} is {state.picture.domain.engine}: what is unique in the whole domain needs "
            "PostgreSQL",
            cure="add the shard key to the unique key, or take values that are unique by themselves: fleet.new_id()",
        )


def _tries_steps(
    state: DomainState, run: Callable[[Transaction], Steps[None]], why: str, patience_seconds: float
) -> Steps[None]:
    """`run` in a transaction of its own, and again as long as others hold the locks that it needs."""
    limit = monotonic() + patience_seconds
    while True:
        footings = {shard.name: Footing() for shard in state.picture.domain.shards}
        transaction = Transaction(state, "BEGIN ISOLATION LEVEL READ COMMITTED", (), footings)
        transaction.prologue += [f"SET LOCAL lock_timeout = '{_TRY_MS}ms'", "SET LOCAL row_security = off"]
        try:
            yield from run(transaction)
            yield from transaction.commit_steps(None)
            return
        except GeneratorExit:
            transaction.abandon()
            raise
        except BaseException as error:
            yield from transaction.rollback_steps(None)
            if not isinstance(error, Error) or error.sqlstate not in _BUSY:
                raise
            if monotonic() > limit:
                raise OperationalError(
                    "OG-RUN-153",
                    f"the lock was not to be had within {patience_seconds:g} s: {why} by transactions that do not end",
                    cure="try again, with more patience; or end those transactions first",
                    shard=error.shard,
                ) from error
        yield Until(monotonic() + random.uniform(0.05, 0.5))


class _Changing:
    """An index built (the old one goes), or one dropped; as many tries as it takes.

    One that is built anew gets a new number: what a transaction in doubt may still bring to the old one is nobody's.
    """

    def __init__(self, state: DomainState, live: Sequence[int], until: float | None) -> None:
        self.state = state
        #: The numbers of those that stay.
        self.live = list(live)
        self.until = until
        self.shards = [shard.name for shard in state.picture.domain.shards]

    def build_steps(self, transaction: Transaction, unique: FleetUnique, table: Table) -> Steps[None]:
        until = self.until
        lock = f"LOCK TABLE {self.state.engine.table(table.name)} IN SHARE ROW EXCLUSIVE MODE"
        for shard in self.shards:
            yield from transaction.run_steps([(shard, lock)], None, True, until)
        yield from self._sweep_steps(transaction)
        made = triggers.definitions(unique, table)
        for shard in self.shards:
            yield from transaction.run_many_steps({shard: [(sql, None) for sql in made]}, until)
        try:
            yield from self._rows_steps(transaction, unique, table)
        except IntegrityError as error:
            raise _twice(unique, table.name, error) from error
        home = self.state.picture.domain.home.name
        recorded = [unique.number, unique.name, table.name.schema, table.name.name]
        recorded += [list(unique.columns), list(unique.shards)]
        yield from transaction.run_steps([(home, settling.QUERIES["unique_record"])], recorded, True, until)
        yield from _raise_epoch_steps(self.state, transaction, until)

    def _rows_steps(self, transaction: Transaction, unique: FleetUnique, table: Table) -> Steps[None]:
        """Bring the rows that are there to the index, so many at a time that they fit into this process's memory.

        Nobody writes them now, so that they can be read block by block.
        """
        asked = [(shard, triggers.block_count(table)) for shard in self.shards]
        sizes = yield from transaction.run_steps(asked, None, False, self.until)
        blocks = {shard: answer.rows[0][0] for shard, answer in zip(self.shards, sizes, strict=True)}
        for first in range(0, max(blocks.values()), _BLOCKS):
            rows = triggers.claims_of_rows(unique, table, first, first + _BLOCKS)
            asked = [(shard, rows) for shard, size in blocks.items() if first < size]
            answers = yield from transaction.run_steps(asked, None, False, self.until)
            yield from settling.bring_steps(transaction, {unique.number: unique}, answers, self.until)

    def drop_steps(self, transaction: Transaction) -> Steps[None]:
        yield from self._sweep_steps(transaction)
        yield from _raise_epoch_steps(self.state, transaction, self.until)

    def _sweep_steps(self, transaction: Transaction) -> Steps[None]:
        """Take away all that does not stay."""
        for shard in self.shards:
            asked = [(shard, _QUERIES["unique_removals"])]
            (answer,) = yield from transaction.run_steps(asked, [self.live], True, self.until)
            gone: list[Asked] = [(sql, None) for _, sql in answer.rows]
            gone.append((settling.QUERIES["unique_sweep"], [self.live]))
            yield from transaction.run_many_steps({shard: gone}, self.until)
        home = self.state.picture.domain.home.name
        forget = settling.QUERIES["unique_forget"]
        yield from transaction.run_steps([(home, forget)], [self.live], True, self.until)


def _raise_epoch_steps(state: DomainState, transaction: Transaction, until: float | None) -> Steps[None]:
    """Every process takes its picture anew, once this is committed."""
    link = yield from transaction.link_steps(state.picture.domain.home.name, True, until)
    yield from ledger.raise_schema_epoch_steps(link, state.name)


def _twice(unique: FleetUnique, table: TableName, error: IntegrityError) -> IntegrityError:
    columns = ", ".join(unique.columns)
    told = IntegrityError(
        "OG-RUN-150",
        f"({columns}) of {table} is not unique in the whole domain: {error.details.get('detail', '')}",
        cure="nothing was built; change one of the rows with that value, and build it again",
        sqlstate="23505",
    )
    told.details = error.details
    return told


# -- what can be indexed ---------------------------------------------------------------------------------------------


def _wanted_steps(
    state: DomainState, home: Link, name: TableName, columns: Sequence[str]
) -> Steps[tuple[FleetUnique, Table]]:
    """The index that is asked for, and its table."""
    table, placed = _sharded(state, name)
    if set(placed.columns) <= set(columns):
        raise _refused(name, columns, "the shard key is among them, so each shard's own unique key is enough")
    _check_types(table, (*columns, *placed.columns))
    answer = yield from home.run_steps(_QUERIES["unique_keys"], [state.engine.table(name)])
    native = [row for row in answer.rows if set(row[1]) == set(columns) and len(row[1]) == len(columns)]
    if not native:
        shown = ", ".join(columns)
        raise NotSupportedError(
            "OG-RUN-152",
            f"({shown}) of {name} is not unique on each shard",
            cure=f"first CREATE UNIQUE INDEX ON {name} ({shown}), through outgrow",
        )
    key_name, ordered, nulls_equal, blind, fleeting = min(native, key=lambda row: row[2:])
    if nulls_equal:
        raise _refused(name, columns, f"{key_name} takes two NULLs for equal (NULLS NOT DISTINCT)")
    if blind:
        raise _refused(name, columns, f"the collation of {key_name} calls equal what differs")
    if fleeting:
        raise _refused(name, columns, "the table is UNLOGGED: a crash empties it, and its entries would stay")
    [[number]] = (yield from home.run_steps(settling.QUERIES["unique_number"], None)).rows
    shards = tuple(shard.name for shard in state.picture.domain.shards)
    return FleetUnique(number, key_name, tuple(ordered), placed.columns, shards), table


def _sharded(state: DomainState, name: TableName) -> tuple[Table, Sharded]:
    table, placed = state.picture.schema.tables.get(name), state.picture.domain.tables.get(name)
    if table is None:
        raise ProgrammingError(
            "OG-RUN-154", f"there is no table {name}", cure="create it first, through outgrow; then build the index"
        )
    if len(state.picture.domain.shards) == 1 or not isinstance(placed, Sharded):
        raise _refused(name, (), "its rows are not spread over shards, so its own unique keys hold")
    if table.kind is not TableKind.TABLE or table.partition_of is not None:
        raise _refused(name, (), f"it is {'a partition' if table.partition_of is not None else f'a {table.kind}'}")
    return table, placed


def _check_types(table: Table, columns: Sequence[str]) -> None:
    for name in columns:
        column = table.column(name)
        if column is None:
            raise ProgrammingError("OG-RUN-154", f"{table.name} has no column {name}", cure="name one that it has")
        if column.type not in triggers.TEXTS:
            raise _refused(
                table.name, columns, f"{name} is {column.type}; it can be {', '.join(sorted(triggers.TEXTS))}"
            )
        if column.nondeterministic:
            raise _refused(table.name, columns, f"the collation of {name} calls equal what differs")
        if column.generated:
            # ALTER COLUMN … SET EXPRESSION (PostgreSQL 17) writes all rows anew, and no trigger hears of it.
            raise _refused(table.name, columns, f"{name} is generated, and its expression may change without a write")


def _refused(name: TableName, columns: Sequence[str], why: str) -> NotSupportedError:
    shown = f"({', '.join(columns)}) of " if columns else ""
    return NotSupportedError(
        "OG-RUN-152",
        f"{shown}{name} gets no index for the whole domain: {why}",
        cure="unique keys that hold the shard key hold in the whole domain by themselves; docs/unique.md says more",
    )
