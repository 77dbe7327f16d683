"""A MariaDB domain through `outgrow.open`: keyed statements, scatters, transactions, streams, asyncio, refusals."""

from __future__ import annotations

import asyncio
import datetime
from decimal import Decimal

import pytest

from outgrow import errors

TABLE = """CREATE TABLE orders (id bigint PRIMARY KEY, customer varchar(20), total decimal(10,2), at datetime(6), n int,
           number bigint UNIQUE AUTO_INCREMENT)"""


@pytest.fixture(scope="module")
def fleet(mariadb_servers):
    with mariadb_servers.open(mariadb_servers.fresh(2, "{orders: {shard_by: id}}")) as made:
        with made.session() as session:
            for shard in ("s1", "s2"):
                session.execute(TABLE, shard=shard)
        yield made


@pytest.fixture
def session(fleet):
    with fleet.session() as made:
        for shard in ("s1", "s2"):
            made.execute("DELETE FROM orders", shard=shard)
        for id in range(20):
            made.execute("INSERT INTO orders (id, n, number) VALUES (%s, %s, %s)", [id, id % 5 or None, id + 1])
        yield made


def test_rows_live_on_the_shard_that_the_server_computes(fleet, session):
    from outgrow.keyspace.crc32 import Crc32

    slot = Crc32(("int8",), 64).sql(["id"])
    for index, shard in enumerate(("s1", "s2")):
        rows = session.execute(f"SELECT id FROM orders WHERE {slot} % 2 <> {index}", shard=shard).fetchall()
        assert rows == []
        assert session.execute("SELECT id FROM orders", shard=shard).fetchall() != []


def test_values_come_back_as_they_went(session):
    moment = datetime.datetime(2024, 2, 29, 23, 59, 59, 123456)
    values = [Decimal("10.50"), moment, "it's \\ 'quoted' %s $1 🙂"[:20]]
    session.execute("UPDATE orders SET total = %s, at = %s, customer = %s WHERE id = 3", values)
    assert session.execute("SELECT total, at, customer FROM orders WHERE id = %s", [3]).fetchone() == tuple(values)


def test_several_shards_answer_as_one(session):
    result = session.execute("SELECT COUNT(*), SUM(n) FROM orders")
    assert (result.columns, result.fetchall()) == (("COUNT(*)", "SUM(n)"), [(20, Decimal(40))])
    assert len(result.nodes) == 2
    assert session.execute("SELECT id FROM orders ORDER BY n, id LIMIT 3").fetchall() == [(0,), (5,), (10,)]


def test_a_query_is_run_to_see_what_it_takes(fleet, session):
    facts = fleet.explain("SELECT COUNT(*), SUM(n) FROM orders", session=session, analyze=True).to_dict()["analyzed"]
    assert [part["rows"] for part in facts["parts"]] == [1, 1]
    assert (facts["finish"]["by"], facts["finish"]["rows_in"], facts["rows"]) == ("stream", 2, 1)
    one = fleet.explain("SELECT n FROM orders WHERE id = %s", [3], session=session, analyze=True).to_dict()["analyzed"]
    assert (one["parts"][0]["rows"], one["parts"][0]["bytes"]) == (1, 1)
    with pytest.raises(errors.NotSupportedError, match="OG-RUN-170"):
        fleet.explain("DELETE FROM orders", session=session, analyze=True)


def test_a_transaction_of_one_writer_reads_what_it_wrote_and_leaves_it(session):
    with session.transaction():
        session.execute("UPDATE orders SET n = 1000 WHERE id = 1")
        assert session.execute("SELECT MAX(n) AS m FROM orders").fetchone() == (1000,)
    with pytest.raises(ZeroDivisionError), session.transaction():
        session.execute("UPDATE orders SET n = 2000 WHERE id = 1")
        raise ZeroDivisionError
    assert session.execute("SELECT MAX(n) AS m FROM orders").fetchone() == (1000,)


def test_a_savepoint_is_a_way_back(session):
    with session.transaction():
        session.execute("UPDATE orders SET n = 7 WHERE id = 1")
        with pytest.raises(errors.IntegrityError) as caught, session.transaction():
            session.execute("INSERT INTO orders (id, number) VALUES (1, 900)")
        assert (caught.value.code, caught.value.sqlstate) == ("OG-NODE-110", "23505")
    assert session.execute("SELECT n FROM orders WHERE id = 1").fetchone() == (7,)


def test_two_writers_commit_together(session):
    with session.transaction():
        for id in range(20):
            session.execute("UPDATE orders SET n = 99 WHERE id = %s", [id])
    assert session.last_transaction is not None
    assert session.execute("SELECT COUNT(*) FROM orders WHERE n = 99").fetchone() == (20,)


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("UPDATE orders SET id = id + 1", "OG-PLAN-049"),
        ("SELECT SUM(n / 3) FROM orders", "OG-PLAN-048"),
        ("SELECT id FROM orders FULL JOIN orders o ON true", "OG-PLAN-002"),
        ("CREATE TABLE t (a int)", "OG-RUN-056"),
        ("INSERT INTO orders SET id = 500", "OG-PLAN-006"),
        ("SELECT id FROM orders WHERE id = '1abc'", "OG-KEY-005"),
    ],
)
def test_refusals_have_codes(session, sql, code):
    with pytest.raises(errors.Error) as caught:
        session.execute(sql)
    assert caught.value.code == code


def test_a_stream(session):
    assert sorted(session.stream("SELECT id FROM orders")) == [(id,) for id in range(20)]
    assert list(session.stream("SELECT id FROM orders ORDER BY id")) == [(id,) for id in range(20)]


def test_asyncio(fleet, session):
    async def main():
        async with fleet.async_session() as other:
            result = await other.execute("SELECT COUNT(*) FROM orders")
            return result.fetchall()

    assert asyncio.run(main()) == [(20,)]


def test_there_is_nothing_to_recover(fleet):
    assert fleet.recover().unreachable == []


def test_events_show_no_value_and_name_the_system(fleet, session):
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from outgrow.watch import instrument

    spans, provider, told = InMemorySpanExporter(), TracerProvider(), []
    provider.add_span_processor(SimpleSpanProcessor(spans))
    ends = [fleet.subscribe(told.append), instrument(fleet, tracer_provider=provider)]
    session.execute('UPDATE orders SET customer = "s3cret" WHERE id = 3')
    session.execute("SELECT count(*) FROM orders WHERE `customer` = 's3cret'")
    for end in ends:
        end()
    assert len(told) == 2 and "s3cret" not in repr(told)
    finished = spans.get_finished_spans()
    assert {span.attributes["db.system.name"] for span in finished} == {"mariadb"}
    assert "s3cret" not in "".join(span.to_json() for span in finished)
