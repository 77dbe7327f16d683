"""Sessions on real servers: routing, reading own writes, transactions, errors."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest

import outgrow
from outgrow import Fleet


def keys_on_two_shards(fleet: Fleet) -> tuple[int, int]:
    """Two customers that live on different shards."""
    placed: dict[str, int] = {}
    for key in range(1, 200):
        shards = fleet.explain("SELECT * FROM customers WHERE customer_id = %s", [key]).to_dict()["shards"]["shards"]
        placed.setdefault(shards[0], key)
        if len(placed) == 2:
            break
    first, second = placed.values()
    return first, second


def add(fleet: Fleet, *keys: int) -> None:
    with fleet.session() as session:
        for key in keys:
            session.execute("INSERT INTO customers VALUES (%s, %s, %s)", [key, f"c{key}", "DE"])


def test_a_session_reads_its_own_write_from_wherever(fleet: Fleet) -> None:
    with fleet.session() as session:
        for key in range(50):
            session.execute("INSERT INTO customers VALUES (%s, %s, %s)", [key, f"c{key}", "DE"])
            row = session.execute("SELECT name FROM customers WHERE customer_id = %s", [key]).fetchone()
            assert row == (f"c{key}",)


def test_rows_lie_on_the_shard_that_routing_says(fleet: Fleet) -> None:
    add(fleet, *range(40))
    with fleet.session(level="strong") as session:
        counts = [
            session.execute("SELECT count(*) FROM customers", shard=shard.name).fetchall()[0][0]
            for shard in fleet.topology.domains[0].shards
        ]
        assert sum(counts) == 40
        assert all(counts)


def test_a_scatter_counts_sums_orders_and_limits(fleet: Fleet) -> None:
    add(fleet, *range(40))
    with fleet.session() as session:
        for key in range(40):
            session.execute("INSERT INTO orders VALUES (%s, %s, %s)", [key, 1, Decimal(key) + Decimal("0.50")])
        assert session.execute("SELECT count(*), sum(total), avg(total) FROM orders").fetchall() == [
            (40, Decimal("800.00"), Decimal("20.0000000000000000"))
        ]
        top = session.execute("SELECT customer_id FROM orders ORDER BY total DESC LIMIT 3").fetchall()
        assert top == [(39,), (38,), (37,)]
        joined = session.execute(
            "SELECT c.name, o.total FROM customers c JOIN orders o USING (customer_id) ORDER BY 2 LIMIT 2"
        ).fetchall()
        assert joined == [("c0", Decimal("0.50")), ("c1", Decimal("1.50"))]


def test_a_transaction_sees_its_own_writes_also_in_a_scatter(fleet: Fleet) -> None:
    with fleet.session() as session, session.transaction():
        session.execute("INSERT INTO customers VALUES (%s, 'a', 'DE')", [1])
        assert session.execute("SELECT count(*) FROM customers").fetchall() == [(1,)]
        assert session.execute("SELECT name FROM customers WHERE customer_id = 1").fetchall() == [("a",)]


def test_a_failed_block_leaves_nothing(fleet: Fleet) -> None:
    with fleet.session() as session:
        with pytest.raises(RuntimeError), session.transaction():
            session.execute("INSERT INTO customers VALUES (1, 'a', 'DE')")
            raise RuntimeError
        assert session.execute("SELECT count(*) FROM customers").fetchall() == [(0,)]


def test_an_inner_block_is_a_savepoint(fleet: Fleet) -> None:
    first, _ = keys_on_two_shards(fleet)
    with fleet.session() as session:
        with session.transaction():
            session.execute("INSERT INTO customers VALUES (%s, 'a', 'DE')", [first])
            with pytest.raises(outgrow.IntegrityError), session.transaction():
                session.execute("INSERT INTO customers VALUES (%s, 'b', 'DE')", [first])
            assert session.execute("SELECT count(*) FROM customers").fetchall() == [(1,)]
        assert session.execute("SELECT name FROM customers").fetchall() == [("a",)]


def test_a_branch_opened_behind_a_savepoint_is_rolled_back_to_it(fleet: Fleet) -> None:
    first, _ = keys_on_two_shards(fleet)
    with fleet.session() as session:
        session.execute("BEGIN")
        session.execute("SAVEPOINT before")
        session.execute("INSERT INTO customers VALUES (%s, 'a', 'DE')", [first])
        session.execute("ROLLBACK TO before")
        assert session.execute("SELECT count(*) FROM customers").fetchall() == [(0,)]
        session.execute("COMMIT")
        assert session.execute("SELECT count(*) FROM customers").fetchall() == [(0,)]


def test_after_an_error_a_transaction_only_rolls_back(fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("BEGIN")
        with pytest.raises(outgrow.Error):
            session.execute("SELECT 1 / 0 FROM customers WHERE customer_id = 1 UNION ALL SELECT 1 / 0")
        with pytest.raises(outgrow.OperationalError) as caught:
            session.execute("SELECT count(*) FROM customers")
        assert caught.value.code == "OG-RUN-023"
        with pytest.raises(outgrow.OperationalError, match="OG-RUN-020"):
            session.execute("COMMIT")
        assert session.execute("SELECT 1").fetchall() == [(1,)]


def test_a_token_carries_what_was_seen_to_another_session(fleet: Fleet) -> None:
    with fleet.session() as one:
        for key in range(20):
            one.execute("INSERT INTO customers VALUES (%s, 'a', 'DE')", [key])
            with fleet.session(token=one.token()) as other:
                assert other.execute("SELECT name FROM customers WHERE customer_id = %s", [key]).fetchall() == [("a",)]


def test_ddl_reaches_every_shard_and_every_process_sees_it(fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("ALTER TABLE customers ADD COLUMN vip boolean NOT NULL DEFAULT false")
        add_vip = "INSERT INTO customers (customer_id, name, country, vip) VALUES (%s, 'a', 'DE', true)"
        for key in range(10):
            session.execute(add_vip, [key])
        assert session.execute("SELECT count(*) FROM customers WHERE vip").fetchall() == [(10,)]
        result = session.execute("SELECT * FROM customers ORDER BY customer_id LIMIT 1")
        assert result.columns == ("customer_id", "name", "country", "vip")


def test_ddl_that_fails_on_one_shard_says_where_it_is_done(fleet: Fleet) -> None:
    home, other = [shard.name for shard in fleet.topology.domains[0].shards]
    with fleet.session() as session:
        session.execute("ALTER TABLE customers ADD COLUMN odd int", shard=other)
        with pytest.raises(outgrow.OperationalError) as caught:
            session.execute("ALTER TABLE customers ADD COLUMN odd int")
        assert caught.value.code == "OG-RUN-032"
        assert f"done on {home}; failed on {other}" in caught.value.message


def test_two_threads_may_not_share_a_session(fleet: Fleet) -> None:
    session = fleet.session()
    started = threading.Event()

    def occupy() -> None:
        started.set()
        session.execute("SELECT pg_sleep(1)", shard="s1")

    thread = threading.Thread(target=occupy)
    thread.start()
    started.wait()
    with pytest.raises(outgrow.InterfaceError, match="OG-RUN-009"):
        for _ in range(1000):
            session.execute("SELECT 1")
    thread.join()


def test_a_time_limit_reaches_the_servers(fleet: Fleet) -> None:
    with fleet.session() as session:
        with pytest.raises(outgrow.OperationalError) as caught:
            session.execute("SELECT pg_sleep(30)", shard="s1", timeout_seconds=0.3)
        assert caught.value.sqlstate == "57014"
        assert session.execute("SELECT 1").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("sql", "parameters", "code"),
    [
        ("SELECT * FROM customers WHERE customer_id = %s", [], "OG-RUN-006"),
        ("SELECT * FROM customers WHERE customer_id = %s", [1, 2], "OG-RUN-006"),
        ("SELECT * FROM customers WHERE customer_id = %s", None, "OG-RUN-002"),
        ("SELECT * FROM customers WHERE customer_id = %(id)s", [1], "OG-RUN-003"),
        ("SELECT * FROM customers WHERE customer_id = %(id)s", {"other": 1}, "OG-RUN-004"),
        ("SELECT * FROM customers WHERE customer_id = %s", "1", "OG-RUN-005"),
    ],
)
def test_wrong_parameters_are_refused_with_a_cure(fleet: Fleet, sql: str, parameters: object, code: str) -> None:
    with fleet.session() as session, pytest.raises(outgrow.ProgrammingError) as caught:
        session.execute(sql, parameters)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert caught.value.cure


def test_streams_merge_in_order_and_give_their_connections_back(fleet: Fleet) -> None:
    add(fleet, *range(500))
    with fleet.session() as session:
        stream = session.stream("SELECT customer_id FROM customers ORDER BY customer_id", chunk_rows=50)
        assert [row[0] for row in stream] == list(range(500))
        for row in session.stream("SELECT customer_id FROM customers ORDER BY customer_id DESC", chunk_rows=10):
            assert row == (499,)
            break
        assert session.execute("SELECT count(*) FROM customers").fetchall() == [(500,)]


def test_temporary_tables_are_refused_by_name(fleet: Fleet) -> None:
    with fleet.session() as session, pytest.raises(outgrow.NotSupportedError, match="OG-RUN-034"):
        session.execute("CREATE TEMP TABLE scratch (n int)")


def test_an_index_is_built_concurrently_on_every_shard(fleet: Fleet) -> None:
    with fleet.session(level="strong") as session:
        session.execute("CREATE INDEX CONCURRENTLY by_country ON customers (country)")
        for shard in ("s1", "s2"):
            found = session.execute("SELECT count(*) FROM pg_indexes WHERE indexname = 'by_country'", shard=shard)
            assert found.fetchall() == [(1,)]


def test_a_stream_that_locks_counts_as_what_it_is(fleet: Fleet) -> None:
    first, second = keys_on_two_shards(fleet)
    add(fleet, first, second)
    with fleet.session() as session, session.transaction():
        rows = list(session.stream("SELECT name FROM customers WHERE customer_id = %s FOR UPDATE", [first]))
        assert rows == [(f"c{first}",)]
        session.execute("UPDATE customers SET name = 'new' WHERE customer_id = %s", [second])


def test_an_unlisted_table_is_named_with_a_proposal(fleet: Fleet) -> None:
    with fleet.session() as session:
        for shard in ("s1", "s2"):
            session.execute("CREATE TABLE stray (id int8 PRIMARY KEY)", shard=shard)
        with pytest.raises(outgrow.ProgrammingError) as caught:
            session.execute("SELECT * FROM stray")
        assert "shard_by: id" in caught.value.cure


def test_a_table_that_a_shard_lacks_fails_alone(fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("DROP TABLE orders", shard="s2")
        with outgrow.open(fleet.topology) as again, again.session() as other:
            with pytest.raises(outgrow.ConfigurationError) as caught:
                other.execute("SELECT count(*) FROM orders")
            assert caught.value.code.startswith("OG-SCHEMA-")
            assert other.execute("SELECT count(*) FROM customers").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELEC 1", "SELEC"),
        ("SELECT * FROM customers WHERE", "not understood"),
        ("SELECT * FROM customers TABLESAMPLE other(1)", "TABLESAMPLE"),
        ("", ""),
        ("SELECT 1; SELECT 2", ""),
        ("SELECT * FROM custommers", "custommers"),
        ("SELECT nam FROM customers", "nam"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_reason(fleet: Fleet, sql: str, says: str) -> None:
    with fleet.session() as session, pytest.raises(outgrow.Error) as caught:
        session.execute(sql)
    assert says in caught.value.message
    assert caught.value.cure


@pytest.mark.parametrize("value", ["not a number", b"bytes", [1, 2], object()])
def test_a_key_of_the_wrong_type_writes_nothing(fleet: Fleet, value: object) -> None:
    with fleet.session() as session:
        with pytest.raises(outgrow.Error) as caught:
            session.execute("INSERT INTO customers VALUES (%s, 'a', 'DE')", [value])
        assert caught.value.code.startswith(("OG-KEY-", "OG-NODE-", "OG-PLAN-"))
        assert session.execute("SELECT count(*) FROM customers").fetchall() == [(0,)]


def test_a_key_is_placed_as_the_server_stores_it(fleet: Fleet) -> None:
    """1.5 becomes 2 on its way into an int8: the row must lie where 2 lies."""
    with fleet.session() as session:
        session.execute("INSERT INTO customers VALUES (%s, 'a', 'DE')", [1.5])
        assert session.execute("SELECT customer_id FROM customers WHERE customer_id = %s", [2]).fetchall() == [(2,)]


@pytest.mark.parametrize("several", [False, True])
def test_a_branch_whose_first_statement_failed_commits_what_comes_after_a_rollback_to(
    fleet: Fleet, several: bool
) -> None:
    one, two = keys_on_two_shards(fleet)
    add(fleet, one)
    with fleet.session() as session:
        session.execute("BEGIN")
        session.execute("SAVEPOINT a")
        with pytest.raises(outgrow.IntegrityError):
            if several:
                session.execute("INSERT INTO customers VALUES (%s, 'x', 'DE'), (%s, 'x', 'DE')", [one, two])
            else:
                session.execute("INSERT INTO customers VALUES (%s, 'x', 'DE')", [one])
        session.execute("ROLLBACK TO SAVEPOINT a")
        session.execute("UPDATE customers SET name = 'kept' WHERE customer_id = %s", [one])
        session.execute("INSERT INTO customers VALUES (%s, 'kept', 'DE')", [two])
        session.execute("COMMIT")
        assert session.execute("SELECT name FROM customers").fetchall() == [("kept",), ("kept",)]
