"""What every test may use."""

from __future__ import annotations

import os
import random

import hypothesis
import pytest

from tests import scratch
from tests.behind import Behind
from tests.servers import fleet_servers, fresh_topology

__all__ = ["fleet_servers", "fresh_topology"]

# Every run tries the same examples, so that a failure is a change's; the long run draws new ones, and more.
# No deadline: a shared machine is slow at times.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.register_profile("long", deadline=None, max_examples=300, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests marked long too")
    parser.addoption("--behind", choices=("pgbouncer",), help="put a pooler before every node that tests ask")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: left out of `make test`, part of `make test-long`")
    if config.getoption("--behind"):
        config.pluginmanager.register(Behind())
    scratch.keep_home()


def pytest_unconfigure(config: pytest.Config) -> None:
    # The workers of xdist have their fleets there until they end, before the process that started them.
    if not hasattr(config, "workerinput"):
        scratch.leave_home()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """For tests over random statements: the same in every run, a new one in the long run.  Failures print it."""
    return random.randrange(2**32) if request.config.getoption("--long") else 1
