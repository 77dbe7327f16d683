"""File against ledger: the ledger wins, and every difference is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outgrow.errors import ConfigurationError
from outgrow.ledger import LedgerState, as_ledger_says, differs
from outgrow.topology import (
    Copied,
    Domain,
    Listing,
    Node,
    Ranges,
    Role,
    Shard,
    Sharded,
    ShardMap,
    Single,
    Splits,
    TableName,
)

ORDERS, COUNTRIES = TableName("public", "orders"), TableName("public", "countries")


def domain(*shards: str, slots: int = 4, **tables: object) -> Domain:
    made = tuple(Shard(name, Node(f"sales/{name}/primary", "sales", name, Role.PRIMARY, "")) for name in shards)
    return Domain("sales", "postgresql", slots, made, {TableName("public", k): v for k, v in tables.items()})  # type: ignore[misc]


FILE = domain("s1", "s2", orders=Sharded(("id",)), countries=Copied())
STATE = LedgerState(1, ShardMap.first(FILE), dict(FILE.tables), 1)


def codes(file: Domain, state: LedgerState = STATE) -> list[str]:
    return [difference.code for difference in differs(file, state)]


def test_what_was_installed_from_a_file_does_not_differ_from_it() -> None:
    assert differs(FILE, STATE) == ()
    assert as_ledger_says(FILE, STATE) == FILE


def test_every_difference_has_its_code_and_a_cure() -> None:
    assert codes(replace(FILE, slots=8)) == ["OG-LEDGER-010"]
    assert codes(domain("s1", "s2", "s3", orders=Sharded(("id",)), countries=Copied())) == ["OG-LEDGER-011"]
    assert codes(domain("s1", orders=Sharded(("id",)), countries=Copied())) == ["OG-LEDGER-011"]
    assert codes(domain("s1", "s2", orders=Sharded(("a", "b")), countries=Copied())) == ["OG-LEDGER-012"]
    other = domain("s1", "s2", orders=Single("s1"), events=Copied())
    assert codes(other) == ["OG-LEDGER-012"] * 3
    assert all(difference.cure for difference in differs(other, STATE))


def test_differences_read_like_the_file() -> None:
    (found,) = differs(domain("s1", "s2", orders=Sharded(("a", "b")), countries=Copied()), STATE)
    assert str(found) == "table orders: shard_by: [a, b] in the file, shard_by: id in the ledger"


def test_the_ledger_wins_and_the_file_may_add() -> None:
    file = domain("s1", "s2", slots=16, orders=Single("s2"), events=Copied())
    said = as_ledger_says(file, STATE)
    assert said.slots == 4
    assert said.tables == {ORDERS: Sharded(("id",)), COUNTRIES: Copied(), TableName("public", "events"): Copied()}


def test_a_shard_with_rows_cannot_be_left_out_of_the_file() -> None:
    with pytest.raises(ConfigurationError) as slots:
        as_ledger_says(domain("s1"), STATE)
    assert slots.value.code == "OG-LEDGER-003"
    assert "s2" in slots.value.message
    single = replace(STATE, placements={ORDERS: Single("s9")})
    with pytest.raises(ConfigurationError, match="s9"):
        as_ledger_says(FILE, single)


def test_a_shard_that_owns_no_slot_may_be_left_out() -> None:
    emptied = replace(STATE, shard_map=ShardMap("sales", 2, ("s1", "s2"), (0, 0, 0, 0)))
    assert as_ledger_says(domain("s1", orders=Sharded(("id",)), countries=Copied()), emptied).slots == 4


def test_the_ledgers_split_points_win() -> None:
    ranges = (Ranges(Splits("int8", ("10", "20")), ("s1", "s2", "s1")), Ranges(Splits("text", ()), ("s2",)))
    file = replace(FILE, strategy="range", ranges=ranges)
    owners = (*ShardMap.first(FILE).owners, 0, 1, 0, 1)
    state = replace(STATE, shard_map=ShardMap("sales", 1, ("s1", "s2"), owners, tuple(r.splits for r in ranges)))
    assert differs(file, state) == ()
    assert as_ledger_says(file, state) == file
    edited = replace(file, ranges=(Ranges(Splits("int8", ("15",)), ("s1", "s2")),))
    assert codes(edited, state) == ["OG-LEDGER-013"] * 2
    assert as_ledger_says(edited, state) == file
    assert as_ledger_says(FILE, state) == file
    assert codes(file, STATE) == ["OG-LEDGER-013"] * 2
    assert as_ledger_says(file, STATE) == FILE
    moved = replace(state, shard_map=replace(state.shard_map, epoch=2, owners=(*owners[:-1], 0)))
    assert as_ledger_says(file, moved).ranges[1].shards == ("s1",)


def test_the_ledgers_directory_wins_and_how_new_keys_are_assigned_is_the_files() -> None:
    directory = (Listing("int8", "least_keys"), Listing("uuid", "s2"))
    file = replace(FILE, strategy="directory", directory=directory)
    owners = (*ShardMap.first(FILE).owners, 0, 1)
    state = replace(STATE, shard_map=ShardMap("sales", 1, ("s1", "s2"), owners, directory=("int8", "uuid")))
    assert differs(file, state) == ()
    assert as_ledger_says(file, state) == file
    edited = replace(file, directory=(Listing("int8", "hash"), Listing("text", "hash")))
    assert codes(edited, state) == ["OG-LEDGER-014"] * 2
    assert as_ledger_says(edited, state).directory == (Listing("int8", "hash"), Listing("uuid", "refuse"))
    assert as_ledger_says(FILE, state).strategy == "directory"
    assert as_ledger_says(file, STATE) == FILE
