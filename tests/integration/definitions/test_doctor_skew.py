"""Too many rows, or too much work, in one place: shards, slots and keys."""

from __future__ import annotations

from outgrow.runtime.doctor import placed_rows
from tests.integration.definitions.planting import World, done, made, patched, summary, world

__all__ = ["made", "world"]

#: Writes the customers of one shard over and over.
WORK = (
    "DO $$ BEGIN FOR i IN 1..150 LOOP UPDATE customers SET name = name; END LOOP; END $$",
    "SELECT pg_stat_force_next_flush()",
)


def test_a_table_with_all_its_rows_on_one_shard(world: World) -> None:
    """The other shard has not even a page of it; no slot has much."""
    rows = (
        "CREATE TABLE orders_aside AS TABLE orders",
        "TRUNCATE orders",
        "ALTER TABLE orders DISABLE TRIGGER ALL",
    )
    back = (
        "TRUNCATE orders",
        "INSERT INTO orders TABLE orders_aside",
        "DROP TABLE orders_aside",
        "ALTER TABLE orders ENABLE TRIGGER ALL",
    )
    with done(world, "*", rows, back):
        world.sql(
            "s2/primary",
            "INSERT INTO orders SELECT customer_id, g FROM customers, generate_series(1, 20) AS g",
        )
        found = [finding for finding in world.findings() if finding.check == "rows"]
    assert summary(found) == [("warning", "rows", "app/s2/primary")]
    assert found[0].what.startswith("it has 100% of the 1,")
    assert found[0].what.endswith(" rows of orders; by its slots 50% would be fair")


def test_a_slot_that_several_keys_make_hot(world: World) -> None:
    """No key of it has half of its rows, so that no key is to blame."""
    world.monkeypatch.setattr(placed_rows, "_SLOT_SHARE", 0.001)
    world.monkeypatch.setattr(placed_rows, "_SLOT_FACTOR", 0)
    world.monkeypatch.setattr(placed_rows, "_KEY_SHARE", 1.1)
    world.monkeypatch.setattr(placed_rows, "_SKEW_ROWS", 100)
    found = [finding for finding in world.findings() if "customers" in finding.what]
    assert summary(found) == [("warning", "rows", "app/s1/primary"), ("warning", "rows", "app/s2/primary")]
    for finding in found:
        assert "a slot cannot be divided" in finding.what
        assert "more slots" in finding.cure


def test_a_shard_that_has_all_the_work(world: World) -> None:
    reset = ("SELECT pg_stat_reset()",)
    with patched(world, placed_rows, "_WORK", 10_000), done(world, "*", reset, reset):
        before = [finding for finding in world.findings() if finding.check == "work"]
        world.sql("s1/primary", *WORK)
        found = [finding for finding in world.findings() if finding.check == "work"]
    assert before == []
    assert summary(found) == [("warning", "work", "app/s1/primary")]
    assert "scans and row changes of customers since" in found[0].what


def test_sequences_that_are_nearly_used_up(world: World) -> None:
    does = (
        *("CREATE SEQUENCE few MAXVALUE 1000", "SELECT setval('few', 960)"),
        *("CREATE SEQUENCE fewer MAXVALUE 1000 START 300 INCREMENT -1 MINVALUE 1", "SELECT setval('fewer', 200)"),
        *("CREATE SEQUENCE round MAXVALUE 10 CYCLE", "SELECT setval('round', 10)"),
    )
    granted = "GRANT SELECT ON SEQUENCE few, fewer, round TO app"
    with done(world, "*", does, ("DROP SEQUENCE few, fewer, round",)):
        unseen = [finding for finding in world.fleet.doctor() if finding.check == "sequences"]
        world.everywhere(granted)
        found = world.findings()
    assert summary(unseen) == [("info", "sequences", "app/s1/primary"), ("info", "sequences", "app/s2/primary")]
    assert unseen[0].what == "the role of its address may not read the sequences few, fewer, round: not examined"
    assert summary(found) == [
        (severity, "sequences", f"app/{shard}/primary") for shard in ("s1", "s2") for severity in ("error", "warning")
    ]
    assert found[0].what == "the sequence few has used 96.0% of its numbers; 40 are left"
    assert found[1].what == "the sequence fewer has used 80.1% of its numbers; 199 are left"


def test_a_sequence_of_the_fleet_that_is_nearly_used_up(world: World) -> None:
    sequence = "UPDATE outgrow.sequences SET next = {} WHERE sequence_name = 'orders_number_seq'"
    [[before]] = world.servers.sql(
        world.node("s1/primary"),
        "SELECT next::text FROM outgrow.sequences WHERE sequence_name = 'orders_number_seq'",
    )
    with done(world, "s1/primary", (sequence.format(9 * 10**18),), (sequence.format(before),)):
        (found,) = world.findings()
    assert summary([found]) == [("error", "sequences", "app")]
    assert found.what.startswith("the sequence orders_number_seq has used 97.6% of its numbers; 223,")
