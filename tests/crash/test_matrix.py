"""The whole matrix, as `python -m tests.crash --faults 2000`, in two processes: most of the time all wait."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from collections.abc import Sequence
from typing import Any

import pytest

from tests.crash.points import POINTS
from tests.crash.report import Report
from tests.crash.slices import Slice, grounds, run_all, sliced
from tests.crash.unharmed import unharmed


def struck(slices: Sequence[Slice]) -> dict[str, Any]:
    return run_all(slices, None, workers=4).saved()


@pytest.mark.long
def test_the_whole_matrix(seed: int) -> None:
    """On PostgreSQL where keys move; and by hash, on MariaDB, and over failovers of both kinds."""
    slices = sliced(2000, seed, grounds("all"))
    moving = [one for one in slices if (one.ground, one.strategy) == ("postgresql", "directory")]
    rest = [one for one in slices if one not in moving]
    report = Report(seed)
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        for half in pool.map(struck, [moving, rest]):
            report.add(Report.read(half))
    unharmed(report)
    assert report.faults >= 2000
    assert report.points_covered == len(POINTS), report.to_dict()
    assert report.in_doubt_p99_s is not None and report.in_doubt_p99_s <= 5.0, report.to_dict()
    assert report.lost_named > 0, report.to_dict()
