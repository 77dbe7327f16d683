"""`with session.transaction():` as steps: a transaction outside, a savepoint inside one."""

from __future__ import annotations

from outgrow.errors import Error, ProgrammingError
from outgrow.runtime.conversation import Conversation
from outgrow.waits import Steps

_ISOLATIONS = ("", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


class Block:
    """One `with` block."""

    def __init__(self, conversation: Conversation, isolation: str, read_only: bool = False) -> None:
        if isolation.upper() not in _ISOLATIONS:
            raise ProgrammingError(
                "OG-RUN-028", f"there is no isolation level {isolation!r}", cure=f"one of: {', '.join(_ISOLATIONS[1:])}"
            )
        self._conversation = conversation
        if read_only and conversation.atomic_reads:
            # One moment for all that it reads.
            isolation = isolation or "REPEATABLE READ"
        self._begin = f"BEGIN ISOLATION LEVEL {isolation.upper()}" if isolation else "BEGIN"
        self._begin += " READ ONLY" if read_only else ""
        self._savepoint = ""

    def enter_steps(self) -> Steps[None]:
        transaction = self._conversation.transaction
        if transaction is None:
            self._conversation.begin(self._begin)
            return
        self._savepoint = f"outgrow_{len(transaction.prologue.savepoints) + 1}"
        yield from self._conversation.savepoint_steps("SAVEPOINT", self._savepoint)

    def leave_steps(self, well: bool) -> Steps[None]:
        """`well`: the block ended without an exception."""
        conversation = self._conversation
        if not self._savepoint:
            if well:
                yield from conversation.commit_steps()
            else:
                yield from conversation.rollback_steps()
            return
        if conversation.transaction is None:
            return
        if well:
            yield from conversation.savepoint_steps("RELEASE", self._savepoint)
            return
        try:
            yield from conversation.savepoint_steps("ROLLBACK TO", self._savepoint)
            yield from conversation.savepoint_steps("RELEASE", self._savepoint)
        except Error as error:
            # The exception that ended the block matters more; the outer block meets this one at its end.
            if conversation.transaction is not None:
                conversation.transaction.fail(error)
