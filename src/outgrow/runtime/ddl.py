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
    try:
        for shard in shards:
            footing = Footing()
            rows, node = yield from asking.write_steps(state, shard, footing, sql, None, until)
            status = rows.status
            done.append(shard)
            nodes.append(node.name)
            if footing.floor is not None:
                places[shard] = footing.floor
    except Error as error:
        if not done:
            raise
        left = shards[len(done) + 1 :]
        raise OperationalError(
            "OG-RUN-032",
            f"done on {', '.join(done)}; failed on {shards[len(done)]}: {error.message}"
            + (f"; not tried on {', '.join(left)}" if left else ""),
            cure=f"mend the cause and run it on the rest by name: execute(sql, shard={shards[len(done)]!r})",
            shard=shards[len(done)],
            sqlstate=error.sqlstate,
        ) from error
    finally:
        if done:
            yield from state.on_home_steps(lambda link: ledger.raise_schema_epoch_steps(link, state.name), until)
            state.stale = True
    return Done(status, tuple(nodes), places)
