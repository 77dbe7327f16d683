"""Each shard's records of a block, laid one after the other by numpy: no Python object for a record."""

from __future__ import annotations

from itertools import compress

import numpy as np
import numpy.typing as npt

from outgrow.moving.load_records import SLACK, Records

#: Bytes copied at once; the block's slack lets a piece be read beyond its last record.
PIECE = SLACK
#: With a longer record in the block, the records are joined as Python objects: that many rounds would cost more.
LONG = 64 * PIECE


def gather(records: Records, owners: npt.NDArray[np.uint16], shards: int) -> tuple[list[bytes | memoryview], list[int]]:
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
    laid = np.empty(records.size + PIECE, dtype=np.uint8)
    source, target = _pieces(records.padded), _pieces(laid)
    shortest = int(sizes.min(initial=0))
    # Each record's last piece runs on into the first piece of those behind it.  So the last pieces go first, and the
    # first pieces last, from the first record to the last: what was run over is written again.
    for at in range((longest - 1) // PIECE * PIECE, -1, -PIECE):
        if shortest > at:
            target[to + at] = source[from_ + at]
        else:
            long = np.flatnonzero(sizes > at)
            target[to[long] + at] = source[from_[long] + at]
    view = laid.data
    last = np.cumsum(counts).tolist()
    bounds = [0, *(int(behind[number - 1]) if number else 0 for number in last)]
    return [view[bounds[shard] : bounds[shard + 1]] for shard in range(shards)], counts[:-1].tolist()


def _pieces(buffer: npt.NDArray[np.uint8]) -> npt.NDArray[np.void]:
    """Every place of the buffer as the beginning of a piece; a view."""
    return np.ndarray((len(buffer) - PIECE + 1,), dtype=f"V{PIECE}", buffer=buffer.data, strides=(1,))
