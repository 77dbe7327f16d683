"""A short matrix of faults in every test run; poolers and failovers in the long one, with the whole matrix."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import outgrow
from tests import mariadb
from tests.crash import run as running
from tests.crash import worker
from tests.crash.crew import crew
from tests.crash.faults import BOTH, DECIDER, FAILOVER, FAULTS, KILL, LOSSY, cells
from tests.crash.ground import PostgresGround
from tests.crash.journal import Attempt, Journal, Told
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
from tests.crash.run import Run, run, to_ask
from tests.crash.slices import SHARDS, run_all, sliced, standing
from tests.crash.unharmed import unharmed
from tests.crash.verify import Verifier
from tests.crash.watch import Watch
from tests.crash.world import ACCOUNTS, Held, world
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


def test_what_nobody_who_is_there_knows_of_is_finished(ground: PostgresGround, tmp_path: Path) -> None:
    """All coordinators die at once, one of them with all prepared; whoever comes commits on one shard at a time."""
    with world(ground) as place, crew(place, tmp_path, 4, 1) as hands, Watch(place) as watch:
        this = Run(place, hands, watch, 1, tmp_path, cells((KILL,), (UNDECIDED,)))
        assert any(this.injector.kill_all() for _ in range(3))
        assert place.in_doubt()
        this.await_nothing_in_doubt()
        assert not place.in_doubt(), "nobody recovers"
        time.sleep(1.0)
        this.look_over()
        report = this.report
    assert report.anomalies == 0, report.to_dict()
    assert report.sums_conserved and report.answers["committed"] > 20, report.to_dict()


def test_what_is_left_open_is_seen(ground: PostgresGround, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the servers by whoever looks over, in a pool by its own process."""
    monkeypatch.setattr(running, "DOUBT_SECONDS", 2.0)
    monkeypatch.setattr(worker, "HELD_SECONDS", 0.1)
    with world(ground) as place, crew(place, tmp_path, 1, 1) as hands, Watch(place) as watch:
        this = Run(place, hands, watch, 1, tmp_path, cells((KILL,), (UNDECIDED,)))
        with outgrow.open(place.topology) as fleet, fleet.session() as session, session.transaction():
            session.execute("UPDATE accounts SET balance = balance WHERE id = 1")
            this.look_over()
            idle: Any = SimpleNamespace(
                fleet=fleet, orders=SimpleNamespace(name="hand9.0"), journal=Journal(tmp_path / "hand9.0.journal")
            )
            worker.Worker.check_at_rest(idle)
        this.look_over()
    found = list(this.found)
    assert len(found) == 2, found
    assert "left open at rest" in found[0] and "UPDATE accounts" in found[0]
    assert "connections are held" in found[1]


def test_every_outcome_is_asked_once() -> None:
    """Many at once are asked in turns, the unclear ones first: none is taken for asked that was not."""
    told, asked = Told(), set[str]()
    for number in range(10):
        answer = "unknown" if number == 3 else "committed"
        told.attempts[str(number)] = Attempt(str(number), (), answer=answer, transaction=f"id{number}")
    turns = []
    while fresh := to_ask(told, asked, 4):
        asked.update(fresh)
        turns.append(fresh)
    assert turns[0] == ["id3", "id9", "id8", "id7"]
    assert sorted(id for turn in turns for id in turn) == [f"id{number}" for number in range(10)]


def test_a_failover_excuses_only_what_was_under_way() -> None:
    """Replicas got nothing from 100 to 110: what was answered before is not theirs to lose."""
    parts = ((1, -5), (2, 5))
    attempts = [
        Attempt("before", parts, "committed", began=50.0, ended=51.0),
        Attempt("meanwhile", parts, "committed", began=101.0, ended=102.0),
        Attempt("unanswered", parts, began=70.0),
        Attempt("unclear", parts, "unknown", began=70.0, ended=71.0),
        Attempt("behind", parts, "committed", began=111.0, ended=112.0),
        Attempt("moved", ((1, -5), (ACCOUNTS, 5)), "committed", began=50.0, ended=51.0),
    ]
    told = Told({one.name: one for one in attempts})
    verifier = Verifier(lossy=True, lags=[(100.0, 110.0)])
    held = Held({1: 0, ACCOUNTS: 0}, {one.name: {1: -5} for one in attempts}, frozenset())
    found = [text.split()[0] for text in verifier.anomalies(told, held) if "half done" in text]
    assert found == ["before", "behind", "moved"]
    assert set(verifier.lost) == {"meanwhile", "unanswered", "unclear"}


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
