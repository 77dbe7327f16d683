"""Rows whose keys stand in a directory: written, and migrated with their key."""

from __future__ import annotations

import pytest

from outgrow import IntegrityError
from tests.integration.keyspace.directory_world import opened, topology_of
from tests.servers import Servers


def test_a_migrated_key_keeps_its_values(fleet_servers: Servers) -> None:
    insert = "INSERT INTO t (id, v) VALUES (%s, %s)"
    with topology_of(fleet_servers) as topology, opened(topology, install=True) as fleet, fleet.session() as session:
        session.execute("CREATE TABLE t (id int8 PRIMARY KEY, v int8 UNIQUE)")
        fleet.unique().build("t", "v")
        for id in range(1, 6):
            session.execute(insert, [id, 10 * id])
        for id in (1, 2):
            fleet.directory().migrate(id, "s2")
        (compared,) = fleet.unique().check()
        assert compared.right and compared.rows == 5
        with pytest.raises(IntegrityError, match="OG-RUN-150"):
            session.execute(insert, [7, 10])
        session.execute("DELETE FROM t WHERE id = 1")
        session.execute(insert, [7, 10])
        session.execute("UPDATE t SET v = v + 1")
        assert [one.right for one in fleet.unique().check()] == [True]
        assert not [finding for finding in fleet.doctor(all_rows=True) if finding.check == "unique in the domain"]
