"""What a session says to all branches of its transaction, those that open later included: savepoints and settings."""

from __future__ import annotations

from outgrow.runtime.transaction.branches import Transaction
from outgrow.waits import Steps


def savepoint_steps(transaction: Transaction, command: str, name: str, until: float | None) -> Steps[None]:
    """SAVEPOINT, RELEASE or ROLLBACK TO."""
    prologue, engine = transaction.prologue, transaction.state.engine
    back = command == "ROLLBACK TO"
    if not back:
        transaction.check_usable()
    if command != "SAVEPOINT":
        prologue.check(name)
    said = "RELEASE SAVEPOINT" if command == "RELEASE" else command
    try:
        yield from _tell_steps(transaction, f"{said} {engine.quoted(name)}", until)
    except BaseException:
        if not back:
            # Some branches have heard it, some not.  (To go back is the same a second time.)
            prologue.forget(name)
        raise
    if command == "SAVEPOINT":
        prologue.mark(name)
    elif not back:
        prologue.release(name)
    else:
        # On MariaDB a setting is the connection's, and stays.
        prologue.back_to(name, undone=not engine.commits_ddl)
        transaction.failed = None
        for branch in transaction.branches.values():
            # What was set and locked since the savepoint is undone.
            branch.attended = False


def set_steps(transaction: Transaction, sql: str, until: float | None) -> Steps[None]:
    """SET LOCAL, SET TRANSACTION or SET CONSTRAINTS."""
    transaction.check_usable()
    if len(transaction.branches) > 1:
        transaction.check_owner([sql])
    yield from _tell_steps(transaction, sql, until)
    transaction.prologue.set(sql)


def _tell_steps(transaction: Transaction, sql: str, until: float | None) -> Steps[None]:
    """Say it to every branch that is open, one after another."""
    try:
        for shard in list(transaction.branches):
            yield from transaction.ask_steps(shard, [(sql, None)], until)
    except BaseException as error:
        transaction.fail(error)
        raise
