"""Random statements on a sharded MariaDB domain and on one database: none wrong, whatever is refused has a code."""

from __future__ import annotations

from tests import mariadb as there
from tests.differential import mariadb, mariadb_stories


def test_random_statements_mean_the_same(request) -> None:
    there.required()
    count = 3000 if request.config.getoption("--long") else 300
    report = mariadb.compared(count, 20, 3)
    assert report.failures == []
    assert report.wrong == 0
    assert report.right > report.total / 2
    assert all(code.startswith("OG-") for code in report.refused_by_code)


def test_random_writes_leave_the_same_rows(request) -> None:
    there.required()
    count = 4000 if request.config.getoption("--long") else 150
    with mariadb.opened(3) as world:
        report = mariadb_stories.run(world, count, 21)
    assert report.failures == []
    assert report.wrong == 0
    assert report.right > report.total * 0.8
    assert set(report.refused_by_code) <= {"OG-PLAN-049"}
