"""Worker numbers for ids that are made in memory: each is leased for an interval of milliseconds."""

from __future__ import annotations

from outgrow.ledger.steps import Runner, alone_steps, meet_primary_steps
from outgrow.waits import Steps


def take_worker_steps(home: Runner, holder: str, now_ms: int, until_ms: int) -> Steps[int | None]:
    """A number that is `holder`'s alone for ids of the milliseconds from `now_ms` to `until_ms`; None: all are taken.

    "Now" is the holder's own clock: what makes intervals disjoint is that a number is given only to who comes after
    the last millisecond that was promised to another, whatever clock that was.
    """
    # A promotion that nobody has met yet would let a number be given twice.
    yield from meet_primary_steps(home)
    parameters = [holder, now_ms, until_ms]
    answer = yield from alone_steps(home, "worker_take", parameters)
    if not answer.rows:
        yield from alone_steps(home, "worker_numbers")
        answer = yield from alone_steps(home, "worker_take", parameters)
    return answer.rows[0][0] if answer.rows else None


def keep_worker_steps(home: Runner, number: int, holder: str, now_ms: int, until_ms: int) -> Steps[bool]:
    """Keep the number until `until_ms`; False where it is not the holder's any more."""
    answer = yield from alone_steps(home, "worker_keep", [number, holder, now_ms, until_ms])
    return bool(answer.rows)


def end_worker_steps(home: Runner, number: int, holder: str, last_ms: int) -> Steps[None]:
    """Give the number back; `last_ms` is the last millisecond of its ids."""
    yield from alone_steps(home, "worker_end", [number, holder, last_ms])
