"""Pairs in one flush, streams, COPY, many at once."""

from __future__ import annotations

import re
import resource
import threading
import time

import pytest

from outgrow import errors
from outgrow.clock import monotonic
from outgrow.nodes import LOST_DURING, Link, LinkSettings, Rows, drive, link_steps, together
from outgrow.topology import Node


def run(link: Link, sql: str, params=None, **more):
    return drive(link.run_steps(sql, params, **more))


def pair(link: Link, first, second, **more):
    return drive(link.run_two_steps(first, second, **more))


LSN = ("SELECT pg_current_wal_insert_lsn()", None)


def test_each_of_a_pair_is_its_own_transaction(link, admin):
    for i in range(12):  # plain, prepared within the pipeline, prepared before
        one, two = pair(link, ("INSERT INTO things VALUES ($1, 'a')", [i]), ("SELECT txid_current(), $1::int", [i]))
        assert isinstance(one, Rows) and isinstance(two, Rows)
        assert one.count == 1
        inserted = admin.execute("SELECT xmin::text::int8 FROM things WHERE id = %s", [i]).fetchone()[0]
        assert inserted != two.rows[0][0]
    names = run(link, "SELECT count(*) FROM pg_prepared_statements", prepare=False).rows
    assert names == [(2,)]


def test_either_of_a_pair_may_fail_alone(link, admin):
    for _ in range(8):
        one, two = pair(link, ("SELECT 1/0", None), ("SELECT 2", None))
        assert isinstance(one, errors.DataError) and two.rows == [(2,)]
        one, two = pair(link, ("SELECT 1", None), ("SELECT nonsense", None))
        assert one.rows == [(1,)] and isinstance(two, errors.ProgrammingError)
    assert not link.in_transaction
    assert run(link, "SELECT 3").rows == [(3,)]


def test_a_pair_leaves_names_of_unknown_types_right(link):
    link.names.clear()
    one, two = pair(link, ("SELECT 'happy'::mood", None), ("SELECT row(1,'a')::pair", None))
    assert one.fields[0].type == "public.mood"
    assert two.fields[0].type == "public.pair"


def test_a_time_limit_in_a_pair(link):
    one, two = pair(link, ("SELECT 1", None), ("SELECT pg_sleep(20)", None), until=monotonic() + 0.1)
    assert one.rows == [(1,)]
    assert two.code == "OG-NODE-012"
    one, two = pair(link, ("SELECT pg_sleep(20)", None), ("SELECT 5", None), until=monotonic() + 0.1)
    assert one.code == "OG-NODE-012"
    assert run(link, "SELECT 1").rows == [(1,)]


def test_a_pair_keeps_the_first_answer_when_the_connection_is_lost(link, admin):
    threading.Timer(0.2, lambda: admin.execute("SELECT pg_terminate_backend(%s)", [link.backend_pid])).start()
    one, two = pair(link, ("SELECT 1", None), ("SELECT pg_sleep(20)", None))
    assert one.rows == [(1,)]
    assert two.code == LOST_DURING
    assert link.broken


def test_a_stale_plan_in_a_pair_is_run_again(link, admin):
    admin.execute("DROP TABLE IF EXISTS moving")
    admin.execute("CREATE TABLE moving (a int)")
    for _ in range(8):
        pair(link, ("SELECT 1", None), ("SELECT * FROM moving", None))
    admin.execute("ALTER TABLE moving ADD b text")
    _, two = pair(link, ("SELECT 1", None), ("SELECT * FROM moving", None))
    assert [field.name for field in two.fields] == ["a", "b"]


def read_all(stream):
    fields = yield from stream.open_steps()
    rows = []
    while (more := (yield from stream.more_steps())) is not None:
        rows.append(more)
    return fields, rows


@pytest.mark.parametrize("count", [0, 1, 10, 11, 35])
def test_a_stream_gives_all_rows_in_chunks(link, count):
    for _ in range(3):
        stream = link.stream("SELECT i, 'x' || i AS name FROM generate_series(1, $1::int) i", [count], chunk_rows=10)
        fields, chunks = drive(read_all(stream))
        assert [field.name for field in fields] == ["i", "name"]
        assert [row for chunk in chunks for row in chunk] == [(i, f"x{i}") for i in range(1, count + 1)]
        assert all(0 < len(chunk) <= 10 for chunk in chunks)
        assert drive(stream.more_steps()) is None
        assert not link.broken and not link.in_transaction


def test_a_stream_names_unknown_types_and_uses_prepared_statements(link):
    link.names.clear()
    fields, _ = drive(read_all(link.stream("SELECT 'happy'::mood")))
    assert fields[0].type == "public.mood"
    for _ in range(7):
        run(link, "SELECT 5 AS five")
    fields, chunks = drive(read_all(link.stream("SELECT 5 AS five")))
    assert fields[0].name == "five" and chunks == [[(5,)]]


@pytest.mark.parametrize("within", [False, True])
def test_a_stream_can_be_closed_early(link, admin, within):
    if within:
        run(link, "BEGIN")
    stream = link.stream("SELECT i FROM generate_series(1, 300000) i", chunk_rows=10)
    drive(stream.open_steps())
    assert drive(stream.more_steps()) == [(i,) for i in range(1, 11)]
    began = time.monotonic()
    drive(stream.close_steps())
    drive(stream.close_steps())
    assert time.monotonic() - began < 5
    assert link.in_transaction is within and not link.in_failed_transaction
    assert drive(stream.more_steps()) is None
    assert run(link, "SELECT 1").rows == [(1,)]


def test_a_stream_shows_an_error_in_mid_result(link):
    stream = link.stream("SELECT 1000 / (i - 50) FROM generate_series(1, 100) i", chunk_rows=10)
    with pytest.raises(errors.DataError):
        drive(read_all(stream))
    assert run(link, "SELECT 1").rows == [(1,)]
    with pytest.raises(errors.ProgrammingError):
        drive(link.stream("SELECT nonsense").open_steps())
    assert run(link, "SELECT 1").rows == [(1,)]


def test_a_stream_has_a_time_limit(link):
    stream = link.stream(
        "SELECT i, pg_sleep(0.01)::text FROM generate_series(1, 1000) i", chunk_rows=5, until=monotonic() + 0.4
    )
    with pytest.raises(errors.OperationalError) as caught:
        drive(read_all(stream))
    assert caught.value.code == "OG-NODE-012"
    assert run(link, "SELECT 1").rows == [(1,)]


def test_a_million_rows_stream_in_bounded_memory(link):
    stream = link.stream("SELECT i, repeat('x', 80) FROM generate_series(1, 1000000) i", chunk_rows=1000)
    drive(stream.open_steps())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count = 0
    while (rows := drive(stream.more_steps())) is not None:
        count += len(rows)
    assert count == 1_000_000
    assert stream.count == 1_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 12_000  # KiB; the result is 100 MB


def load(link: Link, pieces, sql="COPY things FROM STDIN"):
    copy = link.copy_in()
    yield from copy.begin_steps(sql)
    for piece in pieces:
        yield from copy.send_steps(piece)
    return (yield from copy.finish_steps())


def test_copy_in(link, admin):
    pieces = [b"".join(b"%d\tname\t3\n" % i for i in range(start, start + 1000)) for start in range(0, 50000, 1000)]
    assert drive(load(link, pieces)) == 50000
    assert admin.execute("SELECT count(*), sum(id) FROM things").fetchone() == (50000, sum(range(50000)))
    assert run(link, "SELECT 1").rows == [(1,)]


def test_copy_in_refused_by_the_server(link, admin):
    with pytest.raises(errors.DataError) as caught:
        drive(load(link, [b"1\ta\t1\n", b"x\tb\t1\n" * 1000] + [b"2\tc\t1\n" * 10000] * 20))
    assert "things, line 2" in caught.value.details["context"]
    assert admin.execute("SELECT count(*) FROM things").fetchone() == (0,)
    assert run(link, "SELECT 1").rows == [(1,)]
    with pytest.raises(errors.ProgrammingError):
        drive(load(link, [], "COPY nowhere FROM STDIN"))
    with pytest.raises(errors.ProgrammingError) as caught:
        drive(load(link, [], "SELECT 1"))
    assert caught.value.code == "OG-NODE-023"
    assert run(link, "SELECT 1").rows == [(1,)]


def test_copy_in_aborted(link, admin):
    copy = link.copy_in()
    drive(copy.begin_steps("COPY things FROM STDIN"))
    drive(copy.send_steps(b"1\ta\t1\n" * 1))
    drive(copy.abort_steps("the source ended early"))
    assert admin.execute("SELECT count(*) FROM things").fetchone() == (0,)
    assert run(link, "SELECT 1").rows == [(1,)]


def test_copy_in_waits_for_a_slow_server(link, admin):
    with admin.transaction():
        admin.execute("LOCK TABLE things IN ACCESS EXCLUSIVE MODE")
        copy = link.copy_in(until=monotonic() + 0.5)
        with pytest.raises(errors.OperationalError) as caught:
            drive(copy.begin_steps("COPY things FROM STDIN"))
        assert caught.value.code == "OG-NODE-012"
    assert run(link, "SELECT 1").rows == [(1,)]


def test_copy_out(link):
    copy = link.copy_out()
    drive(copy.begin_steps("COPY (SELECT i, 'x' FROM generate_series(1, 50000) i) TO STDOUT"))
    pieces = []
    while (piece := drive(copy.more_steps(10000))) is not None:
        pieces.append(piece)
    assert b"".join(pieces).splitlines() == [b"%d\tx" % i for i in range(1, 50001)]
    assert copy.count == 50000
    copy = link.copy_out()
    drive(copy.begin_steps("COPY (SELECT i FROM generate_series(1, 3000000) i) TO STDOUT"))
    drive(copy.more_steps())
    drive(copy.close_steps())
    assert run(link, "SELECT 1").rows == [(1,)]


@pytest.fixture
def four(node: Node):
    links = [drive(link_steps(node, LinkSettings())) for _ in range(4)]
    yield links
    for link in links:
        link.close()


def test_many_run_at_once(four):
    began = time.monotonic()
    rows = drive(together([link.run_steps("SELECT $1, pg_sleep(0.5)::text", [i]) for i, link in enumerate(four)]))
    assert time.monotonic() - began < 2, "one after another takes as long"
    assert [row.rows[0][0] for row in rows] == [0, 1, 2, 3]
    assert drive(together([])) == []


def test_the_first_error_cancels_the_others_on_the_server(four, admin):
    began = time.monotonic()
    statements = ["SELECT pg_sleep(20)", "SELECT pg_sleep(20)", "SELECT 1 / (pg_sleep(0.1) IS NULL)::int", "SELECT 1"]
    with pytest.raises(errors.DataError):
        drive(together([link.run_steps(sql) for link, sql in zip(four, statements, strict=True)]))
    assert time.monotonic() - began < 3
    pids = [link.backend_pid for link in four]
    states = admin.execute("SELECT DISTINCT state FROM pg_stat_activity WHERE pid = ANY (%s)", [pids]).fetchall()
    assert states == [("idle",)]
    for link in four:
        assert run(link, "SELECT 1").rows == [(1,)]


def test_time_limits_hold_in_company(four):
    began = monotonic()
    with pytest.raises(errors.OperationalError) as caught:
        drive(together([link.run_steps("SELECT pg_sleep($1)", [0.05 * i * 100], until=began + 0.3)
                        for i, link in enumerate(four)]))  # fmt: skip
    assert caught.value.code == "OG-NODE-012"
    assert monotonic() - began < 3
    for link in four:
        assert run(link, "SELECT 1").rows == [(1,)]


def test_errors_name_their_node_and_never_the_password(server):
    from .conftest import node_of

    link = drive(link_steps(node_of(server.dsn(user="guarded", password="'open sesame'")), LinkSettings()))
    with pytest.raises(errors.ProgrammingError) as caught:
        run(link, "SELECT * FROM things")
    assert caught.value.code == "OG-NODE-102"
    assert not re.search("sesame", str(caught.value) + repr(caught.value) + repr(link) + repr(link.node))
    link.close()


@pytest.mark.parametrize("chunk_rows", [1, 10])
def test_a_stream_leaves_the_next_pair_whole(link, chunk_rows):
    """libpq keeps the chunked mode for the first statement of the pipeline after it."""
    series = "SELECT i FROM generate_series(1, 25) i"
    for _ in range(8):  # plain, being prepared, prepared
        drive(read_all(link.stream(series, chunk_rows=chunk_rows)))
        first, second = pair(link, (series, None), ("SELECT 1", None))
        assert [row[0] for row in first.rows] == list(range(1, 26))
        assert (first.status, first.count) == ("SELECT", 25)
        assert second.rows == [(1,)]
