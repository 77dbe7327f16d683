"""Each protection of atomic commit, switched off in the workers: a run must find out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

from outgrow.runtime.transaction.recovery import Recovery
from outgrow.transactions import postgresql, recovery
from outgrow.transactions.commit import Commit
from outgrow.transactions.model import Outcome
from outgrow.transactions.port import Participant
from outgrow.waits import Steps

Switch = contextlib.AbstractContextManager[object]

#: Instead of half a minute: a pause must outlast the patience of those who recover, and a run must end.
PATIENCE_SECONDS = 2.0


def hurried() -> Switch:
    """Recovery as it is, with less patience for a coordinator that is there and does nothing."""
    return mock.patch.object(recovery, "PATIENCE_SECONDS", PATIENCE_SECONDS)


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


MUTANTS: dict[str, Callable[[], Switch]] = {
    # Not atomic at all.
    "one commit after the other": lambda: mock.patch.object(Commit, "_two_phases_steps", _one_after_the_other),
    "the decision before the prepares": lambda: mock.patch.object(Commit, "_two_phases_steps", _decision_first),
    # Nobody finishes what the dead have left.
    "no recovery": lambda: mock.patch.object(Recovery, "ensure", lambda self: None),
    # Recovery that does not ask, or that asks and writes nothing, so that a slow coordinator is not fenced.
    "recovery guesses": lambda: mock.patch.object(postgresql.PostgresShard, "rule_steps", _guessed),
    "recovery presumes": lambda: mock.patch.object(postgresql.PostgresShard, "rule_steps", _presumed),
    # A coordinator that does not mind what recovery has decided.
    "no fence": _unfenced,
    # A broken connection taken for an answer.
    "a lost reply is a no": lambda: mock.patch.object(Commit, "_settled_steps", _lost_reply_is_no),
}


@contextlib.contextmanager
def switched_off(name: str) -> Iterator[None]:
    with hurried(), MUTANTS[name]() if name else contextlib.nullcontext():
        yield
