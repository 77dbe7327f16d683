"""DDL inside a transaction: on every branch or on none; nothing that follows is planned by what is not committed."""

from __future__ import annotations

import pytest

import outgrow
from outgrow import Fleet
from tests.integration.definitions.test_ddl import columns, connect, fleet, states
from tests.servers import Servers

__all__ = ["fleet"]


def test_a_migration_is_one_transaction(fleet_servers: Servers, fleet: Fleet) -> None:
    fleet.place("notes", shard_by="id")
    fleet.place("versions", single="s1")
    fleet.execute("CREATE TABLE versions (number int)")
    with fleet.session() as session:
        with session.transaction():
            session.execute("CREATE TABLE notes (id int8 PRIMARY KEY, text text)")
            session.execute("CREATE INDEX by_text ON notes (text)")
            session.execute("ALTER TABLE customers ADD COLUMN vip boolean")
            session.execute("INSERT INTO versions VALUES (7)")
        session.execute("INSERT INTO notes VALUES (1, 'a')")
        assert session.execute("SELECT count(*) FROM notes").fetchall() == [(1,)]
        assert session.execute("SELECT vip FROM customers").columns == ("vip",)
        assert session.execute("SELECT number FROM versions").fetchall() == [(7,)]
    with outgrow.open(fleet.topology) as other:
        assert other.execute("SELECT text FROM notes WHERE id = 1").fetchall() == [("a",)]


def test_what_is_rolled_back_is_on_no_shard(fleet_servers: Servers, fleet: Fleet) -> None:
    fleet.place("notes", shard_by="id")
    with fleet.session() as session:
        with pytest.raises(ZeroDivisionError), session.transaction():
            session.execute("CREATE TABLE notes (id int8 PRIMARY KEY)")
            session.execute("ALTER TABLE customers RENAME TO clients")
            raise ZeroDivisionError
        assert columns(fleet_servers, fleet, "notes") == {"s1": [], "s2": []}
        assert session.execute("SELECT count(*) FROM customers").fetchall() == [(0,)]


def test_a_failure_on_the_second_branch_undoes_the_first(fleet_servers: Servers, fleet: Fleet) -> None:
    second = fleet.topology.domains[0].shards[1].primary
    fleet_servers.sql(second, "ALTER TABLE customers ADD COLUMN odd int")
    with fleet.session() as session:
        session.execute("BEGIN")
        with pytest.raises(outgrow.ProgrammingError):
            session.execute("ALTER TABLE customers ADD COLUMN odd int")
        with pytest.raises(outgrow.OperationalError, match="OG-RUN-020"):
            session.execute("COMMIT")
    assert "odd" not in columns(fleet_servers, fleet, "customers")["s1"]


@pytest.mark.parametrize(
    ("ddl", "then"),
    [
        ("CREATE TABLE notes (id int8)", "INSERT INTO notes VALUES (1)"),
        ("CREATE TABLE notes (id int8)", "SELECT * FROM notes"),
        ("ALTER TABLE customers ADD COLUMN vip boolean", "SELECT * FROM customers"),
        ("ALTER TABLE customers ADD COLUMN vip boolean", "INSERT INTO customers VALUES (1, 'a', 'x')"),
        ("ALTER TABLE customers ADD COLUMN vip boolean", "SELECT vip FROM customers WHERE customer_id = 1"),
        ("ALTER TABLE customers RENAME TO clients", "SELECT * FROM clients"),
        ("CREATE VIEW names AS SELECT name FROM customers", "SELECT * FROM names"),
        ("DROP TABLE customers", "SELECT count(*) FROM customers"),
    ],
)
def test_what_a_transaction_has_defined_it_cannot_use(fleet: Fleet, ddl: str, then: str) -> None:
    fleet.place("notes", shard_by="id")
    with fleet.session() as session:
        session.execute("BEGIN")
        session.execute(ddl)
        with pytest.raises(outgrow.NotSupportedError, match="OG-RUN-062"):
            session.execute(then)
        if then.startswith("SELECT"):
            with pytest.raises(outgrow.NotSupportedError, match="OG-RUN-062"):
                list(session.stream(then))
        session.execute("ROLLBACK")


def test_what_cannot_be_in_a_transaction_is_refused(fleet_servers: Servers, fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("BEGIN")
        with pytest.raises(outgrow.NotSupportedError, match="OG-RUN-030"):
            session.execute("CREATE INDEX CONCURRENTLY ON customers (name)")
        with pytest.raises(outgrow.ProgrammingError, match="OG-RUN-056"):
            session.execute("CREATE TABLE notes (id int8)")
        session.execute("ROLLBACK")
    assert states(fleet_servers, fleet) == ["done"]


def test_it_waits_for_nobody_for_long(fleet_servers: Servers, fleet: Fleet) -> None:
    with connect(fleet_servers, fleet, "s2") as reader, fleet.session() as session:
        reader.execute("SELECT * FROM customers")
        session.execute("BEGIN")
        with pytest.raises(outgrow.OperationalError) as caught:
            session.execute("ALTER TABLE customers ADD COLUMN vip boolean")
        assert caught.value.sqlstate == "55P03"
        session.execute("ROLLBACK")


def test_one_definer_at_a_time(fleet: Fleet) -> None:
    with fleet.session() as one, fleet.session() as other:
        one.execute("BEGIN")
        one.execute("ALTER TABLE customers ADD COLUMN a int")
        other.execute("BEGIN")
        with pytest.raises(outgrow.OperationalError, match="OG-RUN-051"):
            other.execute("ALTER TABLE customers ADD COLUMN b int")
        other.execute("ROLLBACK")
        one.execute("COMMIT")
        other.execute("ALTER TABLE customers ADD COLUMN b int")
