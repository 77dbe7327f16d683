"""What a session stands on at one shard: how far it has seen, and where it was shown that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow.route import Level, Position
from outgrow.runtime.dress import Dress
from outgrow.runtime.events.noting import NOBODY, Noting
from outgrow.topology import Node
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState


class Footing:
    """What a session stands on at one shard: the floor it must see, and the replica it has read since."""

    __slots__ = ("ahead", "dress", "floor", "incarnation", "last", "noting", "pending", "unplaced")

    def __init__(self, floor: Position | None = None, noting: Noting = NOBODY, ahead: bool = False) -> None:
        #: The session's, of the statement under way.
        self.noting = noting
        #: What the session has SET.
        self.dress: Dress = ()
        self.floor = floor
        self.last: Node | None = None
        #: Which run of which server it was that answered for `last`: restarted, it may be behind what it has shown.
        self.incarnation = ""
        #: A replica has shown what the primary may not show yet.
        self.ahead = ahead
        #: The primary was read without asking for its place: the floor lies somewhere above `floor`.
        self.unplaced = False
        #: Names of prepared branches that are committed, but that the shard has not confirmed.
        self.pending: tuple[str, ...] = ()

    def stand_on(self, replica: Node, level: Level, incarnation: str) -> None:
        """The replica was read; only level `session` promises that what was seen stays seen."""
        self.last, self.incarnation = replica, incarnation
        self.ahead |= level.name == "session"

    def lose(self) -> None:
        """What the session has seen on the replica is nowhere any more but, sooner or later, on the primary."""
        self.unplaced, self.last = True, None

    def leave_steps(self, state: DomainState, shard: str, until: float | None) -> Steps[None]:
        """Before the shard's primary is used: let it show all that the session has seen on a replica."""
        if self.ahead:
            yield from state.engine.leave_steps(state, shard, self, until)
            self.ahead = False

    def raise_floor(self, position: Position) -> None:
        if self.floor is None or position > self.floor:
            self.floor = position
