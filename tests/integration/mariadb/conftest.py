"""Two MariaDB servers for all tests of this folder; each test or module takes fresh databases of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from outgrow import local
from tests import mariadb
from tests.integration.mariadb.accounts import SHARDS, TABLE


@pytest.fixture(scope="session")
def mariadb_servers() -> Iterator[mariadb.Servers]:
    mariadb.required()
    with local.temporary_mariadb(2) as servers:
        made = mariadb.Servers(servers)
        for number in range(2):
            made.sql(number, "INSTALL SONAME 'metadata_lock_info'")
        yield made


@pytest.fixture
def fleet(mariadb_servers):
    """Accounts 1 to 40 with 100 each."""
    with mariadb_servers.open(mariadb_servers.fresh(3, "{accounts: {shard_by: account}}")) as opened:
        with opened.session() as session:
            for shard in SHARDS:
                session.execute(TABLE, shard=shard)
            for account in range(1, 41):
                session.execute("INSERT INTO accounts VALUES (%s, 100)", [account])
        yield opened


@pytest.fixture
def keys(fleet):
    """An account on each shard, in order."""
    placed: dict[str, int] = {}
    for account in range(1, 41):
        found = fleet.explain("SELECT * FROM accounts WHERE account = %s", [account]).to_dict()["shards"]["shards"]
        placed.setdefault(found[0], account)
    return tuple(placed[shard] for shard in SHARDS)
