"""A process that dies in the middle of a DDL, at any step: the next one finishes it, and no shard runs it twice."""

from __future__ import annotations

from typing import Any

import pytest

import outgrow
from outgrow import Fleet
from outgrow.nodes import waiting
from outgrow.waits import Steps
from tests.integration.definitions.test_ddl import columns, fleet, states
from tests.servers import Servers

__all__ = ["fleet"]


class Died(Exception):
    pass


def run_until(fleet: Fleet, steps: Steps[Any], waits: int) -> None:
    """Drive `steps`; at the wait number `waits` the process dies: its sockets close, and nothing of ours runs on."""
    poller = waiting._Poller()
    wait = steps.send(None)
    for _ in range(waits):
        try:
            wait = steps.send(waiting._block(wait, poller))
        except StopIteration:
            return
    for pool in fleet._nodes._pools.values():
        for link in list(pool._out):
            link.shut_down()
            link.close()
    steps.close()
    raise Died


@pytest.mark.parametrize(
    "share", [pytest.param(share, marks=[pytest.mark.long] if share else []) for share in range(3)]
)
def test_dying_at_any_wait_leaves_it_done_everywhere_or_nowhere(
    fleet_servers: Servers, fleet: Fleet, share: int
) -> None:
    seen = set()
    waits = share
    while True:
        column = f"c{waits}"
        dying = outgrow.open(fleet.topology)
        conversation = dying._conversation(None, "strong", None)
        try:
            run_until(
                dying,
                conversation.execute_steps(f"ALTER TABLE customers ADD COLUMN {column} int", None, None, None),
                waits,
            )
        except Died:
            pass
        else:
            break
        finally:
            dying.close()
        fleet.resume_definitions()
        there = columns(fleet_servers, fleet, "customers")
        assert (column in there["s1"]) == (column in there["s2"]), waits
        assert set(states(fleet_servers, fleet)) == {"done"}
        seen.add(column in there["s1"])
        waits += 3
    assert seen == {True, False}
    assert waits > 15
    assert columns(fleet_servers, fleet, "customers")["s1"] == columns(fleet_servers, fleet, "customers")["s2"]


def test_a_home_that_is_lost_meanwhile_is_met_again(fleet_servers: Servers, fleet: Fleet) -> None:
    """The lock's connection breaks between two shards; the shard that has it is not asked again."""
    with outgrow.open(fleet.topology) as dying:
        conversation = dying._conversation(None, "strong", None)
        steps = conversation.execute_steps("ALTER TABLE customers ADD COLUMN late int", None, None, None)
        poller = waiting._Poller()
        wait = steps.send(None)
        with pytest.raises(outgrow.Error):
            while True:
                if "late" in columns(fleet_servers, fleet, "customers")["s1"]:
                    fleet_servers.sql(
                        fleet.topology.domains[0].home.primary,
                        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'",
                    )
                wait = steps.send(waiting._block(wait, poller))
    (left,) = fleet.unfinished_definitions()
    assert left.state == "running"
    fleet.resume_definitions()
    there = columns(fleet_servers, fleet, "customers")
    assert there["s1"][-1] == there["s2"][-1] == "late"
