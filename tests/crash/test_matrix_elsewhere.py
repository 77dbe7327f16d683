"""The whole matrix, as `python -m tests.crash --faults 2000`: the half by hash, on MariaDB, and over failovers."""

from __future__ import annotations

import pytest

from tests.crash.points import POINTS
from tests.crash.slices import grounds, run_all, sliced
from tests.crash.unharmed import unharmed


@pytest.mark.long
def test_the_whole_matrix(seed: int) -> None:
    # The other half has a file of its own, so that both can run side by side.
    slices = [
        one for one in sliced(2000, seed, grounds("all")) if (one.ground, one.strategy) != ("postgresql", "directory")
    ]
    report = run_all(slices, None, workers=4)
    unharmed(report)
    assert report.faults >= sum(one.faults for one in slices)
    assert report.points_covered == len(POINTS), report.to_dict()
    assert report.in_doubt_p99_s is not None and report.in_doubt_p99_s <= 5.0, report.to_dict()
    assert report.lost_named > 0, report.to_dict()
