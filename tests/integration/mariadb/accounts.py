"""What the tests of transactions look at: accounts on three shards of two servers."""

from __future__ import annotations

import time

UPDATE = "UPDATE accounts SET amount = amount + %s WHERE account = %s"
TABLE = "CREATE TABLE accounts (account bigint PRIMARY KEY, amount bigint NOT NULL CHECK (amount >= 0))"
SHARDS = ("s1", "s2", "s3")


def amounts(fleet, keys):
    with fleet.session(level="strong") as session:
        return [session.execute("SELECT amount FROM accounts WHERE account = %s", [key]).fetchone()[0] for key in keys]


def prepared(servers):
    """What is prepared on the servers, by its name."""
    return [row[3] for number in range(2) for row in servers.sql(number, "XA RECOVER FORMAT='SQL'")]


def locks(servers):
    """How many locks of names somebody holds, on each server."""
    query = "SELECT COUNT(*) FROM information_schema.METADATA_LOCK_INFO WHERE LOCK_TYPE = 'User lock'"
    return [servers.sql(number, query)[0][0] for number in range(2)]


def at_rest(fleet):
    """Nobody holds a connection of the pools (for longer than recovery does when it looks)."""
    until = time.monotonic() + 2
    while not all(pool.idle == pool.size for pool in fleet.stats().values()):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def recovered(fleet, servers):
    """Look until nothing is left, as fleets do by themselves."""
    until = time.monotonic() + 30
    while left := prepared(servers):
        assert time.monotonic() < until, left
        fleet.recover()
        time.sleep(0.1)
