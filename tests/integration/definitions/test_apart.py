"""Partial and expression indexes that one shard has and another has not, or calls otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import outgrow
from outgrow import DatabaseError, Fleet, NotSupportedError
from outgrow.runtime import domain
from outgrow.waits import Steps
from tests.integration.definitions.test_ddl import TABLES
from tests.servers import Servers

ON_CONFLICT = "INSERT INTO customers (customer_id, email) VALUES (1, 'a') ON CONFLICT DO NOTHING"


@pytest.fixture
def fleet(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh(TABLES)
    try:
        with outgrow.open(topology, install=True) as opened, opened.session() as session:
            session.execute("CREATE TABLE customers (customer_id int8 PRIMARY KEY, name text, email text)")
            yield opened
    finally:
        fleet_servers.drop(topology)


def read_and_write(fleet: Fleet) -> None:
    with outgrow.open(fleet.topology) as other, other.session() as session:
        session.execute("SELECT count(*) FROM customers")
        session.execute("INSERT INTO customers (customer_id, email) VALUES (2, 'b'), (3, 'c')")
        session.execute("DELETE FROM customers")


def test_by_another_name(fleet: Fleet, fleet_servers: Servers) -> None:
    """As servers name them by themselves, where one had an index before that the other had not."""
    one, other = (shard.primary for shard in fleet.topology.domains[0].shards)
    fleet_servers.sql(one, "CREATE UNIQUE INDEX customers_lower_idx ON customers (lower(email))")
    fleet_servers.sql(other, "CREATE UNIQUE INDEX customers_lower_idx1 ON customers (lower(email))")
    read_and_write(fleet)


@pytest.mark.parametrize("at", [0, 1])
def test_where_only_one_shard_has_it(fleet: Fleet, fleet_servers: Servers, at: int) -> None:
    """The table can be read and written; but what ON CONFLICT without a target may meet there counts everywhere."""
    primary = fleet.topology.domains[0].shards[at].primary
    with fleet.session() as session:
        session.execute(ON_CONFLICT)
    fleet_servers.sql(primary, "CREATE UNIQUE INDEX one_open ON customers (email) WHERE name IS NULL")
    read_and_write(fleet)
    with outgrow.open(fleet.topology) as later, later.session() as session:
        with pytest.raises(NotSupportedError, match=r"OG-PLAN-050.*one_open"):
            session.execute(ON_CONFLICT)
        (found,) = later.compare_schema().differences
        assert "one_open" in str(found)


def test_an_error_of_the_users_own_costs_a_new_picture_only_now_and_then(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether shards differ is asked when a shard knows no such column or operator; mostly they do not."""
    looked = []
    real = domain.DomainState.look_steps

    def noted_steps(self: domain.DomainState, until: float | None) -> Steps[bool]:
        looked.append((yield from real(self, until)))
        return looked[-1]

    monkeypatch.setattr(domain.DomainState, "look_steps", noted_steps)
    monkeypatch.setattr(domain, "_DISAGREEMENT_SECONDS", 60.0)
    with fleet.session() as session:
        for _ in range(3):
            with pytest.raises(DatabaseError) as caught:
                session.execute("SELECT count(*) FROM customers WHERE name + 1 = 2")
            assert caught.value.sqlstate == "42883"
    assert looked == [True, False, False]
