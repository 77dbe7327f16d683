"""One shard's part of a transaction, and how it ends by itself."""

from __future__ import annotations

from collections.abc import Sequence

from outgrow import ledger, transactions
from outgrow.errors import Error, NodeLost, OperationalError
from outgrow.nodes import Link, Rows
from outgrow.runtime.outdated import Outdated
from outgrow.topology import Node
from outgrow.waits import Steps


class Branch(transactions.Branch):
    """One shard's part of a transaction: a connection that nobody else uses."""

    link: Link

    def __init__(self, shard: str, node: Node, link: Link, place_sql: str | None) -> None:
        super().__init__(shard, link)
        self.node = node
        #: Asks for the place behind COMMIT; None where nobody compares places.
        self.place_sql = place_sql
        #: Nothing has run on it yet.
        self.fresh = True
        #: It may have written.
        self.wrote = False
        #: The shard's edition, which stays what it is as long as the branch is open; where in `ahead` it is asked for.
        self.edition: int | None = None
        self.edition_at: int | None = None

    def begin(self, prologue: Sequence[str], savepoints: Sequence[str], directory: bool) -> None:
        """What goes ahead of the first statement; in a domain with a `directory` what holds the shard's keys, too."""
        self.ahead = [(sql, None) for sql in prologue]
        if directory:
            # Before anything takes a snapshot.
            queries = ledger.queries()
            self.ahead += [(queries["edition_hold_block"], None), (queries["edition_check_block"], [None])]
            self.edition_at = len(self.ahead) - 1
        self.ahead += [(sql, None) for sql in savepoints]

    def expect(self, edition: int) -> None:
        """Go on only where this is the shard's edition: raises Outdated, or the first statement will."""
        if self.edition_at is not None:
            self.ahead[self.edition_at] = (ledger.queries()["edition_check_block"], [edition])
        elif self.edition != edition:
            raise Outdated(self.shard)

    def commit_steps(self, until: float | None) -> Steps[None]:
        """An ordinary COMMIT; where it wrote, the server's place behind it is asked in the same message."""
        done: Rows | Error
        try:
            if self.wrote and self.place_sql is not None:
                done, self.place = yield from self.link.run_many_steps(
                    [("COMMIT", None), (self.place_sql, None)], until=until, chained=True
                )
            else:
                done = yield from self.link.run_steps("COMMIT", None, until=until)
        except NodeLost as error:
            if not self.wrote:
                raise
            raise OperationalError(
                "OG-RUN-021",
                "the connection broke during COMMIT: the transaction is either wholly done or not done at all",
                cure="read what it wrote before trying again",
                shard=self.shard,
                node=self.node.name,
            ) from error
        if isinstance(done, Error):
            raise done
        if done.status != "COMMIT":
            raise OperationalError(
                "OG-RUN-020",
                "the server rolled the transaction back",
                shard=self.shard,
                sqlstate="25P02",
                cure="run the transaction again",
            )
