"""Copied tables: every shard changes its copy alike, or nothing is changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import outgrow
from tests.integration.runtime.both import Both, both_sides
from tests.servers import Servers

UNLIKE = ("at", "token")


@pytest.fixture(scope="module")
def sides(fleet_servers: Servers) -> Iterator[Both]:
    with both_sides(fleet_servers) as sides:
        yield sides


@pytest.fixture
def both(sides: Both) -> Both:
    """Both sides as every test finds them; what draws values of its own is set for all alike."""
    sides.forget()
    for shard in sides.fleet.topology.domains[0].shards:
        sides.session.execute("TRUNCATE customers, orders, countries, cities, noted", shard=shard.name)
    sides.plain.execute("TRUNCATE customers, orders, countries, cities, noted")
    sides.same(
        "INSERT INTO countries (code, name) VALUES ('DE', 'Germany'), ('FR', 'France'), ('XX', NULL), ('YY', 'Y')"
        " RETURNING code, name"
    )
    sides.same(
        "INSERT INTO cities VALUES (1, 'DE', 'Berlin'), (2, 'DE', 'Köln'), (3, 'FR', 'Paris'), (4, NULL, %s)", ["?"]
    )
    sides.same(
        "INSERT INTO customers (customer_id, country) VALUES (1, 'DE'), (2, 'DE'), (3, 'DE'), (4, 'FR'), (5, 'FR')"
    )
    return sides


CHANGES = [
    "UPDATE countries SET name = upper(name) WHERE code < 'X' RETURNING code, name",
    "UPDATE countries SET name = DEFAULT",
    "UPDATE cities SET name = k.name FROM countries k WHERE k.code = cities.country RETURNING cities.*, k.code",
    "UPDATE cities SET name = (SELECT max(name) FROM countries WHERE code = country)",
    "UPDATE cities SET name = (SELECT min(c.name) FROM cities c WHERE c.country = cities.country), country = NULL"
    " WHERE EXISTS (SELECT FROM countries WHERE code = country)",
    "DELETE FROM cities WHERE name LIKE 'B%' OR country IS NULL RETURNING id",
    "DELETE FROM cities USING countries k WHERE k.code = cities.country AND k.name = 'France'",
    "INSERT INTO cities SELECT id + 10, country, name FROM cities WHERE id < 3 RETURNING id",
    "INSERT INTO cities (id) SELECT generate_series(20, 25)",
    "INSERT INTO cities (id, name) SELECT count(*) + 30, 'all' FROM countries",
    "INSERT INTO cities VALUES (1, 'FR', 'x'), (40, 'FR', 'y') ON CONFLICT DO NOTHING RETURNING id",
    "INSERT INTO cities VALUES (1, 'FR', 'x'), (40, 'FR', 'y') ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
    " country = NULL WHERE cities.id < 9 RETURNING *",
    "WITH k AS (SELECT code FROM countries WHERE name IS NULL) INSERT INTO cities SELECT 50, code FROM k",
    # Errors: of a copy, and of one shard's rows alone.
    "INSERT INTO cities VALUES (1, 'DE', 'again')",
    "UPDATE countries SET name = 'nowhere'",
    "UPDATE cities SET country = 'nowhere'",
    "DELETE FROM countries WHERE code = 'FR'",
    "INSERT INTO cities (id, country) VALUES (1)",
    "UPDATE cities SET id = 'x'",
]


@pytest.mark.parametrize("sql", CHANGES)
def test_every_copy_changes_as_one_table_would(both: Both, sql: str) -> None:
    both.same(sql, ordered=not sql.startswith(("UPDATE", "DELETE")))
    both.agree("at", "token", "made", "expires")
    with both.session.transaction():
        both.session.execute("DELETE FROM cities WHERE id = 3")
        assert both.session.execute("SELECT count(*) FROM cities WHERE id = 3").fetchall() == [(0,)]


def test_what_shards_would_draw_differently_is_drawn_once(both: Both) -> None:
    both.session.execute(
        "INSERT INTO countries (code, at) VALUES ('A', DEFAULT), (random()::text, now()), (%s, %s)", ["B", None]
    )
    both.session.execute("INSERT INTO countries (code, token) VALUES (gen_random_uuid()::text, DEFAULT)")
    both.session.execute("UPDATE countries SET at = current_timestamp - interval '1 day', name = current_date::text")
    both.session.execute("DELETE FROM countries WHERE at > now() - interval '1 hour' OR code = 'YY'")
    both.session.execute(
        "INSERT INTO countries (code) VALUES ('A') ON CONFLICT (code) DO UPDATE SET at = now(), name = 'A'"
    )
    found = both.contents()["countries"]
    assert len({row[3] for row in found}) == len(found) == 7
    both.refused("UPDATE countries SET token = gen_random_uuid()", "OG-PLAN-018")
    both.refused("UPDATE countries SET token = DEFAULT", "OG-PLAN-004")
    both.session.execute("INSERT INTO countries (code) SELECT 'n' || id FROM cities")
    found = both.contents()["countries"]
    assert len({row[3] for row in found}) == len(found) == 7 + len(both.contents()["cities"])


REFUSED = [
    ("UPDATE countries SET name = c.name FROM customers c WHERE c.country = code", "OG-PLAN-004"),
    ("UPDATE countries SET name = c.name FROM cities c WHERE c.country = code", "OG-PLAN-004"),
    ("UPDATE countries SET name = 'x' WHERE at < 'now'", "OG-PLAN-017"),
    ("INSERT INTO noted VALUES (1, 1)", "OG-PLAN-004"),
    ("INSERT INTO noted SELECT customer_id FROM customers", "OG-PLAN-004"),
    ("INSERT INTO cities (id) SELECT 60 ON CONFLICT (id) DO UPDATE SET name = random()::text", "OG-PLAN-018"),
    ("UPDATE countries SET name = pg_backend_pid()::text", "OG-PLAN-019"),
    ("UPDATE countries SET name = ctid::text", "OG-PLAN-019"),
]


@pytest.mark.parametrize(("sql", "code"), REFUSED)
def test_what_could_differ_is_refused(both: Both, sql: str, code: str) -> None:
    both.refused(sql, code)


@pytest.mark.parametrize("value", ["now", " Tomorrow ", "today"])
def test_a_parameter_that_says_a_moment_is_refused(both: Both, value: str) -> None:
    both.refused("INSERT INTO countries (code, at) VALUES ('N', %s)", "OG-PLAN-017", [value])
    both.refused("UPDATE countries SET name = 'x' WHERE at < %s", "OG-PLAN-017", [value])
    both.refused("DELETE FROM countries WHERE at::date = %s::date", "OG-PLAN-017", [value])
    both.same("UPDATE countries SET name = %s", [value])
    both.agree("at", "token", "made", "expires")


def test_copies_that_have_drifted_are_told_and_left_alone(both: Both) -> None:
    both.session.execute("DELETE FROM countries WHERE code = 'YY'", shard="s2")
    with pytest.raises(outgrow.OperationalError, match=r"OG-RUN-035.*s1 4, s2 3"):
        both.session.execute("UPDATE countries SET name = 'z'")
    assert both.session.execute("SELECT count(*) FROM countries WHERE name = 'z'", shard="s1").fetchall() == [(0,)]
    with both.session.transaction():
        both.session.execute("DELETE FROM cities")
        with pytest.raises(outgrow.OperationalError, match="OG-RUN-035"), both.session.transaction():
            both.session.execute("DELETE FROM countries WHERE code = 'YY'")
    assert both.session.execute("SELECT count(*) FROM cities", shard="s2").fetchall() == [(0,)]


def test_a_delete_cascades_to_copies_and_to_every_shards_rows(both: Both) -> None:
    both.same("DELETE FROM customers WHERE country = 'FR'")
    both.same("DELETE FROM countries WHERE code = 'FR'")
    both.agree("at", "token", "made", "expires")
    assert len(both.contents()["cities"]) == 3
    assert both.same("DELETE FROM countries WHERE code = 'DE'") == "23503"


def test_who_changes_the_same_row_waits_at_home(both: Both) -> None:
    """Without an order of shards, two of these would hold a row each and wait for the other's."""

    def change() -> None:
        with both.fleet.session() as session:
            for _ in range(20):
                session.execute("UPDATE countries SET name = coalesce(name, '') || '.' WHERE code = 'XX'")

    threads = [threading.Thread(target=change) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row[1] for row in both.contents()["countries"] if row[0] == "XX"] == ["." * 80]


def test_truncate_is_part_of_a_transaction(both: Both) -> None:
    before = both.contents()
    both.same("BEGIN")
    both.same("TRUNCATE TABLE ONLY cities, orders")
    both.same("INSERT INTO cities VALUES (1, 'DE', 'new')")
    both.same("ROLLBACK")
    assert both.contents() == before
    assert both.same("TRUNCATE countries") == "0A000"
    both.same("TRUNCATE countries CASCADE")
    both.agree("at", "token", "made", "expires")
    assert both.contents()["customers"] == []
    both.session.execute("TRUNCATE settings")
