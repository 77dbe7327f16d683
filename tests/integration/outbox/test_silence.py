"""A relay whose machine falls silent does not keep its claims for hours: the server asks after it."""

from __future__ import annotations

from pathlib import Path

import pytest

import outgrow
from tests.integration.outbox.conftest import TABLES, eventually, relaying
from tests.servers import Servers

#: Whoever holds a claim.
CLIENT = """
SELECT a.client_port FROM pg_stat_activity AS a JOIN pg_locks AS l USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()
"""


def keepalive_seconds(server: int, client: int) -> float | None:
    """When the kernel asks next whether the client is there, of the server's end of a connection."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, near, far, _, _, timer, *_ = line.split()
        ports = int(near.partition(":")[2], 16), int(far.partition(":")[2], 16)
        kind, _, ticks = timer.partition(":")
        if ports == (server, client) and kind == "02":
            return int(ticks, 16) / 100.0
    return None


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the kernel does not tell")
def test_the_server_asks_whether_the_relay_is_there(fleet_servers: Servers) -> None:
    topology = fleet_servers.fresh(TABLES, tcp=True)
    primary = topology.domains[0].shards[0].primary
    ((server,),) = fleet_servers.sql(primary, "SELECT current_setting('port')::int")
    with outgrow.open(topology, install=True) as fleet, relaying(fleet, {"orders": print}) as relay:
        eventually(lambda: len(relay.now.serving) == 2)
        ((client,),) = fleet_servers.sql(primary, CLIENT)
        found: list[float] = []

        def asked() -> bool:
            found.extend(filter(None, [keepalive_seconds(server, client)]))
            return bool(found)

        eventually(asked)
        assert found[0] <= 5.0
    fleet_servers.drop(topology)
