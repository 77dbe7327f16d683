"""What a transaction pooler costs: plain psycopg and outgrow, each directly and through PgBouncer in transaction mode.

One row by its key is read or written, in one connection at a time.  Commits wait for no disk (`synchronous_commit =
off` for everyone): it is messages and statements that are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import psycopg

from bench import harness
from bench.fleet import BenchFleet, Server, fleet
from bench.harness import Block, Figures, Peer, calling
from bench.point import QUERY, SETUP, first_keys, through
from bench.proxies import Proxy, pgbouncer

UPDATE = "UPDATE items SET category = category + 1 WHERE id = %s"

PSYCOPG, PSYCOPG_POOLED = "psycopg", "psycopg through PgBouncer"
OURS, OURS_POOLED = "outgrow", "outgrow through PgBouncer"
DRESSED = "the same in a session that has SET something"
REPLICA, REPLICA_POOLED = "outgrow, session level, replica", "outgrow, session level, replica, through PgBouncer"
BLOCK = "psycopg through PgBouncer, BEGIN … COMMIT around it"


def connected(dsn: str, *, pooled: bool) -> psycopg.Connection[tuple[Any, ...]]:
    """As psycopg's documentation says: nothing is prepared behind such a pooler."""
    return psycopg.connect(dsn, autocommit=True, prepare_threshold=None if pooled else 5)


def statement(dsn: str, sql: str, *, pooled: bool) -> Block:
    connection = connected(dsn, pooled=pooled)
    return calling(lambda key: connection.execute(sql, (key,)))


def block(dsn: str, sql: str) -> Block:
    """What a session that must see its own write has to do by hand: the write, and the place behind its commit."""
    connection = connected(dsn, pooled=True)

    def one(key: int) -> None:
        with connection.transaction():
            connection.execute(sql, (key,))
        connection.execute("SELECT pg_current_wal_insert_lsn()")

    return calling(one)


def asked(stack: ExitStack, topology: Any, level: str, sql: str, setting: str = "") -> Block:
    import outgrow

    opened = stack.enter_context(outgrow.open(topology, install=True, rows_in_place=True))
    session = stack.enter_context(opened.session(level=level))
    if setting:
        session.execute(setting)
    return calling(lambda key: session.execute(sql, (key,)))


def topologies(running: BenchFleet, proxies: Sequence[Proxy]) -> tuple[Any, Any]:
    """The fleet as its file says, and with a pooler before each node."""
    from outgrow.topology import Shard, read

    plain = read(running.path)
    domain = plain.domains[0]
    [shard] = domain.shards
    nodes = [
        replace(
            node, dsn=through(proxy, server.dsn), pooler="transaction", direct=replace(node, name=f"{node.name}/direct")
        )
        for node, proxy, server in zip(shard.nodes, proxies, running.shards[0], strict=True)
    ]
    pooled = replace(domain, shards=(Shard(shard.name, nodes[0], tuple(nodes[1:])),))
    return plain, replace(plain, domains=(pooled,))


def peers(running: BenchFleet, proxies: Sequence[Proxy]) -> tuple[list[Peer], list[Peer]]:
    """Readers and writers."""
    primary: Server = running.shards[0][0]
    plain, pooled = topologies(running, proxies)
    bouncer = through(proxies[0], primary.dsn)
    setting = "SET work_mem = '8MB'"
    reads = [
        Peer(PSYCOPG, lambda _: statement(primary.dsn, QUERY, pooled=False)),
        Peer(PSYCOPG_POOLED, lambda _: statement(bouncer, QUERY, pooled=True)),
        Peer(OURS, lambda stack: asked(stack, plain, "strong", QUERY)),
        Peer(OURS_POOLED, lambda stack: asked(stack, pooled, "strong", QUERY)),
        Peer(DRESSED, lambda stack: asked(stack, pooled, "strong", QUERY, setting)),
        Peer(REPLICA, lambda stack: asked(stack, plain, "session", QUERY)),
        Peer(REPLICA_POOLED, lambda stack: asked(stack, pooled, "session", QUERY)),
    ]
    writes = [
        Peer(PSYCOPG, lambda _: statement(primary.dsn, UPDATE, pooled=False)),
        Peer(PSYCOPG_POOLED, lambda _: statement(bouncer, UPDATE, pooled=True)),
        Peer(BLOCK, lambda _: block(bouncer, UPDATE)),
        Peer(OURS, lambda stack: asked(stack, plain, "session", UPDATE)),
        Peer(OURS_POOLED, lambda stack: asked(stack, pooled, "session", UPDATE)),
        Peer(DRESSED, lambda stack: asked(stack, pooled, "session", UPDATE, setting)),
    ]
    return reads, writes


def run(rounds: int, calls: int, pg: str | None) -> tuple[Figures, Figures]:
    client, server = harness.two_cores()
    with ExitStack() as stack:
        running = stack.enter_context(fleet(1, 1, {"items": {"shard_by": "id"}}, pg))
        running.everywhere("ALTER ROLE CURRENT_USER SET synchronous_commit = off")
        running.everywhere(*SETUP)
        running.await_replicas()
        proxies = [
            stack.enter_context(pgbouncer("127.0.0.1", one.port, "app", one.password, "transaction"))
            for one in running.shards[0]
        ]
        keys = first_keys(running.primaries[0], 20_000)
        found = []
        for chosen in peers(running, proxies):
            with ExitStack() as opened_until:
                opened = harness.open_peers(chosen, opened_until)
                pids = running.pids + [proxy.pid for proxy in proxies]
                with harness.awake(), harness.pinned(pids, client=client, server=server):
                    found.append(harness.measure(opened, keys, rounds=rounds, calls=calls, warm=2 * calls))
    return found[0], found[1]


def main() -> None:
    options = harness.arguments(__doc__, rounds=31, calls=300).parse_args()
    print(harness.conditions())
    reads, writes = run(options.rounds, options.calls, options.pg)
    harness.show("one row read", reads, [OURS_POOLED, DRESSED, REPLICA_POOLED])
    harness.show("one row written", writes, [OURS_POOLED, DRESSED])
    harness.finish(
        {
            "read_vs_psycopg_pooled": reads.times(PSYCOPG_POOLED, OURS_POOLED),
            "read_added_us": reads.added(OURS_POOLED, PSYCOPG_POOLED),
            "read_added_by_pooler_us": reads.added(OURS_POOLED, OURS),
            "read_added_by_setting_us": reads.added(DRESSED, OURS_POOLED),
            "replica_added_by_pooler_us": reads.added(REPLICA_POOLED, REPLICA),
            "write_vs_psycopg_pooled": writes.times(PSYCOPG_POOLED, OURS_POOLED),
            "write_vs_psycopg_by_hand": writes.times(BLOCK, OURS_POOLED),
            "write_added_us": writes.added(OURS_POOLED, PSYCOPG_POOLED),
            "write_added_by_pooler_us": writes.added(OURS_POOLED, OURS),
            "read_median_us": reads.medians(),
            "write_median_us": writes.medians(),
        }
    )


if __name__ == "__main__":
    main()
