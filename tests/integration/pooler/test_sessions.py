"""Sessions behind PgBouncer in transaction mode: what a session promises holds, though no connection is its own."""

from __future__ import annotations

from outgrow import Fleet
from tests.pgbouncer import Pooler

READ = "SELECT name FROM customers WHERE customer_id = %s"
WRITE = "INSERT INTO customers VALUES (%s, %s, 'DE') ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name"


def test_own_writes_are_read(fleet: Fleet) -> None:
    nodes = set()
    with fleet.session() as session:
        for round_ in range(200):
            session.execute(WRITE, [round_ % 7, f"n{round_}"])
            result = session.execute(READ, [round_ % 7])
            assert result.fetchall() == [(f"n{round_}",)]
            nodes.add(result.node)
    assert any("replica" in str(node) for node in nodes), "no replica was ever read"


def test_settings_go_along_and_reach_nobody_else(fleet: Fleet, pooler: Pooler) -> None:
    with fleet.session() as one, fleet.session() as other:
        one.execute("SET TimeZone = 'Asia/Tokyo'")
        one.execute("SET DateStyle = 'SQL, DMY'")
        one.execute("SET work_mem = '8MB'")
        for _ in range(30):
            for session, zone, memory in ((one, "Asia/Tokyo", "8MB"), (other, "UTC", "4MB")):
                answer = session.execute("SELECT current_setting('TimeZone'), current_setting('work_mem')").fetchall()
                assert answer == [(zone, memory)]
        with one.transaction():
            assert one.execute("SHOW work_mem").fetchall() == [("8MB",)]
