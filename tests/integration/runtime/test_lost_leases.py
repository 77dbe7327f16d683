"""Leases that a crash or a failover could forget: their numbers are not given again."""

from __future__ import annotations

import time

import pytest

import outgrow
from outgrow.nodes import drive
from outgrow.runtime.numbers import ids
from outgrow.schema import SequenceDefinition
from outgrow.topology import TableName
from tests.servers import serving


def test_numbers_of_leases_that_a_failover_forgot_are_not_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without time between them, ids differ by their worker numbers alone.
    moment = time.time_ns()
    monkeypatch.setattr(ids, "wall_ns", lambda: moment)
    with serving(shards=2, replicas=1) as servers:
        topology = servers.fresh()
        home = topology.domains[0].home
        with outgrow.open(topology, install=True) as before:
            with before.session() as session:
                session.execute("CREATE SEQUENCE codes")
            drawn = before.sequence("codes").take(3)
            minted = [before.new_id() for _ in range(3)]
            servers.wait_replayed()
            # The replica is cut off: what comes now is lost with the primary.
            servers.sql(home.replicas[0], "ALTER SYSTEM SET primary_conninfo = ''", database="postgres")
            servers.sql(home.replicas[0], "SELECT pg_reload_conf()", database="postgres")
            until = time.monotonic() + 20
            while servers.sql(home.primary, "SELECT count(*) FROM pg_stat_replication", database="postgres") != [(0,)]:
                assert time.monotonic() < until
                time.sleep(0.02)
            drawn += before.sequence("codes").take(500)
            with outgrow.open(topology) as lost:
                minted += [lost.new_id() for _ in range(3)]
                forgotten = lost.sequence("codes")
                drawn += [forgotten.next()]
                servers.kill(home.primary)
                servers.sql(home.replicas[0], "SELECT pg_promote()", database="postgres")
                with outgrow.open(topology) as after:
                    drawn += after.sequence("codes").take(2000)
                    minted += [after.new_id() for _ in range(3)]
                # These two still hold what they leased, until they meet the new primary.
                drawn += forgotten.take(60)
                minted += [lost.new_id() for _ in range(3)]
                drawn += before.sequence("codes").take(60)
                minted += [before.new_id() for _ in range(3)]
    assert len(set(drawn)) == len(drawn) == 3 + 500 + 1 + 2000 + 120
    assert len(set(minted)) == len(minted) == 15


def test_a_lease_outlives_a_crash_where_commits_are_not_waited_for() -> None:
    with serving(shards=1, replicas=0) as servers:
        topology = servers.fresh()
        home = topology.domains[0].home.primary
        servers.sql(home, "ALTER ROLE app SET synchronous_commit = off", database="postgres")
        drawn = []
        with outgrow.open(topology, install=True) as fleet:
            state = fleet._state(None)
            sequence = SequenceDefinition(TableName("public", "codes"))
            for _ in range(20):
                drawn += drive(state.sequences.take_steps(sequence, 7, None))
            servers.kill(home)
        servers.start()
        with outgrow.open(topology) as fleet:
            drawn += drive(fleet._state(None).sequences.take_steps(sequence, 500, None))
    assert len(set(drawn)) == len(drawn) == 640
