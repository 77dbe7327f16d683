"""One suite for every implementation of links and pools: the real one and the fake must agree."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import replace
from typing import NamedTuple

import pytest

from outgrow import errors, local
from outgrow.clock import monotonic
from outgrow.nodes import LOST_BEFORE, LOST_DURING, Pool, drive, drive_async, together
from outgrow.nodes.engines import opening
from outgrow.nodes.fake import FakeServer
from outgrow.topology import Node, PoolLimits, Role
from tests import mariadb, pgbouncer
from tests.integration.nodes.server import Server


class Texts(NamedTuple):
    """The suite's statements in an engine's own words."""

    echo: str = "SELECT $1::int8 AS n, 'x' AS t"
    sleep: str = "SELECT pg_sleep(0.3)::text"
    fails: str = "SELECT 1/0"
    state: str = "22012"
    series: str = "SELECT i FROM generate_series(1, 25) i"
    insert: str = "INSERT INTO conformance VALUES ($1) RETURNING n"


#: MariaDB's division by zero is NULL.
MARIADB = Texts(
    echo="SELECT COALESCE($1, 9223372036854775807) AS n, 'x' AS t",
    sleep="SELECT SLEEP(0.3)",
    fails="SELECT (SELECT 9223372036854775807 + 1)",
    state="22003",
    series="SELECT seq AS i FROM seq_1_to_25",
)


class Real:
    """A PostgreSQL server of this module's own."""

    texts = Texts()

    def __init__(self) -> None:
        self.server = Server()
        self.node = Node("sales/s1/primary", "sales", "s1", Role.PRIMARY, self.server.dsn(), "here")
        pool = self.pool()
        link = drive(pool.take_steps())
        drive(link.run_steps("CREATE TABLE conformance (n int8)"))
        pool.give(link)
        pool.close()

    def pool(self, **limits) -> Pool:
        return Pool(self.node, PoolLimits(**limits))

    def stop(self) -> None:
        self.server.stop("immediate")

    def start(self) -> None:
        self.server.start()

    def remove(self) -> None:
        self.server.remove()


class Pooled(Real):
    """The same behind PgBouncer in transaction mode, with more connections than the pool has places for servers'."""

    def __init__(self) -> None:
        self._until = contextlib.ExitStack()
        super().__init__()
        self.pooler = self._until.enter_context(
            pgbouncer.running({"s1": self.server.dsn()}, pool_size=2, wait_seconds=5)
        )
        self.node = replace(self.node, dsn=self.pooler.dsn("s1"), pooler="transaction")

    def remove(self) -> None:
        self._until.close()
        super().remove()


class Mariadb:
    """A MariaDB server of this module's own."""

    texts = MARIADB

    def __init__(self) -> None:
        mariadb.required()
        self._until = contextlib.ExitStack()
        [self.server] = self._until.enter_context(local.temporary_mariadb(1))
        self.node = Node("sales/s1/primary", "sales", "s1", Role.PRIMARY, self.server.dsn(), "here")
        pool = self.pool()
        link = drive(pool.take_steps())
        drive(link.run_steps("CREATE TABLE conformance (n bigint)"))
        pool.give(link)
        pool.close()

    def pool(self, **limits) -> Pool:
        return Pool(self.node, PoolLimits(**limits), connect=opening("mariadb"))

    def stop(self) -> None:
        self.server.stop(at_once=True)

    def start(self) -> None:
        self.server.start()

    def remove(self) -> None:
        self._until.close()


class Fake:
    texts = Texts()

    def __init__(self) -> None:
        self.node = Node("sales/s1/primary", "sales", "s1", Role.PRIMARY, "")
        texts = self.texts
        self.server = FakeServer(self.node)
        self.server.answer("SELECT", [()])
        self.server.answer(texts.echo, lambda params: [(params[0], "x")], columns=[("n", "int8"), ("t", "text")])
        self.server.answer(texts.sleep, [("",)], columns=[("pg_sleep", "text")], seconds=0.3)
        self.server.answer(texts.fails, error=errors.DataError("OG-NODE-120", "division by zero", sqlstate="22012"))
        self.server.answer(texts.series, [(i,) for i in range(1, 26)], columns=[("i", "int4")])
        self.server.answer(texts.insert, lambda params: [(params[0],)], columns=[("n", "int8")], status="INSERT")

    def pool(self, **limits) -> Pool:
        return Pool(self.node, PoolLimits(**limits), connect=self.server.connect_steps)

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        self.server.start()

    def remove(self) -> None:
        pass


@pytest.fixture(scope="module", params=[Real, Pooled, Mariadb, Fake], ids=["real", "pooled", "mariadb", "fake"])
def implementation(request):
    made = request.param()
    yield made
    made.remove()


@pytest.fixture
def texts(implementation):
    return implementation.texts


@pytest.fixture
def pool(implementation):
    made = implementation.pool(size_max=3, wait_timeout_seconds=5)
    yield made
    made.close()


@pytest.fixture
def link(pool):
    taken = drive(pool.take_steps())
    yield taken
    pool.give(taken)


def test_rows_fields_status_and_count(link, texts):
    for i in range(8):
        rows = drive(link.run_steps(texts.echo, [i]))
        assert rows.rows == [(i, "x")]
        assert [(field.name, field.type) for field in rows.fields] == [("n", "int8"), ("t", "text")]
        assert (rows.status, rows.count) == ("SELECT", 1)
    rows = drive(link.run_steps(texts.insert, [5]))
    assert (rows.status, rows.count, rows.rows) == ("INSERT", 1, [(5,)])


def test_an_error_leaves_the_link_usable(link, texts):
    with pytest.raises(errors.DataError) as caught:
        drive(link.run_steps(texts.fails))
    assert (caught.value.code, caught.value.sqlstate) == ("OG-NODE-120", texts.state)
    assert not link.broken and not link.in_transaction
    assert drive(link.run_steps(texts.echo, [1])).rows == [(1, "x")]


def test_a_transaction_fails_and_is_rolled_back(link, texts):
    drive(link.run_steps("BEGIN"))
    assert link.in_transaction
    with pytest.raises(errors.DataError):
        drive(link.run_steps(texts.fails))
    assert link.in_failed_transaction
    with pytest.raises(errors.OperationalError) as caught:
        drive(link.run_steps(texts.echo, [1]))
    assert caught.value.code == "OG-NODE-134"
    drive(link.run_steps("ROLLBACK"))
    assert not link.in_transaction


def test_a_time_limit(link, texts):
    with pytest.raises(errors.OperationalError) as caught:
        drive(link.run_steps(texts.sleep, until=monotonic() + 0.03))
    assert (caught.value.code, caught.value.sqlstate) == ("OG-NODE-012", "57014")
    assert drive(link.run_steps(texts.echo, [1])).rows == [(1, "x")]


def test_a_pair(link, texts):
    one, two = drive(link.run_two_steps((texts.echo, [1]), (texts.fails, None)))
    assert one.rows == [(1, "x")] and isinstance(two, errors.DataError)
    one, two = drive(link.run_two_steps((texts.fails, None), (texts.echo, [2])))
    assert isinstance(one, errors.DataError) and two.rows == [(2, "x")]


def test_many_each_for_itself(link, texts):
    one, two, three = drive(link.run_many_steps([(texts.echo, [1]), (texts.fails, None), (texts.echo, [3])]))
    assert (one.rows, three.rows) == ([(1, "x")], [(3, "x")]) and isinstance(two, errors.DataError)


def test_many_chained_end_with_the_first_that_fails(link, texts):
    begin, two, three = drive(
        link.run_many_steps([("BEGIN", None), (texts.fails, None), (texts.echo, [3])], chained=True)
    )
    assert begin.status == "BEGIN"
    assert isinstance(two, errors.DataError) and isinstance(three, errors.DataError)
    assert link.in_failed_transaction
    drive(link.run_steps("ROLLBACK"))
    _, two = drive(link.run_many_steps([("BEGIN", None), (texts.echo, [2])], chained=True))
    assert two.rows == [(2, "x")] and link.in_transaction
    drive(link.run_steps("ROLLBACK"))


def test_a_stream(link, texts):
    stream = link.stream(texts.series, chunk_rows=10)
    assert [field.name for field in drive(stream.open_steps())] == ["i"]
    assert drive(stream.more_steps()) == [(i,) for i in range(1, 11)]
    with pytest.raises(errors.InterfaceError) as caught:
        drive(link.run_steps(texts.echo, [1]))
    assert caught.value.code == "OG-NODE-016"
    assert [len(drive(stream.more_steps()) or []) for _ in range(3)] == [10, 5, 0]
    assert stream.count == 25
    stream = link.stream(texts.series, chunk_rows=10)
    drive(stream.open_steps())
    drive(stream.close_steps())
    assert drive(link.run_steps(texts.echo, [1])).rows == [(1, "x")]


def test_many_at_once_and_the_first_error(pool, texts):
    links = [drive(pool.take_steps()) for _ in range(3)]
    began = monotonic()
    assert len(drive(together([link.run_steps(texts.sleep) for link in links]))) == 3
    assert monotonic() - began < 0.9, "one after another takes as long"
    with pytest.raises(errors.DataError):
        drive(
            together(
                [links[0].run_steps(texts.sleep), links[1].run_steps(texts.fails), links[2].run_steps(texts.sleep)]
            )
        )
    for link in links:
        assert drive(link.run_steps(texts.echo, [1])).count == 1
        pool.give(link)


def test_under_asyncio_with_cancellation(pool, texts):
    async def main():
        link = await drive_async(pool.take_steps())
        assert (await drive_async(link.run_steps(texts.echo, [1]))).rows == [(1, "x")]
        task = asyncio.create_task(drive_async(link.run_steps(texts.sleep)))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await drive_async(link.run_steps(texts.echo, [2]))).rows == [(2, "x")]
        pool.give(link)

    asyncio.run(main())


def test_a_pool_gives_back_what_was_used_last(pool, texts):
    one, two = drive(pool.take_steps()), drive(pool.take_steps())
    pool.give(one)
    pool.give(two)
    assert pool.take_now() is two
    assert pool.take_now() is one
    assert pool.take_now() is None
    pool.give(one)
    pool.give(two)
    stats = pool.stats()
    assert (stats.size, stats.idle, stats.taken, stats.opened) == (2, 2, 4, 2)


def test_an_exhausted_pool_says_so(implementation, texts):
    pool = implementation.pool(size_max=1, wait_timeout_seconds=0.05)
    link = drive(pool.take_steps())
    with pytest.raises(errors.OperationalError) as caught:
        drive(pool.take_steps())
    assert caught.value.code == "OG-NODE-013"
    assert "all 1 connections" in str(caught.value)
    pool.give(link)
    assert pool.stats().timeouts == 1 and pool.stats().waiting == 0
    pool.give(drive(pool.take_steps()))
    pool.close()


def test_open_transactions_do_not_come_back(pool, texts):
    link = drive(pool.take_steps())
    drive(link.run_steps("BEGIN"))
    drive(pool.give_steps(link))
    assert pool.take_now() is link and not link.in_transaction
    drive(link.run_steps("BEGIN"))
    pool.give(link)
    assert pool.stats().size == 0
    again = drive(pool.take_steps())
    assert not again.in_transaction
    pool.give(again)


def test_a_closed_pool_gives_nothing(implementation, texts):
    pool = implementation.pool(size_max=2)
    out, link = drive(pool.take_steps()), drive(pool.take_steps())
    pool.give(link)
    pool.close()
    with pytest.raises(errors.InterfaceError) as caught:
        drive(pool.take_steps())
    assert caught.value.code == "OG-NODE-014"
    pool.give(out)
    assert out.closed and pool.stats().size == 0


def test_a_server_that_stops_in_mid_statement_and_comes_back(implementation, pool, texts):
    link = drive(pool.take_steps())
    stopping = threading.Timer(0.1, implementation.stop)
    stopping.start()
    with pytest.raises(errors.OperationalError) as caught:
        drive(link.run_steps(texts.sleep))
    assert caught.value.code == LOST_DURING
    pool.give(link)
    assert pool.stats().size == 0
    for _ in range(100):
        try:
            link = drive(pool.take_steps())
            try:
                # A pooler lets clients in also where it has no server.
                drive(link.run_steps(texts.echo, [1]))
            finally:
                pool.give(link)
        except errors.OperationalError as error:
            assert error.code in ("OG-NODE-001", "OG-NODE-008", "OG-NODE-010")
            break
    else:
        raise AssertionError("a stopped server took connections")
    stopping.join()
    implementation.start()
    until = monotonic() + 20
    while True:
        link = drive(pool.take_steps())
        try:
            assert drive(link.run_steps(texts.echo, [1])).count == 1
            break
        except errors.OperationalError as error:
            # It says so for a second after the server is back.
            assert implementation.node.pooled and error.code == LOST_BEFORE and monotonic() < until
            pool.give(link)
    pool.give(link)
