"""A transaction after which only a rollback helps, or one to a savepoint: what it says, and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from outgrow.errors import Error, InterfaceError, OperationalError
from outgrow.runtime.directories.outdated import Outdated

if TYPE_CHECKING:
    from outgrow.runtime.transaction.branches import Transaction


@contextmanager
def whole(transaction: Transaction) -> Iterator[None]:
    """A statement of several pieces: once one of them may have written, it is done to its end or has failed.

    Whatever stops it between two pieces, the branches have no part in: their servers would commit what they have.
    (Who goes on with Outdated behind pieces that wrote says so itself.)
    """
    before = transaction.written
    try:
        yield
    except Outdated:
        raise
    except BaseException as error:
        if transaction.written > before:
            transaction.fail(error)
        raise


def reason(error: BaseException) -> Error:
    """Why a transaction has failed that met this."""
    if isinstance(error, Error):
        return error
    given_up = OperationalError(
        "OG-RUN-024",
        "a statement of the transaction was interrupted",
        cure="roll the transaction back, or to a savepoint from before the statement",
    )
    given_up.__cause__ = error
    return given_up


def ignored(failed: Error) -> OperationalError:
    """What statements of a failed transaction are told."""
    error = OperationalError(
        "OG-RUN-023",
        "the transaction has failed; statements are ignored until it ends",
        cure="ROLLBACK, or ROLLBACK TO a savepoint set before the failure",
        sqlstate="25P02",
    )
    error.__cause__ = failed
    return error


def not_committed(failed: Error) -> OperationalError:
    """What its COMMIT is told."""
    error = OperationalError(
        "OG-RUN-020",
        f"the transaction was rolled back, not committed: it had failed with {failed.code}",
        cure="catch the error inside the transaction with a savepoint, or run the transaction again",
        sqlstate="25P02",
    )
    error.__cause__ = failed
    return error


def ended() -> InterfaceError:
    """What a statement is told that was on its way when its transaction was ended."""
    return InterfaceError(
        "OG-RUN-009",
        "the transaction has ended while a statement of it began: two threads or tasks are using one session",
        cure="give each its own session, or await all statements of a block before its end",
    )
