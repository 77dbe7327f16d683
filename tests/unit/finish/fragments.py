"""Feeding a Finisher as runtime does, and an oracle to compare with."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from outgrow.finish import Column, Finisher
from outgrow.plan.spec import Finish

Row = tuple[Any, ...]


class Field(NamedTuple):
    name: str
    type: str
    typmod: int = -1
    oid: int = 0


def fields(*types: str) -> list[Field]:
    return [Field(f"c{number}", type) for number, type in enumerate(types, 1)]


def finish(
    spec: Finish, types: Sequence[str], fragments: Sequence[list[Row]], params: Sequence[Any] = ()
) -> tuple[tuple[Column, ...], list[Row]]:
    """All at once, one fragment after the other."""
    finisher = Finisher(spec, params)
    columns = finisher.begin([fields(*types)] * len(fragments))
    for number, rows in enumerate(fragments):
        finisher.feed(number, rows)
        finisher.end(number)
    return columns, finisher.ready()


def trickle(
    spec: Finish, types: Sequence[str], fragments: Sequence[list[Row]], rng: random.Random, params: Sequence[Any] = ()
) -> list[Row]:
    """In small pieces, only ever feeding what is wanted, in a random order."""
    finisher = Finisher(spec, params)
    finisher.begin([fields(*types)] * len(fragments))
    left = [list(rows) for rows in fragments]
    done: list[Row] = []
    while not finisher.done:
        wanted = finisher.wants()
        if wanted:
            fragment = rng.choice(list(wanted))
            count = rng.randint(1, 3)
            if left[fragment]:
                finisher.feed(fragment, left[fragment][:count])
                left[fragment] = left[fragment][count:]
            else:
                finisher.end(fragment)
        done.extend(finisher.ready())
    done.extend(finisher.ready())
    return done
