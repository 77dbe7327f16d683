"""`fleet.sequence("name")`: a sequence's numbers for the application itself.

Two thin shells over the same steps, as `Session` and `AsyncSession` are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow import ledger
from outgrow.errors import InterfaceError, ProgrammingError
from outgrow.nodes import drive, drive_async
from outgrow.plan import Places, own_shard, sequence_name
from outgrow.runtime import engines
from outgrow.runtime.numbers.drawing import relation_sql
from outgrow.schema import SequenceDefinition
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState


class FleetSequence:
    """One sequence of a domain, by the name that SQL has for it.  Shared by threads.

    Numbers never come twice; gaps are left by whoever ends with numbers in hand.  In a domain with one shard, and for
    a sequence that only single tables draw from, it is the server's own.
    """

    def __init__(self, state: DomainState, name: str) -> None:
        self._state = state
        self.name = name

    def next(self) -> int:
        """The next number."""
        return self.take(1)[0]

    def take(self, count: int) -> list[int]:
        """The next `count` numbers."""
        return drive(_take_steps(self._state, self.name, count))

    def skip_to(self, number: int) -> None:
        """Go on at `number` or beyond, never back.  Other processes use up first what they hold."""
        drive(_skip_steps(self._state, self.name, number))


class AsyncFleetSequence:
    """`FleetSequence` for asyncio."""

    def __init__(self, state: DomainState, name: str) -> None:
        self._state = state
        self.name = name

    async def next(self) -> int:
        return (await self.take(1))[0]

    async def take(self, count: int) -> list[int]:
        return await drive_async(_take_steps(self._state, self.name, count))

    async def skip_to(self, number: int) -> None:
        await drive_async(_skip_steps(self._state, self.name, number))


def _take_steps(state: DomainState, name: str, count: int) -> Steps[list[int]]:
    if count < 1:
        raise InterfaceError("OG-RUN-073", f"{count} numbers cannot be taken", cure="take at least 1")
    sequence, shard = yield from _known_steps(state, name)
    if shard is None:
        return (yield from state.sequences.take_steps(sequence, count, None))
    taken, _ = yield from state.sequences.on_primary_steps(
        shard, lambda link: ledger.own_sequence_take_steps(link, relation_sql(sequence.name), count), None
    )
    return taken


def _skip_steps(state: DomainState, name: str, number: int) -> Steps[None]:
    sequence, shard = yield from _known_steps(state, name)
    if shard is None:
        yield from state.sequences.skip_steps(sequence, number, None)
        return
    yield from state.sequences.on_primary_steps(
        shard, lambda link: ledger.own_sequence_skip_steps(link, relation_sql(sequence.name), sequence, number), None
    )


def _known_steps(state: DomainState, name: str) -> Steps[tuple[SequenceDefinition, str | None]]:
    """The definition, and the shard whose own sequence it is; None where it is the fleet's."""
    if state.stale:
        yield from state.refresh_steps(None)
    found = _find(state, name)
    if found is None and (yield from state.changed_steps(None)):
        found = _find(state, name)
    if found is None:
        raise ProgrammingError(
            "OG-RUN-072",
            f"there is no sequence {name!r} in the domain {state.name}",
            cure='make it: session.execute("CREATE SEQUENCE …"); a serial column of t names its own t_column_seq',
            sqlstate="42P01",
        )
    domain = state.picture.domain
    own = domain.home.name if len(domain.shards) == 1 else own_shard(found.name, Places(state.picture.schema, domain))
    if own is not None:
        engines.check_has(state.engine, state.name, engines.OWN_NUMBERS)
    return found, own


def _find(state: DomainState, name: str) -> SequenceDefinition | None:
    named = sequence_name(name)
    return state.picture.schema.find_sequence(*named) if named is not None else None
