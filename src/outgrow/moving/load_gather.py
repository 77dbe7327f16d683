"""Each shard's records of a block, laid one after the other by numpy: no Python object for a record."""

from __future__ import annotations

from itertools import compress

import numpy as np
import numpy.typing as npt

from outgrow.moving.load_records import SLACK, Records

#: Bytes copied at once, at least where records are longer and at most: the block's slack lets a piece be read beyond
#: its last record.
PIECE_MIN, PIECE_MAX = 64, SLACK
#: With a longer record in the block, the records are joined as Python objects: that many rounds would cost more.
LONG = 64 * PIECE_MIN
#: Buffers kept at most: those that wait in the lanes' queues, and a few that are being sent.
KEPT_MAX = 24


class Pool:
    """Buffers for the parts of blocks, taken again when no part has a view of them any more.

    Fresh pages would cost as much as everything else that splitting does.
    """

    __slots__ = ("_kept", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[bytearray] = []

    def take(self, size: int) -> bytearray:
        """A buffer of at least `size` bytes, whatever is in them."""
        if size > self._size:
            return bytearray(size)
        for buffer in self._kept:
            try:
                # Python refuses to resize a bytearray that somebody has a view of.
                buffer.append(0)
            except BufferError:
                continue
            buffer.pop()
            return buffer
        made = bytearray(self._size)
        if len(self._kept) < KEPT_MAX:
            self._kept.append(made)
        return made


def gather(
    records: Records, owners: npt.NDArray[np.uint16], shards: int, pool: Pool
) -> tuple[list[bytes | memoryview], list[int]]:
    """The bytes and the number of the records of every shard; `owners` of `shards` or above belong to none."""
    counts = np.bincount(owners, minlength=shards + 1)[: shards + 1]
    starts = records.starts
    lengths = records.ends - starts + 1
    longest = int(lengths.max(initial=0))
    if longest > LONG:
        rows = records.rows()
        return [b"".join(compress(rows, (owners == shard).tobytes())) for shard in range(shards)], counts[:-1].tolist()
    order = np.argsort(owners, kind="stable")
    from_, sizes = starts[order], lengths[order]
    behind = np.cumsum(sizes)
    to = behind - sizes
    # One piece for a whole record if they are much alike; few long ones shall not make all the others' pieces long.
    piece = min(longest, max(PIECE_MIN, 2 * records.size // len(records)), PIECE_MAX)
    piece = -(-piece // 32) * 32
    laid = pool.take(records.size + piece)
    source, target = _pieces(records.padded, piece), _pieces(np.frombuffer(laid, dtype=np.uint8), piece)
    shortest = int(sizes.min(initial=0))
    # Each record's last piece runs on into the first piece of those behind it.  So the last pieces go first, and the
    # first pieces last, from the first record to the last: what was run over is written again.
    for at in range((longest - 1) // piece * piece, -1, -piece):
        if shortest > at:
            target[to + at] = source[from_ + at]
        else:
            long = np.flatnonzero(sizes > at)
            target[to[long] + at] = source[from_[long] + at]
    view = memoryview(laid)
    last = np.cumsum(counts).tolist()
    bounds = [0, *(int(behind[number - 1]) if number else 0 for number in last)]
    return [view[bounds[shard] : bounds[shard + 1]] for shard in range(shards)], counts[:-1].tolist()


def _pieces(buffer: npt.NDArray[np.uint8], piece: int) -> npt.NDArray[np.void]:
    """Every place of the buffer as the beginning of a piece; a view."""
    return np.ndarray((len(buffer) - piece + 1,), dtype=f"V{piece}", buffer=buffer.data, strides=(1,))
