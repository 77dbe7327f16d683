"""What keeps a shard's keys where they are until a transaction has ended."""

from __future__ import annotations

from outgrow import ledger
from outgrow.errors import Error, NotSupportedError
from outgrow.nodes import Asked, Link, Outcome, Rows
from outgrow.runtime.directories.outdated import check_held
from outgrow.waits import Steps


def holding(engine: str, begin: str = "") -> list[Asked]:
    """What goes ahead on a branch, before anything takes a snapshot: no listed key comes or goes from here on.

    The second asks for the shard's edition; see `Held.expect`.
    """
    if "CONSISTENT" in begin.upper():
        raise NotSupportedError(
            "OG-RUN-085",
            "WITH CONSISTENT SNAPSHOT looks at the shard before it is known which keys of the directory it has",
            cure="begin without it: the snapshot is taken at the first read",
        )
    queries = ledger.queries(engine)
    return [(queries["edition_hold_block"], None), (queries["edition_check_block"], [None])]


def held_block_steps(
    link: Link, edition: int, asked: Asked, place: Asked, until: float | None
) -> Steps[tuple[Outcome, Outcome]]:
    """A write by itself, and its place: in a transaction, which on MariaDB nothing but its words makes of several."""
    begin: Asked = ("START TRANSACTION", None)
    hold, check = holding(link.engine)
    many = [begin, hold, (check[0], [edition]), asked, ("COMMIT", None), place]
    outcomes = yield from link.run_many_steps(many, until=until, chained=True)
    if link.in_transaction:
        yield from link.run_steps("ROLLBACK", None)
    check_held(outcomes[1], outcomes[2], link.node.shard)
    # What failed first says why.
    return outcomes[3] if isinstance(outcomes[3], Error) else _kept(outcomes[3], outcomes[4]), outcomes[5]


def _kept(rows: Rows, commit: Outcome) -> Outcome:
    return commit if isinstance(commit, Error) else rows
