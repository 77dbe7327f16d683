"""Transfers between two accounts on two shards, flushed to disk: what it costs that both sides happen or neither.

Beside outgrow: two plain commits, which are not atomic, and the textbook's two-phase commit, made as fast as psycopg
allows: statements, PREPARE and COMMIT PREPARED on both shards at once, and between them the durable decision record in
a transaction of its own.  Its decisions are never cleaned up, and it has nobody who could recover with them; outgrow's
figure has the stamps, the clean-up and the readiness to recover in it, and answers after the second phase.  With eight
clients a figure is the time from start to last answer ÷ all transfers of the block.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import psycopg

from bench import harness
from bench.clients import Opener, clients
from bench.fleet import BenchFleet, Server, fleet, here
from bench.harness import Figures, Peer, calling
from bench.transfers import (
    ACCOUNTS,
    IN_TURN,
    ONE_SHARD,
    OURS,
    OURS_SINGLE,
    PLAIN,
    SETUP,
    SINGLE,
    TEXTBOOK,
    TWO_SHARDS,
    Pair,
    Place,
)

CLIENTS = 8
#: Transfers over which flushes are counted.
COUNTED = 300

#: What the servers need to be quiet while one client's flushes are counted; the same for all peers, all the time.
QUIET = ("wal_writer_delay = '10s'", "checkpoint_timeout = '1h'", "max_wal_size = '8GB'", "autovacuum = off")

#: Flushes of the log by all of a server's processes since its start: pg_stat_wal had them until PostgreSQL 17.
FLUSHES = "SELECT wal_sync FROM pg_stat_wal"
FLUSHES_18 = "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'"
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename = 'app'"


def quiet(server: Server) -> None:
    with server.administer() as connection:
        for setting in QUIET:
            connection.execute(f"ALTER SYSTEM SET {setting}".encode())
        connection.execute("SELECT pg_reload_conf()")


def accounts(primary: Server) -> list[int]:
    """The accounts of a shard that the map puts there, in an order without a pattern in the pages."""
    with primary.connect() as connection:
        return [row[0] for row in connection.execute("SELECT id FROM accounts ORDER BY hashint8(id)")]


def flushes(running: BenchFleet) -> int:
    """Of both shards so far.  A server's process tells of its flushes when it ends at the latest, so: when all have."""
    total = 0
    for primary in running.primaries:
        with primary.administer() as connection:
            until = time.monotonic() + 30
            while connection.execute(OTHERS).fetchone() != (0,) and time.monotonic() < until:
                time.sleep(0.02)
            query = FLUSHES_18 if connection.info.server_version >= 180000 else FLUSHES
            row = connection.execute(query).fetchone()
            assert row is not None
            total += int(row[0])
    return total


def counted(running: BenchFleet, opener: Opener, place: Place, pairs: Sequence[Pair]) -> float:
    """Flushes of the log per transfer of one client; what opening and closing cost is taken off."""
    spent = []
    for count in (0, COUNTED):
        before = flushes(running)
        with ExitStack() as stack:
            transfer = opener(stack, place)
            for pair in harness.taken(pairs, 0, count):
                transfer(pair)
        spent.append(flushes(running) - before)
    return round((spent[1] - spent[0]) / COUNTED, 3)


def alone(openers: Mapping[str, Opener], place: Place, pairs: Sequence[Pair], rounds: int, calls: int) -> Figures:
    """One client."""

    def peer(name: str, opener: Opener) -> Peer:
        return Peer(name, lambda stack: calling(opener(stack, place)))

    with ExitStack() as stack:
        opened = harness.open_peers([peer(name, opener) for name, opener in openers.items()], stack)
        return harness.measure(opened, pairs, rounds=rounds, calls=calls, warm=calls)


def many(openers: Mapping[str, Opener], place: Place, pairs: Sequence[Pair], rounds: int, calls: int) -> Figures:
    """Eight clients, each in a process of its own."""
    with clients(CLIENTS, openers, place) as opened:
        return harness.measure(opened, pairs, rounds=rounds, calls=calls * CLIENTS, warm=calls * CLIENTS)


def run(rounds: int, calls: int, pg: str | None) -> tuple[Figures, Figures, Figures, Figures, dict[str, float]]:
    """Two shards and one shard with one client, the same with eight, and the flushes of one client."""
    client, server = harness.two_cores()
    with fleet(2, 0, {"accounts": {"shard_by": "id"}}, pg) as running:
        for primary in running.primaries:
            quiet(primary)
        install(running)
        running.everywhere(*SETUP)
        first, second = (accounts(primary) for primary in running.primaries)
        across = list(zip(first, second, strict=False))
        within = list(zip(first[::2], first[1::2], strict=False))
        assert len(within) > ACCOUNTS // 4, here()
        place = Place(running.path, tuple(primary.dsn for primary in running.primaries))
        # (Not kept awake: in a virtual machine busy cores would take the time from whoever serves its disk.)
        with harness.pinned(running.pids, client=client, server=server):
            two = alone(TWO_SHARDS, place, across, rounds, calls)
            one = alone(ONE_SHARD, place, within, rounds, 2 * calls)
        # With eight clients neither side has a core to itself: all share both.
        two_many = many(TWO_SHARDS, place, across, rounds, calls)
        one_many = many(ONE_SHARD, place, within, rounds, calls)
        flushed = {name: counted(running, opener, place, across) for name, opener in TWO_SHARDS.items()}
        check(running)
    return two, one, two_many, one_many, flushed


def install(running: BenchFleet) -> None:
    import outgrow

    outgrow.open(running.path, install=True, rows_in_place=True).close()


def check(running: BenchFleet) -> None:
    """What was moved is still there: a peer that loses money must not win."""
    total = 0
    for primary in running.primaries:
        with primary.connect() as connection:
            row = connection.execute("SELECT sum(balance), (SELECT count(*) FROM pg_prepared_xacts) FROM accounts")
            balance, prepared = row.fetchone() or (0, 0)
            total += int(balance)
            if prepared:
                raise SystemExit(f"{primary.name} was left with {prepared} prepared transactions")
    if total != 2 * ACCOUNTS * 1000:
        raise SystemExit(f"the balances add up to {total:,}")


def main() -> None:
    options = harness.arguments(__doc__, rounds=15, calls=60).parse_args()
    print(harness.conditions())
    try:
        two, one, two_many, one_many, flushed = run(options.rounds, options.calls, options.pg)
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        raise SystemExit(f"these servers have no prepared transactions: {error}") from error
    harness.show("a transfer over two shards, one client", two, [OURS])
    harness.show("a transfer over two shards, eight clients", two_many, [OURS])
    harness.show("a transfer on one shard, one client", one, [OURS_SINGLE])
    harness.show("a transfer on one shard, eight clients", one_many, [OURS_SINGLE])
    print("flushes of the log per transfer over two shards, one client, both servers, all their processes:")
    for name, count in flushed.items():
        print(f"  {name}: {count:.2f}")
    harness.finish(
        {
            "vs_parallel_2pc_1": two.times(TEXTBOOK, OURS),
            "vs_parallel_2pc_8": two_many.times(TEXTBOOK, OURS),
            "single_shard_vs_plain": one.times(SINGLE, OURS_SINGLE),
            "flushes_one_client": flushed[OURS],
            "vs_2pc_in_turn_1": two.times(IN_TURN, OURS),
            "vs_2pc_in_turn_8": two_many.times(IN_TURN, OURS),
            "vs_two_plain_commits_1": two.times(PLAIN, OURS),
            "vs_two_plain_commits_8": two_many.times(PLAIN, OURS),
            "single_shard_vs_plain_8": one_many.times(SINGLE, OURS_SINGLE),
            "flushes": flushed,
            "median_us_two_shards_1": two.medians(),
            "median_us_two_shards_8": two_many.medians(),
            "median_us_one_shard_1": one.medians(),
            "median_us_one_shard_8": one_many.medians(),
        }
    )


if __name__ == "__main__":
    main()
