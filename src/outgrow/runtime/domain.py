"""One domain as this process knows it: schema, shard map, plans, and who is primary."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from outgrow import keyspace, ledger, plan, statement
from outgrow.clock import monotonic
from outgrow.errors import ConfigurationError, Error, NodeLost, OperationalError, ProgrammingError
from outgrow.events import Event
from outgrow.nodes import Link, Nodes, Rows
from outgrow.runtime import federated, generation, pooled, snapshot, surveying
from outgrow.runtime.asking import stand_steps
from outgrow.runtime.directories.directory import Assigning
from outgrow.runtime.engines import engine_of
from outgrow.runtime.events.subscribers import Subscribers
from outgrow.runtime.federated import Federated
from outgrow.runtime.footing import Footing
from outgrow.runtime.health import Health
from outgrow.runtime.numbers.drawing import Sequences
from outgrow.runtime.outbox.waking import Waking
from outgrow.runtime.picture import Picture
from outgrow.runtime.prepared import Point, Prepared
from outgrow.runtime.timed import Timed
from outgrow.runtime.transaction import atomic
from outgrow.runtime.uniqueness import settling
from outgrow.statement import Statement
from outgrow.topology import Domain, Node, TableName
from outgrow.transactions import Cuts
from outgrow.waits import Steps

T = TypeVar("T")


#: How long the shards' disagreement on a table is taken for granted.
_DISAGREEMENT_SECONDS = 1.0
#: How long the ledger's epochs are taken for granted where no heartbeat reads them, and where they were not to be had.
EPOCHS_SECONDS = 2.0
_EPOCHS_REST_SECONDS = 30.0
#: How long a statement waits for them.
_EPOCHS_WAIT_SECONDS = 0.25


#: How long a new picture is waited for by whoever may hold the very locks that the catalogue waits for.
LOOK_SECONDS = 1.0


class DomainState:
    """The one mutable place of a domain: its picture, its turn counter; health and nodes are the fleet's."""

    def __init__(self, file: Domain, picture: Picture, nodes: Nodes, health: Health) -> None:
        self.name = file.name
        #: The domain as the file has it; what the ledger says of it is the picture's.
        self.file = file
        self.engine = engine_of(file.engine)
        #: Some of its nodes are behind transaction poolers: what belongs to one connection is refused.
        self.pooled = pooled.is_pooled(file)
        self.picture = picture
        self.nodes = nodes
        self.health = health
        self.next_turn = itertools.count().__next__
        #: The servers' schema or map has changed since the picture was taken.
        self.stale = False
        #: The fleet's other domains, by name; and their tables together with this one's, once somebody has asked.
        self.neighbours: Mapping[str, DomainState] = {}
        self.federated: Federated | None = None
        #: Called before replicas are read.
        self.need_heartbeat: Callable[[], None] = lambda: None
        #: Called before a transaction over several shards ends; the fleet starts its recovery then.
        self.need_recovery: Callable[[], None] = lambda: None
        #: The fleet's; and what tells them, None where there are none.
        self.subscribers = Subscribers((), False)
        self.tell: Callable[[Event], None] | None = None
        self.sequences = Sequences(self)
        #: Where atomic reads begin to compare.
        self.cuts = Cuts()
        self.assigning = Assigning()
        self.waking = Waking()
        #: Node → the edition that its shard's part of the directory was last seen with there, and in which incarnation.
        self.editions_seen: dict[str, tuple[int, str]] = {}
        #: A session of another process knows the directory as of this migration: ask before keys are placed.
        self.migrations_due = 0
        self._taken_at = monotonic()
        #: When an error last made us look whether shards disagree.
        self._looked_at = 0.0
        #: From then on a statement looks whether another process has changed the schema or the map.
        self.epochs_due = monotonic() + EPOCHS_SECONDS

    def prepare(self, text: str, parameters: bool) -> Prepared:
        """Bind and plan; pure.  Errors of binding are the caller's to retry after a refresh."""
        picture = self.picture
        try:
            bound = statement.bind(text, picture.schema, parameters=parameters)
        except ProgrammingError as unknown:
            if not self.neighbours:
                raise
            return federated.instead(self, text, parameters, unknown)
        if bound.kind is statement.Kind.OPAQUE and self.neighbours:
            made = federated.perhaps(self, text, parameters)
            if made is not None:
                return made
        self._agreed(bound, (*bound.reads, *bound.writes))
        planned = plan.build(bound, picture.schema, picture.domain)
        if planned.views:
            self._agreed(bound, (*(view.name for view in planned.views), *planned.statement.reads))
        point = _point(planned, picture.placer) if bound.placeholders.names is None else None
        prepared = Prepared(bound.placeholders, planned, point)
        if prepared.writes and settling.concerns(bound, picture):
            prepared.claims, prepared.point = True, None
        if self.pooled:
            pooled.check_statement(prepared)
        picture.plans.keep((text, parameters), prepared)
        return prepared

    def _agreed(self, bound: Statement, tables: Iterable[TableName]) -> None:
        """All shards have the same definition of these; but DDL is what ends a disagreement."""
        for table in tables if bound.kind is not statement.Kind.DDL else ():
            disagreement = self.picture.disagreements.get(table)
            if disagreement is not None:
                raise disagreement

    def brings(self, prepared: Prepared, refusal: Error) -> bool:
        """Whether rows that `finish` has refused can be brought to one server, as this plan's are from now on."""
        picture = self.picture
        made = plan.bringing(replace(prepared.plan, refusal=refusal), plan.Places(picture.schema, picture.domain))
        if made.brought is None:
            return False
        refusal.__traceback__ = None
        prepared.plan = made
        return True

    def refresh_steps(self, until: float | None) -> Steps[None]:
        """Take the picture anew from the servers."""
        self.stale = False
        self._taken_at = monotonic()
        before = self.picture
        try:
            self.picture = yield from snapshot.take_steps(self.file, self.nodes, self.health, until)
            if self.picture.map == before.map:
                # What was looked up in the directory is as true as it was.
                self.picture.placer.book.page = before.placer.book.page
        except BaseException:
            self.stale = True
            raise

    def look_steps(self, until: float | None) -> Steps[bool]:
        """A new picture, if one is to be had soon: only what an error says depends on it."""
        if monotonic() < self._looked_at + _DISAGREEMENT_SECONDS:
            return False
        stale, limit = self.stale, monotonic() + LOOK_SECONDS
        try:
            yield from self.refresh_steps(limit if until is None else min(until, limit))
        except Error:
            self.stale = stale
            return False
        finally:
            # Also where it was to be had: mostly the error is the statement's own, and comes again at once.
            self._looked_at = monotonic()
        return True

    def changed_steps(self, until: float | None, error: Error | None = None) -> Steps[bool]:
        """Take the picture anew, where a name was not known or after an error of binding; True when it has changed.

        Shards that disagree are looked at again only now and then: a forgotten ALTER must not cost a new picture for
        every statement that it makes fail.
        """
        if isinstance(error, ConfigurationError) and monotonic() < self._taken_at + _DISAGREEMENT_SECONDS:
            return False
        changed = yield from self._look_again_steps(until)
        for neighbour in self.neighbours.values():
            with contextlib.suppress(NodeLost):
                # Its tables can be named here; whether it can be asked now is no business of what the error says.
                changed |= yield from neighbour._look_again_steps(until)
        return changed

    def _look_again_steps(self, until: float | None) -> Steps[bool]:
        before = self.picture
        yield from self.refresh_steps(until)
        now = self.picture
        return now.schema != before.schema or now.disagreements.keys() != before.disagreements.keys()

    def note_epochs(self, schema_epoch: int, map_epoch: int) -> None:
        """The ledger's epochs, just read."""
        self.epochs_due = monotonic() + EPOCHS_SECONDS
        if schema_epoch != self.picture.schema.epoch or map_epoch != self.picture.map.epoch:
            self.stale = True

    def read_epochs_steps(self) -> Steps[None]:
        """What the heartbeat does, where there is none.  A ledger out of reach stops no statement and is left alone."""
        self.epochs_due = monotonic() + _EPOCHS_REST_SECONDS
        try:
            until = monotonic() + _EPOCHS_WAIT_SECONDS
            epochs = yield from self.on_home_steps(
                lambda link: ledger.read_epochs_steps(Timed(link, until), self.name), until
            )
        except Error:
            return
        self.note_epochs(epochs[1], epochs[0])

    def settle_steps(self, shard: str, footing: Footing, until: float | None) -> Steps[None]:
        """Make the shard show what the session has committed there and the shard has not confirmed."""
        return atomic.settle_steps(self, shard, footing, until)

    def on_home_steps(self, ask: Callable[[Link], Steps[T]], until: float | None) -> Steps[T]:
        """Run `ask` on the primary of the home shard, where the ledger's map lives."""
        node = self.health.seats(self.name, self.picture.domain.home.name).primary
        return (yield from snapshot.on_node_steps(self.nodes, node, until, ask))

    def survey_steps(self, shard: str, until: float | None) -> Steps[bool]:
        """Ask every node of the shard which role it plays; True when the primary is another one now."""
        return surveying.survey_steps(self.file, shard, self.nodes, self.health, until)

    def not_primary_steps(self, node: Node, link: Link, until: float | None) -> Steps[None]:
        """The node that we take for the shard's primary was a replica when this connection was made.

        Over when that has been settled: it has been promoted since, or another node is primary.
        """
        said = link.parameter("in_hot_standby")
        if said is None:
            # MariaDB says so only where it is asked.
            rows = yield from link.run_steps(self.engine.questions.role, None, until=until)
            said = "on" if generation.role_of(rows)[0] else "off"
        if said == "off":
            link.standby = False
        elif not (yield from self.survey_steps(node.shard, until)):
            raise OperationalError(
                "OG-RUN-014",
                f"the shard {node.shard} has no primary: {node.name} is a replica now",
                cure="promote a replica, or name the new primary in fleet.yaml; it is noticed by itself",
                shard=node.shard,
                node=node.name,
            )

    def sample_steps(self, node: Node, footing: Footing, until: float | None) -> Steps[None]:
        """Ask a primary for its place, and stand there."""
        pool = self.nodes.pool(node)
        link = yield from pool.take_steps(until)
        try:
            rows = yield from link.run_steps(self.engine.questions.place, None, until=until)
            yield from stand_steps(self, link, footing, rows)
        finally:
            pool.give(link)

    def sample_replica_steps(self, node: Node, footing: Footing, until: float | None) -> Steps[None]:
        """Ask a replica how far it has got, and stand there; the primary, if it is lost, another or restarted."""
        try:
            rows, incarnation = yield from self._replica_steps(node, until)
        except NodeLost as error:
            self.health.note_lost(node, error)
            incarnation = None
        if incarnation != footing.incarnation:
            yield from self.sample_steps(self.health.seats(self.name, node.shard).primary, footing, until)
            return
        position, _ = generation.guard_of(rows)
        footing.raise_floor(position)

    def _replica_steps(self, node: Node, until: float | None) -> Steps[tuple[Rows, str | None]]:
        """How far a replica has got, and in which run of the server."""
        pool = self.nodes.pool(node)
        link = yield from pool.take_steps(until)
        try:
            if node.pooled:
                return (yield from pooled.server_steps(link, until))
            incarnation = yield from generation.incarnation_steps(link, self.engine.questions, until)
            return (yield from link.run_steps(self.engine.questions.guard, None, until=until)), incarnation
        finally:
            pool.give(link)


def _point(planned: plan.Plan, placer: keyspace.Keyspace) -> Point | None:
    """The shortcut for the commonest statement: its one key is one integer or text parameter."""
    quick = planned.quick
    if quick is None or planned.drawing is not None:
        return None
    strategy = placer.strategy(quick.types)
    owners = placer.owners
    if isinstance(strategy, keyspace.Directory):
        # Looked up, and asked with a check.
        return None
    slot = strategy.slot
    low, high = -(2**63), 2**63

    def of_integer(value: int) -> str | None:
        return owners[slot((value,))] if low <= value < high else None

    def of_text(value: str) -> str | None:
        return owners[slot((value,))]

    if quick.type in ("int2", "int4", "int8"):
        return Point(quick.index, int, of_integer)
    if quick.type in ("text", "varchar"):
        return Point(quick.index, str, of_text)
    return None
