"""DDL on every shard, in order; the state per shard is reported, and the schema's epoch rises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from outgrow import ledger
from outgrow.errors import Error, OperationalError
from outgrow.route import Position
from outgrow.runtime import asking
from outgrow.runtime.asking import Footing
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState


@dataclass(frozen=True, slots=True)
class Done:
    status: str
    nodes: tuple[str, ...]
    places: dict[str, Position]


def run_steps(state: DomainState, sql: str, until: float | None) -> Steps[Done]:
    """Run `sql` on every shard, one after another; stops at the first that fails, saying which are done."""
    done: list[str] = []
    nodes: list[str] = []
    places: dict[str, Position] = {}
    status = ""
    shards = [shard.name for shard in state.picture.domain.shards]
    # Whatever happens from here on, even an interruption: our picture may be old.
    state.stale = True
    for shard in shards:
        footing = Footing()
        try:
            rows, node = yield from asking.write_steps(state, shard, footing, sql, None, until)
        except Error as error:
            if not done:
                raise
            yield from _raise_epoch_steps(state, until)
            raise _half_done(done, shard, shards[len(done) + 1 :], error) from error
        status = rows.status
        done.append(shard)
        nodes.append(node.name)
        if footing.floor is not None:
            places[shard] = footing.floor
    yield from _raise_epoch_steps(state, until)
    return Done(status, tuple(nodes), places)


def _raise_epoch_steps(state: DomainState, until: float | None) -> Steps[None]:
    yield from state.on_home_steps(lambda link: ledger.raise_schema_epoch_steps(link, state.name), until)


def _half_done(done: list[str], failed: str, left: list[str], error: Error) -> OperationalError:
    return OperationalError(
        "OG-RUN-032",
        f"done on {', '.join(done)}; failed on {failed}: {error.message}"
        + (f"; not tried on {', '.join(left)}" if left else ""),
        cure=f"mend the cause and run it on the rest by name: execute(sql, shard={failed!r})",
        shard=failed,
        sqlstate=error.sqlstate,
    )
