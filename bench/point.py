"""A keyed SELECT of one row, prepared, over TCP: what outgrow adds to psycopg, and what others add.

Keys live on shard 1, so that every peer asks the same server the same questions.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg

from bench import harness
from bench.fleet import BenchFleet, Server, fleet, here
from bench.harness import Block, Figures, Missing, Peer, calling
from bench.proxies import Proxy, pgbouncer, pgpool
from outgrow import open as open_fleet

ROWS = 100_000
QUERY = "SELECT id, name, category, price, added FROM items WHERE id = %s"

SETUP = (
    "CREATE TABLE items (id int8 PRIMARY KEY, name text NOT NULL, category int4 NOT NULL, price numeric(10,2) NOT NULL,"
    " added timestamptz NOT NULL)",
    "INSERT INTO items SELECT id, 'item number ' || id, id % 97, (id % 10000) / 100.0,"
    " timestamptz '2024-01-01 00:00+00' + id * interval '1 minute'"
    f" FROM generate_series(1, {ROWS}) AS s(id) WHERE " + here(),
    "VACUUM (ANALYZE, FREEZE) items",
)

EXECUTE = "psycopg Connection.execute"
CURSOR = "psycopg, cursor reused"
REPLICA = "psycopg Connection.execute, replica"
OURS = "outgrow, primary"
OURS_REPLICA = "outgrow, session level, replica"
BOUNCER = "through PgBouncer, session mode"
POOL = "through Pgpool-II"
CORE = "SQLAlchemy Core"
SHARDING = "SQLAlchemy horizontal_shard"


def execute(dsn: str) -> Block:
    connection = psycopg.connect(dsn, autocommit=True)
    return calling(lambda key: connection.execute(QUERY, (key,)).fetchall())


def cursor(dsn: str) -> Block:
    cursor = psycopg.connect(dsn, autocommit=True).cursor()
    return calling(lambda key: cursor.execute(QUERY, (key,)).fetchall())


def outgrow(stack: ExitStack, running: BenchFleet, level: str) -> Block:
    opened = stack.enter_context(open_fleet(running.path, install=True, rows_in_place=True))
    session = stack.enter_context(opened.session(level=level))
    if level == "session":
        # a session that has written: its reads must be at least as new as this
        key = first_keys(running.primaries[0], 1)[0]
        session.execute("UPDATE items SET category = category WHERE id = %s", [key])
        running.await_replicas()
        until = time.monotonic() + 10
        while "replica" not in str(node := session.execute(QUERY, [key]).node) and time.monotonic() < until:
            # On a busy machine a replica may just be late for the heartbeat.
            time.sleep(0.05)
        if "replica" not in str(node):
            raise SystemExit(f"a session read should have come from a replica, not from {node}")
    return calling(lambda key: session.execute(QUERY, (key,)).fetchall())


def core(stack: ExitStack, dsn: str) -> Block:
    import sqlalchemy as sa

    engine = sa.create_engine(driver(dsn), isolation_level="AUTOCOMMIT")
    stack.callback(engine.dispose)
    items = items_table(sa.MetaData())
    query = sa.select(items).where(items.c.id == sa.bindparam("key"))
    connection = stack.enter_context(engine.connect())
    return calling(lambda key: connection.execute(query, {"key": key}).fetchall())


def horizontal_shard(stack: ExitStack, primaries: Sequence[Server], keys: Sequence[int]) -> Block:
    """As its documentation shows it: an execute_chooser that finds the shard from the statement's parameters.

    Rows, not entities; the place of a key costs one look-up in a dictionary.
    """
    import sqlalchemy as sa
    from sqlalchemy import orm
    from sqlalchemy.ext.horizontal_shard import ShardedSession

    registry = orm.registry()
    item = type("Item", (), {})
    registry.map_imperatively(item, items_table(registry.metadata))
    engines = {
        f"s{number + 1}": sa.create_engine(driver(primary.dsn), isolation_level="AUTOCOMMIT")
        for number, primary in enumerate(primaries)
    }
    place = dict.fromkeys(keys, "s1")

    def choose(context: Any) -> list[str]:
        return [place[context.parameters["key"]]]

    maker = orm.sessionmaker(
        class_=ShardedSession,
        shards=engines,
        shard_chooser=lambda mapper, instance, clause=None: "s1",
        identity_chooser=lambda mapper, key, **_: [place[key[0]]],
        execute_chooser=choose,
    )
    for engine in engines.values():
        stack.callback(engine.dispose)
    session = stack.enter_context(maker())
    columns = [getattr(item, name) for name in ("id", "name", "category", "price", "added")]
    query = sa.select(*columns).where(columns[0] == sa.bindparam("key"))
    return calling(lambda key: session.execute(query, {"key": key}).fetchall())


def items_table(metadata: Any) -> Any:
    import sqlalchemy as sa

    return sa.Table(
        "items",
        metadata,
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("name", sa.Text),
        sa.Column("category", sa.Integer),
        sa.Column("price", sa.Numeric(10, 2)),
        sa.Column("added", sa.TIMESTAMP(timezone=True)),
    )


def driver(dsn: str) -> str:
    return dsn.replace("postgresql://", "postgresql+psycopg://", 1)


def through(proxy: Proxy | Missing, dsn: str) -> str:
    if isinstance(proxy, Missing):
        raise proxy
    return dsn.replace(f":{port_of(dsn)}/", f":{proxy.port}/")


def port_of(dsn: str) -> str:
    return dsn.rpartition("/")[0].rpartition(":")[2]


def enter(stack: ExitStack, proxy: Any) -> Proxy | Missing:
    try:
        started: Proxy = stack.enter_context(proxy)
    except Missing as missing:
        return missing
    return started


def first_keys(primary: Server, count: int) -> list[int]:
    """Keys of shard 1, shuffled the same way every time."""
    with primary.connect() as connection:
        rows = connection.execute("SELECT id FROM items ORDER BY md5(id::text) LIMIT %s", [count]).fetchall()
    return [row[0] for row in rows]


@contextmanager
def prepared_peers(stack: ExitStack, running: BenchFleet, keys: Sequence[int]) -> Any:
    """Every peer, open, each having answered alike; with the pids of whatever stands on the servers' side."""
    primary, replica = running.shards[0]
    bouncer = enter(stack, pgbouncer("127.0.0.1", primary.port, "app", primary.password))
    pool = enter(stack, pgpool("127.0.0.1", primary.port, "app", primary.password))
    peers = [
        Peer(EXECUTE, lambda _: execute(primary.dsn)),
        Peer(CURSOR, lambda _: cursor(primary.dsn)),
        Peer(REPLICA, lambda _: execute(replica.dsn)),
        Peer(OURS, lambda stack: outgrow(stack, running, "strong")),
        Peer(OURS_REPLICA, lambda stack: outgrow(stack, running, "session")),
        Peer(BOUNCER, lambda _: execute(through(bouncer, primary.dsn))),
        Peer(POOL, lambda _: execute(through(pool, primary.dsn))),
        Peer(CORE, lambda stack: core(stack, primary.dsn)),
        Peer(SHARDING, lambda stack: horizontal_shard(stack, running.primaries, keys)),
    ]
    opened = harness.open_peers(peers, stack)
    proxies = [proxy.pid for proxy in (bouncer, pool) if isinstance(proxy, Proxy)]
    yield opened, running.pids + proxies


def run(rounds: int, calls: int, pg: str | None) -> tuple[Figures, Figures]:
    core_client, core_server = harness.two_cores()
    with ExitStack() as stack:
        running = stack.enter_context(fleet(2, 1, {"items": {"shard_by": "id"}}, pg))
        running.everywhere(*SETUP)
        running.await_replicas()
        keys = first_keys(running.primaries[0], 20_000)
        opened, servers = stack.enter_context(prepared_peers(stack, running, keys))
        found: list[Figures] = []
        for server in (core_client, core_server):
            with harness.awake(), harness.pinned(servers, client=core_client, server=server):
                found.append(harness.measure(opened, keys, rounds=rounds, calls=calls, warm=4 * calls))
    return found[0], found[1]


def main() -> None:
    parser = harness.arguments(__doc__, rounds=31, calls=400)
    harness.add_engine(parser)
    options = parser.parse_args()
    print(harness.conditions())
    if options.engine == "mariadb":
        from bench import mariadb_point

        mariadb_point.main(options.rounds, options.calls)
        return
    one, two = run(options.rounds, options.calls, options.pg)
    harness.show("client and servers on one core", one, [OURS, OURS_REPLICA])
    harness.show("client and servers on separate cores", two, [OURS, OURS_REPLICA])
    harness.finish(
        {
            "added_us_one_core": one.added(OURS, EXECUTE),
            "added_us_two_cores": two.added(OURS, EXECUTE),
            "vs_psycopg": two.times(EXECUTE, OURS),
            "vs_psycopg_cursor": two.times(CURSOR, OURS),
            "vs_pgbouncer": two.times(BOUNCER, OURS),
            "vs_pgpool": two.times(POOL, OURS),
            "vs_sqlalchemy_core": two.times(CORE, OURS),
            "vs_horizontal_shard": two.times(SHARDING, OURS),
            "session_read_added_us": two.added(OURS_REPLICA, REPLICA),
            "vs_psycopg_one_core": one.times(EXECUTE, OURS),
            "vs_pgbouncer_one_core": one.times(BOUNCER, OURS),
            "vs_pgpool_one_core": one.times(POOL, OURS),
            "vs_horizontal_shard_one_core": one.times(SHARDING, OURS),
            "median_us_one_core": one.medians(),
            "median_us_two_cores": two.medians(),
        }
    )


if __name__ == "__main__":
    main()
