"""The plan of a statement's text: from the cache, or made of the picture that this process has, or of a new one.

In a transaction a new picture is waited for only a moment: the catalogue may wait for what the transaction itself has
locked (TRUNCATE, LOCK TABLE), and would wait for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow.clock import monotonic
from outgrow.errors import ConfigurationError, Error, NodeLost, ProgrammingError
from outgrow.nodes import TIME_LIMIT
from outgrow.runtime.definitions.defined import unseen
from outgrow.runtime.domain import LOOK_SECONDS
from outgrow.runtime.prepared import Prepared
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation


def prepared_steps(conversation: Conversation, sql: str, parameters: bool, until: float | None) -> Steps[Prepared]:
    state, transaction = conversation.state, conversation.transaction
    if transaction is None and monotonic() > state.epochs_due:
        yield from state.read_epochs_steps()
    found = state.picture.plans.find((sql, parameters))
    if state.stale and (transaction is None or transaction.looks):
        try:
            yield from state.refresh_steps(_patience(conversation, until))
        except Error as error:
            _keep_picture(conversation, error)
            # A shard out of reach must not stop what the others can answer with the plans of before.
            if found is None and isinstance(error, NodeLost):
                raise
        else:
            found = state.picture.plans.find((sql, parameters))
    if found is not None:
        return found
    try:
        return state.prepare(sql, parameters)
    except (ProgrammingError, ConfigurationError) as error:
        # It may name what another process has just created or mended: look again, where the schema has changed.
        if not (yield from _changed_steps(conversation, until, error)):
            if transaction is not None and transaction.definitions:
                raise unseen("what the statement names may have been changed") from error
            raise
        return state.prepare(sql, parameters)


def _changed_steps(
    conversation: Conversation, until: float | None, error: ProgrammingError | ConfigurationError
) -> Steps[bool]:
    if conversation.transaction is not None and not conversation.transaction.looks:
        return False
    try:
        return (yield from conversation.state.changed_steps(_patience(conversation, until), error))
    except NodeLost:
        raise
    except Error as late:
        _keep_picture(conversation, late)
        return False


def _patience(conversation: Conversation, until: float | None) -> float | None:
    if conversation.transaction is None:
        return until
    limit = monotonic() + LOOK_SECONDS
    return limit if until is None else min(until, limit)


def _keep_picture(conversation: Conversation, error: Error) -> None:
    """Go on with the one there is, in a transaction that holds up those who look; raises in any other case."""
    if isinstance(error, NodeLost):
        return
    if conversation.transaction is None or error.code != TIME_LIMIT:
        raise error
    conversation.transaction.looks = False
