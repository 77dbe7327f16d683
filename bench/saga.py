"""Sagas of three steps: started with a key, each step's result on disk before the next one, resumable by anybody.

Beside outgrow: DBOS on the same database, as its documentation has it (workflows with an id of their own, steps with
results), from threads and from asyncio.  Both serialize, keep leases or executor ids, and have recovery ready.  Each
peer has a process of its own, which is idle while the others are measured.  With 64 in flight a figure is the time from
start to last answer ÷ all sagas of the block.

Then the same saga inside a shard, three transactions, while its workers are killed: `lost` are sagas that did not come
to their end and effects that are missing, `duplicated` are effects that are there more than once.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import multiprocessing
import os
import random
import secrets
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import outgrow
from bench import harness
from bench.atomic import flushes, install, quiet
from bench.clients import clients
from bench.fleet import BenchFleet, fleet
from bench.harness import Block, Figures, Missing
from bench.transfers import Place
from outgrow import Saga, SagaContext

IN_FLIGHT = 64
#: Sagas over which flushes are counted.
COUNTED = 128
#: Sagas whose workers are killed, and how often.
KILLED_SAGAS, KILLS = 300, 6

OURS, DBOS = "outgrow", "DBOS"
OURS_MANY, DBOS_TASKS, DBOS_THREADS = "outgrow, 64 tasks", "DBOS, 64 tasks", "DBOS, 64 threads"
#: With a deadline, and a limit of time for each step: each runs in a task of its own then.
OURS_LIMITED = "outgrow, 64 tasks, with a deadline"

#: Runs sagas with these keys.
Run = Callable[[Sequence[Any]], None]


# -- outgrow ----------------------------------------------------------------------------------------------------------


def steps_of(asynchronous: bool, limited: bool = False) -> tuple[Saga, list[int]]:
    """Three steps that return a little; and how many have run."""
    name = "bench_limited" if limited else "bench_async" if asynchronous else "bench"
    saga = Saga(name, deadline_seconds=3600.0 if limited else None)
    ran = [0]
    for name in ("charge", "reserve", "ship"):

        def plain(ctx: SagaContext, name: str = name) -> dict[str, Any]:
            ran[0] += 1
            return {"step": name, "of": ctx.input["order"]}

        async def task(ctx: SagaContext, name: str = name) -> dict[str, Any]:
            ran[0] += 1
            return {"step": name, "of": ctx.input["order"]}

        function = task if asynchronous else plain
        function.__name__ = name
        saga.step(compensate=lambda ctx: None, timeout_seconds=30.0 if limited else None)(function)
    return saga, ran


def ours(stack: ExitStack, place: Place) -> Run:
    opened = stack.enter_context(outgrow.open(place.path))
    saga, ran = steps_of(False)

    def run(keys: Sequence[Any]) -> None:
        before = ran[0]
        for key in keys:
            opened.sagas.run(saga, {"order": key}, key=unique(key))
        check_ran(ran[0] - before, len(keys))

    return run


def ours_many(stack: ExitStack, place: Place, limited: bool = False) -> Run:
    opened = stack.enter_context(outgrow.open(place.path))
    saga, ran = steps_of(True, limited)

    async def one(key: Any) -> None:
        await opened.async_sagas.run(saga, {"order": key}, key=unique(key))

    def run(keys: Sequence[Any]) -> None:
        before = ran[0]
        asyncio.run(in_flight(one, keys))
        check_ran(ran[0] - before, len(keys))

    return run


def ours_limited(stack: ExitStack, place: Place) -> Run:
    return ours_many(stack, place, limited=True)


def check_ran(steps: int, sagas: int) -> None:
    if steps != 3 * sagas:
        raise SystemExit(f"{sagas} sagas ran {steps} steps")


async def in_flight(one: Callable[[Any], Any], keys: Sequence[Any]) -> None:
    """All of them, 64 at a time."""
    waiting = iter(keys)

    async def worker() -> None:
        for key in waiting:
            await one(key)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


_numbers = itertools.count()
_prefix = secrets.token_hex(6)


def unique(key: Any) -> str:
    """Keys come again in every round; a saga's is its own."""
    return f"{_prefix}-{os.getpid()}-{next(_numbers)}-{key}"


# -- DBOS -------------------------------------------------------------------------------------------------------------


def launched(stack: ExitStack, place: Place) -> Any:
    """DBOS on the first shard's database, in its own schema."""
    try:
        import dbos
    except ImportError as error:
        raise Missing(str(error)) from error
    from psycopg.conninfo import conninfo_to_dict

    told = conninfo_to_dict(place.dsns[0])
    address = f"postgresql://{told['user']}:{told['password']}@{told['host']}:{told['port']}/{told['dbname']}"
    config: Any = {
        "name": "bench",
        "system_database_url": address,
        "log_level": "ERROR",
        "run_admin_server": False,
        # Its default is 20; with 64 for each of its processes the server has no connection left.
        "sys_db_pool_size": 32,
        # Its processes here are no replicas of each other that could take each other's workflows for their own.
        "executor_id": secrets.token_hex(4),
    }
    dbos.DBOS(config=config)
    stack.callback(dbos.DBOS.destroy)
    return dbos


def dbos_sync(stack: ExitStack, place: Place) -> Callable[[Any], None]:
    dbos = launched(stack, place)

    @dbos.DBOS.step()
    def charge(order: Any) -> dict[str, Any]:
        return {"step": "charge", "of": order}

    @dbos.DBOS.step()
    def reserve(order: Any) -> dict[str, Any]:
        return {"step": "reserve", "of": order}

    @dbos.DBOS.step()
    def ship(order: Any) -> dict[str, Any]:
        return {"step": "ship", "of": order}

    @dbos.DBOS.workflow()
    def create_order(order: Any) -> dict[str, Any]:
        return {"charge": charge(order), "reserve": reserve(order), "ship": ship(order)}

    dbos.DBOS.launch()

    def one(key: Any) -> None:
        with dbos.SetWorkflowID(unique(key)):
            create_order(key)

    return one


def dbos_alone(stack: ExitStack, place: Place) -> Run:
    one = dbos_sync(stack, place)

    def run(keys: Sequence[Any]) -> None:
        for key in keys:
            one(key)

    return run


def dbos_threads(stack: ExitStack, place: Place) -> Run:
    one = dbos_sync(stack, place)
    pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(IN_FLIGHT))
    return lambda keys: list(pool.map(one, keys)).clear()


def dbos_tasks(stack: ExitStack, place: Place) -> Run:
    dbos = launched(stack, place)

    @dbos.DBOS.step()
    async def charge(order: Any) -> dict[str, Any]:
        return {"step": "charge", "of": order}

    @dbos.DBOS.step()
    async def reserve(order: Any) -> dict[str, Any]:
        return {"step": "reserve", "of": order}

    @dbos.DBOS.step()
    async def ship(order: Any) -> dict[str, Any]:
        return {"step": "ship", "of": order}

    @dbos.DBOS.workflow()
    async def create_order(order: Any) -> dict[str, Any]:
        return {"charge": await charge(order), "reserve": await reserve(order), "ship": await ship(order)}

    dbos.DBOS.launch()
    loop = asyncio.new_event_loop()
    stack.callback(loop.close)

    async def one(key: Any) -> None:
        with dbos.SetWorkflowID(unique(key)):
            await create_order(key)

    return lambda keys: loop.run_until_complete(in_flight(one, keys))


ALONE: Mapping[str, Callable[[ExitStack, Place], Run]] = {DBOS: dbos_alone, OURS: ours}
MANY: Mapping[str, Callable[[ExitStack, Place], Run]] = {
    DBOS_THREADS: dbos_threads,
    DBOS_TASKS: dbos_tasks,
    OURS_MANY: ours_many,
    OURS_LIMITED: ours_limited,
}


# -- measuring --------------------------------------------------------------------------------------------------------


def measured(
    openers: Mapping[str, Callable[[ExitStack, Place], Run]], place: Place, rounds: int, calls: int, warm: int
) -> Figures:
    """Each peer in a process of its own, which hears of a block's keys at once."""
    with ExitStack() as stack:
        blocks: dict[str, Block] = {}
        missing: dict[str, str] = {}
        for name, opener in openers.items():
            opened = stack.enter_context(clients(1, {name: opener}, place))
            missing |= opened.missing
            blocks |= {found: whole(block) for found, block in opened.blocks.items()}
        return harness.measure(harness.Opened(blocks, missing), range(1_000_000), rounds=rounds, calls=calls, warm=warm)


def whole(block: Block) -> Block:
    """A client is given its keys one by one; here all of them are one."""
    return lambda keys: block([list(keys)])


def counted(running: BenchFleet, name: str, opener: Callable[[ExitStack, Place], Run], place: Place) -> float | None:
    """Flushes of the log per saga; what opening and closing cost is taken off."""
    spent = []
    for count in (0, COUNTED):
        before = flushes(running)
        with clients(1, {name: opener}, place) as opened:
            if opened.missing:
                return None
            whole(opened.blocks[name])(list(range(count)))
        spent.append(flushes(running) - before)
    return round((spent[1] - spent[0]) / COUNTED, 3)


# -- killed -----------------------------------------------------------------------------------------------------------


def effects() -> Saga:
    """Three transactions, each of which leaves a row; nothing forbids it to leave two."""
    saga = Saga("bench_effects", lease_seconds=1.0)
    for name in ("charge", "reserve", "ship"):

        def function(ctx: SagaContext, session: outgrow.Session, name: str = name) -> None:
            session.execute("INSERT INTO effects (id, step) VALUES (%s, %s)", [ctx.input, name])

        function.__name__ = name
        saga.transaction(on="effects", key=lambda ctx: ctx.input, compensate=None)(function)
    return saga


def work(path: Any) -> None:
    with outgrow.open(path) as opened:
        opened.sagas.work(effects(), concurrency=8)


def killed(path: Any) -> tuple[int, int]:
    """Lost and duplicated effects of sagas whose workers were killed all the time."""
    context = multiprocessing.get_context("spawn")
    chance = random.Random(7)
    with outgrow.open(path) as opened, opened.session() as session:
        session.execute("CREATE TABLE effects (id int8, step text)")
        for number in range(KILLED_SAGAS):
            opened.sagas.start(effects(), number)
        for _ in range(KILLS):
            workers = [context.Process(target=work, args=(path,), daemon=True) for _ in range(2)]
            for worker in workers:
                worker.start()
            time.sleep(1.0 + chance.random())
            for worker in workers:
                assert worker.pid is not None
                os.kill(worker.pid, signal.SIGKILL)
                worker.join()
        until = time.monotonic() + 60
        while opened.sagas.list("running", limit=1) and time.monotonic() < until:
            opened.sagas.work(effects(), until_idle=True)
            time.sleep(0.2)
        unfinished = len(opened.sagas.list("running", "compensating", "stuck", "compensated", limit=KILLED_SAGAS))
        rows = session.execute("SELECT id, step, count(*) FROM effects GROUP BY id, step").fetchall()
    twice = sum(count - 1 for _, _, count in rows)
    return unfinished + 3 * KILLED_SAGAS - len(rows), twice


def unfinished(running: BenchFleet) -> int:
    """Of the sagas that were measured; all answered."""
    with running.primaries[0].administer() as connection:
        row = connection.execute("SELECT count(*) FROM outgrow.sagas WHERE state <> 'done'").fetchone()
    return int(row[0]) if row else 0


def main() -> None:
    parser = harness.arguments(__doc__, rounds=5, calls=40)
    options = parser.parse_args()
    print(harness.conditions())
    client, server = harness.two_cores()
    many_calls = options.calls * 16
    with fleet(1, 0, {"effects": {"shard_by": "id"}}, options.pg) as running:
        for primary in running.primaries:
            quiet(primary)
        install(running)
        place = Place(running.path, tuple(primary.dsn for primary in running.primaries))
        with harness.pinned(running.pids, client=client, server=server):
            alone = measured(ALONE, place, options.rounds, options.calls, options.calls // 2)
        many = measured(MANY, place, options.rounds, many_calls, many_calls // 2)
        flushed = {name: counted(running, name, opener, place) for name, opener in {**ALONE, **MANY}.items()}
        lost = unfinished(running)
        lost_killed, duplicated = killed(running.path)
    harness.show("one saga at a time", alone, [OURS])
    harness.show("64 in flight", many, [OURS_MANY])
    print("flushes per saga: " + ", ".join(f"{name} {count}" for name, count in flushed.items()))
    print(f"{KILLED_SAGAS} sagas of three transactions, their workers killed {2 * KILLS} times")
    peers = [many.times(name, OURS_MANY) for name in (DBOS_THREADS, DBOS_TASKS)]
    found = [times for times in peers if times is not None]
    ours_many_us, ours_limited_us = many.median(OURS_MANY), many.median(OURS_LIMITED)
    harness.finish(
        {
            "vs_dbos_1": alone.times(DBOS, OURS),
            # Beside the quicker of its two ways.
            "vs_dbos_64": min(found) if found else None,
            "lost": lost + lost_killed,
            "duplicated": duplicated,
            "sagas_per_second_64": round(1e6 / ours_many_us) if ours_many_us else None,
            "sagas_per_second_64_with_deadline": round(1e6 / ours_limited_us) if ours_limited_us else None,
            "flushes": flushed,
            "median_us_1": alone.medians(),
            "median_us_64": many.medians(),
        }
    )


if __name__ == "__main__":
    main()
