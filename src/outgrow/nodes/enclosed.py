"""One statement in a transaction of its own: behind a transaction pooler nothing else keeps two statements together.

What goes before it, the statement and what goes behind it are one message with one Sync.  Where what goes before says
how rows are to be read (`apart`), what goes behind is a message of its own: the rows are loaded before that ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from outgrow import errors
from outgrow.clock import monotonic
from outgrow.nodes.link import Link
from outgrow.nodes.pair import Asked, Outcome
from outgrow.nodes.queries import QUERIES
from outgrow.waits import Steps


def enclosed_steps(
    link: Link, before: Sequence[Asked], statement: Asked, after: Sequence[Asked], *, apart: bool, until: float | None
) -> Steps[list[Outcome]]:
    """The outcomes of all of them, in order; behind one that failed all have its error.

    `before` begins the transaction and `after` commits it.  Where that was not reached it is rolled back: the link is
    at rest afterwards, or closed.
    """
    asked = [*before, statement, *after]
    cut = len(before) + 1 if apart else len(asked)
    outcomes = yield from link.run_many_steps(asked[:cut], until=until, chained=True)
    failed = next((outcome for outcome in outcomes if isinstance(outcome, errors.Error)), None)
    if failed is None and apart:
        outcomes += yield from link.run_many_steps(after, until=until, chained=True)
        failed = next((outcome for outcome in outcomes if isinstance(outcome, errors.Error)), None)
    if failed is not None:
        outcomes += [failed] * (len(asked) - len(outcomes))
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
