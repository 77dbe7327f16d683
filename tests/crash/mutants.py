"""Each protection of atomic commit, switched off in the workers: a run must find out."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

from outgrow.errors import Error
from outgrow.nodes import drive
from outgrow.runtime.transaction import atomic, following
from outgrow.runtime.transaction.recovery import Recovery
from outgrow.transactions import commit, postgresql, recovery
from outgrow.transactions.commit import Commit
from outgrow.transactions.model import Outcome
from outgrow.transactions.port import Participant
from outgrow.waits import Steps

Switch = contextlib.AbstractContextManager[object]

#: Instead of half a minute: a pause must outlast the patience of those who recover, and a run must end.
PATIENCE_SECONDS = 3.0
#: Instead of five seconds, for a coordinator that waits for replicas is one who does nothing.
FOLLOW_SECONDS = 2.0


@contextlib.contextmanager
def hurried() -> Iterator[None]:
    """Recovery as it is, with less patience for a coordinator that is there and does nothing."""
    with (
        mock.patch.object(recovery, "PATIENCE_SECONDS", PATIENCE_SECONDS),
        mock.patch.object(commit, "FOLLOW_SECONDS", FOLLOW_SECONDS),
    ):
        yield


def _one_after_the_other(self: Commit, writers: Sequence[Participant]) -> Steps[None]:
    for participant in writers:
        yield from participant.commit_steps(self.until)
    self.decided = True


def _decision_first(self: Commit, writers: Sequence[Participant]) -> Steps[None]:
    *others, decider = writers
    shards = [p.shard for p in writers]
    self.id = id = self.name(decider.shard)
    gids = {p.shard: id.gid(number) for number, p in enumerate(others, 1)}
    yield from decider.decide_steps(id, shards, self.until)
    self.decided = True
    yield from self._all_steps([p.prepare_steps(id, shards, gids[p.shard], self.until) for p in others])
    self.pending = dict(gids)
    yield from self._phase_two_steps(others)


def _guessed(self: postgresql.PostgresShard, *_: object) -> Steps[Outcome]:
    yield from ()
    return Outcome.COMMITTED


def _presumed(self: postgresql.PostgresShard, id: Any, insist: bool, until: float) -> Steps[Outcome]:
    ruling = yield from self.ruling_steps(id, until)
    return Outcome.ABORTED if ruling is Outcome.UNKNOWN else ruling


def _unfenced() -> Switch:
    sql = postgresql._SQL
    decide = sql["decide"].rstrip().rstrip(";") + " ON CONFLICT DO NOTHING"
    return mock.patch.object(postgresql, "_SQL", {**sql, "decide": decide})


def _lost_reply_is_no(self: Commit, id: object, seconds: float) -> Steps[bool]:
    yield from ()
    return False


def _committed_before(
    self: postgresql.PostgresBranch, id: Any, shards: Sequence[str], until: float | None
) -> Steps[None]:
    yield from self.commit_steps(until)
    decide = (postgresql._SQL["decide"], [*postgresql._stamped(id, shards), id.begun_seconds])
    yield from self.link.run_many_steps([decide], until=until)


def _insisting(self: postgresql.PostgresShard, id: Any, insist: bool, until: float) -> Steps[Outcome]:
    return (yield from _RULE(self, id, True, until))


_RULE = postgresql.PostgresShard.rule_steps


def _unstamped() -> Switch:
    # The parameters stay, and so does what else it sets.
    nothing = "SELECT $1::uuid, $2::text[], set_config('lock_timeout', $3::text, true)"
    return mock.patch.object(postgresql, "_SQL", {**postgresql._SQL, "stamp": nothing})


def _taken_for_done(self: Commit, others: Sequence[Participant]) -> Steps[None]:
    yield from ()
    self.pending = {}


def _one_look(self: Recovery, stop: threading.Event) -> None:
    # At once: a process that has just come would else find what was left before it was there.
    for state in self._states:
        with contextlib.suppress(Error):
            drive(atomic.recover_steps(state))
    # A thread that has ended would be started again.
    stop.wait()


def _reached_already(*_: object) -> Steps[bool]:
    yield from ()
    return True


MUTANTS: dict[str, Callable[[], Switch]] = {
    # Not atomic at all.
    "one commit after the other": lambda: mock.patch.object(Commit, "_two_phases_steps", _one_after_the_other),
    "the decision before the prepares": lambda: mock.patch.object(Commit, "_two_phases_steps", _decision_first),
    # Nobody finishes what the dead have left.
    "no recovery": lambda: mock.patch.object(Recovery, "ensure", lambda self: None),
    # What comes late is never found.
    "recovery looks once": lambda: mock.patch.object(Recovery, "_run", _one_look),
    # Recovery that does not ask, or that asks and writes nothing, so that a slow coordinator is not fenced.
    "recovery guesses": lambda: mock.patch.object(postgresql.PostgresShard, "rule_steps", _guessed),
    "recovery presumes": lambda: mock.patch.object(postgresql.PostgresShard, "rule_steps", _presumed),
    # A coordinator that does not mind what recovery has decided.
    "no fence": _unfenced,
    # Nobody minds that a coordinator is there.
    "presence does not count": lambda: mock.patch.object(postgresql.PostgresShard, "rule_steps", _insisting),
    # The row that says what was decided, outside of the commit that it decides.
    "the decision beside the commit": lambda: mock.patch.object(
        postgresql.PostgresBranch, "decide_steps", _committed_before
    ),
    # Nothing tells a branch that is done from one that is lost.
    "no stamps": _unstamped,
    # The answer says more than is done.
    "nothing is pending": lambda: mock.patch.object(Commit, "_phase_two_steps", _taken_for_done),
    # A broken connection taken for an answer.
    "a lost reply is a no": lambda: mock.patch.object(Commit, "_settled_steps", _lost_reply_is_no),
    # A key's migration counts before a replica has it.
    "no replica is waited for": lambda: mock.patch.object(following, "reached_steps", _reached_already),
}


@contextlib.contextmanager
def switched_off(name: str) -> Iterator[None]:
    with hurried(), MUTANTS[name]() if name else contextlib.nullcontext():
        yield
