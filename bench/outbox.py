"""Messages behind transactions: what one costs the transaction, how many are delivered, and how late they come.

Beside outgrow: the outbox by hand, with psycopg: a row in the same transaction, and a relay with SKIP LOCKED that
polls, or listens (`bench/outbox_by_hand.py`), which promises less.  Two shards, flushed to disk.  Figures of cost are
of one client and interleaved; of delivery, of so many messages that wait, turn by turn; of lag, of writers in a
process of their own at several rates, from just before `emit` until the function has the message, the commit
included.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

import outgrow
from bench import harness, outbox_by_hand
from bench.fleet import BenchFleet, Server, fleet
from bench.harness import Figures, Peer, calling
from outgrow import Fleet

OURS, PLAIN = "outgrow, with a message", "outgrow, without"
HAND, HAND_PLAIN = "psycopg by hand, with a message", "psycopg, without"
BATCH = 500
KEYS = 1000
#: A relay by hand that polls looks so often.
POLL_SECONDS = 0.05
#: Ways of a message, for the lag.
WAYS = ("outgrow", "by hand", "by hand, LISTEN")
RATES = (50, 200, 500)
SECONDS = 5.0

UPDATE = "UPDATE accounts SET balance = balance + 1 WHERE id = %s"
PAYLOAD = {"order": 1, "what": "a message of ordinary size, as they are", "total": "99.90", "lines": [1, 2, 3]}
WAITING = """
INSERT INTO outgrow.outbox (topic, id, family, key, headers, form, body)
SELECT 'drained', gen_random_uuid(), 'integer', (n % {keys})::text, '{{}}', 'json', convert_to(n::text, 'UTF8')
FROM generate_series(1, {count}) AS n WHERE n % {keys} % 2 = {shard}"""
WAITING_BY_HAND = """
INSERT INTO outbox (topic, key, body) SELECT 'drained', (n % {keys})::text, convert_to(n::text, 'UTF8')
FROM generate_series(1, {count}) AS n WHERE n % {keys} % 2 = {shard}"""


class Delivered:
    """What came, checked: nothing lost, nothing twice, each key's in the order of its numbers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = self.duplicated = self.out_of_order = 0
        self._seen: set[int] = set()
        self._last: dict[str, int] = {}

    def one(self, key: str, number: int) -> None:
        with self._lock:
            self.count += 1
            self.duplicated += number in self._seen
            self._seen.add(number)
            self.out_of_order += self._last.get(key, 0) > number
            self._last[key] = max(number, self._last.get(key, 0))

    def lost(self, count: int) -> int:
        return count - len(self._seen)


@dataclass
class Totals:
    """Over all that outgrow has delivered."""

    lost: int = 0
    duplicated: int = 0
    out_of_order: int = 0

    def add(self, delivered: Delivered, count: int) -> None:
        self.lost += delivered.lost(count)
        self.duplicated += delivered.duplicated
        self.out_of_order += delivered.out_of_order


def accounts(primary: Server) -> list[int]:
    with primary.connect() as connection:
        return [row[0] for row in connection.execute("SELECT id FROM accounts ORDER BY hashint8(id)")]


def filled(sql: str, count: int) -> str:
    """(What is left stands for the shard.)"""
    return sql.replace("{count}", str(count)).replace("{keys}", str(KEYS))


# -- what a message costs its transaction ----------------------------------------------------------------------------


def cost(running: BenchFleet, opened: Fleet, keys: Sequence[int], rounds: int, calls: int) -> Figures:
    def ours(message: bool) -> Any:
        def block(stack: ExitStack) -> harness.Block:
            session = stack.enter_context(opened.session())

            def one(key: int) -> None:
                with session.transaction():
                    session.execute(UPDATE, [key])
                    if message:
                        session.emit("cost", PAYLOAD, key=key)

            return calling(one)

        return block

    def by_hand(message: bool) -> Any:
        def block(stack: ExitStack) -> harness.Block:
            connection = stack.enter_context(running.primaries[0].connect())
            body = json.dumps(PAYLOAD).encode()

            def one(key: int) -> None:
                with connection.transaction():
                    connection.execute(UPDATE, [key])
                    if message:
                        connection.execute(outbox_by_hand.EMIT, ["cost", str(key), body])

            return calling(one)

        return block

    peers = [
        Peer(PLAIN, ours(False)),
        Peer(OURS, ours(True)),
        Peer(HAND_PLAIN, by_hand(False)),
        Peer(HAND, by_hand(True)),
    ]
    with ExitStack() as stack:
        return harness.measure(harness.open_peers(peers, stack), keys, rounds=rounds, calls=calls, warm=calls)


# -- how many are delivered ------------------------------------------------------------------------------------------


def drained(running: BenchFleet, opened: Fleet, count: int, rounds: int, totals: Totals) -> Figures:
    """Microseconds for each message, with a function as the target."""
    took: dict[str, list[float]] = {"outgrow": [], "by hand": []}
    for turn in range(rounds):
        running.everywhere(filled(WAITING, count), filled(WAITING_BY_HAND, count))
        # Who comes first finds another cache than who comes second.
        for name in ("outgrow", "by hand")[:: 1 if turn % 2 else -1]:
            seconds = _drained(opened, count, totals) if name == "outgrow" else _drained_by_hand(running, count)
            took[name].append(seconds / count * 1e6)
    return Figures(took)


def cleared(running: BenchFleet, opened: Fleet) -> None:
    """What the costs have left is out of everybody's way."""
    opened.relay({"cost": lambda message: None}, batch=BATCH).run_once()
    relay = outbox_by_hand.Relay([p.dsn for p in running.primaries], "cost", BATCH, 0.001, lambda batch: None)
    relay.start()
    relay.stop()
    running.everywhere("VACUUM ANALYZE outgrow.outbox", "VACUUM ANALYZE outbox")


def _drained(opened: Fleet, count: int, totals: Totals) -> float:
    got = Delivered()
    relay = opened.relay({"drained": lambda message: got.one(str(message.key), message.payload)}, batch=BATCH)
    start = time.perf_counter()
    relay.run_once()
    seconds = time.perf_counter() - start
    totals.add(got, count)
    return seconds


def _drained_by_hand(running: BenchFleet, count: int) -> float:
    got = Delivered()

    def deliver(batch: Sequence[tuple[str, bytes]]) -> None:
        for key, body in batch:
            got.one(key, json.loads(body))

    relay = outbox_by_hand.Relay([p.dsn for p in running.primaries], "drained", BATCH, 0.001, deliver)
    start = time.perf_counter()
    relay.start()
    relay.stop()
    seconds = time.perf_counter() - start
    assert got.lost(count) == 0
    return seconds


def to_redis(running: BenchFleet, opened: Fleet, count: int) -> float | None:
    """Messages a second into a Redis Stream; None where there is none."""
    with redis() as url:
        if url is None:
            return None
        from outgrow.targets import RedisStream

        running.everywhere(filled(WAITING, count))
        relay = opened.relay({"drained": RedisStream(url)}, batch=BATCH)
        start = time.perf_counter()
        done = relay.run_once()
        assert done.delivered == {"drained": count}, done
        return round(count / (time.perf_counter() - start))


@contextmanager
def redis() -> Iterator[str | None]:
    program = shutil.which("redis-server")
    try:
        import redis as library
    except ImportError:
        program = None
    if program is None:
        yield None
        return
    with socket.socket() as listener, tempfile.TemporaryDirectory() as directory:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        listener.close()
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", ""]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 10
            while time.monotonic() < until:
                with suppress(library.exceptions.RedisError):
                    library.Redis(port=port).ping()
                    break
                time.sleep(0.05)
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


# -- how late they come ----------------------------------------------------------------------------------------------


def write(path: Path, addresses: Sequence[str], keys: Sequence[Sequence[int]], rate: int, way: str) -> None:
    """In a process of its own: messages at a steady rate, with the moment in them."""
    with ExitStack() as stack:
        session = stack.enter_context(stack.enter_context(outgrow.open(path)).session())
        links = [stack.enter_context(psycopg.connect(address, autocommit=True)) for address in addresses]
        began = time.monotonic()
        for n in range(1, int(rate * SECONDS) + 1):
            time.sleep(max(0.0, began + n / rate - time.monotonic()))
            link, key = links[n % len(keys)], keys[n % len(keys)][n // 2 % 50]
            said = [n, time.monotonic()]
            if way == "outgrow":
                with session.transaction():
                    session.execute(UPDATE, [key])
                    session.emit("late", said, key=key)
                continue
            with link.transaction():
                link.execute(UPDATE, [key])
                link.execute(outbox_by_hand.EMIT, ["late", str(key), json.dumps(said).encode()])
            if way == "by hand, LISTEN":
                link.execute(outbox_by_hand.CALL)


def lag(
    running: BenchFleet, opened: Fleet, keys: Sequence[Sequence[int]], rate: int, way: str
) -> tuple[list[float], Delivered]:
    """Milliseconds of each message, and what came."""
    late: list[float] = []
    got = Delivered()

    def take(key: str, said: Sequence[Any]) -> None:
        late.append((time.monotonic() - said[1]) * 1000)
        got.one(key, said[0])

    def deliver(batch: Sequence[tuple[str, bytes]]) -> None:
        for key, body in batch:
            take(key, json.loads(body))

    addresses = [primary.dsn for primary in running.primaries]
    relay = opened.relay({"late": lambda message: take(str(message.key), message.payload)}, batch=BATCH)
    rest = POLL_SECONDS if way == "by hand" else None
    by_hand = outbox_by_hand.Relay(addresses, "late", BATCH, rest, deliver)
    thread = threading.Thread(target=relay.run)
    (thread.start if way == "outgrow" else by_hand.start)()
    told = (running.path, addresses, keys, rate, way)
    process = multiprocessing.get_context("spawn").Process(target=write, args=told)
    process.start()
    process.join()
    until = time.monotonic() + 10
    while got.lost(int(rate * SECONDS)) and time.monotonic() < until:
        time.sleep(0.05)
    if way == "outgrow":
        relay.stop()
        thread.join()
    else:
        by_hand.stop()
    return late, got


def lags_of(
    running: BenchFleet, opened: Fleet, keys: Sequence[Sequence[int]], rates: Sequence[int], totals: Totals
) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for turn, rate in enumerate(rates):
        for at in range(len(WAYS)):
            name = WAYS[(at + turn) % len(WAYS)]
            late, got = lag(running, opened, keys, rate, name)
            cuts = statistics.quantiles(late, n=100)
            found[f"{name}, {rate}/s"] = {"p50_ms": round(cuts[49], 2), "p99_ms": round(cuts[98], 2)}
            print(f"lag at {rate}/s, {name}: p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms")
            if name == "outgrow":
                totals.add(got, int(rate * SECONDS))
    return found


def main() -> None:
    parser = harness.arguments(__doc__, rounds=9, calls=60)
    parser.add_argument("--messages", type=int, default=10_000, help="how many wait, to be delivered")
    parser.add_argument("--rates", type=int, nargs="*", default=RATES, help="messages a second, for the lag")
    options = parser.parse_args()
    print(harness.conditions())
    totals = Totals()
    with ExitStack() as stack:
        running = stack.enter_context(fleet(2, 0, {"accounts": {"shard_by": "id"}}, options.pg))
        opened = stack.enter_context(outgrow.open(running.path, install=True))
        opened.execute("CREATE TABLE accounts (id int8 PRIMARY KEY, balance int8 NOT NULL DEFAULT 0)")
        opened.execute("INSERT INTO accounts (id) SELECT n FROM generate_series(1, 2000) AS n")
        running.everywhere(outbox_by_hand.SETUP, outbox_by_hand.INDEX)
        keys = [accounts(primary) for primary in running.primaries]
        costs = cost(running, opened, keys[0], options.rounds, options.calls)
        harness.show("a transaction of one row, one client", costs, [OURS])
        cleared(running, opened)
        speed = drained(running, opened, options.messages, max(3, options.rounds // 3), totals)
        harness.show("a message that waits, to a function", speed, ["outgrow"])
        streamed = to_redis(running, opened, options.messages)
        lags = lags_of(running, opened, keys, options.rates, totals)
    ours = speed.median("outgrow")
    harness.finish(
        {
            "lost": totals.lost,
            "duplicated": totals.duplicated,
            "out_of_order": totals.out_of_order,
            "messages_per_second": None if ours is None else round(1e6 / ours),
            "vs_by_hand": speed.times("by hand", "outgrow"),
            "to_redis_per_second": streamed,
            "added_us": costs.added(OURS, PLAIN),
            "added_us_by_hand": costs.added(HAND, HAND_PLAIN),
            "lag": lags,
            "median_us_transaction": costs.medians(),
        }
    )


if __name__ == "__main__":
    main()
