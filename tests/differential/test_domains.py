"""The tables spread over several domains, against one PostgreSQL in every run."""

from __future__ import annotations

import pytest

from tests.differential.corpus import corpus
from tests.differential.domains import opened
from tests.differential.joined import joins
from tests.differential.run import random_cases, run
from tests.differential.test_differential import told
from tests.servers import Servers

STATEMENTS, SEED = 400, 20261130


@pytest.mark.parametrize("domains", [2, 3])
def test_statements(fleet_servers: Servers, domains: int) -> None:
    with opened(domains, servers=fleet_servers, strategy="range" if domains == 3 else "hash") as sides:
        report = run(sides, [*corpus(), *random_cases(STATEMENTS, SEED), *joins(STATEMENTS, SEED)], SEED)
    assert report.wrong == 0, told(report)
    assert report.right >= report.total * 0.6, report.refused_by_code
