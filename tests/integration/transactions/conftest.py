"""A fleet of two shards with one table, and keys that lie on each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import outgrow
from outgrow import Fleet
from outgrow.topology import Sharded, TableName
from tests.servers import Servers


@pytest.fixture
def fleet(fleet_servers: Servers) -> Iterator[Fleet]:
    """Accounts 1 to 40 with 100 each; `a` and `b` may be used as `keys` says."""
    topology = fleet_servers.fresh({TableName("public", "accounts"): Sharded(("account",))})
    with outgrow.open(topology, install=True) as opened:
        with opened.session() as session:
            session.execute(
                "CREATE TABLE accounts (account int8 PRIMARY KEY, amount int8 NOT NULL CHECK (amount >= 0))"
            )
            for account in range(1, 41):
                session.execute("INSERT INTO accounts VALUES (%s, 100)", [account])
        yield opened
    fleet_servers.drop(topology)


@pytest.fixture
def keys(fleet: Fleet) -> tuple[int, int]:
    """An account on the first shard and one on the second, which decides."""
    placed: dict[str, int] = {}
    for account in range(1, 41):
        found = fleet.explain("SELECT * FROM accounts WHERE account = %s", [account]).to_dict()["shards"]["shards"]
        placed.setdefault(found[0], account)
    return placed["s1"], placed["s2"]
