"""Sessions: what the application holds.  Two thin shells over one `Conversation`, one per colour of waiting."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from outgrow.errors import InterfaceError
from outgrow.moving import Loaded, LoadFormat, LoadOptions, Progress
from outgrow.nodes import drive, drive_async
from outgrow.route import Level
from outgrow.runtime.block import Block
from outgrow.runtime.conversation import Conversation
from outgrow.runtime.prepared import Parameters
from outgrow.runtime.result import Result
from outgrow.runtime.streaming import Streaming

_CSV = LoadFormat()
_INTO_EMPTY = LoadOptions()


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
        self, sql: str, parameters: Parameters = None, *, timeout_seconds: float | None = None, shard: str | None = None
    ) -> Result:
        """Run one statement wherever its rows are; `shard` overrides where."""
        return drive(self._conversation.execute_steps(sql, parameters, timeout_seconds, shard))

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
    def transaction(self, isolation: str = "") -> Iterator[Self]:
        """All or nothing for the block; inside a transaction, a savepoint.

        `isolation` is as SQL has it, such as `"REPEATABLE READ"`.
        """
        block = Block(self._conversation, isolation)
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
        form: LoadFormat = _CSV,
        options: LoadOptions = _INTO_EMPTY,
        progress: Progress | None = None,
    ) -> Loaded:
        """Load a CSV file into a table, split by its key, all shards at once; then this session sees the rows.

        Every shard's part is one transaction, and all are committed only when all have arrived; a crash between the
        commits is mended by running the same load again with the same `options.load_id`.
        """
        with contextlib.ExitStack() as stack:
            if isinstance(source, (str, Path)):
                source = stack.enter_context(open_file(Path(source)))
            return drive(self._conversation.load_steps(source, table, form, options, progress))

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
        self, sql: str, parameters: Parameters = None, *, timeout_seconds: float | None = None, shard: str | None = None
    ) -> Result:
        return await drive_async(self._conversation.execute_steps(sql, parameters, timeout_seconds, shard))

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
    async def transaction(self, isolation: str = "") -> AsyncIterator[Self]:
        block = Block(self._conversation, isolation)
        await drive_async(block.enter_steps())
        try:
            yield self
        except BaseException:
            await drive_async(block.leave_steps(False))
            raise
        await drive_async(block.leave_steps(True))

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


def open_file(path: Path) -> BinaryIO:
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
