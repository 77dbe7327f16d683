"""One shard's part of a transaction, and how it ends by itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from outgrow import ledger, transactions
from outgrow.errors import Error, NodeLost, OperationalError
from outgrow.nodes import Asked, Link, Rows
from outgrow.route import Position
from outgrow.runtime.asking import stand_steps
from outgrow.runtime.directories.outdated import Outdated
from outgrow.runtime.footing import Footing
from outgrow.runtime.outbox.waking import Waking
from outgrow.topology import Node
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState


class Held(transactions.Branch):
    """What this room knows of a branch, whatever the engine: a connection that nobody else uses."""

    link: Link

    def __init__(self, shard: str, node: Node, link: Link, ahead: list[Asked], place_sql: str | None) -> None:
        super().__init__(shard, link)
        self.node = node
        self.ahead = ahead
        #: Asks for the place behind COMMIT; None where nobody compares places.
        self.place_sql = place_sql
        #: The topics of messages that were emitted on it, and who knows which relays are to be called for them.
        self.emitted: set[str] = set()
        self.waking: Waking | None = None
        #: Nothing has run on it yet.
        self.fresh = True
        #: The shard's edition, which stays what it is as long as the branch is open; where in `ahead` it is asked for.
        self.edition: int | None = None
        self.edition_at: int | None = None

    def expect(self, edition: int) -> None:
        """Go on only where this is the shard's edition: raises Outdated, or the first statement will."""
        if self.edition_at is not None:
            self.ahead[self.edition_at] = (ledger.queries(self.link.engine)["edition_check_block"], [edition])
        elif self.edition != edition:
            raise Outdated(self.shard)

    def calls(self) -> list[Asked]:
        return [] if self.waking is None else self.waking.calls(self.shard, self.emitted)

    def commit_steps(self, until: float | None) -> Steps[None]:
        """An ordinary COMMIT; where it wrote, the server's place behind it is asked in the same message."""
        done: Rows | Error
        try:
            place: list[Asked] = [(self.place_sql, None)] if self.wrote and self.place_sql is not None else []
            if behind := [*place, *self.parting(), *self.calls()]:
                done, *others = yield from self.link.run_many_steps(
                    [("COMMIT", None), *behind], until=until, chained=True
                )
                self.place = others[0] if place else None
            else:
                done = yield from self.link.run_steps("COMMIT", None, until=until)
            if isinstance(done, Error):
                raise done
        except Error as error:
            # (Also where a time limit passed, and the server has not said that it cancelled.)
            if not self.wrote or not (isinstance(error, NodeLost) or self.link.broken):
                raise
            raise OperationalError(
                "OG-RUN-021",
                "the connection broke during COMMIT: the transaction is either wholly done or not done at all",
                cure="read what it wrote before trying again",
                shard=self.shard,
                node=self.node.name,
            ) from error
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


def places_steps(state: DomainState, branches: Sequence[Branch]) -> Steps[dict[str, Position]]:
    """Where their commits lie.  A place that is not to be had now is asked for when it is needed."""
    places: dict[str, Position] = {}
    for branch in branches:
        if branch.place is None or isinstance(branch.place, Error):
            continue
        footing = Footing()
        with suppress(Error):
            yield from stand_steps(state, branch.link, footing, branch.place)
        if footing.floor is not None:
            places[branch.shard] = footing.floor
    return places
