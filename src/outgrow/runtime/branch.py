"""One shard's part of a transaction, and how it ends by itself."""

from __future__ import annotations

from outgrow import transactions
from outgrow.errors import Error, NodeLost, OperationalError
from outgrow.nodes import Asked, Link, Rows
from outgrow.topology import Node
from outgrow.waits import Steps


class Held(transactions.Branch):
    """What this room knows of a branch, whatever the engine: a connection that nobody else uses."""

    link: Link

    def __init__(self, shard: str, node: Node, link: Link, ahead: list[Asked], place_sql: str | None) -> None:
        super().__init__(shard, link)
        self.node = node
        self.ahead = ahead
        #: Asks for the place behind COMMIT; None where nobody compares places.
        self.place_sql = place_sql
        #: Nothing has run on it yet.
        self.fresh = True

    def commit_steps(self, until: float | None) -> Steps[None]:
        """An ordinary COMMIT; where it wrote, the server's place behind it is asked in the same message."""
        done: Rows | Error
        try:
            place: list[Asked] = [(self.place_sql, None)] if self.wrote and self.place_sql is not None else []
            if behind := [*place, *self.parting()]:
                done, *others = yield from self.link.run_many_steps(
                    [("COMMIT", None), *behind], until=until, chained=True
                )
                self.place = others[0] if place else None
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


class PostgresBranch(Held, transactions.PostgresBranch):
    """A branch on PostgreSQL."""


class MariadbBranch(Held, transactions.MariadbBranch):
    """A branch on MariaDB."""


Branch = PostgresBranch | MariadbBranch
