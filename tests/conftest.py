"""What every test may use."""

from __future__ import annotations

import pytest

from tests.servers import fleet_servers, fresh_topology

__all__ = ["fleet_servers", "fresh_topology"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: left out of `make test`, part of `make test-long`")
