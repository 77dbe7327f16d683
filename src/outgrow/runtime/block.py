"""`with session.transaction():` as steps: a transaction outside, a savepoint inside one."""

from __future__ import annotations

from outgrow.errors import Error, ProgrammingError
from outgrow.runtime.conversation import Conversation
from outgrow.waits import Steps

_ISOLATIONS = ("", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


class Block:
    """One `with` block."""

    def __init__(self, conversation: Conversation, isolation: str) -> None:
        if isolation.upper() not in _ISOLATIONS:
            raise ProgrammingError(
                "OG-RUN-028", f"there is no isolation level {isolation!r}", cure=f"one of: {', '.join(_ISOLATIONS[1:])}"
            )
        self._conversation = conversation
        self._begin = f"BEGIN ISOLATION LEVEL {isolation.upper()}" if isolation else "BEGIN"
        self._savepoint = ""

    def enter_steps(self) -> Steps[None]:
        transaction = self._conversation.transaction
        if transaction is None:
            self._conversation.begin(self._begin)
            return
        self._savepoint = f"outgrow_{len(transaction.savepoints) + 1}"
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
                conversation.transaction.failed = error
