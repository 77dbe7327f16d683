"""A short matrix of faults in every test run; poolers and failovers in the long one, with the whole matrix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mariadb
from tests.crash.faults import BOTH, DECIDER, FAILOVER, FAULTS, KILL, LOSSY
from tests.crash.ground import PostgresGround
from tests.crash.points import (
    COMMIT_RUN,
    DECIDED,
    LATE,
    POINTS,
    PREPARE_RUN,
    SOME_COMMITTED,
    UNDECIDED,
)
from tests.crash.report import Report
from tests.crash.run import run
from tests.crash.slices import SHARDS, run_all, sliced, standing
from tests.crash.unharmed import unharmed
from tests.servers import serving


@pytest.fixture(scope="module")
def ground() -> Iterator[PostgresGround]:
    """Three shards: only what three have prepared can be prepared in part."""
    with serving(SHARDS, 1) as servers:
        yield PostgresGround(servers)


def test_nothing_is_half_done(ground: PostgresGround) -> None:
    """Every point once, by whatever fault."""
    report = run(ground, len(POINTS), 1, strategy="directory", wanted=len(POINTS))
    unharmed(report)
    assert report.points_covered == len(POINTS), report.to_dict()


def test_nothing_is_half_done_on_mariadb() -> None:
    mariadb.required()
    with standing("mariadb") as ground:
        unharmed(run(ground, 6, 1, points=(PREPARE_RUN, UNDECIDED, DECIDED, SOME_COMMITTED, COMMIT_RUN, LATE)))


@pytest.mark.long
def test_nothing_is_half_done_behind_a_pooler(ground: PostgresGround, seed: int) -> None:
    """The pooler's connections live on when a coordinator dies; what was open on them must not."""
    report = run(ground, 48, seed, behind="pgbouncer")
    unharmed(report)
    assert report.points_covered >= 10, report.to_dict()


@pytest.mark.long
def test_a_synchronous_failover_loses_nothing(seed: int) -> None:
    with standing("synchronous") as ground:
        unharmed(run(ground, 10, seed, kinds=(FAILOVER,)))


@pytest.mark.long
def test_what_a_lossy_failover_loses_is_named(seed: int) -> None:
    """Told apart from "already done": what is half there is named by OG-TX-006, or by the doctor."""
    with standing("asynchronous") as ground:
        report = run(ground, 10, seed, kinds=(LOSSY,))
    assert report.anomalies == 0, report.to_dict()
    assert report.lost_by_failover > 0 and report.lost_named > 0, report.to_dict()


def test_a_few_faults_are_one_slice_and_many_are_spread() -> None:
    assert [one.ground for one in sliced(40, 1, ["postgresql", "mariadb"])] == ["postgresql"]
    many = sliced(2000, 1, ["postgresql", "mariadb", "synchronous", "asynchronous"])
    assert sum(one.faults for one in many) == 2000
    assert {one.ground for one in many} == {"postgresql", "mariadb", "synchronous", "asynchronous"}
    assert len({one.seed for one in many}) == len(many)


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Slices that the file has are not run again: here all, so that no server is started."""
    slices, kept = sliced(200, 1, ["postgresql", "mariadb"]), tmp_path / "kept"
    for one in slices:
        report = Report(one.seed)
        for _ in range(one.faults):
            report.strike(str(DECIDED), KILL)
        with kept.open("a") as file:
            file.write(json.dumps({"slice": one.number, **report.saved()}) + "\n")
    assert run_all(slices, kept, workers=4).faults == 200


def test_reports_add_up() -> None:
    one, other = Report(1), Report(2)
    for report in (one, other):
        report.strike(str(DECIDED), KILL)
        report.strike(str(LATE), DECIDER if report is one else BOTH)
        report.doubts = [0.5, 2.5]
    one.add(Report.read(other.saved()))
    told = one.to_dict()
    assert (told["faults"], told["points_covered"], told["in_doubt_p99_s"]) == (4, 2, 2.5)
    assert told["matrix"][f"{DECIDED} × {KILL}"] == 2
    assert any(line.endswith(str(DECIDED)) and line.split()[0] == "2" for line in one.table())
    assert set(FAULTS) >= set(told["by_fault"])
