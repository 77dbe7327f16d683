"""New ids on real servers: worker numbers leased, kept, given back, and never two holders at once."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import outgrow
from outgrow import Fleet
from outgrow.runtime.numbers import ids
from outgrow.topology import Topology
from tests.servers import Servers, serving


@pytest.fixture
def topology(fresh_topology: Topology) -> Topology:
    outgrow.open(fresh_topology, install=True).close()
    return fresh_topology


def test_new_ids_of_processes_threads_and_children_are_all_different(
    topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without time between them, ids differ by their worker numbers alone.
    moment = time.time_ns()
    monkeypatch.setattr(ids, "wall_ns", lambda: moment)

    def mint(fleet: Fleet) -> list[int]:
        return [fleet.new_id() for _ in range(2000)]

    with outgrow.open(topology) as one, outgrow.open(topology) as other, ThreadPoolExecutor(4) as pool:
        each = list(pool.map(mint, [one, other, one, other]))
        first = one.new_id()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                with os.fdopen(writing, "w") as tell:
                    tell.write(" ".join(map(str, mint(one))))
                status = 0
            finally:
                os._exit(status)
        os.close(writing)
        each.append([first, *mint(one)])
        with os.fdopen(reading) as told:
            each.append([int(number) for number in told.read().split()])
        assert os.waitpid(pid, 0)[1] == 0
    minted = [number for found in each for number in found]
    assert len(set(minted)) == len(minted) == 6 * 2000 + 1
    assert all(found == sorted(found) for found in each)
    assert all(0 < number < 2**63 for number in minted)


def test_a_worker_number_is_kept_given_back_and_taken_again(
    topology: Topology, fleet_servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held() -> list[tuple]:
        now = moment // 10**6 - ids.EPOCH_MS
        return fleet_servers.sql(home, "SELECT number, until_ms FROM outgrow.workers WHERE until_ms > %s", [now])

    home = topology.domains[0].home.primary
    moment = time.time_ns()
    monkeypatch.setattr(ids, "wall_ns", lambda: moment)
    with outgrow.open(topology) as fleet:
        first = fleet.new_id()
        [(number, until)] = held()
        assert first >> 10 & 0xFFF == number
        assert until == (moment // 10**6 - ids.EPOCH_MS) + 600_000
        moment += 301 * 10**9
        second = fleet.new_id()
        deadline = time.monotonic() + 10
        while held()[0][1] < until + 301_000:
            assert time.monotonic() < deadline, "the lease was not renewed"
            time.sleep(0.01)
        assert [row[0] for row in held()] == [number]
        # Asleep for longer than the lease: the number, the only one, is somebody else's by now.
        moment += 3600 * 10**9
        fleet_servers.sql(home, "DELETE FROM outgrow.workers WHERE number <> %s", [number])
        with outgrow.open(topology) as other:
            taken = other.new_id()
            assert taken >> 10 & 0xFFF == number
            third = fleet.new_id()
            assert third >> 10 & 0xFFF != number
        assert first < second < third
    assert held() == []


def test_new_ids_outlive_a_home_that_is_gone_until_the_lease_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(shards=1, replicas=0) as servers:
        topology = servers.fresh()
        moment = time.time_ns()
        monkeypatch.setattr(ids, "wall_ns", lambda: moment)
        with outgrow.open(topology, install=True) as fleet:
            first = fleet.new_id()
            servers.kill(topology.domains[0].home.primary)
            moment += 599 * 10**9
            started = time.monotonic()
            second = fleet.new_id()
            assert time.monotonic() - started < 1
            assert second > first
            moment += 2 * 10**9
            with pytest.raises(outgrow.Error):
                fleet.new_id()
