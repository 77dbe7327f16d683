"""The doctor behind PgBouncer: a healthy fleet has no findings, and each way to declare a pooler wrongly has one."""

from __future__ import annotations

from dataclasses import replace

from outgrow import Fleet
from outgrow.runtime.doctor import Finding, examine
from outgrow.topology import Node, Shard, Topology
from tests.pgbouncer import Pooler


def changed(topology: Topology, **changes: object) -> Topology:
    """The same with another first primary."""
    domain = topology.domains[0]
    first = domain.shards[0]
    primary = replace(first.primary, **changes)  # type: ignore[arg-type]
    shards = (Shard(first.name, primary, first.replicas), *domain.shards[1:])
    return replace(topology, domains=(replace(domain, shards=shards),))


def told(topology: Topology) -> list[tuple[str, str, str]]:
    return [(one.severity.value, one.where, one.what) for one in examine(topology) if one.check == "poolers"]


def grave(findings: tuple[Finding, ...] | list[Finding]) -> list[Finding]:
    # The servers of tests write nothing to the disk.
    return [one for one in findings if one.severity != "info" and one.check != "settings"]


def test_a_healthy_fleet(fleet: Fleet, only: Fleet) -> None:
    for one in (fleet, only):
        assert grave(one.doctor()) == []
    assert told(fleet.topology) == []
    assert [(severity, where) for severity, where, _ in told(only.topology)] == [
        ("info", "app/s1/primary"),
        ("info", "app/s2/primary"),
    ]


def test_poolers_that_are_declared_wrongly(fleet: Fleet, pooler: Pooler) -> None:
    assert pooler.topology is not None
    topology = pooler.topology
    first = topology.domains[0].shards[0].primary
    [(severity, where, what)] = told(changed(topology, pooler="", direct=None))
    assert (severity, where) == ("error", "app/s1/primary") and "not declared" in what
    assert first.direct is not None
    other = topology.domains[0].shards[1].primary.direct
    assert isinstance(other, Node)
    wrong = replace(first.direct, dsn=other.dsn)
    [(severity, where, what)] = told(changed(topology, direct=wrong))
    assert (severity, where) == ("error", "app/s1/primary") and "different servers" in what
    [(severity, where, what)] = told(changed(topology, dsn=first.direct.dsn))
    assert (severity, where) == ("info", "app/s1/primary") and "there is none" in what
