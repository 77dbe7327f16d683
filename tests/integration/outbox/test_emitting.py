"""Messages are written where their keys live, with what the transaction does, and are there exactly if that is."""

from __future__ import annotations

import asyncio
import math
import uuid
from typing import Any

import pytest

import outgrow
from outgrow import Fleet
from tests.servers import Servers

WAITING = "SELECT topic, key FROM outgrow.outbox ORDER BY number"
BOTH = "INSERT INTO orders VALUES (%s, 1)"


def waiting(fleet: Fleet, servers: Servers) -> dict[str, list[Any]]:
    shards = fleet.topology.domains[0].shards
    return {shard.name: servers.sql(shard.primary, WAITING) for shard in shards}


def test_a_message_lies_with_its_key(fleet: Fleet, fleet_servers: Servers, keys: tuple[int, int]) -> None:
    with fleet.session() as session:
        for key in keys:
            session.emit("orders", {"n": 1}, key=key)
        with session.transaction():
            session.execute(BOTH, [keys[1]])
            session.emit("orders", {"n": 2}, key=keys[1])
        # One shard wrote: nothing was prepared, nothing decided.
        assert session.last_transaction is None
        with pytest.raises(ZeroDivisionError), session.transaction():
            session.emit("orders", {"n": 3}, key=keys[0])
            raise ZeroDivisionError
    one, other = ([("orders", str(key))] for key in keys)
    assert waiting(fleet, fleet_servers) == {"s1": one, "s2": [*other, *other]}


def test_texts_and_uuids_are_keys_too(fleet: Fleet, fleet_servers: Servers) -> None:
    with fleet.session() as session:
        placed = [(key, session.emit("t", None, key=key)) for key in ("anna", "ö", uuid.UUID(int=7), -5)]
    found = [row[1] for rows in waiting(fleet, fleet_servers).values() for row in rows]
    assert sorted(found) == sorted(str(key) for key, _ in placed)
    assert len({id for _, id in placed}) == 4


def test_without_a_key_it_lies_where_the_transaction_writes(
    fleet: Fleet, fleet_servers: Servers, keys: tuple[int, int]
) -> None:
    with fleet.session() as session:
        for key in keys:
            with session.transaction():
                session.execute(BOTH, [key])
                session.emit("orders", b"\x00\xff")
        assert session.last_transaction is None
    assert [len(rows) for rows in waiting(fleet, fleet_servers).values()] == [1, 1]


def test_over_shards_all_or_nothing(fleet: Fleet, fleet_servers: Servers, keys: tuple[int, int]) -> None:
    with fleet.session() as session:
        with session.transaction():
            for key in keys:
                session.execute(BOTH, [key])
                session.emit("orders", {"key": key}, key=key)
        assert session.last_transaction is not None
        with pytest.raises(outgrow.IntegrityError), session.transaction():
            for key in keys:
                session.emit("orders", {"key": key}, key=key)
                session.execute(BOTH, [key])
    assert [len(rows) for rows in waiting(fleet, fleet_servers).values()] == [1, 1]


def test_savepoints_take_messages_back(fleet: Fleet, fleet_servers: Servers, keys: tuple[int, int]) -> None:
    with fleet.session() as session, session.transaction():
        session.emit("orders", 1, key=keys[0])
        with pytest.raises(ZeroDivisionError), session.transaction():
            session.emit("undone", 2, key=keys[0])
            raise ZeroDivisionError
        session.emit("orders", 3, key=keys[0])
    assert waiting(fleet, fleet_servers)["s1"] == [("orders", str(keys[0]))] * 2


def test_asyncio(fleet: Fleet, fleet_servers: Servers, keys: tuple[int, int]) -> None:
    async def emit() -> None:
        async with fleet.async_session() as session, session.transaction():
            await session.emit("orders", [1, 2], key=keys[0], headers={"trace": "abc"})

    asyncio.run(emit())
    assert waiting(fleet, fleet_servers)["s1"] == [("orders", str(keys[0]))]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"topic": ""}, "OG-TX-080"),
        ({"topic": "a\nb"}, "OG-TX-080"),
        ({"key": True}, "OG-TX-081"),
        ({"key": 2**63}, "OG-TX-081"),
        ({"key": 1.5}, "OG-TX-081"),
        ({"key": "a\0b"}, "OG-TX-081"),
        ({"payload": {1: 2}}, "OG-TX-082"),
        ({"payload": math.nan}, "OG-TX-082"),
        ({"payload": object()}, "OG-TX-082"),
        ({"headers": {"outgrow-id": "x"}}, "OG-TX-083"),
        ({"headers": {"a": "x\r\ny: z"}}, "OG-TX-083"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(
    fleet: Fleet, fleet_servers: Servers, arguments: dict[str, Any], code: str
) -> None:
    with fleet.session() as session, pytest.raises(outgrow.Error) as caught:
        session.emit(**{"topic": "orders", "payload": 1, **arguments})
    assert caught.value.code == code
    assert set(map(len, waiting(fleet, fleet_servers).values())) == {0}
