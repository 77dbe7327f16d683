"""Recovery of what another role has prepared: as that role, where it may take it; else it says what it left."""

from __future__ import annotations

import time
from functools import partial

from outgrow import Fleet
from outgrow.transactions import TransactionId, numbered
from tests.servers import Servers


def test_what_another_role_has_prepared(fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers) -> None:
    domain = fleet.topology.domains[0]
    first, last = domain.shards
    id = TransactionId(domain.name, last.name, numbered(time.time(), b"\3" * 10))
    sql = partial(fleet_servers.sql, first.primary)
    sql("CREATE ROLE clerk")
    try:
        sql("GRANT UPDATE, SELECT ON accounts TO clerk")
        sql("GRANT USAGE ON SCHEMA outgrow TO clerk")
        sql("GRANT INSERT ON outgrow.stamps TO clerk")
        sql("SET ROLE clerk")
        sql("BEGIN")
        stamp = "INSERT INTO outgrow.stamps (id, shards) VALUES (%s, %s)"
        sql(stamp, [id.number, [first.name, last.name]])
        sql("UPDATE accounts SET amount = 7 WHERE account = %s", [keys[0]])
        sql(f"PREPARE TRANSACTION '{id.gid(1)}'")
        sql("RESET ROLE")
        time.sleep(1.2)
        found = fleet.recover()
        assert [branch.gid for branch in found.left] == [id.gid(1)] and not found.aborted
        sql("GRANT clerk TO app")
        assert fleet.recover().aborted == [str(id)]
        with fleet.session() as session:
            query = "SELECT amount FROM accounts WHERE account = %s"
            assert session.execute(query, [keys[0]]).fetchall() == [(100,)]
    finally:
        sql("RESET ROLE")
        sql("DROP OWNED BY clerk")
        sql("DROP ROLE clerk")
