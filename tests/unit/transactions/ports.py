"""The kernel's two ports on the modelled servers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from outgrow.errors import Error
from outgrow.transactions import Fenced, Finished, InDoubt, Outcome, Part, TransactionId, Unclear, owner_of, read_marker
from outgrow.transactions import failures as failing
from tests.unit.transactions.servers import BUSY, CANCELLED, LOST, NO_SUCH, Backend, Server, Txn

if TYPE_CHECKING:
    from tests.unit.transactions.world import Gen, World


class Branch:
    """`Participant` on the model."""

    def __init__(self, world: World, server: Server, part: Part, attended: UUID | None, decides: bool) -> None:
        self.world, self.server, self.part, self.decides = world, server, part, decides
        self.attended = attended is not None
        self.shard = server.name
        self.backend = server.connect()
        refused = part is not Part.READ and world.chance() < 0.06
        self.backend.txn = Txn(part is Part.WROTE, refused, presence=attended)

    def _call_steps(self, until: float | None, *asked: Callable[[], Any]) -> Gen:
        return self.world.call_steps(self.backend, asked, until)

    def part_steps(self, until: float | None) -> Gen:
        yield from ()
        return self.part

    def prepare_steps(self, id: TransactionId, shards: Sequence[str], gid: str, until: float | None) -> Gen:
        b, s = self.backend, self.server
        _, done = _all((yield from self._call_steps(until, lambda: s.stamp(b, id.number), lambda: s.prepare(b, gid))))
        if done != "PREPARE TRANSACTION":
            raise failing.rolled_back(self.shard)

    def attend_steps(self, id: TransactionId, until: float | None) -> Gen:
        _all((yield from self._call_steps(until, lambda: self.server.attend(self.backend, id.number))))

    def decide_steps(self, id: TransactionId, shards: Sequence[str], until: float | None) -> Gen:
        b, s = self.backend, self.server
        try:
            decided, done = yield from self._call_steps(until, lambda: s.decide(b, id.number), lambda: s.commit(b))
        except Error as error:
            raise Unclear("OG-NODE-011", "lost") from error
        if isinstance(decided, Error):
            raise Fenced("OG-NODE-110", "taken") if decided.sqlstate == "23505" else decided
        if done is LOST or (done is CANCELLED and b.broken):
            raise Unclear("OG-NODE-011", "lost")
        if isinstance(done, Error):
            raise done
        if done != "COMMIT":
            raise failing.rolled_back(self.shard)

    def hold_steps(self, id: TransactionId, shards: Sequence[str], gid: str, until: float | None) -> Gen:
        b, s = self.backend, self.server
        try:
            decided, done = yield from self._call_steps(
                until, lambda: s.decide(b, id.number), lambda: s.prepare(b, gid)
            )
        except Error as error:
            raise Unclear("OG-NODE-011", "lost") from error
        if isinstance(decided, Error):
            raise Fenced("OG-NODE-110", "taken") if decided.sqlstate == "23505" else decided
        if done is LOST or (done is CANCELLED and b.broken):
            raise Unclear("OG-NODE-011", "lost")
        if isinstance(done, Error):
            raise done
        if done != "PREPARE TRANSACTION":
            raise failing.rolled_back(self.shard)

    def commit_steps(self, until: float | None) -> Gen:
        (done,) = _all((yield from self._call_steps(until, lambda: self.server.commit(self.backend))))
        if done != "COMMIT":
            raise failing.rolled_back(self.shard)

    def finish_steps(self, gid: str, commit: bool, until: float | None) -> Gen:
        (done,) = yield from self._call_steps(until, lambda: self.server.finish(gid, commit, self.backend))
        return _finished(done)

    def stamped_steps(self, id: TransactionId, until: float | None) -> Gen:
        (done,) = _all((yield from self._call_steps(until, lambda: id.number in self.server.stamps)))
        return done

    def undo_steps(self, gid: str | None, until: float | None) -> Gen:
        if self.backend.broken:
            return
        if self.backend.txn is not None:
            yield from self._call_steps(until, lambda: self.server.rollback(self.backend))
        elif gid is not None:
            (done,) = yield from self._call_steps(until, lambda: self.server.finish(gid, False, self.backend))
            _finished(done)


class Shards:
    """`Shards` on the model; each question has a connection of its own."""

    domain = "d"

    def __init__(self, world: World, backends: list[Backend]) -> None:
        self.world, self.backends = world, backends
        self.names = tuple(world.servers)

    def at(self, shard: str) -> Seen:
        return Seen(self, self.world.servers[shard])

    def close(self) -> None:
        """Each question has closed its own."""


class Seen:
    def __init__(self, shards: Shards, server: Server) -> None:
        self.shards, self.server = shards, server

    def _ask_steps(self, until: float, asked: Callable[[Backend], Any]) -> Gen:
        backend = self.server.connect()
        self.shards.backends.append(backend)
        try:
            return (yield from self.shards.world.call_steps(backend, [lambda: asked(backend)], until))[0]
        finally:
            self.shards.backends.remove(backend)
            if not backend.orphan and not backend.calls:
                backend.end()
                if backend in self.server.backends:
                    self.server.backends.remove(backend)
            else:
                self.shards.world.cut(backend)

    def in_doubt_steps(self, domain: str, until: float) -> Gen:
        def look(_: Backend) -> list[InDoubt]:
            now, name, found = self.shards.world.now, self.server.name, []
            for gid, (_, at, _) in self.server.prepared.items():
                marker = read_marker(gid)
                id = owner_of(gid) if marker is None else TransactionId(domain, name, marker.number)
                if id is not None:
                    found.append(InDoubt(name, gid, id, now - at, marker))
            return found

        return _one((yield from self._ask_steps(until, look)))

    def rule_steps(self, id: TransactionId, insist: bool, until: float) -> Gen:
        return (yield from self._ruling_steps(id, lambda: self.server.rule(id.number, insist), until))

    def ruling_steps(self, id: TransactionId, until: float) -> Gen:
        return (yield from self._ruling_steps(id, lambda: self.server.decisions.get(id.number), until))

    def _ruling_steps(self, id: TransactionId, ask: Callable[[], str | None], until: float) -> Gen:
        server = self.server
        found, place = _one((yield from self._ask_steps(until, lambda _: (ask(), (server.generation, server.log)))))
        if found == "committed" and id.replicated and not self._kept(id, place):
            return Outcome.UNKNOWN
        return Outcome.UNKNOWN if found is None else Outcome(found)

    def _kept(self, id: TransactionId, place: tuple[int, int]) -> bool:
        """A replica has the decision, or had it when it took over, where that is known."""
        outlived = not self.shards.world.xa and id.number in self.server.outlived
        return outlived or self.server.reached(place) or not self.shards.world.decided_first

    def followed_steps(self, gid: str | None, until: float) -> Gen:
        server = self.server

        def ask(_: Backend) -> tuple[bool, tuple[int, int]]:
            return gid is None or gid in server.prepared, (server.generation, server.log)

        there, place = _one((yield from self._ask_steps(until, ask)))
        if not there:
            raise failing.absent(str(gid), server.name)
        return server.reached(place) or not self.shards.world.prepared_first

    def finish_steps(self, gid: str, commit: bool, until: float) -> Gen:
        return _finished((yield from self._ask_steps(until, lambda backend: self.server.finish(gid, commit, backend))))

    def stamped_steps(self, ids: Sequence[UUID], until: float) -> Gen:
        return _one((yield from self._ask_steps(until, lambda _: self.server.stamps & set(ids))))


def _finished(outcome: Any) -> Finished:
    if outcome is NO_SUCH:
        return Finished.ABSENT
    if outcome is BUSY:
        return Finished.BUSY
    _one(outcome)
    return Finished.DONE


def _one(outcome: Any) -> Any:
    if isinstance(outcome, Error):
        raise outcome.with_traceback(None)
    return outcome


def _all(outcomes: Sequence[Any]) -> Sequence[Any]:
    for outcome in outcomes:
        _one(outcome)
    return outcomes
