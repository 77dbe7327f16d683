"""One set of cases for both colours: `door` is the blocking module, or the asyncio twin behind the same calls."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import outgrow
from outgrow import Fleet
from outgrow.doors import dbapi
from outgrow.doors.dbapi import aio
from outgrow.topology import Copied, Placement, Sharded, TableName
from tests.servers import Servers

TABLES: dict[TableName, Placement] = {
    TableName("public", "customers"): Sharded(("customer_id",)),
    TableName("public", "countries"): Copied(),
}
DDL = (
    "CREATE TABLE customers (customer_id int8 PRIMARY KEY, name varchar(30), total numeric(10,2), day date, raw bytea)",
    "CREATE TABLE countries (code text PRIMARY KEY, name text)",
    "CREATE FUNCTION twice(n int8) RETURNS int8 LANGUAGE sql IMMUTABLE AS 'SELECT n * 2'",
)


class Blocking:
    """What is awaitable is awaited, so that a case reads the same for both colours."""

    def __init__(self, thing: Any, run: Callable[[Any], Any]) -> None:
        self.__dict__["_thing"] = thing
        self.__dict__["_run"] = run

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._thing, name)
        if inspect.ismethod(found):
            return lambda *args, **kwargs: self._told(found(*args, **kwargs))
        return self._told(found)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._thing, name, value)

    def _told(self, found: Any) -> Any:
        if inspect.isawaitable(found):
            found = self._run(found)
        wrap = isinstance(found, (aio.AsyncConnection, aio.AsyncCursor))
        return Blocking(found, self._run) if wrap else found

    def __eq__(self, other: object) -> bool:
        return self._thing is getattr(other, "_thing", other)

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Any]:
        iterator = aiter(self._thing)
        while True:
            try:
                yield self._run(anext(iterator))
            except StopAsyncIteration:
                return

    def __enter__(self) -> Any:
        return self._told(self._thing.__aenter__())

    def __exit__(self, *told: Any) -> None:
        self._run(self._thing.__aexit__(*told))


class Door:
    """`door.connect(…)`, of a fleet with two shards and the tables above."""

    def __init__(self, fleet: Fleet, run: Callable[[Any], Any] | None) -> None:
        self.fleet = fleet
        self._run = run

    def connect(self, source: Any = None, **told: Any) -> Any:
        source = self.fleet if source is None else source
        if self._run is None:
            return dbapi.connect(source, **told)
        return Blocking(self._run(aio.connect(source, **told)), self._run)

    def apart(self, count: int = 1) -> list[int]:
        """Keys of which every second lies on the other shard."""
        placed: dict[str, list[int]] = {}
        for key in range(1000, 1000 + 20 * count + 40):
            (shard,) = self.fleet.explain("SELECT 1 FROM customers WHERE customer_id = %s", [key]).to_dict()["shards"][
                "shards"
            ]
            placed.setdefault(shard, []).append(key)
        return [key for pair in zip(placed["s1"], placed["s2"], strict=False) for key in pair][: 2 * count]


@pytest.fixture(scope="module")
def fleet(fleet_servers: Servers) -> Iterator[Fleet]:
    topology = fleet_servers.fresh(TABLES)
    try:
        with outgrow.open(topology, install=True) as opened, opened.session() as session:
            for sql in DDL:
                session.execute(sql)
            yield opened
    finally:
        fleet_servers.drop(topology)


@pytest.fixture(params=["threads", "asyncio"])
def door(request: pytest.FixtureRequest, fleet: Fleet) -> Iterator[Door]:
    with fleet.session() as session:
        session.execute("TRUNCATE customers, countries")
    if request.param == "threads":
        yield Door(fleet, None)
        return
    loop = asyncio.new_event_loop()
    try:
        yield Door(fleet, loop.run_until_complete)
    finally:
        loop.close()


@pytest.fixture
def connection(door: Door) -> Iterator[Any]:
    opened = door.connect()
    yield opened
    opened.close()


@pytest.fixture
def cursor(connection: Any) -> Any:
    return connection.cursor()
