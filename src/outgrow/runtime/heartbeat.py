"""One maintenance thread per fleet: it keeps routing's knowledge of the nodes fresh.

It starts when something first needs it (a read that replicas may answer), rests while nobody reads, and uses one
connection per node of its own, so that a full pool cannot make a healthy node look dead.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from outgrow import ledger
from outgrow.clock import monotonic
from outgrow.errors import Error
from outgrow.nodes import Link, drive, together
from outgrow.runtime import generation
from outgrow.runtime.background import Background
from outgrow.runtime.domain import DomainState
from outgrow.runtime.timed import Timed
from outgrow.topology import Node
from outgrow.waits import Steps

#: Between two beats while there is interest (seconds).
_PERIOD_SECONDS = 0.05
#: Between two looks at what lies idle in the pools (seconds).
_TEND_SECONDS = 10.0
#: How long a node may take to answer: one that was fine, and one that was not.
_ANSWER_SECONDS = 1.0
_PROBE_SECONDS = 0.25
#: A node that is back, and busy, may have accepted connections while the heartbeat still waits for its answer: so long
#: they are believed.
_ACCEPTED_SECONDS = 5.0


class Heartbeat:
    def __init__(self, states: Sequence[DomainState]) -> None:
        self._states = states
        self._links: dict[str, Link] = {}
        self._background = Background("outgrow-heartbeat", self._run)

    def ensure(self) -> None:
        self._background.ensure()

    def stop(self) -> None:
        self._background.stop()
        for link in self._links.values():
            link.close()
        self._links.clear()

    def _run(self, stop: threading.Event) -> None:
        # In a forked child the parent's are not ours.
        self._links = {}
        seen = {state.name: -1 for state in self._states}
        tended = monotonic()
        while not stop.wait(_PERIOD_SECONDS):
            if monotonic() - tended > _TEND_SECONDS:
                drive(self._states[0].nodes.tend_steps())
                tended = monotonic()
            beats: list[Steps[None]] = []
            for state in self._states:
                interest = state.health.interest
                lost = [node for node in _nodes(state) if not state.health.usable(node)]
                if interest == seen[state.name] and not lost:
                    continue
                seen[state.name] = interest
                beats += [self._beat_steps(state, node) for node in _nodes(state) if state.health.due(node)]
            if beats:
                drive(together(beats))

    def _beat_steps(self, state: DomainState, node: Node) -> Steps[None]:
        """Ask one node for its place; a node that does not answer is recorded as lost, whatever it was asked."""
        was_usable = state.health.usable(node)
        until = monotonic() + (_ANSWER_SECONDS if was_usable else _PROBE_SECONDS)
        try:
            yield from self._asked_steps(state, node, until)
        except Error as error:
            state.health.note_lost(node, error)
            broken = self._links.pop(node.name, None)
            if broken is not None:
                broken.close()
            if not was_usable and not (yield from self._only_busy_steps(state, node)):
                # Twice silent: whoever still waits for it (SIGSTOP, a cut cable) is woken, and reads elsewhere.
                state.nodes.pool(node).cut(max(state.health.lost_at(node), monotonic() - _ACCEPTED_SECONDS))

    def _only_busy_steps(self, state: DomainState, node: Node) -> Steps[bool]:
        """A pooler lets whoever has no connection wait, so that its silence says nothing: the server itself may."""
        if not node.pooled or node.direct is None:
            return node.pooled
        until = monotonic() + _PROBE_SECONDS
        try:
            link = yield from state.nodes.connect_steps(node.direct, until)
        except Error:
            return False
        try:
            yield from link.run_steps(state.engine.questions.role, None, until=until)
        except Error:
            return False
        finally:
            link.close()
        return True

    def _asked_steps(self, state: DomainState, node: Node, until: float) -> Steps[None]:
        health, questions = state.health, state.engine.questions
        at = monotonic()
        link = self._links.get(node.name)
        if link is None:
            link = self._links[node.name] = yield from state.nodes.connect_steps(node, until)
            if not node.pooled:
                link.incarnation = yield from generation.incarnation_steps(link, questions, until)
            at = monotonic()
        beat = questions.beat_of((yield from link.run_steps(questions.beat, None, until=until)))
        health.note_latency(node, monotonic() - at)
        health.note_alive(node)
        seats = health.seats(state.name, node.shard)
        if (node is seats.primary) == beat.in_recovery:
            yield from state.survey_steps(node.shard, monotonic() + _ANSWER_SECONDS)
        elif beat.in_recovery:
            health.note_replayed(node, beat.position, link.incarnation)
        else:
            health.note_primary(node, at, beat.position)
            if node.shard == state.picture.domain.home.name:
                map_epoch, schema_epoch = yield from ledger.read_epochs_steps(Timed(link, until), state.name)
                state.note_epochs(schema_epoch, map_epoch)


def _nodes(state: DomainState) -> list[Node]:
    return [node for shard in state.picture.domain.shards for node in state.health.seats(state.name, shard.name).all]
