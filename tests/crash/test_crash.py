"""A short run of faults in every test run; longer ones, and every protection switched off, in the long run."""

from __future__ import annotations

import pytest

from tests.crash.faults import CUT, KILL, LATE, LOST, PAUSE, SLOW
from tests.crash.mutants import MUTANTS
from tests.crash.run import DOUBT_SECONDS, Report, run
from tests.servers import Servers


def unharmed(report: Report) -> None:
    assert report.anomalies == 0, report.to_dict()
    assert report.sums_conserved
    assert report.oldest_prepared_s <= DOUBT_SECONDS
    # It must have been at work between the faults, or it has shown nothing.
    assert report.answers["committed"] > 3 * report.faults, report.to_dict()


def test_nothing_is_half_done(fleet_servers: Servers) -> None:
    report = run(fleet_servers, 6, 1, workers=3)
    assert report.faults == 6
    unharmed(report)


@pytest.mark.long
def test_nothing_is_half_done_in_the_long_run(fleet_servers: Servers, seed: int) -> None:
    report = run(fleet_servers, 60, seed, points=6)
    unharmed(report)
    assert sum(count > 0 for count in report.points_covered.values()) >= 6, report.points_covered


@pytest.mark.long
def test_nothing_is_half_done_behind_a_pooler(fleet_servers: Servers, seed: int) -> None:
    """The pooler's connections live on when a coordinator dies; what was open on them must not."""
    report = run(fleet_servers, 40, seed, behind="pgbouncer", points=5)
    unharmed(report)
    assert sum(count > 0 for count in report.points_covered.values()) >= 5, report.points_covered


#: Against which faults each protection stands: with all of them, finding out only takes longer.
AIMED = {
    "one commit after the other": (KILL, CUT),
    "the decision before the prepares": (KILL, CUT),
    "no recovery": (KILL, LATE),
    "recovery guesses": (KILL, LATE),
    "recovery presumes": (PAUSE, SLOW),
    "no fence": (PAUSE, SLOW),
    "a lost reply is a no": (LOST,),
}


@pytest.mark.long
@pytest.mark.parametrize("mutant", sorted(MUTANTS))
def test_mutant(fleet_servers: Servers, mutant: str) -> None:
    report = run(fleet_servers, 80, 1, mutant=mutant, weights=dict.fromkeys(AIMED[mutant], 1), stop=True)
    assert report.anomalies > 0, report.to_dict()
