"""Partial results: what a read over several shards answers when some of them do not, and it was asked to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from outgrow.errors import Error, NodeLost
from outgrow.nodes import TIME_LIMIT, together
from outgrow.waits import Steps

T = TypeVar("T")


def together_steps(shards: Sequence[str], many: Sequence[Steps[T]]) -> Steps[tuple[list[T], tuple[str, ...]]]:
    """The answers of the shards that are there, and the names of the others.

    Only a shard out of reach, or silent until the time limit, may be missing: every other error is raised, and so is
    the first of these where no shard answers.
    """
    found = yield from together([_or_lost_steps(steps) for steps in many])
    answers = [one for one in found if not isinstance(one, Error)]
    missing = tuple(shard for shard, one in zip(shards, found, strict=True) if isinstance(one, Error))
    if not answers:
        raise next(one for one in found if isinstance(one, Error))
    return answers, missing


def _or_lost_steps(steps: Steps[T]) -> Steps[T | Error]:
    try:
        return (yield from steps)
    except NodeLost as error:
        return error
    except Error as error:
        if error.code != TIME_LIMIT:
            raise
        return error
