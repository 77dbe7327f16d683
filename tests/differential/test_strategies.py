"""The other strategies against one PostgreSQL in every run: fewer statements, the same judge."""

from __future__ import annotations

import pytest

from tests.differential.corpus import OWN, corpus
from tests.differential.run import random_cases, run
from tests.differential.sides import opened
from tests.differential.stories.both import opened as opened_both
from tests.differential.stories.run import run as play
from tests.differential.test_differential import told
from tests.servers import Servers

STATEMENTS, WRITES, SEED = 400, 150, 20261128


@pytest.mark.parametrize("strategy", ["range", "directory"])
def test_statements(fleet_servers: Servers, strategy: str) -> None:
    cases = [] if strategy == "directory" else [*corpus(), *corpus(OWN)]
    with opened(servers=fleet_servers, strategy=strategy) as sides:
        report = run(sides, [*cases, *random_cases(STATEMENTS, SEED)], SEED)
    assert report.wrong == 0, told(report)
    assert report.right >= report.total * 0.6, report.refused_by_code


@pytest.mark.parametrize("strategy", ["ring", "range", "directory"])
def test_writes(fleet_servers: Servers, strategy: str) -> None:
    with opened_both(servers=fleet_servers, strategy=strategy) as both:
        report = play(both, WRITES, SEED)
    assert report.wrong == 0, told(report)
    assert report.right >= report.total * 0.8, report.refused_by_code
