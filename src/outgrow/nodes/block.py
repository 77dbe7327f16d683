"""One statement in a transaction of its own: behind a transaction pooler nothing else keeps two statements together.

What goes before it, the statement and what goes behind it are one message with one Sync.  Where what goes before
changes how values are written and read (`apart`), each is a message of its own: parameters are dumped and rows are
loaded under the settings that hold by then.
"""

from __future__ import annotations

from collections.abc import Sequence

from outgrow import errors
from outgrow.clock import monotonic
from outgrow.nodes.link import Link
from outgrow.nodes.pair import Asked, Outcome
from outgrow.nodes.queries import QUERIES
from outgrow.waits import Steps


def block_steps(
    link: Link, before: Sequence[Asked], statement: Asked, after: Sequence[Asked], *, apart: bool, until: float | None
) -> Steps[list[Outcome]]:
    """The outcomes of all of them, in order; behind one that failed all have its error.

    `before` begins the transaction and `after` commits it.  Where that was not reached it is rolled back: the link is
    at rest afterwards, or closed.
    """
    pieces = [before, [statement], after] if apart else [[*before, statement, *after]]
    outcomes: list[Outcome] = []
    failed: errors.Error | None = None
    for piece in pieces:
        if failed is not None:
            outcomes += [failed] * len(piece)
            continue
        # What COPY answers has no place in a pipeline.
        single = apart and piece[0] is statement
        answers = yield from (_single_steps if single else _chained_steps)(link, piece, until)
        failed = next((answer for answer in answers if isinstance(answer, errors.Error)), None)
        outcomes += answers
    if failed is not None:
        yield from rolled_back_steps(link)
    return outcomes


def rolled_back_steps(link: Link) -> Steps[None]:
    """End what is open on the link; one that cannot is closed."""
    if link.broken:
        link.close()
    elif link.in_transaction:
        until = monotonic() + link.settings.cancel_timeout_seconds
        try:
            yield from link.run_steps(QUERIES["rollback"], until=until, prepare=False)
        except errors.Error:
            link.close()


def _chained_steps(link: Link, piece: Sequence[Asked], until: float | None) -> Steps[list[Outcome]]:
    return (yield from link.run_many_steps(piece, until=until, chained=True))


def _single_steps(link: Link, piece: Sequence[Asked], until: float | None) -> Steps[list[Outcome]]:
    [(sql, params)] = piece
    try:
        return [(yield from link.run_steps(sql, params, until=until))]
    except errors.Error as error:
        return [error]
