"""Views of the user's own over shards, beside one PostgreSQL with the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import outgrow
from tests.integration.runtime.test_bringing import FILLED, SETUP, TABLES, Sides
from tests.servers import Servers

FUNCTIONS = (
    "CREATE FUNCTION twice(n int4) RETURNS int4 IMMUTABLE LANGUAGE sql AS 'SELECT 2 * n'",
    "CREATE FUNCTION looks(n int8) RETURNS int8 STABLE LANGUAGE sql AS 'SELECT count(*) FROM goods WHERE id < n'",
)
VIEWS = {
    "dear": "SELECT s.good, g.label, s.buyer, s.amount, g.price FROM sales s JOIN goods g ON g.id = s.good"
    " WHERE s.amount > 1",
    "by_label": "SELECT label, count(*) AS n FROM goods GROUP BY label",
    "over_views": "SELECT b.label, sum(d.amount) AS total FROM by_label b LEFT JOIN dear d USING (label) GROUP BY 1",
    "renamed (one, two)": "SELECT id, label FROM goods",
    "both_ids": "SELECT id, 'goods' AS kind FROM goods UNION ALL SELECT buyer, note FROM sales",
    "near": "SELECT code, name FROM countries WHERE code < 'Z'",
    "alone": "SELECT name, n FROM here",
    "last_sale": "SELECT DISTINCT ON (good) good, buyer, amount FROM sales ORDER BY good, amount DESC, buyer",
    "counted_up": "WITH RECURSIVE up (n) AS (SELECT min(id) FROM goods UNION ALL SELECT n + 1 FROM up WHERE n < 5)"
    " SELECT n, (SELECT count(*) FROM sales WHERE good = n) AS sold FROM up",
    "ranked": "SELECT buyer, good, rank() OVER (PARTITION BY buyer ORDER BY amount, good, note) AS rank FROM sales",
    "ranked_by_all": "SELECT buyer, rank() OVER w AS rank FROM sales WINDOW w AS (ORDER BY amount, good, buyer, note)",
    "moods": "SELECT id, mood, pair FROM kinds WHERE mood IS DISTINCT FROM 'sad'",
    "odd_texts": "SELECT note LIKE '%te_1' AS percent, 'it''s \\ %s $1' AS quoted FROM sales WHERE good < 3",
    "doubling": "SELECT twice(amount) AS doubled FROM sales WHERE buyer < 3",
    "recent": "SELECT now() AS at, good FROM sales",
    "listed_values": "SELECT v FROM (VALUES (1), (2)) AS x (v), goods WHERE goods.id = x.v",
    '"Quoted View"': 'SELECT label AS "Odd ""name" FROM goods WHERE id < 4',
    "invoker WITH (security_invoker)": "SELECT id FROM goods WHERE id < 4",
    "looking": "SELECT id, looks(id) AS seen FROM goods",
    "dice": "SELECT id, random() AS roll FROM goods",
    "shut WITH (security_barrier)": "SELECT id, label FROM goods",
}
QUERIES = [
    line for line in Path(__file__).with_name("views.sql").read_text().splitlines() if line[:2] not in ("--", "")
]


@pytest.fixture(scope="module")
def sides(fleet_servers: Servers) -> Iterator[Sides]:
    topology, plain = fleet_servers.fresh(TABLES), fleet_servers.fresh()
    with (
        outgrow.open(topology, install=True) as fleet,
        psycopg.connect(plain.domains[0].home.primary.dsn, autocommit=True) as connection,
    ):
        made = [f"CREATE VIEW {name} AS {sql}" for name, sql in VIEWS.items()]
        for sql in (*SETUP, *FILLED, *FUNCTIONS, *made, "CREATE MATERIALIZED VIEW kept AS SELECT id FROM goods"):
            fleet.execute(sql)
            connection.execute(sql)  # type: ignore[call-overload]
        yield Sides(fleet, connection)
    fleet_servers.drop(topology)
    fleet_servers.drop(plain)


@pytest.mark.parametrize("sql", QUERIES)
def test_the_same_answer(sides: Sides, sql: str) -> None:
    sides.same(sql)


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
@pytest.mark.parametrize("sql", QUERIES)
def test_the_same_answer_inside_a_transaction(sides: Sides, sql: str, isolation: str) -> None:
    with sides.fleet.session() as session, session.transaction(isolation):
        sides.same(sql, None, session)


def test_a_key_leads_through_a_view_to_one_shard(sides: Sides) -> None:
    shown = sides.fleet.explain("SELECT two FROM renamed WHERE one = %s", [3]).to_dict()
    assert len(shown["shards"]["shards"]) == 1
    sides.same("SELECT two FROM renamed WHERE one = %s", [3])


@pytest.mark.parametrize(
    ("sql", "code", "told"),
    [
        ("SELECT sum(seen) FROM looking", "OG-PLAN-100", "looking .* looks is STABLE"),
        ("SELECT roll FROM dice", "OG-PLAN-100", "dice .* random"),
        ("SELECT label FROM shut", "OG-PLAN-100", "shut .* security barrier"),
        ("SELECT dear FROM dear", "OG-PLAN-100", "dear .* one value"),
        ("SELECT id FROM kept", "OG-PLAN-001", "kept .*materialized view"),
        ("UPDATE renamed SET two = 'x'", "OG-PLAN-101", "renamed is a view"),
    ],
)
def test_what_is_refused_is_named(sides: Sides, sql: str, code: str, told: str) -> None:
    with pytest.raises(outgrow.Error, match=told) as refused:
        sides.fleet.execute(sql)
    assert refused.value.code == code


def test_what_is_refused_over_shards_one_shard_answers(sides: Sides) -> None:
    assert sides.fleet.execute("SELECT label FROM shut WHERE id = 3").fetchall() == [("good 3",)]
    assert len(sides.fleet.execute("SELECT roll FROM dice WHERE id = 3").fetchall()) == 1


def test_writes_read_views(sides: Sides) -> None:
    writes = (
        "UPDATE goods SET label = label || '!' WHERE id IN (SELECT good FROM dear WHERE buyer = 2)",
        "INSERT INTO goods (id, label) SELECT 100 + one, two FROM renamed WHERE one < 4",
        "DELETE FROM sales USING renamed r WHERE r.one = sales.good AND r.two = 'good 1'",
    )
    looks = ("SELECT id, label FROM goods ORDER BY 1", "SELECT * FROM sales ORDER BY buyer, good, amount, note")
    with sides.fleet.session() as session:
        session.execute("BEGIN")
        with sides.plain.transaction(force_rollback=True):
            for write in writes:
                theirs = sides.plain.execute(write)  # type: ignore[call-overload]
                assert session.execute(write).rowcount == theirs.rowcount > 0, write
            for look in looks:
                sides.same(look, None, session)
        session.execute("ROLLBACK")


def test_a_changed_view_is_known(sides: Sides) -> None:
    sql = "SELECT count(*) FROM changing"
    sides.fleet.execute("CREATE VIEW changing AS SELECT id FROM goods WHERE id < 3")
    assert sides.fleet.execute(sql).fetchone() == (2,)
    sides.fleet.execute("CREATE OR REPLACE VIEW changing AS SELECT id FROM goods WHERE id < 5")
    assert sides.fleet.execute(sql).fetchone() == (4,)


def test_shards_that_have_another_view_are_told(sides: Sides) -> None:
    second = sides.fleet.topology.domains[0].shards[1].primary
    sides.fleet.execute("CREATE VIEW drifting AS SELECT id FROM goods WHERE id < 5")
    sides.fleet.execute("CREATE VIEW over_drifting AS SELECT count(*) AS n FROM drifting")
    with psycopg.connect(second.dsn, autocommit=True) as connection:
        connection.execute("CREATE OR REPLACE VIEW drifting AS SELECT id FROM goods WHERE id < 9")
    try:
        with outgrow.open(sides.fleet.topology) as fleet:
            for sql in ("SELECT id FROM drifting", "SELECT n FROM over_drifting"):
                with pytest.raises(outgrow.ConfigurationError, match=r"OG-SCHEMA-016.*drifting.*definition"):
                    fleet.execute(sql)
    finally:
        sides.fleet.execute("DROP VIEW over_drifting")
        sides.fleet.execute("DROP VIEW drifting")


@pytest.fixture
def reader(sides: Sides, fleet_servers: Servers) -> Iterator[str]:
    """A role that may read two views, and no table."""
    primaries = [shard.primary for shard in sides.fleet.topology.domains[0].shards]
    for primary in primaries:
        fleet_servers.sql(primary, "CREATE ROLE reader")
        fleet_servers.sql(primary, "GRANT reader TO app")
    sides.fleet.execute("GRANT SELECT ON renamed, by_label TO reader")
    yield "reader"
    for primary in primaries:
        fleet_servers.sql(primary, "DROP OWNED BY reader")
        fleet_servers.sql(primary, "DROP ROLE reader")


def test_a_view_is_read_with_its_owners_rights(sides: Sides, reader: str) -> None:
    """Where shards answer each for itself; where rows are brought, the role's own rights count: no row is left out."""
    with sides.fleet.session() as session:
        session.execute(f"SET ROLE {reader}")
        sides.same("SELECT one, two FROM renamed ORDER BY 1", None, session)
        sides.same("SELECT count(*) FROM renamed WHERE one > 3", None, session)
        sides.same("SELECT two FROM renamed WHERE one = 3", None, session)
        for sql in ("SELECT label, n FROM by_label", "SELECT id FROM goods"):
            with pytest.raises(outgrow.Error) as refused:
                session.execute(sql)
            assert refused.value.sqlstate == "42501"
