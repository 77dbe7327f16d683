"""`session.copy(…)`: a COPY as a `with` block, one shell per colour of waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from outgrow.nodes import drive, drive_async

if TYPE_CHECKING:
    from outgrow.runtime.bulk.copying import Copying

Piece = bytes | bytearray | memoryview | str


class Copy:
    """One COPY, open inside its `with` block.  Pieces of data may be cut anywhere.

    Written rows are there when the block ends well, and nothing of them is when it does not: the COPY is part of the
    session's transaction, or one atomic transaction over all its shards.
    """

    def __init__(self, copying: Copying) -> None:
        self._copying = copying

    @property
    def rowcount(self) -> int:
        """Rows that were copied, known behind the block; -1 where it was left early."""
        return self._copying.count

    def write(self, data: Piece) -> None:
        """A piece of the data, in the format that COPY names."""
        drive(self._copying.write_steps(data))

    def write_row(self, row: Sequence[Any]) -> None:
        """One row of Python values, in whichever format."""
        drive(self._copying.write_row_steps(row))

    def set_types(self, types: Sequence[int | str]) -> None:
        """The columns' types, by name or OID: what `write_row` sends, and what `rows` gives."""
        self._copying.set_types(types)

    def read(self) -> bytes:
        """The next block of data, whole rows; empty behind the last."""
        return drive(self._copying.read_steps())

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read():
            yield block

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows (without a header) as text, or as Python values of the types that were set."""
        while (rows := drive(self._copying.rows_steps())) is not None:
            yield from rows

    def __enter__(self) -> Self:
        drive(self._copying.enter_steps())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        drive(self._copying.leave_steps(error))


class AsyncCopy:
    """`Copy` for asyncio: the same steps, awaited."""

    def __init__(self, copying: Copying) -> None:
        self._copying = copying

    @property
    def rowcount(self) -> int:
        return self._copying.count

    async def write(self, data: Piece) -> None:
        await drive_async(self._copying.write_steps(data))

    async def write_row(self, row: Sequence[Any]) -> None:
        await drive_async(self._copying.write_row_steps(row))

    def set_types(self, types: Sequence[int | str]) -> None:
        self._copying.set_types(types)

    async def read(self) -> bytes:
        return await drive_async(self._copying.read_steps())

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while block := await self.read():
            yield block

    async def rows(self) -> AsyncIterator[tuple[Any, ...]]:
        while (rows := await drive_async(self._copying.rows_steps())) is not None:
            for row in rows:
                yield row

    async def __aenter__(self) -> Self:
        await drive_async(self._copying.enter_steps())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await drive_async(self._copying.leave_steps(error))
