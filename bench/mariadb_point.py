"""A keyed SELECT of one row of MariaDB, over TCP: what outgrow adds to its driver.

`python -m bench.point --engine mariadb`.  Keys live on shard 1, so that every peer asks the same server.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from bench import harness
from bench.harness import Block, Figures, Missing, Peer, calling
from bench.mariadb_fleet import MariadbFleet, asked, connect, fleet
from bench.point import QUERY, ROWS

SETUP = (
    "CREATE TABLE items (id BIGINT PRIMARY KEY, name VARCHAR(50) COLLATE utf8mb4_nopad_bin NOT NULL,"
    " category INT NOT NULL, price DECIMAL(10,2) NOT NULL, added DATETIME(6) NOT NULL)",
    "INSERT INTO items SELECT seq AS id, CONCAT('item number ', seq), seq % 97, (seq % 10000) / 100,"
    f" TIMESTAMP '2024-01-01 00:00' + INTERVAL seq MINUTE FROM (SELECT seq, seq AS id FROM seq_1_to_{ROWS}) AS s"
    " WHERE {here}",
    "ANALYZE TABLE items",
)
DRIVER = "PyMySQL, cursor reused"
DRIVER_REPLICA = "PyMySQL, cursor reused, replica"
OURS = "outgrow, primary"
OURS_REPLICA = "outgrow, session level, replica"


def driver(server: object) -> Block:
    cursor = connect(server).cursor()

    def one(key: int) -> object:
        cursor.execute(QUERY, (key,))
        return cursor.fetchall()

    return calling(one)


def outgrow(stack: ExitStack, running: MariadbFleet, level: str, key: int) -> Block:
    from outgrow import open as open_fleet

    opened = stack.enter_context(open_fleet(running.path, install=True, rows_in_place=True))
    session = stack.enter_context(opened.session(level=level))
    if level == "session":
        # A session that has written: its reads must be at least as new as this.
        session.execute("UPDATE items SET category = category + 1 WHERE id = %s", [key])
        running.await_replicas()
        until = time.monotonic() + 10
        while "replica" not in str(node := session.execute(QUERY, [key]).node) and time.monotonic() < until:
            time.sleep(0.05)
        if "replica" not in str(node):
            raise SystemExit(f"a session read should have come from a replica, not from {node}")
    return calling(lambda key: session.execute(QUERY, (key,)).fetchall())


def run(rounds: int, calls: int) -> tuple[Figures, Figures]:
    core_client, core_server = harness.two_cores()
    with ExitStack() as stack:
        running = stack.enter_context(fleet(2, 1, {"items": {"shard_by": "id"}}))
        running.everywhere(*SETUP)
        running.await_replicas()
        primary = running.primaries[0]
        found = asked(connect(primary), "SELECT id FROM items ORDER BY MD5(id) LIMIT 20000")
        keys = [key for (key,) in found]
        peers = [
            Peer(DRIVER, lambda _: driver(primary)),
            Peer(DRIVER_REPLICA, lambda _: driver(primary.replicas[0])),
            Peer(OURS, lambda stack: outgrow(stack, running, "strong", keys[0])),
            Peer(OURS_REPLICA, lambda stack: outgrow(stack, running, "session", keys[0])),
        ]
        opened = harness.open_peers(peers, stack)
        figures: list[Figures] = []
        for server in (core_client, core_server):
            with harness.awake(), harness.pinned(running.pids, client=core_client, server=server):
                figures.append(harness.measure(opened, keys, rounds=rounds, calls=calls, warm=4 * calls))
    return figures[0], figures[1]


def main(rounds: int, calls: int) -> None:
    try:
        one, two = run(rounds, calls)
    except Missing as missing:
        print(missing)
        harness.finish({"vs_driver": None})
        return
    harness.show("client and servers on one core", one, [OURS, OURS_REPLICA])
    harness.show("client and servers on separate cores", two, [OURS, OURS_REPLICA])
    harness.finish(
        {
            "vs_driver": two.times(DRIVER, OURS),
            "vs_driver_one_core": one.times(DRIVER, OURS),
            "vs_driver_replica": two.times(DRIVER_REPLICA, OURS_REPLICA),
            "added_us_two_cores": two.added(OURS, DRIVER),
            "added_us_one_core": one.added(OURS, DRIVER),
            "session_read_added_us": two.added(OURS_REPLICA, DRIVER_REPLICA),
            "median_us_one_core": one.medians(),
            "median_us_two_cores": two.medians(),
        }
    )
