"""What the kernel needs of the servers: a branch on its own connection, and a shard seen from outside.

`postgresql.py` and `mariadb.py` implement it; the tests have a third, in which everything that can go wrong does.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from outgrow.errors import OperationalError
from outgrow.transactions.model import InDoubt, Outcome, TransactionId
from outgrow.waits import Steps


class Part(enum.Enum):
    """What a branch has done."""

    WROTE = "wrote"
    READ = "read"
    #: It only read, and yet its commit may be refused: SERIALIZABLE.
    CHECKED = "checked"


class Finished(enum.Enum):
    """What became of the wish to finish a prepared branch."""

    DONE = "done"
    #: There is no such branch: somebody else has finished it, or it never was, or the server has lost it.
    ABSENT = "absent"
    #: Somebody else is about to finish it.
    BUSY = "busy"


class Unclear(OperationalError):
    """The answer to the decision was lost: it may stand."""


class Fenced(OperationalError):
    """The decision was refused: another one stands."""


class Absent(OperationalError):
    """The branch that was prepared is not there: somebody has ended it, or its server has lost it."""


class Participant(Protocol):
    """One branch, on the connection that holds it.  Every `until` is of `Means.clock`."""

    @property
    def shard(self) -> str: ...

    @property
    def attended(self) -> bool:
        """Its lock tells the others already that we are there."""

    @property
    def decides(self) -> bool:
        """It cannot be prepared: where several have written, it decides, whether it has written itself or not."""

    def part_steps(self, until: float | None) -> Steps[Part]:
        """Ask the server what the branch has done, unless that is certain."""

    def prepare_steps(self, id: TransactionId, shards: Sequence[str], gid: str, until: float | None) -> Steps[None]:
        """Stamp it, then prepare it.  Raises when it is not prepared, or may not be."""

    def attend_steps(self, id: TransactionId, until: float | None) -> Steps[None]:
        """In the branch that decides: take the lock that tells the others that we are there."""

    def decide_steps(self, id: TransactionId, shards: Sequence[str], until: float | None) -> Steps[None]:
        """Stamp it, write the decision and commit, all or nothing.

        Raises Fenced where another decision stands, Unclear where nobody knows, another Error where it is rolled back.
        """

    def hold_steps(self, id: TransactionId, shards: Sequence[str], gid: str, until: float | None) -> Steps[None]:
        """Stamp it, write the decision and prepare both: whoever commits `gid` commits the transaction.

        Raises Fenced where another decision stands, Unclear where nobody knows, another Error where it is rolled back.
        """

    def commit_steps(self, until: float | None) -> Steps[None]:
        """An ordinary commit, for a branch that commits alone."""

    def finish_steps(self, gid: str, commit: bool, until: float | None) -> Steps[Finished]:
        """COMMIT PREPARED or ROLLBACK PREPARED."""

    def stamped_steps(self, id: TransactionId, until: float | None) -> Steps[bool]:
        """Whether the branch is committed here."""

    def undo_steps(self, gid: str | None, until: float | None) -> Steps[None]:
        """Roll back what is open, or prepared as `gid`.  Raises when that could not be done."""


class Shard(Protocol):
    """One shard as anyone sees it, on a connection that no transaction holds."""

    def in_doubt_steps(self, domain: str, until: float) -> Steps[list[InDoubt]]:
        """The domain's prepared branches there, those that carry a decision among them."""

    def rule_steps(self, id: TransactionId, insist: bool, until: float) -> Steps[Outcome]:
        """What stands; where nothing does, and the coordinator is gone (or we `insist`), abort first.

        UNKNOWN: the coordinator is still there, or (`TransactionId.replicated`) no replica has the decision yet.
        """

    def ruling_steps(self, id: TransactionId, until: float) -> Steps[Outcome]:
        """What stands, without touching it."""

    def followed_steps(self, gid: str | None, until: float) -> Steps[bool]:
        """Whether a replica has all that the shard's primary has now, the branch prepared as `gid` with it.

        True where the shard has no replicas.  Raises Absent where the primary has no such branch.
        """

    def finish_steps(self, gid: str, commit: bool, until: float) -> Steps[Finished]:
        """COMMIT PREPARED or ROLLBACK PREPARED, as the role that prepared it."""

    def stamped_steps(self, ids: Sequence[UUID], until: float) -> Steps[set[UUID]]:
        """Which of these are committed there."""

    def decisions_old_steps(self, after: UUID, before: UUID, until: float) -> Steps[list[tuple[UUID, Sequence[str]]]]:
        """The next commits between these ids, with their shards; at most a thousand."""

    def decisions_forget_steps(self, ids: Sequence[UUID], until: float) -> Steps[None]:
        """These decisions."""

    def aborts_forget_steps(self, before: UUID, until: float) -> Steps[None]:
        """Aborts before this id, at most a thousand."""

    def decisions_standing_steps(self, ids: Sequence[UUID], until: float) -> Steps[set[UUID]]:
        """Which of these decisions are still there."""

    def stamps_old_steps(self, after: UUID, before: UUID, until: float) -> Steps[list[tuple[UUID, str]]]:
        """The next stamps between these ids, with the shard that decided; at most a thousand."""

    def stamps_forget_steps(self, ids: Sequence[UUID], until: float) -> Steps[None]:
        """These stamps."""


class Shards(Protocol):
    """Every shard of one domain."""

    @property
    def domain(self) -> str: ...

    @property
    def names(self) -> Sequence[str]: ...

    def at(self, shard: str) -> Shard:
        """Raises OperationalError for a shard that the fleet does not have."""

    def close(self) -> None:
        """Let go of the connections that were opened for questions."""
