"""Every protection switched off: the matrix must see it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.crash.faults import KILL, LOSSY, LOST, PAUSE, SLOW
from tests.crash.ground import PostgresGround
from tests.crash.mutants import MUTANTS
from tests.crash.points import (
    DECIDED,
    LATE,
    MAP_CHANGE,
    NONE_COMMITTED,
    PREPARE_RUN,
    PREPARE_SENT,
    RACE,
    UNDECIDED,
    Point,
)
from tests.crash.run import run
from tests.crash.slices import SHARDS, standing
from tests.crash.wire import Kind
from tests.servers import serving


@pytest.fixture(scope="module")
def ground() -> Iterator[PostgresGround]:
    with serving(SHARDS, 1) as servers:
        yield PostgresGround(servers)


#: No point of the protocol: where each shard commits by itself.
ONE_COMMITTED = Point(0, "one shard has committed by itself", Kind.COMMIT, answer=True)

#: Against which faults, and where, each protection stands: with all of them, finding out only takes longer.
AIMED: dict[str, tuple[tuple[str, ...], tuple[Point, ...]]] = {
    "one commit after the other": ((KILL,), (ONE_COMMITTED,)),
    "the decision before the prepares": ((KILL,), (DECIDED, PREPARE_SENT)),
    "no recovery": ((KILL,), (UNDECIDED, PREPARE_RUN)),
    "recovery guesses": ((KILL,), (UNDECIDED, PREPARE_RUN)),
    "recovery presumes": ((PAUSE, SLOW), (UNDECIDED,)),
    "no fence": ((PAUSE, SLOW), (UNDECIDED, RACE)),
    "a lost reply is a no": ((LOST,), (DECIDED,)),
    "recovery looks once": ((KILL,), (LATE,)),
    "presence does not count": ((SLOW,), (PREPARE_RUN, UNDECIDED)),
    "the decision beside the commit": ((KILL,), (UNDECIDED,)),
    "no stamps": ((PAUSE, SLOW), (NONE_COMMITTED, DECIDED)),
    "nothing is pending": ((LOST,), (DECIDED,)),
    "no replica is waited for": ((LOSSY,), (MAP_CHANGE,)),
}


@pytest.mark.long
@pytest.mark.parametrize("mutant", sorted(MUTANTS))
def test_mutant(ground: PostgresGround, mutant: str) -> None:
    kinds, points = AIMED[mutant]
    strategy = "directory" if MAP_CHANGE in points else "hash"
    # (Where primaries die, servers of its own.)
    with standing("asynchronous") if LOSSY in kinds else contextlib.nullcontext(ground) as servers:
        report = run(servers, 60, 1, mutant=mutant, kinds=kinds, points=points, strategy=strategy, stop=True)
    assert report.anomalies > 0, report.to_dict()
