"""Shards whose answers are of different types: somebody has changed a table on one of them, past outgrow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from outgrow.errors import Error
from outgrow.finish import DISAGREEMENT
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState
    from outgrow.runtime.prepared import Prepared

T = TypeVar("T")
#: What a shard says whose tables are not as the statement was bound: a column, table, operator or cast is missing.
_UNKNOWN_THERE = frozenset(("42703", "42P01", "42883", "42804", "42846"))


def explained_steps(state: DomainState, prepared: Prepared, steps: Steps[T], until: float | None) -> Steps[T]:
    """What `steps` give; an error that comes of shards with other tables says which shard has which table otherwise.

    The picture is taken anew for that, so that the next statement is refused before anything is asked.
    """
    try:
        return (yield from steps)
    except Error as error:
        if error.code != DISAGREEMENT and error.sqlstate not in _UNKNOWN_THERE:
            raise
        told = yield from _told_steps(state, prepared, error, until)
        if told is error:
            raise
        raise told from error


def _told_steps(state: DomainState, prepared: Prepared, error: Error, until: float | None) -> Steps[Error]:
    if not (yield from state.look_steps(until)):
        return error
    statement = prepared.plan.statement
    views = [view.name for view in prepared.plan.views]
    found: Sequence[Error | None] = [
        state.picture.disagreements.get(table) for table in (*statement.reads, *statement.writes, *views)
    ]
    return next((one for one in found if one is not None), error)
