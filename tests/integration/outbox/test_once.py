"""Consumers note what they have seen in the transaction that does something about it."""

from __future__ import annotations

import asyncio
import threading
import uuid
from dataclasses import replace

import pytest

import outgrow
from outgrow import Fleet
from outgrow.transactions.outbox import Message
from tests.servers import Servers

INSERT = "INSERT INTO orders VALUES (%s, %s)"


def message(key: int | None, id: int = 1) -> Message:
    return Message(uuid.UUID(int=id), "orders", key, "json", b"1")


def test_the_second_time_it_is_known(fleet: Fleet, keys: tuple[int, int]) -> None:
    with fleet.session() as session:
        for at, key in enumerate((*keys, None)):
            for time in range(3):
                with session.transaction():
                    assert session.once(message(key, at)) == (time == 0), (key, time)


def test_each_key_has_its_own(fleet: Fleet, keys: tuple[int, int]) -> None:
    """One shard: with what is done about it."""
    with fleet.session() as session:
        for at, key in enumerate(keys):
            with session.transaction():
                assert session.once(message(key, at))
                session.execute(INSERT, [key, 1])
            assert session.last_transaction is None


def test_what_was_rolled_back_was_not_seen(fleet: Fleet, keys: tuple[int, int]) -> None:
    with fleet.session() as session:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError), session.transaction():
                assert session.once(message(keys[0]))
                raise ZeroDivisionError
        with session.transaction():
            assert session.once(message(keys[0]))
        with session.transaction():
            assert session.once(message(keys[0]), consumer="another")
            assert not session.once(message(keys[0]), consumer="another")


def test_two_at_once_are_one(fleet: Fleet, keys: tuple[int, int]) -> None:
    new: list[bool] = []
    together = threading.Barrier(4)

    def consume() -> None:
        with fleet.session() as session, session.transaction():
            together.wait(10)
            new.append(session.once(message(keys[0])))

    threads = [threading.Thread(target=consume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(new) == [False, False, False, True]


def test_it_needs_a_transaction(fleet: Fleet, keys: tuple[int, int]) -> None:
    with fleet.session() as session, pytest.raises(outgrow.InterfaceError) as caught:
        session.once(message(keys[0]))
    assert caught.value.code == "OG-TX-086"


def test_asyncio_and_forgetting(fleet: Fleet, fleet_servers: Servers, keys: tuple[int, int]) -> None:
    async def consume(id: int) -> bool:
        async with fleet.async_session() as session, session.transaction():
            return await session.once(replace(message(keys[1]), id=uuid.UUID(int=id)))

    assert asyncio.run(consume(1)) and not asyncio.run(consume(1))
    primary = fleet.topology.domains[0].shards[1].primary
    fleet_servers.sql(primary, "UPDATE outgrow.inbox SET seen_at = seen_at - interval '8 days'")
    assert asyncio.run(consume(2))
    assert fleet.outbox().forget_seen() == 1
    assert asyncio.run(consume(1)) and not asyncio.run(consume(2))
