"""The same for asyncio: `await aio.connect(…)`, and await whatever waits for a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from outgrow.doors.dbapi.connection import ConnectionFacts, CursorFacts
from outgrow.doors.dbapi.fleets import opened, speaking
from outgrow.doors.dbapi.speaking import Reading, Row
from outgrow.runtime import Fleet, Level, Parameters, drive_async
from outgrow.runtime.transaction.foreign import Xid
from outgrow.topology import Topology

__all__ = ["AsyncConnection", "AsyncCursor", "connect"]


class AsyncCursor(CursorFacts):
    """`Cursor` for asyncio: the same steps, awaited."""

    @property
    def connection(self) -> AsyncConnection:
        connection: AsyncConnection = self._connection
        return connection

    async def execute(self, operation: str, parameters: Parameters = None) -> Self:
        await drive_async(self._reading.execute_steps(operation, parameters))
        return self

    async def executemany(self, operation: str, seq_of_parameters: Iterable[Parameters]) -> Self:
        await drive_async(self._reading.execute_many_steps(operation, seq_of_parameters))
        return self

    async def callproc(self, procname: str, parameters: Sequence[Any] = ()) -> list[Any]:
        return await drive_async(self._reading.call_steps(procname, parameters))

    async def fetchone(self) -> Row | None:
        return await drive_async(self._reading.one_steps())

    async def fetchmany(self, size: int | None = None) -> list[Row]:
        return await drive_async(self._reading.fetch_steps(self.arraysize if size is None else size))

    async def fetchall(self) -> list[Row]:
        return await drive_async(self._reading.fetch_steps(None))

    async def scroll(self, value: int, mode: str = "relative") -> None:
        self._reading.scroll(value, mode)

    async def close(self) -> None:
        await drive_async(self._reading.close_steps())

    def __aiter__(self) -> AsyncIterator[Row]:
        return self

    async def __anext__(self) -> Row:
        row = await self.fetchone()
        if row is None:
            raise StopAsyncIteration
        return row

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()


class AsyncConnection(ConnectionFacts):
    """`Connection` for asyncio: for one task at a time."""

    def cursor(self, name: str | None = None) -> AsyncCursor:
        self._speaking.check()
        return AsyncCursor(self, Reading(self._speaking, name))

    async def commit(self) -> None:
        await drive_async(self._speaking.end_steps(True))

    async def rollback(self) -> None:
        await drive_async(self._speaking.end_steps(False))

    async def tpc_prepare(self) -> None:
        await drive_async(self._speaking.prepare_steps())

    async def tpc_commit(self, xid: object = None) -> None:
        await drive_async(self._speaking.end_two_phases_steps(xid, True))

    async def tpc_rollback(self, xid: object = None) -> None:
        await drive_async(self._speaking.end_two_phases_steps(xid, False))

    async def tpc_recover(self) -> list[Xid]:
        self._speaking.check()
        return await drive_async(self._speaking.two_phases.recover_steps())

    async def close(self) -> None:
        try:
            await drive_async(self._speaking.close_steps())
        finally:
            await asyncio.to_thread(self._let_go)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        try:
            await drive_async(self._speaking.leave_steps(kind is None))
        finally:
            await asyncio.to_thread(self._let_go)


async def connect(
    source: str | Path | Topology | Fleet | None = None,
    *,
    domain: str | None = None,
    level: str | Level = "session",
    autocommit: bool = False,
    scatter: str | None = None,
) -> AsyncConnection:
    """As the module's `connect`; a fleet is opened and closed on a thread, so that the loop goes on."""
    fleet, let_go = await asyncio.to_thread(opened, source)
    return AsyncConnection(speaking(fleet, let_go, domain, level, autocommit, scatter), let_go)
