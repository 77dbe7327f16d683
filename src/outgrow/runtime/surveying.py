"""Who is a shard's primary: what its servers say wins over the file.

Asked where a node turns out to be another than it was taken for, and once when a fleet is opened: the file may name a
server that has been replaced and still runs, and what is written to that one is lost.
"""

from __future__ import annotations

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import Error, NodeLost, OperationalError
from outgrow.nodes import Nodes, together
from outgrow.route import Seats
from outgrow.runtime import generation
from outgrow.runtime.engines import engine_of
from outgrow.runtime.health import Health
from outgrow.topology import Domain, Node
from outgrow.waits import Steps

#: How long a node behind a pooler may take to say which role it plays.
_POOLED_SECONDS = 2.0
#: How long opening waits for all nodes to say theirs: who is silent is not believed to be anything.
_OPENING_SECONDS = 1.0


def survey_steps(domain: Domain, shard: str, nodes: Nodes, health: Health, until: float | None) -> Steps[bool]:
    """Ask every node of the shard which role it plays; True when the primary is another one now.

    Two primaries: the later timeline (on MariaDB: generation) is the true one.  A primary on a new timeline starts a
    new generation, recorded by whoever meets it first.
    """
    old = health.seats(domain.name, shard)
    everyone = (old.primary, *old.replicas)
    answers = yield from together([_role_steps(domain, node, nodes, health, until) for node in everyone])
    primaries = [(answer[1], node) for node, answer in zip(everyone, answers, strict=True) if answer and not answer[0]]
    if not primaries:
        return False
    timeline, primary = max(primaries, key=lambda pair: pair[0])
    changed = health.seat(domain.name, shard, Seats(primary, tuple(node for node in everyone if node is not primary)))
    if changed or timeline != 1:
        yield from _raise_generation_steps(primary, timeline, nodes, until)
    return changed


def first_survey_steps(domain: Domain, nodes: Nodes, health: Health) -> Steps[None]:
    """The same of all shards that have replicas, before anything else is asked of them.

    Nothing here fails: a server that cannot answer (no ledger yet, not reached) is told of where it is needed.
    """
    until = monotonic() + _OPENING_SECONDS
    shards = [shard.name for shard in domain.shards if shard.replicas]
    yield from together([_silent_steps(survey_steps(domain, shard, nodes, health, until)) for shard in shards])


def _silent_steps(survey: Steps[bool]) -> Steps[None]:
    try:
        yield from survey
    except Error:
        return


def _role_steps(
    domain: Domain, node: Node, nodes: Nodes, health: Health, until: float | None
) -> Steps[tuple[bool, int] | None]:
    """(is a replica, timeline); None where it does not say."""
    pool = nodes.pool(node)
    if node.pooled:
        # Where it has no server, a pooler lets its clients wait.
        patience = monotonic() + _POOLED_SECONDS
        until = patience if until is None else min(until, patience)
    try:
        link = yield from (nodes.connect_steps(node, until) if node.pooled else pool.take_steps(until))
    except OperationalError as error:
        health.note_lost(node, error)
        return None
    try:
        rows = yield from link.run_steps(engine_of(domain.engine).questions.role, None, until=until)
    except OperationalError as error:
        if not (node.pooled or isinstance(error, NodeLost)):
            raise
        health.note_lost(node, error)
        return None
    finally:
        if node.pooled:
            link.close()
        else:
            pool.give(link)
    health.note_alive(node)
    return generation.role_of(rows)


def _raise_generation_steps(primary: Node, timeline: int, nodes: Nodes, until: float | None) -> Steps[None]:
    pool = nodes.pool(primary)
    link = yield from pool.take_steps(until)
    try:
        yield from ledger.raise_generation_steps(link, timeline)
    finally:
        pool.give(link)
