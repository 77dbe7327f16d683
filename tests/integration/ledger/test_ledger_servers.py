"""The ledger on real servers: interrupted at every statement, installed by many at once, raised by many at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest

from outgrow import ledger
from outgrow.errors import Error, OperationalError
from outgrow.nodes import Nodes
from outgrow.nodes import drive as drive_nodes
from outgrow.topology import Copied, Domain, Node, Role, Shard, Sharded, ShardMap, Single, TableName
from outgrow.waits import Steps
from tests.servers import Servers, serving

SHARDS = ("s1", "s2")
TABLES = {
    TableName("public", "orders"): Sharded(("customer", "day")),
    TableName("app", "Countries"): Copied(),
    TableName("public", "settings"): Single("s2"),
}
DOMAIN = Domain(
    "sales",
    "postgresql",
    64,
    tuple(Shard(name, Node(f"sales/{name}/primary", "sales", name, Role.PRIMARY, "")) for name in SHARDS),
    TABLES,
)


class Lost(OperationalError):
    """The connection went away."""


@dataclass
class Answer:
    rows: list[tuple[Any, ...]]


class Connected:
    """A `Runner` over psycopg; after `budget` statements the link is cut, before or after the last one ran."""

    engine = "postgresql"

    def __init__(
        self, dsn: str, budget: list[int] | None = None, reply_lost: bool = False, log: list[str] | None = None
    ) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True, cursor_factory=psycopg.RawCursor)
        self.budget = budget
        self.reply_lost = reply_lost
        self.log = log

    def run_steps(self, sql: str, params: Sequence[Any] | None = None) -> Steps[Answer]:
        last = self.budget is not None and self.budget[0] == 1
        if self.connection.closed or (last and not self.reply_lost):
            self.connection.close()
            raise Lost("OG-NODE-001", "the link is cut")
        if self.budget is not None:
            self.budget[0] -= 1
        if self.log is not None:
            self.log.append(sql)
        try:
            cursor = self.connection.execute(sql, params)
            rows = cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise OperationalError("OG-NODE-002", str(error), sqlstate=error.sqlstate) from error
        if last:
            self.connection.close()
            raise Lost("OG-NODE-001", "the reply is lost")
        return Answer(rows)
        yield  # a generator that never waits


def drive(steps: Steps[Any]) -> Any:
    try:
        next(steps)
    except StopIteration as over:
        return over.value
    raise AssertionError("these steps must not wait")


@pytest.fixture(scope="module")
def databases(fleet_servers: Servers) -> Iterator[dict[str, str]]:
    topology = fleet_servers.fresh()
    yield {shard.name: shard.primary.dsn for shard in topology.domains[0].shards}
    fleet_servers.drop(topology)


@pytest.fixture
def dsns(databases: dict[str, str]) -> dict[str, str]:
    """Two databases without a ledger; their owner is an ordinary role."""
    for dsn in databases.values():
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS outgrow CASCADE")
    return databases


def install(dsns: dict[str, str], domain: Domain = DOMAIN, budget: list[int] | None = None, **how: Any) -> Any:
    with ExitStack() as stack:
        runners = {name: Connected(dsn, budget, **how) for name, dsn in dsns.items()}
        for runner in runners.values():
            stack.callback(runner.connection.close)
        return drive(ledger.install_steps(runners, domain, ShardMap.first(domain)))


def read(dsns: dict[str, str]) -> Any:
    home = Connected(dsns["s1"])
    try:
        return drive(ledger.read_steps(home, "sales"))
    finally:
        home.connection.close()


def test_what_is_installed_can_be_read(dsns: dict[str, str]) -> None:
    assert read(dsns) is None
    state = install(dsns)
    assert state == read(dsns)
    assert state.placements == TABLES
    assert state.shard_map == ShardMap.first(DOMAIN)
    assert (state.version, state.schema_epoch, state.shard_map.epoch) == (ledger.version_of("postgresql"), 1, 1)
    assert ledger.differs(DOMAIN, state) == ()


def test_installing_again_changes_nothing_but_adds_new_tables(dsns: dict[str, str]) -> None:
    install(dsns)
    changed = {TableName("public", "orders"): Copied(), TableName("public", "new"): Copied()}
    state = install(dsns, replace(DOMAIN, slots=8, tables=changed))
    assert len(state.shard_map.owners) == 64
    assert state.placements == {**TABLES, TableName("public", "new"): Copied()}


def test_interrupted_at_any_statement_the_next_run_finishes(dsns: dict[str, str]) -> None:
    budget, log = [10_000], []
    expected = install(dsns, budget=budget, log=log)
    assert len(log) == 10_000 - budget[0] > 30
    # A lost reply leaves something else behind than a lost question only where the statement commits.
    cuts = [(number, False) for number in range(1, len(log) + 1)]
    cuts += [(number, True) for number, sql in enumerate(log, 1) if sql == "COMMIT"]
    assert len(cuts) == len(log) + 3
    for number, reply_lost in cuts:
        for dsn in dsns.values():
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("DROP SCHEMA IF EXISTS outgrow CASCADE")
        with pytest.raises(Lost):
            install(dsns, budget=[number], reply_lost=reply_lost)
        # What a reader meets in between is "not installed", or all of it; never a half.
        between = read(dsns)
        assert between is None or between == expected, number
        assert install(dsns) == expected, number


def test_many_processes_install_at_once(dsns: dict[str, str]) -> None:
    states, errors = [], []

    def one() -> None:
        try:
            states.append(install(dsns))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert states == [read(dsns)] * 6


def test_a_newer_or_foreign_ledger_is_left_alone(dsns: dict[str, str]) -> None:
    install(dsns)
    with pytest.raises(Error) as foreign:
        install(dsns, replace(DOMAIN, name="hr"))
    assert foreign.value.code == "OG-LEDGER-004"
    with psycopg.connect(dsns["s2"], autocommit=True) as connection:
        connection.execute("UPDATE outgrow.meta SET version = version + 1")
    with pytest.raises(Error) as newer:
        install(dsns)
    assert newer.value.code == "OG-LEDGER-001"
    assert newer.value.shard == "s2"


def test_a_strangers_schema_is_not_taken_for_ours(dsns: dict[str, str]) -> None:
    with psycopg.connect(dsns["s2"], autocommit=True) as connection:
        connection.execute("CREATE SCHEMA outgrow; CREATE TABLE outgrow.loads (mine int)")
    with pytest.raises(Error) as stranger:
        install(dsns)
    assert stranger.value.sqlstate == "42P07"
    assert read(dsns) is None


def test_generations_are_raised_once_by_many(dsns: dict[str, str]) -> None:
    install(dsns)
    runner = Connected(dsns["s1"])
    first = drive(ledger.meet_primary_steps(runner))
    assert first == drive(ledger.read_generation_steps(runner))
    assert (first.counter, first.timeline) == (1, 1)
    assert drive(ledger.raise_generation_steps(runner, 1)) == first
    results = []

    def one() -> None:
        mine = Connected(dsns["s1"])
        results.append(drive(ledger.raise_generation_steps(mine, 7)))
        mine.connection.close()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [replace(first, counter=2, timeline=7)] * 8
    # The row now claims a timeline that this primary is not on: meeting it makes a third generation.
    assert drive(ledger.meet_primary_steps(runner)) == replace(first, counter=3)
    runner.connection.close()


def test_token_guard_epochs_and_loads(dsns: dict[str, str]) -> None:
    install(dsns)
    runner = Connected(dsns["s1"])
    ask = ledger.queries()
    (counter, lsn, recorded, actual), *_ = drive(runner.run_steps(ask["token"])).rows
    assert (counter, recorded, actual) == (1, 1, 1)
    assert lsn > 0
    # A primary that has recovered from a crash still tells what it replayed then.
    [(generation, _, in_recovery)] = drive(runner.run_steps(ask["guard"])).rows
    assert (generation, in_recovery) == (1, False)
    assert drive(ledger.read_epochs_steps(runner, "sales")) == (1, 1)
    assert drive(ledger.raise_schema_epoch_steps(runner, "sales")) == 2
    assert drive(ledger.read_epochs_steps(runner, "sales")) == (1, 2)
    drive(runner.run_steps(ask["load_record"], ["l1", "orders", 5]))
    assert drive(runner.run_steps(ask["load_rows"], ["l1", "orders"])).rows == [(5,)]
    assert drive(runner.run_steps(ask["load_rows"], ["l2", "orders"])).rows == []
    runner.connection.close()


def test_a_promotion_begins_a_generation_even_for_a_connection_that_survived_it() -> None:
    with serving(1, 1) as servers:
        domain = servers.fresh().domains[0]
        primary, replica = Connected(domain.home.primary.dsn), None
        sales = replace(domain, name="sales", tables={})
        state = drive(ledger.install_steps({"s1": primary}, sales, ShardMap.first(sales)))
        assert state.placements == {}
        first = drive(ledger.meet_primary_steps(primary))
        servers.wait_replayed()
        replica = Connected(domain.home.replicas[0].dsn)
        ask = ledger.queries()
        ((counter, replayed, in_recovery),) = drive(replica.run_steps(ask["guard"])).rows
        assert (counter, in_recovery) == (1, True)
        assert replayed > 0
        servers.sql(domain.home.replicas[0], "SELECT pg_promote()", database="postgres")
        ((counter, _, recorded, actual),) = drive(replica.run_steps(ask["token"])).rows
        assert (counter, recorded, actual) == (1, 1, 2)
        assert drive(ledger.meet_primary_steps(replica)) == replace(first, counter=2, timeline=2)
        assert drive(replica.run_steps(ask["guard"])).rows[0][::2] == (2, False)
        for runner in (primary, replica):
            runner.connection.close()


def test_installed_through_the_nodes_room(fleet_servers: Servers) -> None:
    topology = fleet_servers.fresh()
    nodes = Nodes(topology)
    domain = replace(topology.domains[0], tables=TABLES)
    links = {shard.name: drive_nodes(nodes.pool(shard.primary).take_steps(None)) for shard in domain.shards}
    assert drive_nodes(ledger.install_steps(links, domain, ShardMap.first(domain))).placements == TABLES
    assert drive_nodes(ledger.meet_primary_steps(links["s2"])).counter == 1
    for shard in domain.shards:
        nodes.pool(shard.primary).give(links[shard.name])
    nodes.close()
    fleet_servers.drop(topology)
