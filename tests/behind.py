"""`pytest --behind pgbouncer`: every fleet that a test opens in its own process has PgBouncer before its nodes.

For suites that know nothing of poolers.  What they do to servers they do past it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

import outgrow
from outgrow import topology as topologies
from outgrow.topology import Topology
from tests import pgbouncer

_opened = outgrow.open


class Behind:
    """A plugin, registered when it is asked for."""

    def __init__(self) -> None:
        self._until = contextlib.ExitStack()
        self._pooler: pgbouncer.Pooler | None = None

    @pytest.hookimpl
    def pytest_sessionstart(self) -> None:
        self._pooler = self._until.enter_context(pgbouncer.running({}, pool_size=4, wait_seconds=5))
        outgrow.open = self._open

    @pytest.hookimpl
    def pytest_sessionfinish(self) -> None:
        outgrow.open = _opened
        self._until.close()

    def _open(self, source: str | Path | Topology | None = None, *args: Any, **more: Any) -> outgrow.Fleet:
        if isinstance(source, (str, Path)):
            source = topologies.read(source)
        if isinstance(source, Topology) and all(domain.engine == "postgresql" for domain in source.domains):
            assert self._pooler is not None
            source = self._pooler.standing_before(source)
        return _opened(source, *args, **more)
