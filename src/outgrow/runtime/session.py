"""Sessions: what the application holds.  Two thin shells over one `Conversation`, one per colour of waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from outgrow.errors import InterfaceError
from outgrow.nodes import drive, drive_async
from outgrow.route import Level
from outgrow.runtime import bulk
from outgrow.runtime.block import Block
from outgrow.runtime.bulk.copy import AsyncCopy, Copy
from outgrow.runtime.bulk.unloading import Unloaded, written
from outgrow.runtime.conversation import Conversation
from outgrow.runtime.prepared import Parameters
from outgrow.runtime.reading.streaming import Streaming
from outgrow.runtime.result import Result

if TYPE_CHECKING:
    from outgrow.moving import Loaded, LoadFormat, LoadOptions, Progress


class Session:
    """A conversation with the fleet for one thread at a time.

    It autocommits, sees its own writes and never goes back in time (level `session`, the default).
    """

    def __init__(self, conversation: Conversation, secret: bytes | None) -> None:
        self._conversation = conversation
        self._secret = secret

    @property
    def level(self) -> Level:
        return self._conversation.level

    @property
    def in_transaction(self) -> bool:
        return self._conversation.transaction is not None

    @property
    def last_transaction(self) -> str | None:
        """The id of the latest transaction that was to be committed on several shards, for `fleet.outcome`."""
        return self._conversation.last_transaction

    @property
    def pending(self) -> dict[str, tuple[str, ...]]:
        """Shards that have not confirmed yet what this session has committed, with the transactions' ids.

        They are committed.  A read of such a shard waits until it has confirmed; so does one by a session that was
        given this one's token.
        """
        return self._conversation.pending

    def execute(
        self,
        sql: str,
        parameters: Parameters = None,
        *,
        timeout_seconds: float | None = None,
        shard: str | None = None,
        allow_partial: bool = False,
    ) -> Result:
        """Run one statement wherever its rows are; `shard` overrides where.

        With `allow_partial` a read over several shards answers from those that do; `Result.missing` names the others.
        """
        return drive(self._conversation.execute_steps(sql, parameters, timeout_seconds, shard, allow_partial))

    def stream(
        self, sql: str, parameters: Parameters = None, *, timeout_seconds: float | None = None, chunk_rows: int = 1000
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of one query as they arrive, in bounded memory (`chunk_rows` per shard)."""
        streaming = Streaming(self._conversation, sql, parameters, timeout_seconds, chunk_rows)
        try:
            while (rows := drive(streaming.more_steps())) is not None:
                yield from rows
        finally:
            drive(streaming.close_steps())

    @contextmanager
    def transaction(self, isolation: str = "", *, read_only: bool = False) -> Iterator[Self]:
        """All or nothing for the block; inside a transaction, a savepoint.

        `isolation` is as SQL has it, such as `"REPEATABLE READ"`.  `read_only` refuses writes; where the session's
        reads are atomic, all that the block reads is then of one moment.
        """
        block = Block(self._conversation, isolation, read_only)
        drive(block.enter_steps())
        try:
            yield self
        except BaseException:
            drive(block.leave_steps(False))
            raise
        drive(block.leave_steps(True))

    def load(
        self,
        source: str | Path | BinaryIO,
        table: str,
        *,
        form: LoadFormat | None = None,
        options: LoadOptions | None = None,
        progress: Progress | None = None,
    ) -> Loaded:
        """Load a file (CSV, unless `form` says) into a table, split by its key; then this session sees the rows.

        It is part of the session's transaction, or one of its own.  Run again with the same `options.load_id`, it
        skips the shards that have their part.
        """
        with opened(source) as file:
            return drive(self._conversation.load_steps(file, table, form, options, progress))

    def unload(
        self,
        what: str,
        target: str | Path | BinaryIO,
        *,
        form: LoadFormat | None = None,
        progress: Progress | None = None,
    ) -> Unloaded:
        """Write a table's or a query's rows to a file, which is there when it is complete."""
        with written(target) as file:
            return drive(bulk.unload_steps(self._conversation, what, file, form, progress))

    def copy(self, sql: str, parameters: Parameters = None) -> Copy:
        """COPY … FROM STDIN or COPY … TO STDOUT, as a `with` block, over all the shards it concerns."""
        return Copy(bulk.open_copy(self._conversation, sql, parameters))

    def token(self) -> str:
        """What this session has seen, as signed text for another process."""
        return drive(self._conversation.token_steps()).sign(needed(self._secret))

    def close(self) -> None:
        """End the session; an open transaction is rolled back."""
        if not self._conversation.closed:
            drive(self._conversation.close_steps())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class AsyncSession:
    """`Session` for asyncio: the same steps, awaited."""

    def __init__(self, conversation: Conversation, secret: bytes | None) -> None:
        self._conversation = conversation
        self._secret = secret

    @property
    def level(self) -> Level:
        return self._conversation.level

    @property
    def in_transaction(self) -> bool:
        return self._conversation.transaction is not None

    @property
    def last_transaction(self) -> str | None:
        """The id of the latest transaction that was to be committed on several shards, for `fleet.outcome`."""
        return self._conversation.last_transaction

    @property
    def pending(self) -> dict[str, tuple[str, ...]]:
        """Shards that have not confirmed yet what this session has committed, with the transactions' ids."""
        return self._conversation.pending

    async def execute(
        self,
        sql: str,
        parameters: Parameters = None,
        *,
        timeout_seconds: float | None = None,
        shard: str | None = None,
        allow_partial: bool = False,
    ) -> Result:
        return await drive_async(
            self._conversation.execute_steps(sql, parameters, timeout_seconds, shard, allow_partial)
        )

    async def stream(
        self, sql: str, parameters: Parameters = None, *, timeout_seconds: float | None = None, chunk_rows: int = 1000
    ) -> AsyncIterator[tuple[Any, ...]]:
        streaming = Streaming(self._conversation, sql, parameters, timeout_seconds, chunk_rows)
        try:
            while (rows := await drive_async(streaming.more_steps())) is not None:
                for row in rows:
                    yield row
        finally:
            await drive_async(streaming.close_steps())

    @asynccontextmanager
    async def transaction(self, isolation: str = "", *, read_only: bool = False) -> AsyncIterator[Self]:
        block = Block(self._conversation, isolation, read_only)
        await drive_async(block.enter_steps())
        try:
            yield self
        except BaseException:
            await drive_async(block.leave_steps(False))
            raise
        await drive_async(block.leave_steps(True))

    async def load(
        self,
        source: str | Path | BinaryIO,
        table: str,
        *,
        form: LoadFormat | None = None,
        options: LoadOptions | None = None,
        progress: Progress | None = None,
    ) -> Loaded:
        """The same; reading the file itself blocks the loop, block by block."""
        with opened(source) as file:
            return await drive_async(self._conversation.load_steps(file, table, form, options, progress))

    async def unload(
        self,
        what: str,
        target: str | Path | BinaryIO,
        *,
        form: LoadFormat | None = None,
        progress: Progress | None = None,
    ) -> Unloaded:
        with written(target) as file:
            return await drive_async(bulk.unload_steps(self._conversation, what, file, form, progress))

    def copy(self, sql: str, parameters: Parameters = None) -> AsyncCopy:
        return AsyncCopy(bulk.open_copy(self._conversation, sql, parameters))

    async def token(self) -> str:
        return (await drive_async(self._conversation.token_steps())).sign(needed(self._secret))

    async def close(self) -> None:
        if not self._conversation.closed:
            await drive_async(self._conversation.close_steps())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()


def opened(source: str | Path | BinaryIO) -> AbstractContextManager[BinaryIO]:
    """The file of a path, to be closed; a file of the caller's stays open."""
    if not isinstance(source, (str, Path)):
        return nullcontext(source)
    path = Path(source)
    try:
        return path.open("rb")
    except OSError as error:
        raise InterfaceError(
            "OG-RUN-045", f"{path} cannot be read: {error.strerror}", cure="give the path of a readable CSV file"
        ) from error


def needed(secret: bytes | None) -> bytes:
    if secret is None:
        raise InterfaceError(
            "OG-RUN-011",
            "tokens are signed, and fleet.yaml names no secret",
            cure="add `secret: {env: OUTGROW_SECRET}` to fleet.yaml and set that variable",
        )
    return secret
