"""An UPDATE that assigns the shard key, run: rows whose new key belongs to another shard go there.

All of it happens on the branches of one transaction: the rows are locked where they are before anything is changed,
and what one PostgreSQL would refuse of the UPDATE, it refuses before that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from outgrow.errors import Error, InternalError
from outgrow.keyspace import Entry, Keyspace, Lookup, NoRow, Unknowable, stored
from outgrow.nodes import Rows
from outgrow.plan import KeyMove, Located, Plan, refuse, type_from
from outgrow.runtime.directories import directory
from outgrow.runtime.directories.directory import editions_of
from outgrow.runtime.directories.outdated import Outdated
from outgrow.runtime.result import Result
from outgrow.runtime.transaction.branches import Transaction
from outgrow.sqlfile import load
from outgrow.waits import Steps

QUERIES = load("outgrow.runtime")


class _Row(NamedTuple):
    """A row as it was read: where it is, where it belongs, and what it is set to, as text."""

    place: tuple[str, str]
    home: str
    values: tuple[str | None, ...]


class _Moving:
    """One execution."""

    def __init__(self, transaction: Transaction, plan: Plan, values: Sequence[Any], until: float | None) -> None:
        assert plan.move is not None
        self.transaction = transaction
        self.plan = plan
        self.move: KeyMove = plan.move
        self.values = values
        self.until = until
        self.rows: dict[str, list[_Row]] = {}
        #: The types of what was computed, as SQL; the columns' own where no row was read.
        self.types = [each.type for each in self.move.computed]
        self.answers: list[Rows] = []
        #: Settings to be put back, by shard.
        self.settings: dict[str, tuple[Any, ...]] = {}

    def ask_steps(self, shard: str, sql: str, params: Sequence[Any] | None, writes: bool = True) -> Steps[Rows]:
        (rows,) = yield from self.transaction.run_steps([(shard, sql)], params or None, writes, self.until)
        return rows

    # -- reading -----------------------------------------------------------------------------------------------------

    def read_steps(self, shards: Sequence[str]) -> Steps[None]:
        """Lock the rows, one shard after another; refuse before anything is changed."""
        statement = self.plan.statement
        given = self.values[: statement.placeholders.count]
        yield from self.ask_steps(shards[0], f"EXPLAIN {statement.sql}", given, False)
        old: set[tuple[Any, ...]] = set()
        new: set[tuple[Any, ...]] = set()
        for shard in shards:
            answer = yield from self._read_steps(shard)
            self.rows[shard] = yield from self._placed_steps(answer, old, new)
        if any(row.home != shard for shard, rows in self.rows.items() for row in rows):
            if self.move.obstacle is not None:
                raise self.move.obstacle
            if self.move.referred and old & new:
                raise refuse(
                    "key move",
                    str(self.move.table),
                    f"one takes the key of another, which {self.move.referred} refers to",
                )

    def _read_steps(self, shard: str) -> Steps[Rows]:
        assert self.plan.fragment_sql is not None
        params = self.plan.fragment_values(self.values)
        answer = yield from self.ask_steps(shard, self.plan.fragment_sql, params, False)
        if all(row[3] for row in answer.rows):
            return answer
        # As the session has set it, the text of a row is not the whole of it.
        settings = yield from self.ask_steps(shard, QUERIES["text_settings"], None, False)
        self.settings[shard] = settings.rows[0]
        yield from self.ask_steps(shard, QUERIES["set_text_settings"], ["3", "ISO", "iso_8601"], False)
        return (yield from self.ask_steps(shard, self.plan.fragment_sql, params, False))

    def _placed_steps(self, answer: Rows, old: set[tuple[Any, ...]], new: set[tuple[Any, ...]]) -> Steps[list[_Row]]:
        """The rows with their new shards; the keys they had and get go into `old` and `new`."""
        width = len(self.move.types)
        found: dict[tuple[str, str], tuple[tuple[Any, ...], tuple[str | None, ...]]] = {}
        for row in answer.rows:
            table, place, own, _, *rest = row
            if (table, place) in found:
                # FROM matched it more than once: one match counts, as in one PostgreSQL.
                continue
            if not own:
                raise refuse("key move", str(self.move.table), "they lie in a table that inherits from it")
            key, before, computed = rest[:width], rest[width : 2 * width], rest[2 * width :]
            old.add(tuple(before))
            new.add(tuple(key))
            self.types = [type_from(shown) for shown in computed[1::2]]
            found[table, place] = (self._held(key), tuple(computed[::2]))
        keys = {key for key, _ in found.values()}
        state = self.transaction.state
        # Their rows arrive: a key that the directory lacks is assigned.
        homes, page = yield from directory.resolved_steps(
            state, lambda placer, _: self._homes(placer, keys), self.until
        )
        if self.plan.listed:
            yield from self.transaction.hold_steps(editions_of(page, set(homes.values())), self.until)
        return [_Row(place, homes[key], values) for place, (key, values) in found.items()]

    def _homes(self, placer: Keyspace, keys: set[tuple[Any, ...]]) -> dict[tuple[Any, ...], str]:
        homes: dict[tuple[Any, ...], str] = {}
        unknown: set[Entry] = set()
        for key in keys:
            try:
                homes[key] = placer.shards_for(self.move.types, key)
            except Lookup as lookup:
                unknown |= lookup.keys
        if unknown:
            raise Lookup(unknown, given=unknown)
        return homes

    def _held(self, key: Sequence[Any]) -> tuple[Any, ...]:
        """The key as its columns will hold it."""
        move = self.move
        try:
            return tuple(
                stored(type_, typmod, value) for type_, typmod, value in zip(move.types, move.typmods, key, strict=True)
            )
        except (NoRow, Unknowable):
            raise refuse(
                "key move", str(move.table), f"the shard of {tuple(key)} is only known to the server"
            ) from None

    # -- changing ----------------------------------------------------------------------------------------------------

    def change_steps(self, shards: Sequence[str]) -> Steps[None]:
        """Leave, stay, arrive; in this order, so that a key is free when it is taken."""
        arriving: dict[str, list[tuple[str | None, ...]]] = defaultdict(list)
        for shard, rows in self.rows.items():
            leaving = [row for row in rows if row.home != shard]
            if leaving:
                yield from self._leave_steps(shard, leaving, arriving)
        yield from self.restore_steps()
        for shard, rows in self.rows.items():
            yield from self._stay_steps(shard, [row for row in rows if row.home == shard])
        for shard in self.transaction.state.picture.placer.shards:
            if shard in arriving:
                yield from self._arrive_steps(shard, arriving[shard])
        if not self.answers:
            # No row: the columns of RETURNING are asked for all the same.
            yield from self._stay_steps(shards[0], [], always=True)

    def restore_steps(self) -> Steps[None]:
        """The settings as the session has them."""
        for shard in self.settings:
            yield from self.ask_steps(shard, QUERIES["set_text_settings"], self.settings[shard], False)

    def _leave_steps(
        self, shard: str, rows: Sequence[_Row], arriving: dict[str, list[tuple[str | None, ...]]]
    ) -> Steps[None]:
        sql, _ = self.move.leave()
        arrays = [*_places(rows), [str(number) for number in range(len(rows))]]
        answer = yield from self.ask_steps(shard, sql, arrays)
        self._check_all(answer, rows, shard)
        for number, *carried in answer.rows:
            row = rows[int(number)]
            arriving[row.home].append((*row.values, *carried))

    def _stay_steps(self, shard: str, rows: Sequence[_Row], always: bool = False) -> Steps[None]:
        if not rows and not always:
            return
        sql, params = self.move.stay(self.types)
        values = [[row.values[at] for row in rows] for at in range(len(self.types))]
        answer = yield from self.ask_steps(shard, sql, [*self._constants(params), *_places(rows), *values])
        self.answers.append(answer)

    def _arrive_steps(self, shard: str, rows: Sequence[tuple[str | None, ...]]) -> Steps[None]:
        sql, params = self.move.arrive(self.types)
        values = [[row[at] for row in rows] for at in range(len(rows[0]))]
        numbers = [str(number) for number in range(len(rows))]
        answer = yield from self.ask_steps(shard, sql, [*self._constants(params), numbers, *values])
        self._check_all(answer, rows, shard)
        self.answers.append(answer)

    def _constants(self, params: Sequence[int]) -> list[Any]:
        return [self.values[index - 1] for index in params]

    def _check_all(self, answer: Rows, rows: Sequence[object], shard: str) -> None:
        """Locked rows can neither change nor go; should one have, nothing of this may be kept."""
        if answer.count != len(rows):
            error: Error = InternalError(
                "OG-RUN-060",
                f"{answer.count} rows of {self.move.table} moved instead of {len(rows)}",
                shard=shard,
                cure="run the transaction again",
            )
            self.transaction.fail(error)
            raise error


def _places(rows: Sequence[_Row]) -> list[list[str]]:
    return [[row.place[0] for row in rows], [row.place[1] for row in rows]]


def move_steps(
    transaction: Transaction, plan: Plan, located: Located, values: Sequence[Any], until: float | None
) -> Steps[Result]:
    """Run the UPDATE on the shards that have its rows, and on those that get some."""
    moving = _Moving(transaction, plan, values, until)
    try:
        yield from moving.read_steps(located.shards)
    except (Error, Outdated):
        # Nothing was changed: it is placed again, or was refused, and the session is as it was.
        if transaction.failed is None:
            yield from moving.restore_steps()
        raise
    yield from moving.change_steps(located.shards)
    answers = moving.answers
    rows = [row for answer in answers for row in answer.rows]
    nodes = tuple(branch.node.name for branch in transaction.branches.values())
    return Result(answers[0].fields, rows, "UPDATE", sum(answer.count for answer in answers), nodes)
