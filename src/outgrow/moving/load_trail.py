"""Where each shard's rows came from, so that a row that a server refuses can be found again in the input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from outgrow.moving.load_records import NEWLINE, Positions, Records

#: Bytes kept of which row went where, at most; beyond that only the block of a row is known.
KEPT_MAX = 16 << 20


@dataclass(slots=True)
class Trace:
    """One block."""

    #: Where in the input it lay, and the line that it began with.
    offset: int
    size: int
    line: int
    rows_before: tuple[int, ...]
    #: Every record is one line.
    plain: bool
    #: Where the input cannot be read again: each record's shard (None: every one) and the lines that it takes.
    owners: npt.NDArray[np.uint16] | None = None
    lengths: Positions | None = None
    kept: bool = False


class Trail:
    """Every block's trace.  `live` input comes once: what would be read again must be kept, as long as it is small."""

    def __init__(self, *, live: bool) -> None:
        self.blocks: list[Trace] = []
        self._live = live
        self._kept = 0

    def note(self, trace: Trace, records: Records, owners: npt.NDArray[np.uint16] | None) -> None:
        lengths = None
        if self._live and self._kept <= KEPT_MAX and not trace.plain:
            newlines = np.flatnonzero(records.padded[: records.size] == NEWLINE)
            lengths = np.diff(np.searchsorted(newlines, records.ends), prepend=-1)
        self.keep(trace, owners, lengths)

    def keep(self, trace: Trace, owners: npt.NDArray[np.uint16] | None, lengths: Positions | None = None) -> None:
        self.blocks.append(trace)
        if self._live and self._kept <= KEPT_MAX:
            trace.kept, trace.owners, trace.lengths = True, owners, lengths
            self._kept += sum(kept.nbytes for kept in (owners, lengths) if kept is not None)

    def found(
        self, shard: int, line: int, rows: tuple[int, ...], *, physical: bool, headed: bool = False
    ) -> tuple[int, int] | None:
        """The first and the last line of the input where the row lies that a shard saw on this line of its part.

        `rows` are the shards' rows at the end; `physical`: the server counted the lines inside of records too;
        `headed`: it had a header before (which is not counted here).
        """
        seen = 0
        for number, block in enumerate(self.blocks):
            behind = self.blocks[number + 1] if number + 1 < len(self.blocks) else None
            mine = (behind.rows_before if behind else rows)[shard] - block.rows_before[shard]
            last = behind.line - 1 if behind else block.line + max(mine, block.size)
            if not block.kept:
                return block.line, last
            lengths = block.lengths
            if lengths is None or not physical:
                if seen + mine < line:
                    seen += mine
                    continue
                if mine == 0:
                    return None
                which = _nth(block.owners, shard, line - seen - 1)
                at = block.line + (which if lengths is None else int(lengths[:which].sum()))
                return at, at
            chosen = lengths if block.owners is None else lengths[block.owners == shard]
            if not (seen or headed):
                # A server knows how lines end only behind its first record, and counts that as one.
                chosen = np.concatenate([np.ones(min(1, len(chosen)), dtype=chosen.dtype), chosen[1:]])
            if seen + int(chosen.sum()) < line:
                seen += int(chosen.sum())
                continue
            place = int(np.searchsorted(np.cumsum(chosen), line - seen))
            at = block.line + int(lengths[: _nth(block.owners, shard, place)].sum())
            return at, at
        return None


def _nth(owners: npt.NDArray[np.uint16] | None, shard: int, number: int) -> int:
    """The block's record that is the shard's n-th of it, both from 0."""
    return number if owners is None else int(np.flatnonzero(owners == shard)[number])
