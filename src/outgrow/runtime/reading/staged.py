"""Rows that are brought in stages: what comes first says which rows of the others matter.

All of a shard's rows, and what the finishing server reads itself, are of one moment for each shard: one snapshot of a
read-only transaction there, or of the session's own where it keeps to one (REPEATABLE READ and above).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from outgrow.clock import monotonic
from outgrow.errors import Error
from outgrow.nodes import TIME_LIMIT, Asked, Link, Rows, together
from outgrow.plan import Brought, filled, joined, staging
from outgrow.runtime.directories.outdated import NO_EDITIONS, Editions
from outgrow.runtime.reading import columnar
from outgrow.runtime.reading.borrowing import Borrowed
from outgrow.runtime.reading.gathered import Gathering
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.prepared import Prepared
    from outgrow.runtime.transaction.branches import Transaction

#: How long estimates serve for the same statement with the same values.
KEPT_SECONDS = 10.0
#: A shard that takes longer to say what it expects waits for a lock, say: others shall not wait with it.
ESTIMATE_SECONDS = 1.0
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
#: Asked of a branch, it also begins the snapshot.  What follows the isolation level is put back behind the query.
_KEPT = "SELECT current_setting('transaction_isolation'), " + ", ".join(
    f"current_setting('{name}')" for name in staging.PLANNER
)
_PUT_BACK = "SELECT " + ", ".join(f"set_config('{name}', ${at}, true)" for at, name in enumerate(staging.PLANNER, 1))


class NoEstimate(Exception):
    """A shard did not say in time what it expects."""


class NoSnapshot(Exception):
    """The session's transaction sees each statement's own moment."""


class Estimated:
    """What servers said of a statement's brings, and the stages that follow from it."""

    __slots__ = ("estimates", "stages", "until", "values")

    def __init__(self, values: Sequence[Any], brought: Brought, estimates: Sequence[float]) -> None:
        self.values = list(values)
        self.estimates = tuple(estimates)
        self.stages = staging.stages(brought, self.estimates)
        self.until = monotonic() + KEPT_SECONDS


def may_keep_one_snapshot(transaction: Transaction) -> bool:
    """Whether somebody has said so; only servers know, and are asked then."""
    said = " ".join((transaction.begin, *transaction.prologue, *(setting.sql for setting in transaction.dress)))
    return any(word in said.lower() for word in ("repeatable", "serializable"))


class Staging:
    """One execution: its links, and what has come so far."""

    def __init__(
        self, conversation: Conversation, prepared: Prepared, values: Sequence[Any], until: float | None
    ) -> None:
        assert prepared.plan.brought is not None
        self._brought = prepared.plan.brought
        self._prepared = prepared
        self._state = conversation.state
        self._transaction = conversation.transaction
        self._values = values
        self._until = until
        self._borrowed = Borrowed(conversation)
        self._links: dict[str, Link] = {}
        #: What the transaction has set of the planner, to be put back.
        self._planner: list[Any] = []
        finish = conversation.state.picture.domain.finish
        self.gathering = Gathering(self._brought.brings, finish.rows_max, finish.bytes_max)
        self.nodes: tuple[str, ...] = ()

    def run_steps(self, places: Sequence[set[str]], at: str, editions: Editions) -> Steps[Rows]:
        """Bring the rows from their places in stages, and run the query `at` a shard.

        Raises NoSnapshot, and has brought nothing, where the session's transaction does not keep to one.
        """
        try:
            links = yield from self._open_steps([at], places, editions)
            self.nodes = tuple(link.node.name for link in links)
            if self._transaction is not None:
                yield from self._check_steps(links)
            stages = (yield from self.estimated_steps(places)).stages
            yield from together([self._begin_steps(link) for link in links if not link.in_transaction])
            for stage in stages:
                yield from self._stage_steps(stage, places)
            arrays = self.gathering.arrays()
            rows = yield from self._columnar_steps(self._links[at], arrays)
            if rows is None:
                every = [*self._values, *arrays]
                params = [every[index - 1] for index in self._brought.params]
                rows = yield from self._finish_steps(self._links[at], params)
            if self._transaction is None:
                yield from together([self._one_steps(link, "COMMIT") for link in links])
        except Error as error:
            if self._transaction is not None:
                self._transaction.failed = self._transaction.failed or error
            raise
        finally:
            self._borrowed.give_back()
        return rows

    def _check_steps(self, links: Sequence[Link]) -> Steps[None]:
        """All branches keep to one snapshot, which begins now where it has not begun before."""
        for rows in (yield from together([self._one_steps(link, _KEPT) for link in links])):
            isolation, *self._planner = rows.rows[0]
            if isolation not in ("repeatable read", "serializable"):
                raise NoSnapshot

    def described_steps(self, places: Sequence[set[str]]) -> Steps[list[str]]:
        """What explain shows: the stages of an execution now."""
        try:
            yield from self._open_steps([], places, NO_EDITIONS)
            known = yield from self.estimated_steps(places)
        finally:
            self._borrowed.give_back()
        return staging.describe_stages(self._brought, known.estimates, known.stages)

    def _open_steps(self, first: list[str], places: Sequence[set[str]], editions: Editions) -> Steps[list[Link]]:
        shards = list(dict.fromkeys([*first, *(shard for having in places for shard in sorted(having))]))
        if self._transaction is not None:
            yield from self._transaction.open_steps(shards, self._until)
        links = yield from self._borrowed.links_steps(shards, self._prepared, self._until, editions)
        self._links = dict(zip(shards, links, strict=True))
        return links

    def _begin_steps(self, link: Link) -> Steps[None]:
        """The snapshots of all shards begin now, not when each is asked first."""
        asked: list[Asked] = [(_BEGIN, None), ("SELECT 1", None)]
        for outcome in (yield from link.run_many_steps(asked, until=self._until, chained=True)):
            if isinstance(outcome, Error):
                raise outcome

    def _columnar_steps(self, link: Link, arrays: list[str]) -> Steps[Rows | None]:
        """By DuckDB, if it may; what it asks of the server is of the same snapshot."""

        def ask_steps(asked: Sequence[columnar.Question]) -> Steps[list[Rows]]:
            whole: list[Asked] = [(sql, params or None) for sql, params in asked]
            outcomes = yield from link.run_many_steps(whole, until=self._until, prepare=[False] * len(whole))
            for outcome in outcomes:
                if isinstance(outcome, Error):
                    raise outcome
            return [outcome for outcome in outcomes if isinstance(outcome, Rows)]

        limits = self._state.picture.domain.finish
        if not columnar.is_for(limits, self.gathering.rows):
            return None
        asked = columnar.Finishing(self._brought, limits, self._values, arrays, link.node)
        return (yield from columnar.answer_steps(asked, ask_steps, self._until))

    def _finish_steps(self, link: Link, params: Sequence[Any]) -> Steps[Rows]:
        """Arrays have no statistics and no indexes: joins that rely on either are not to be tried."""
        settings = staging.settings(self._brought)
        asked: list[Asked] = [(settings, None), (self._brought.sql, params or None)]
        if self._planner:
            asked.append((_PUT_BACK, self._planner))
        outcomes = yield from link.run_many_steps(asked, until=self._until, prepare=[False] * len(asked))
        for outcome in outcomes:
            if isinstance(outcome, Error):
                raise outcome
        rows = outcomes[1]
        assert isinstance(rows, Rows)
        return rows

    def _one_steps(self, link: Link, sql: str, params: Sequence[Any] | None = None) -> Steps[Rows]:
        """Never prepared: a plan that does not know how many values its arrays have is a bad one."""
        return (yield from link.run_steps(sql, params or None, until=self._until, prepare=False))

    # --- estimates -------------------------------------------------------------------------------------------------

    def estimated_steps(self, places: Sequence[set[str]]) -> Steps[Estimated]:
        """Each bring's rows, by one of its shards for all of them; different shards are asked for different ones."""
        known = self._prepared.estimated
        if isinstance(known, Estimated) and known.until > monotonic() and known.values == list(self._values):
            return known
        asked: dict[str, list[int]] = defaultdict(list)
        for number, having in enumerate(places):
            if having:
                asked[sorted(having)[number % len(having)]].append(number)
        patience = monotonic() + ESTIMATE_SECONDS
        until: float | None = patience if self._until is None else min(patience, self._until)
        if self._transaction is not None:
            # What is cancelled there has failed.
            until = self._until
        try:
            many = [self._estimate_steps(self._links[shard], asked[shard], until) for shard in asked]
            answers = yield from together(many)
        except Error as error:
            if error.code != TIME_LIMIT or until == self._until:
                raise
            raise NoEstimate from error
        estimates = [0.0] * len(places)
        for numbers, found in zip(asked.values(), answers, strict=True):
            for number, rows in zip(numbers, found, strict=True):
                estimates[number] = rows * len(places[number])
        self._prepared.estimated = made = Estimated(self._values, self._brought, estimates)
        return made

    def _estimate_steps(self, link: Link, numbers: Sequence[int], until: float | None) -> Steps[list[float]]:
        asked = []
        for number in numbers:
            sql, used = filled(staging.estimate(self._brought.brings[number]))
            asked.append((sql, [self._values[index - 1] for index in used] or None))
        outcomes = yield from link.run_many_steps(asked, until=until, prepare=[False] * len(asked))
        found = []
        for outcome in outcomes:
            if isinstance(outcome, Error):
                raise outcome
            plan = outcome.rows[0][0]
            found.append(staging.rows_of(json.loads(plan) if isinstance(plan, str) else plan))
        return found

    # --- stages ----------------------------------------------------------------------------------------------------

    def _stage_steps(self, stage: staging.Stage, places: Sequence[set[str]]) -> Steps[None]:
        arrays: list[Any] = [*self._values, *self.gathering.arrays()]
        narrowing = []
        for turn in stage:
            few = []
            for keys in turn.keys:
                array = distinct(arrays[keys.param - 1])
                arrays[keys.param - 1] = array
                if array.count(",") < staging.KEYS_MAX:
                    few.append(keys)
            narrowing.append(few)
        wanted: dict[str, list[int]] = defaultdict(list)
        for at, turn in enumerate(stage):
            for shard in places[turn.bring]:
                wanted[shard].append(at)
        asked = []
        for shard, positions in wanted.items():
            brings = [self._brought.brings[stage[at].bring] for at in positions]
            sql, used = filled(joined(brings, {number: narrowing[at] for number, at in enumerate(positions)}))
            asked.append(self._one_steps(self._links[shard], sql, [arrays[index - 1] for index in used]))
        answers = yield from together(asked)
        for positions, rows in zip(wanted.values(), answers, strict=True):
            self.gathering.take([stage[at].bring for at in positions], rows)


def distinct(array: str) -> str:
    """The array's values, each once, without NULL; as it was where values are written in quotes."""
    if '"' in array or "\\" in array:
        return array
    values = dict.fromkeys(array[1:-1].split(","))
    values.pop("NULL", None)
    return "{" + ",".join(values) + "}"
