"""Rows that are brought in stages: what comes first says which rows of the others matter.

All of a shard's rows, and what the finishing server reads itself, are of one moment for each shard: one snapshot of a
read-only transaction there, or of the application's own transaction, where that has one (see `ground`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from outgrow.clock import monotonic
from outgrow.errors import Error, NodeLost
from outgrow.nodes import TIME_LIMIT, Asked, Link, Rows, together
from outgrow.plan import Brought, filled, joined, staging
from outgrow.runtime.directories.outdated import NO_EDITIONS, Editions
from outgrow.runtime.measuring import BRING, FINISH
from outgrow.runtime.reading import columnar
from outgrow.runtime.reading.borrowing import Borrowed
from outgrow.runtime.reading.gathered import Gathering
from outgrow.runtime.reading.ground import Ground
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.prepared import Prepared

#: How long estimates serve for the same statement with the same values.
KEPT_SECONDS = 10.0
#: A shard that takes longer to say what it expects waits for a lock, say: others shall not wait with it.
ESTIMATE_SECONDS = 1.0
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class NotStaged(Exception):
    """It cannot be done now; nothing has come of it."""


class NoEstimate(NotStaged):
    """A shard did not say in time what it expects."""


class Estimated:
    """What servers said of a statement's brings, and the stages that follow from it."""

    __slots__ = ("expected", "stages", "told", "until", "values")

    def __init__(self, values: Sequence[Any], brought: Brought, expected: Sequence[staging.Expected]) -> None:
        self.values = list(values)
        self.expected = tuple(expected)
        self.stages = staging.stages(brought, self.expected)
        self.told = [each.rows for each in expected] if brought.linked else []
        self.until = monotonic() + KEPT_SECONDS


class Staging:
    """One execution: its links, and what has come so far."""

    def __init__(
        self,
        conversation: Conversation,
        prepared: Prepared,
        values: Sequence[Any],
        ground: Ground,
        until: float | None,
    ) -> None:
        assert prepared.plan.brought is not None
        self._brought = prepared.plan.brought
        self._prepared = prepared
        self._state, self._noting = conversation.state, conversation.noting
        self._values = values
        self._until = until
        self._conversation = conversation
        self._ground = ground
        self._borrowed = Borrowed(conversation, beside=ground is Ground.BESIDE)
        self._links: dict[str, Link] = {}
        finish = conversation.state.picture.domain.finish
        self.gathering = Gathering(self._brought.brings, finish.rows_max, finish.bytes_max)
        self.nodes: tuple[str, ...] = ()

    def run_steps(self, places: Sequence[set[str]], at: str, editions: Editions) -> Steps[Rows]:
        """Bring the rows from their places in stages, and run the query `at` a shard.

        Raises NotStaged where they had better be brought at once.
        """
        transaction = self._conversation.transaction
        try:
            return (yield from self._run_steps(places, at, editions))
        except NodeLost as error:
            if self._ground is Ground.WITHIN:
                raise
            raise NotStaged from error
        except Error as error:
            if transaction is not None:
                transaction.fail(error)
            raise
        finally:
            self._borrowed.give_back()

    def _run_steps(self, places: Sequence[set[str]], at: str, editions: Editions) -> Steps[Rows]:
        within = self._ground is Ground.WITHIN
        known = None if self._brought.linked else self._at_once()
        if known is None and within:
            known = yield from self._beside_steps(places)
        links = yield from self._open_steps([at], places, editions)
        self.nodes = tuple(link.node.name for link in links)
        if known is None:
            known = yield from self.estimated_steps(places, self._links)
        yield from together([self._begin_steps(link) for link in links])
        for stage in known.stages:
            yield from self._stage_steps(stage, places)
        arrays = self.gathering.arrays()
        if self._noting.measuring is not None:
            self._noting.measuring.came = self.gathering.came(known.told)
        rows = yield from self._columnar_steps(self._links[at], arrays)
        if rows is None:
            every = [*self._values, *arrays]
            params = [every[index - 1] for index in self._brought.params]
            rows = yield from self._finish_steps(self._links[at], params)
        if not within:
            yield from together([self._one_steps(link, "COMMIT") for link in links])
        return rows

    def described_steps(self, places: Sequence[set[str]]) -> Steps[list[str]]:
        """What explain shows: the stages of an execution now."""
        try:
            if self._ground is Ground.WITHIN:
                known = yield from self._beside_steps(places)
            else:
                yield from self._open_steps([], places, NO_EDITIONS)
                known = yield from self.estimated_steps(places, self._links)
        finally:
            self._borrowed.give_back()
        return staging.describe_stages(self._brought, known.expected, known.stages)

    def _open_steps(self, first: list[str], places: Sequence[set[str]], editions: Editions) -> Steps[list[Link]]:
        shards = self._in_order(set(first).union(*places))
        if self._ground is Ground.BESIDE:
            self._check_spare(shards)
        primaries = self._ground is not Ground.ALONE
        links = yield from self._borrowed.links_steps(shards, self._prepared, self._until, editions, primaries)
        self._links = dict(zip(shards, links, strict=True))
        return links

    def _in_order(self, wanted: set[str]) -> list[str]:
        """As everybody takes them: so nobody who holds a link waits for one whose holder waits for his."""
        return [shard for shard in self._state.picture.placer.shards if shard in wanted]

    def _check_spare(self, shards: Sequence[str]) -> None:
        """Who has connections and waits for more could wait for others that do the same."""
        for shard in shards:
            primary = self._state.health.seats(self._state.name, shard).primary
            if not self._state.nodes.pool(primary).spare:
                raise NotStaged

    def _begin_steps(self, link: Link) -> Steps[None]:
        """The snapshots of all shards begin now, not when each is asked first."""
        begin: list[Asked] = [] if link.in_transaction else [(_BEGIN, None)]
        asked: list[Asked] = [*begin, ("SELECT 1", None)]
        for outcome in (yield from link.run_many_steps(asked, until=self._until, chained=True)):
            if isinstance(outcome, Error):
                raise outcome

    def _columnar_steps(self, link: Link, arrays: list[str]) -> Steps[Rows | None]:
        """By DuckDB, if it may; what it asks of the server is of the same snapshot."""

        def ask_steps(asked: Sequence[columnar.Question]) -> Steps[list[Rows]]:
            return (yield from self._many_steps(link, [(sql, params or None) for sql, params in asked]))

        limits = self._state.picture.domain.finish
        if not columnar.is_for(limits, self.gathering.rows):
            return None
        asked = columnar.Finishing(self._brought, limits, self._values, arrays, link.node, self._noting)
        return (yield from columnar.answer_steps(asked, ask_steps, self._until))

    def _finish_steps(self, link: Link, params: Sequence[Any]) -> Steps[Rows]:
        """Arrays have no statistics and no indexes: joins that rely on either are not to be tried."""
        before, behind = staging.settings(self._brought, self._ground is Ground.WITHIN)
        query: Asked = (self._brought.sql, params or None)
        asked: list[Asked] = [*((sql, None) for sql in before), query, *((sql, None) for sql in behind)]
        self._noting.phase(FINISH)
        return (yield from self._many_steps(link, asked, len(before)))[len(before)]

    def _many_steps(self, link: Link, asked: list[Asked], at: int | None = None) -> Steps[list[Rows]]:
        """In one flush; where one alone is what rows were asked of, that is `at`.

        Never prepared: a plan that does not know how many values its arrays have is a bad one.
        """
        started = monotonic()
        outcomes = yield from link.run_many_steps(asked, until=self._until, prepare=[False] * len(asked))
        found = []
        for outcome in outcomes:
            if isinstance(outcome, Error):
                raise outcome
            found.append(outcome)
        told = found if at is None else [found[at]]
        self._noting.measured(link.node, told, started, None if at is None else asked[at][1])
        return found

    def _one_steps(self, link: Link, sql: str, params: Sequence[Any] | None = None) -> Steps[Rows]:
        return (yield from link.run_steps(sql, params or None, until=self._until, prepare=False))

    def _bring_steps(self, link: Link, sql: str, params: Sequence[Any]) -> Steps[Rows]:
        started = monotonic()
        rows = yield from self._one_steps(link, sql, params)
        self._noting.measured(link.node, [rows], started, params)
        return rows

    # --- estimates -------------------------------------------------------------------------------------------------

    def _beside_steps(self, places: Sequence[set[str]]) -> Steps[Estimated]:
        """The same on connections of their own: an estimate that fails must not fail the application's transaction."""
        if (known := self._known()) is not None:
            return known
        beside = Borrowed(self._conversation, beside=True)
        shards = self._in_order(set().union(*places))
        self._check_spare(shards)
        try:
            links = yield from beside.links_steps(shards, None, self._until, NO_EDITIONS, True)
            return (yield from self.estimated_steps(places, dict(zip(shards, links, strict=True))))
        except Error as error:
            raise NotStaged from error
        finally:
            beside.give_back()

    def _at_once(self) -> Estimated:
        """All in one stage, where nobody narrows anybody: what servers expect would decide nothing."""
        return Estimated(self._values, self._brought, [staging.Expected(0.0)] * len(self._brought.brings))

    def _known(self) -> Estimated | None:
        known = self._prepared.estimated
        if isinstance(known, Estimated) and known.until > monotonic() and known.values == list(self._values):
            return known
        return None

    def estimated_steps(self, places: Sequence[set[str]], links: Mapping[str, Link]) -> Steps[Estimated]:
        """Each bring's rows, by one of its shards for all of them; different shards are asked for different ones."""
        if (known := self._known()) is not None:
            return known
        asked: dict[str, list[int]] = defaultdict(list)
        for number, having in enumerate(places):
            if having:
                asked[sorted(having)[number % len(having)]].append(number)
        patience = monotonic() + ESTIMATE_SECONDS
        until = patience if self._until is None else min(patience, self._until)
        try:
            many = [self._estimate_steps(links[shard], asked[shard], places, until) for shard in asked]
            answers = yield from together(many)
        except Error as error:
            if error.code != TIME_LIMIT or until == self._until:
                raise
            raise NoEstimate from error
        expected = [staging.Expected(0.0)] * len(places)
        for numbers, found in zip(asked.values(), answers, strict=True):
            for number, each in zip(numbers, found, strict=True):
                expected[number] = each
        self._prepared.estimated = made = Estimated(self._values, self._brought, expected)
        return made

    def _estimate_steps(
        self, link: Link, numbers: Sequence[int], places: Sequence[set[str]], until: float
    ) -> Steps[list[staging.Expected]]:
        asked = []
        for number in numbers:
            sql, used = filled(staging.estimate(self._brought.brings[number]))
            asked.append((sql, [self._values[index - 1] for index in used] or None))
        outcomes = yield from link.run_many_steps(asked, until=until, prepare=[False] * len(asked))
        found = []
        for number, outcome in zip(numbers, outcomes, strict=True):
            if isinstance(outcome, Error):
                raise outcome
            plan = outcome.rows[0][0]
            found.append(staging.expected_of(json.loads(plan) if isinstance(plan, str) else plan, len(places[number])))
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
            asked.append(self._bring_steps(self._links[shard], sql, [arrays[index - 1] for index in used]))
        self._noting.phase(BRING, ", ".join(self._brought.brings[turn.bring].alias for turn in stage))
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
