"""The fleet: everything one `fleet.yaml` describes, opened."""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from outgrow.clock import monotonic
from outgrow.errors import Error, InterfaceError
from outgrow.events import Callback
from outgrow.ledger import Definition
from outgrow.nodes import Nodes, drive, drive_async
from outgrow.route import Level, Token, level_of
from outgrow.runtime import doctor, explain, rails, snapshot, surveying
from outgrow.runtime.attempts import ATTEMPTS, Attempts
from outgrow.runtime.conversation import Conversation
from outgrow.runtime.definitions import comparing, ddl, new_tables
from outgrow.runtime.definitions.comparing import SchemaComparison
from outgrow.runtime.directories.fleet_directory import AsyncFleetDirectory, FleetDirectory
from outgrow.runtime.doctor import Finding
from outgrow.runtime.domain import DomainState
from outgrow.runtime.events.subscribers import Subscribers
from outgrow.runtime.health import Health
from outgrow.runtime.heartbeat import Heartbeat
from outgrow.runtime.installing import install_steps
from outgrow.runtime.numbers.ids import Ids
from outgrow.runtime.numbers.sequence import AsyncFleetSequence, FleetSequence
from outgrow.runtime.outbox.fleet_outbox import FleetOutbox
from outgrow.runtime.outbox.relay import Relay
from outgrow.runtime.prepared import Parameters
from outgrow.runtime.result import Result
from outgrow.runtime.sagas.crew import SagaCrew
from outgrow.runtime.sagas.fleet_sagas import AsyncFleetSagas, FleetSagas
from outgrow.runtime.session import AsyncSession, Session, needed
from outgrow.runtime.transaction import agreed, atomic
from outgrow.runtime.transaction.recovery import Recovery
from outgrow.runtime.uniqueness.fleet_unique import UniqueIndexes
from outgrow.schema import ObjectDifference
from outgrow.topology import Observe, Topology, read
from outgrow.transactions import Outcome, Recovered, TransactionId
from outgrow.waits import Steps

T = TypeVar("T")

#: How long opening may wait for servers (seconds).
_OPEN_SECONDS = 30.0


def open_fleet(
    source: str | Path | Topology,
    *,
    install: bool = False,
    rows_in_place: bool = False,
    observe: Observe | None = None,
) -> Fleet:
    """Open what `source` (a path to `fleet.yaml`, or a Topology) describes.

    `install=True` puts the ledger into the databases first where it is missing, and raises OG-RUN-156 where tables of
    the file have rows that would not be found, unless `rows_in_place`; `observe` wins over the file's.
    """
    topology = source if isinstance(source, Topology) else read(Path(source))
    if observe is not None:
        topology = replace(topology, observe=observe)
    return Fleet(topology, install=install, rows_in_place=rows_in_place)


class Fleet:
    """Shared by all threads and tasks of a process; sessions are not.  Starts no thread until a replica is read."""

    def __init__(self, topology: Topology, *, install: bool = False, rows_in_place: bool = False) -> None:
        self.topology = topology
        self._nodes = Nodes(topology)
        health = Health(topology.domains, connections_used=lambda node: self._nodes.pool(node).used)
        until = monotonic() + _OPEN_SECONDS
        self._states: dict[str, DomainState] = {}
        try:
            for domain in topology.domains:
                drive(surveying.first_survey_steps(domain, self._nodes, health))
                if install:
                    drive(install_steps(domain, self._nodes, health, until, rows_in_place=rows_in_place))
                picture = drive(snapshot.take_steps(domain, self._nodes, health, until))
                self._states[domain.name] = DomainState(domain, picture, self._nodes, health)
        except BaseException:
            self._nodes.close()
            raise
        if any(domain.pool.size_min for domain in topology.domains):
            for node in (node for domain in topology.domains for shard in domain.shards for node in shard.nodes):
                self._nodes.pool(node)
            drive(self._nodes.tend_steps())
        self.health = health
        self._ids = Ids(next(iter(self._states.values())))
        self._sagas: SagaCrew | None = None
        self._opening = threading.Lock()
        self._heartbeat = Heartbeat(list(self._states.values()))
        self._recovery = Recovery(list(self._states.values()))
        self._subscribers = Subscribers(
            list(self._states.values()), topology.observe.with_parameters, self._nodes.tell_to
        )
        for state in self._states.values():
            state.need_recovery = self._recovery.ensure
            state.need_heartbeat = self._heartbeat.ensure
            state.neighbours = {name: other for name, other in self._states.items() if other is not state}

    def session(
        self,
        domain: str | None = None,
        *,
        level: str | Level = "session",
        token: str | None = None,
        scatter: str | None = None,
        atomic_reads: bool = False,
    ) -> Session:
        """A conversation for one thread.  `token` (another session's) makes it see what that one has seen.

        `scatter` (allow, warn or refuse) says what becomes of statements that several shards must answer, instead of
        the domain's `scatter:`.  With `atomic_reads` a read over several shards sees each transaction over shards
        wholly or not at all, or there is an error (`OG-TX-060`); primaries answer it.
        """
        return Session(self._conversation(domain, level, token, scatter, atomic_reads), self.topology.secret)

    def async_session(
        self,
        domain: str | None = None,
        *,
        level: str | Level = "session",
        token: str | None = None,
        scatter: str | None = None,
        atomic_reads: bool = False,
    ) -> AsyncSession:
        """The same for asyncio."""
        return AsyncSession(self._conversation(domain, level, token, scatter, atomic_reads), self.topology.secret)

    def run(self, work: Callable[[Session], T], *, isolation: str = "", attempts: int = ATTEMPTS, **session: Any) -> T:
        """Call `work(session)` in a transaction of a session of its own, and return what it returns.

        Where the transaction ends in a serialization failure or a deadlock, all of it runs again, after a pause, up to
        `attempts` times: so `work` should do nothing else that cannot be done twice.  The other arguments are
        `session`'s.
        """
        left = Attempts(attempts)
        with self.session(**session) as own:
            while True:
                try:
                    with own.transaction(isolation):
                        return work(own)
                except Error as error:
                    drive(left.pause_steps(error))

    async def run_async(
        self,
        work: Callable[[AsyncSession], Awaitable[T]],
        *,
        isolation: str = "",
        attempts: int = ATTEMPTS,
        **session: Any,
    ) -> T:
        """The same for asyncio."""
        left = Attempts(attempts)
        async with self.async_session(**session) as own:
            while True:
                try:
                    async with own.transaction(isolation):
                        return await work(own)
                except Error as error:
                    await drive_async(left.pause_steps(error))

    def conversation(
        self, domain: str | None = None, *, level: str | Level = "session", scatter: str | None = None
    ) -> Conversation:
        """What a session is made of, for doors that drive its steps themselves."""
        return self._conversation(domain, level, None, scatter)

    def sequence(self, name: str, *, domain: str | None = None) -> FleetSequence:
        """Numbers of a sequence that the whole domain shares, as `CREATE SEQUENCE` or a serial column made it."""
        return FleetSequence(self._state(domain), name)

    def async_sequence(self, name: str, *, domain: str | None = None) -> AsyncFleetSequence:
        """The same for asyncio."""
        return AsyncFleetSequence(self._state(domain), name)

    def directory(self, domain: str | None = None) -> FleetDirectory:
        """Which shard has which key, of a domain with `strategy: directory`; assign and migrate keys."""
        return FleetDirectory(self._state(domain))

    def async_directory(self, domain: str | None = None) -> AsyncFleetDirectory:
        """The same for asyncio."""
        return AsyncFleetDirectory(self._state(domain))

    def unique(self, domain: str | None = None) -> UniqueIndexes:
        """Unique keys that lack the shard key and hold in the whole domain: build, show, check and drop them."""
        return UniqueIndexes(self._state(domain))

    @property
    def sagas(self) -> FleetSagas:
        """Durable work over several services and shards, done or undone whatever dies (docs/sagas.md)."""
        return FleetSagas(self._saga_crew())

    @property
    def async_sagas(self) -> AsyncFleetSagas:
        """The same for asyncio."""
        return AsyncFleetSagas(self._saga_crew())

    def new_id(self) -> int:
        """A new 63-bit id, unique among all processes of the fleet and ordered by time; no round trip.

        From the top: 41 bits of milliseconds since 2025-01-01 UTC (until 2094), 12 of a worker number, 10 of a
        counter.  Within a process each id is greater than the one before, also when the clock is set back; between
        processes the order is that of their clocks.  Beyond 1,024,000 ids a second their time runs ahead of the clock.

        The worker number is leased on the first domain's home shard: by the first call, which waits for it, and then
        aside every five minutes.  With that shard out of reach ids go on for five minutes at least; then it is an error
        (OG-RUN-074).  1,024 processes may begin in ten minutes.
        """
        return self._ids.new()

    def execute(self, sql: str, parameters: Parameters = None, *, domain: str | None = None) -> Result:
        """One statement in a session of its own."""
        with self.session(domain) as session:
            return session.execute(sql, parameters)

    def explain(
        self,
        sql: str,
        parameters: Parameters = None,
        *,
        domain: str | None = None,
        session: Session | None = None,
        analyze: bool = False,
    ) -> explain.Explanation:
        """Where the statement would go, and why; it is not run.

        With `analyze` a SELECT is run, its rows are thrown away, and what each part gave and took is told too.
        """
        conversation = session._conversation if session else self._conversation(domain, "session", None)
        prepared = drive(conversation.prepared_steps(sql, parameters is not None, None))
        return drive(explain.explain_steps(conversation, prepared, parameters, analyze))

    def subscribe(self, callback: Callback, *, connections: bool = False) -> Callable[[], None]:
        """Tell `callback` of every statement, transaction and error of this process (`outgrow.events`).

        With `connections` also of each connection that a pool opens or closes, and of whoever waits for one.

        It is called in the thread or task that ran the statement, which waits for it; what it raises is logged once
        and harms nobody.  Returns what ends the subscription.
        """
        return self._subscribers.add(callback, connections)

    def place(
        self,
        table: str,
        *,
        shard_by: str | Sequence[str] | None = None,
        copy: bool = False,
        single: str | None = None,
        domain: str | None = None,
    ) -> None:
        """Say where a table's rows live: by a key, on every shard, or on one.  In the ledger, for everybody."""
        placement = new_tables.asked_placement(shard_by, copy, single)
        state = self._state(domain)
        drive(new_tables.place_steps(state, new_tables.asked_table(table), placement, None))

    def unfinished_definitions(self, domain: str | None = None) -> tuple[Definition, ...]:
        """DDL that some shard still has to run (or that another process is at work on)."""
        return drive(ddl.unfinished_steps(self._state(domain), None))

    def resume_definitions(self, domain: str | None = None) -> list[ddl.Done]:
        """Finish every DDL that was left unfinished, as the next DDL would."""
        return drive(ddl.resume_steps(self._state(domain), None))

    def abandon_definition(self, number: int, domain: str | None = None) -> Definition:
        """Give an unfinished DDL up: shards that have it keep it, the others never get it."""
        return drive(ddl.abandon_steps(self._state(domain), number, None))

    def compare_schema(self, like: str | None = None, domain: str | None = None) -> SchemaComparison:
        """What shards have otherwise than the home shard (or the shard `like`), and the statements that mend it."""
        return drive(comparing.compare_steps(self._state(domain), like, None))

    def mend_schema(self, comparison: SchemaComparison, *, allow_drop: bool = False) -> tuple[ObjectDifference, ...]:
        """Run those statements, each recorded as DDL of its shard; what loses rows only with `allow_drop`."""
        return drive(comparing.mend_steps(self._state(comparison.domain), comparison, allow_drop, None))

    def doctor(
        self, *, all_rows: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> tuple[Finding, ...]:
        """What is wrong with the fleet, or soon will be, each with its cure.

        `all_rows` reads every row of the tables instead of a sample; `progress` hears how many pages of how many have
        been read.
        """
        return tuple(
            finding
            for state in self._states.values()
            for finding in drive(doctor.examine_anew_steps(state, all_rows=all_rows, progress=progress))
        )

    def stats(self) -> dict[str, Any]:
        """Per node that was used: its pool's counts now (`outgrow.nodes.PoolStats`)."""
        return self._nodes.stats()

    def recover(self, domain: str | None = None) -> Recovered:
        """Look once for what dead processes have left prepared, and finish it; all domains, or one."""
        states = list(self._states.values()) if domain is None else [self._state(domain)]
        found = Recovered()
        for state in states:
            found = found.with_other(drive(atomic.recover_steps(state)))
        return found

    def outcome(self, transaction: str) -> Outcome:
        """What became of a transaction over several shards (`session.last_transaction`): committed, aborted, unknown.

        Unknown: it is still under way, or the shard that decides is out of reach, or it is more than half a day old.
        """
        return drive(self._outcome_steps(transaction))

    async def outcome_async(self, transaction: str) -> Outcome:
        """The same for asyncio."""
        return await drive_async(self._outcome_steps(transaction))

    def _outcome_steps(self, transaction: str) -> Steps[Outcome]:
        id = TransactionId.read(transaction)
        return atomic.outcome_steps(self._state(id.domain), id)

    def relay(
        self,
        targets: Mapping[str, Any],
        *,
        domain: str | None = None,
        batch: int = 500,
        poll_seconds: float = 2.0,
        workers: int = 1,
    ) -> Relay:
        """What delivers the messages of these topics: topic → a function of one message, or a target.

        `batch` messages at once; it looks by itself every `poll_seconds` where nobody calls.  `workers` call a function
        for several keys at once.
        """
        return Relay(self._state(domain), targets, batch=batch, poll_seconds=poll_seconds, workers=workers)

    def outbox(self, domain: str | None = None) -> FleetOutbox:
        """What is emitted and not delivered, and what to do about what is stuck."""
        return FleetOutbox(self._state(domain))

    def close(self) -> None:
        """End the heartbeat, recovery and every connection; sessions still open fail at their next statement."""
        self._subscribers.clear()
        self._heartbeat.stop()
        self._ids.close()
        self._recovery.stop()
        if self._sagas is not None and self._sagas.pid == os.getpid():
            self._sagas.close()
        self._nodes.close()

    def _saga_crew(self) -> SagaCrew:
        # A forked child begins anew: the parent's leases are the parent's.
        with self._opening:
            if self._sagas is None or self._sagas.pid != os.getpid():
                self._sagas = SagaCrew(self._states, self.topology.secret)
            return self._sagas

    def _conversation(
        self,
        domain: str | None,
        level: str | Level,
        token: str | None,
        scatter: str | None = None,
        atomic_reads: bool = False,
    ) -> Conversation:
        state = self._state(domain)
        if atomic_reads:
            agreed.check_session(state)
        rails.check_policy(scatter)
        seen = Token.read(token, needed(self.topology.secret)) if token else None
        promised = level_of(level)
        if promised.name != "strong" and any(shard.replicas for shard in state.picture.domain.shards):
            self._heartbeat.ensure()
        conversation = Conversation(state, promised, seen, scatter)
        conversation.atomic_reads = atomic_reads
        return conversation

    def _state(self, domain: str | None) -> DomainState:
        if domain is None:
            return next(iter(self._states.values()))
        if domain not in self._states:
            raise InterfaceError(
                "OG-RUN-013",
                f"the fleet {self.topology.fleet} has no domain {domain!r}",
                cure=f"one of: {', '.join(self._states)}",
            )
        return self._states[domain]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
