"""DDL on every shard, in order: recorded before the first one runs it, so that anyone can finish it.

`define_steps` is for statements, `resume_steps` for whoever finds something unfinished, `abandon_steps` gives it up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from outgrow import ledger
from outgrow.errors import ConfigurationError, Error, NodeLost, OperationalError, ProgrammingError
from outgrow.ledger import Definition
from outgrow.nodes import Link
from outgrow.route import Position
from outgrow.runtime.definitions import new_tables
from outgrow.runtime.definitions.exclusive import exclusively_steps
from outgrow.runtime.definitions.parts import PartDone, Work, part_steps
from outgrow.runtime.dress import Dress
from outgrow.topology import Domain
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done:
    number: int
    status: str
    nodes: tuple[str, ...]
    places: Mapping[str, Position]
    notices: tuple[str, ...]


def define_steps(
    state: DomainState, sql: str, dress: Dress, until: float | None, shards: Sequence[str] = ()
) -> Steps[Done]:
    """Run `sql` on every shard (or on `shards`), one after another; what was left unfinished before comes first."""
    facts = state.engine.facts(sql)
    settings = tuple(setting.sql for setting in dress)

    def body_steps(home: Link) -> Steps[Done]:
        yield from _finish_steps(state, home, until, wanted=sql)
        domain = yield from known_steps(state, home)
        placements = domain.tables
        if not shards and facts.new_table is not None:
            placements = yield from new_tables.placed_steps(state, home, domain, facts.new_table, until)
        there = shards or [shard.name for shard in domain.shards]
        definition = yield from ledger.record_definition_steps(home, state.name, sql, settings, there)
        work = Work(definition, facts, domain.home.name, home, placements)
        return (yield from _carry_out_steps(state, work, until))

    return (yield from _changing_steps(state, until, body_steps))


def resume_steps(state: DomainState, until: float | None) -> Steps[list[Done]]:
    """Finish every DDL that was left unfinished; empty when there is none."""
    return (yield from _changing_steps(state, until, lambda home: _finish_steps(state, home, until)))


def abandon_steps(state: DomainState, number: int, until: float | None) -> Steps[Definition]:
    """Give up an unfinished DDL: shards that have it keep it, the others never get it."""

    def body_steps(home: Link) -> Steps[Definition]:
        found = yield from ledger.definitions_steps(home, state.name, ledger.UNFINISHED)
        for definition in found:
            if definition.number == number:
                yield from ledger.end_definition_steps(
                    home, state.name, number, "abandoned", definition.failed_shard, definition.error
                )
                return replace(definition, state="abandoned")
        unfinished = ", ".join(str(definition.number) for definition in found) or "none"
        raise ProgrammingError(
            "OG-RUN-054", f"there is no unfinished DDL {number}", cure=f"unfinished are: {unfinished}"
        )

    return (yield from _changing_steps(state, until, body_steps))


def _changing_steps(state: DomainState, until: float | None, body: Callable[[Link], Steps[T]]) -> Steps[T]:
    """Whatever happens in `body`, even an interruption: our picture may be old then, and while it runs."""
    state.stale = True
    try:
        return (yield from exclusively_steps(state, until, body))
    finally:
        state.stale = True


def unfinished_steps(state: DomainState, until: float | None) -> Steps[tuple[Definition, ...]]:
    """DDL that some shard still has to run, or that another process is at work on now."""

    def ask_steps(home: Link) -> Steps[tuple[Definition, ...]]:
        return ledger.definitions_steps(home, state.name, ledger.UNFINISHED)

    return (yield from state.on_home_steps(ask_steps, until))


def raise_epoch_steps(state: DomainState) -> Steps[None]:
    """Every process takes its picture anew."""
    yield from state.on_home_steps(lambda link: ledger.raise_schema_epoch_steps(link, state.name), None)


def known_steps(state: DomainState, home: Link) -> Steps[Domain]:
    """The domain with the ledger's placements of this moment: another process may have placed a table."""
    known = yield from ledger.read_steps(home, state.name)
    if known is None:
        raise ConfigurationError(
            "OG-RUN-040",
            f"the domain {state.name} has no outgrow ledger yet",
            cure="run `outgrow init` once, or open the fleet with outgrow.open(..., install=True)",
        )
    return ledger.as_ledger_says(state.file, known)


def _finish_steps(state: DomainState, home: Link, until: float | None, wanted: str | None = None) -> Steps[list[Done]]:
    """Under the lock nobody else is at work: what is unfinished was left behind."""
    finished = []
    for definition in (yield from ledger.definitions_steps(home, state.name, ledger.UNFINISHED)):
        domain = yield from known_steps(state, home)
        facts = state.engine.facts(definition.sql)
        work = Work(definition, facts, domain.home.name, home, domain.tables)
        _check_shards(domain, definition)
        try:
            finished.append((yield from _carry_out_steps(state, work, until)))
        except Error as error:
            if wanted is None:
                raise
            raise OperationalError(
                "OG-RUN-052",
                f"DDL {definition.number} ({shortened(definition.sql)}) was left unfinished, and finishing it fails: "
                f"{error.message}; {shortened(wanted)} was not run",
                cure=f"mend the cause and try again, or give it up: `outgrow schema abandon {definition.number}`",
                shard=error.shard,
                node=error.node,
                sqlstate=error.sqlstate,
            ) from error
    return finished


def _check_shards(domain: Domain, definition: Definition) -> None:
    known = [shard.name for shard in domain.shards]
    missing = [shard for shard in definition.shards if shard not in known and shard not in definition.done]
    if missing:
        raise ConfigurationError(
            "OG-RUN-063",
            f"DDL {definition.number} ({shortened(definition.sql)}) was left unfinished on {', '.join(missing)}, which "
            "the fleet file does not name any more",
            cure=f"put the shard back into fleet.yaml, or run `outgrow schema abandon {definition.number}`",
        )


def _carry_out_steps(state: DomainState, work: Work, until: float | None) -> Steps[Done]:
    """Run the DDL on every shard that lacks it; where it fails, say and record how far it is."""
    definition = work.definition
    done = [shard for shard in definition.shards if shard in definition.done]
    parts: dict[str, PartDone] = {}
    for shard in definition.shards:
        if shard in done:
            continue
        try:
            parts[shard] = yield from part_steps(state, work, shard, until)
        except GeneratorExit:
            raise
        except BaseException as error:
            raise (yield from _stopped_steps(state, work, done, shard, error)) from error
        done.append(shard)
        yield from ledger.note_definition_steps(work.home, state.name, definition.number, done)
    yield from ledger.end_definition_steps(work.home, state.name, definition.number, "done")
    return Done(
        definition.number,
        next((part.status for part in parts.values() if part.status), ""),
        tuple(part.node for part in parts.values()),
        {shard: part.place for shard, part in parts.items() if part.place is not None},
        tuple(dict.fromkeys(notice for part in parts.values() for notice in part.seen.notices)),
    )


def _stopped_steps(
    state: DomainState, work: Work, done: Sequence[str], shard: str, error: BaseException
) -> Steps[BaseException]:
    """Record that it stopped here; the error to raise.

    Where nobody has it, it is over: whoever asked for it will ask again.  A lost connection leaves that open.
    """
    definition = work.definition
    over = not done and not isinstance(error, NodeLost)
    message = error.message if isinstance(error, Error) else f"interrupted ({type(error).__name__})"
    # Where this cannot be recorded any more it stays "running", which the next one finishes just the same.
    with contextlib.suppress(Error):
        ended = "failed" if over else "stopped"
        yield from ledger.end_definition_steps(work.home, state.name, definition.number, ended, shard, message)
    if over or not isinstance(error, Error):
        return error
    left = [name for name in definition.shards if name != shard and name not in done]
    told = OperationalError(
        "OG-RUN-032",
        f"DDL {definition.number} is done on {', '.join(done) or 'no shard for certain'}; failed on {shard}: {message}"
        + (f"; not tried on {', '.join(left)}" if left else ""),
        cure="mend the cause, then run `outgrow schema resume` (the next DDL does it too); or give it up with "
        f"`outgrow schema abandon {definition.number}`",
        shard=shard,
        node=error.node,
        sqlstate=error.sqlstate,
    )
    told.details = error.details
    return told


def shortened(sql: str) -> str:
    """A statement as a part of a message."""
    text = " ".join(sql.split())
    return text if len(text) <= 80 else text[:77] + "…"
