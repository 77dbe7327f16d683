"""Servers that are set up too small or gone, and prepared transactions that nobody ends."""

from __future__ import annotations

import pytest

from outgrow import Fleet
from outgrow.runtime import doctor
from tests.integration.definitions.test_ddl import connect, fleet
from tests.servers import Servers

__all__ = ["fleet"]


def test_a_prepared_transaction_that_nobody_ends(
    fleet_servers: Servers, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [finding for finding in fleet.doctor() if finding.severity != "info"] == []
    with connect(fleet_servers, fleet, "s2") as other:
        other.execute("INSERT INTO customers VALUES (1, 'a', 'x')")
        other.execute("PREPARE TRANSACTION 'mine'")
        other.autocommit = True
        try:
            assert [finding.check for finding in fleet.doctor() if finding.severity != "info"] == []
            monkeypatch.setattr(doctor, "_IN_DOUBT_SECONDS", 0.0)
            (found,) = [finding for finding in fleet.doctor() if finding.severity != "info"]
            assert (found.check, found.where) == ("in doubt", "app/s2/primary")
            assert "'mine'" in found.what
            assert "ROLLBACK PREPARED" in found.cure
        finally:
            other.execute("ROLLBACK PREPARED 'mine'")
