"""One seed: a transaction that somebody else decides, those who decide it, recoverers and troubles, then calm."""

from __future__ import annotations

from outgrow.errors import Error
from outgrow.transactions import Ending, Handover, Part, Xid
from outgrow.waits import Until
from tests.unit.transactions.history import Wrong
from tests.unit.transactions.ports import Branch, Shards
from tests.unit.transactions.servers import Backend
from tests.unit.transactions.world import Gen, Process, World, begun, recoverer_steps

XID = Xid(7, "order 42", "stock")
#: The same call may be made again; whether it is prepared, or has ended, nobody knows.
AGAIN, UNKNOWN = ("OG-TX-021", "OG-TX-023", "OG-TX-025"), "OG-TX-026"


class ForeignWorld(World):
    handover_class: type[Handover] = Handover
    ending_class: type[Ending] = Ending

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        # Nobody else decides a transaction of MariaDB.
        self.xa = False
        # What a failover loses of it stays lost.
        self.lossy = False


class History:
    """Raises Wrong; the same seed tells the same story."""

    def __init__(self, seed: int, kind: type[ForeignWorld] = ForeignWorld) -> None:
        self.world = world = kind(seed)
        branches, backends, name = begun(world, 1, 1)
        self.writers: list[Branch] = [branch for branch in branches if branch.part is Part.WROTE]
        self.handover = world.handover_class(branches, Shards(world, backends), world.means, name, xid=XID)
        self.preparer = Process(world, self.handover.run_steps(), backends, commit=self.handover)
        self.deciders = [self._decider(world.chance() < 0.6) for _ in range(world.random.choice((0, 1, 1, 2)))]
        self.recoverers = [self._recoverer() for _ in range(world.random.choice((1, 2)))]

    def play(self) -> str:
        """How it ended."""
        world = self.world
        world.processes = [self.preparer, *self.deciders, *self.recoverers]
        for process in world.processes:
            process.start()
        world.run(lambda: False, 150)
        world.heal()
        self._refresh()
        if not world.run(self._at_rest, 6000):
            raise Wrong("it does not come to rest: " + str([list(s.prepared) for s in world.servers.values()]))
        waiting = self._waiting()
        self._check(waiting)
        if not waiting:
            return self._shown("whole")
        if self.handover.id is not None and self.handover.id.number in world.rulings:
            raise Wrong("decided, and it still waits")
        # Whoever asks now has his way.
        last = self._decider(world.chance() < 0.5)
        self.deciders.append(last)
        world.processes.append(last)
        last.start()
        if not world.run(lambda: last.answer is not None and self._at_rest(), 6000):
            raise Wrong("it cannot be ended")
        if last.answer not in ("commit", "rollback"):
            raise Wrong(f"it waited, and is ended by {last.answer!r}")
        self._check(False)
        return f"waited, then {self._shown('whole')}"

    def _check(self, waiting: bool) -> None:
        shown = self._shown("waiting" if waiting else "whole")
        said = {process.answer for process in self.deciders if isinstance(process.answer, str)}
        if {"commit", "rollback"} <= said:
            raise Wrong("both have had their way")
        if "commit" in said and shown != "committed":
            raise Wrong(f"answered committed, and it is {shown}")
        if "rollback" in said and shown != "rolled back":
            raise Wrong(f"answered rolled back, and it is {shown}")
        answer = self.preparer.answer
        decided = [process for process in self.deciders if process.answer != "nothing yet"]
        if answer == "committed" and self.writers and not decided and not waiting:
            raise Wrong("it was prepared, nobody has decided, and it waits no more")
        if isinstance(answer, Error) and answer.code != UNKNOWN and (waiting or shown != "rolled back"):
            raise Wrong(f"not prepared ({answer.code}), and it is {shown}")

    def _shown(self, what: str) -> str:
        """`committed`, `rolled back`; or that all its branches wait."""
        id = self.handover.id
        shown = [id is not None and id.number in branch.server.rows for branch in self.writers]
        if any(shown) and not all(shown):
            raise Wrong(f"half done: {shown}")
        if what == "waiting":
            held = [list(branch.server.prepared) for branch in self.writers]
            if any(shown) or not all(held):
                raise Wrong(f"it waits with a part of it only: {shown}, {held}")
            return what
        if any(branch.server.prepared for branch in self.writers):
            raise Wrong("something is left prepared")
        return "committed" if shown and all(shown) else "rolled back"

    def _waiting(self) -> bool:
        return any(gid.startswith("outgrow-xid/") for s in self.world.servers.values() for gid in s.prepared)

    def _at_rest(self) -> bool:
        servers = self.world.servers.values()
        busy = [p for p in [self.preparer, *self.deciders] if p.wait is not None]
        over = not busy and not any(b.orphan for s in servers for b in s.backends)
        return over and (self._waiting() or not any(s.prepared for s in servers))

    def _refresh(self) -> None:
        """The killed recoverers are replaced; deciders give up looking for what does not come."""
        self.patient = False
        for index, process in enumerate(self.world.processes):
            if process in self.recoverers and process.wait is None:
                self.world.processes[index] = fresh = self._recoverer()
                fresh.start()

    patient = True

    def _decider(self, commit: bool) -> Process:
        backends: list[Backend] = []
        return Process(self.world, self._deciding_steps(backends, commit), backends)

    def _deciding_steps(self, backends: list[Backend], commit: bool) -> Gen:
        """Look for it until it is there, and end it; or give up."""
        world, found = self.world, False
        while True:
            yield Until(world.now + 2.0 * world.chance())
            ending = world.ending_class(Shards(world, backends), world.means, XID)
            try:
                yield from ending.run_steps(commit)
                return "commit" if commit else "rollback"
            except Error as error:
                found |= ending.id is not None
                if error.code not in AGAIN:
                    return error.code
                if error.code == "OG-TX-021" and not self.patient:
                    return "gone" if found else "nothing yet"

    def _recoverer(self) -> Process:
        shards = Shards(self.world, [])
        return Process(self.world, recoverer_steps(self.world, shards), shards.backends)
